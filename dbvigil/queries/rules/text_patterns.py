"""Rules on conditions that match patterns, or parts of a document: what an index cannot look up."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlglot import exp

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.text_conditions import (
    COMPARISONS,
    alternatives,
    by_program,
    conditions,
    shown,
    text_of,
)


@rule("LIKE that begins with a wildcard", "text", "schema", 2)
def leading_wildcard(subject: Subject) -> Iterable[Finding]:
    """An index is ordered by how values begin; a pattern that begins with % or _ can only be tried on every row. Search words with a
    FULLTEXT index, ends of values with an index on REVERSE(column).

    Example: SELECT id FROM customer WHERE name LIKE '%smith'
    """
    for one in conditions(subject):
        # One such side of an OR is enough to make the whole of it a scan.
        sides = () if one.pinned else (one.node, *alternatives(one.node))
        columns = {shown(side.this): side for side in sides if _anywhere(side)}
        if columns:
            yield Finding(f"the pattern for {', '.join(columns)} begins with a wildcard")


def _anywhere(side: exp.Expression) -> bool:
    """Whether it asks for texts that begin with anything. What must not be so is looked up by no index anyway."""
    if not isinstance(side, exp.Like) or side.args.get("negate") or not isinstance(side.this, exp.Column):
        return False
    pattern = text_of(side.expression)
    return pattern is not None and pattern[:1] in ("%", "_") and pattern.strip("%") != ""


@rule("LIKE without a wildcard", "text", "rewrite", 1)
def like_without_wildcard(subject: Subject) -> Iterable[Finding]:
    """It asks for one value, and makes the reader look for a pattern. Write =; mind that = ignores spaces at the end in collations that
    pad, and LIKE does not.

    Example: SELECT id FROM customer WHERE name LIKE 'smith'
    """
    for one in () if by_program(subject) else conditions(subject):
        if isinstance(one.node, exp.Like) and isinstance(one.node.this, exp.Column):
            pattern = text_of(one.node.expression)
            if pattern and not one.node.args.get("negate") and not any(mark in pattern for mark in "%_\\"):
                yield Finding(
                    f"the pattern for {shown(one.node.this)} has no wildcard: = asks for the same value"
                )


@rule("A regular expression as condition", "text", "schema", 1)
def regular_expression(subject: Subject) -> Iterable[Finding]:
    """REGEXP is tried on every row, and costs more than LIKE. Where it only asks how a value begins, LIKE 'x%' can use an index; words
    are found by a FULLTEXT index.

    Example: SELECT id FROM customer WHERE name REGEXP '^smith'
    """
    for one in conditions(subject):
        if isinstance(one.node, exp.RegexpLike) and isinstance(one.node.this, exp.Column) and not one.pinned:
            pattern = text_of(one.node.expression) or ""
            plain = re.fullmatch(r"\^[A-Za-z0-9 ]+", pattern)
            words = (
                f"; LIKE '{pattern[1:]}%' asks how it begins, and can use an index"
                if plain and not subject.redacted
                else ""
            )
            yield Finding(f"{shown(one.node.this)} is matched by a regular expression on each row{words}")


@rule("A condition inside JSON", "text", "schema", 2)
def json_in_where(subject: Subject) -> Iterable[Finding]:
    """A document is read and parsed for each row. Make what is asked for a generated column and index it.

    Example: SELECT id FROM event WHERE data->>'$.kind' = 'login'
    """
    for one in conditions(subject):
        if isinstance(one.node, (*COMPARISONS, exp.In)) and not one.pinned:
            found = one.node.this.find(exp.JSONExtract, exp.JSONExtractScalar)
            column = found.find(exp.Column) if found is not None else None
            if column is not None:
                yield Finding(f"{shown(column)} is parsed for each row to compare a part of it")


RULES = (leading_wildcard, json_in_where, like_without_wildcard, regular_expression)
