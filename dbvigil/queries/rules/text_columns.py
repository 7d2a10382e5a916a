"""Rules on conditions that ask for something made of a column instead of the column."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sqlglot import exp

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.names import constant
from dbvigil.queries.rules.rewrite import rewritten
from dbvigil.queries.rules.text_conditions import (
    COMPARISONS,
    Condition,
    bare,
    conditions,
    shown,
    sides,
    text_of,
)
from dbvigil.queries.rules.text_ranges import MIRRORED, as_range, without_sum

_CLOCK = (exp.CurrentDate, exp.CurrentTimestamp)


@rule("A function around the column", "text", "rewrite", 2)
def function_on_column(subject: Subject) -> Iterable[Finding]:
    """An index on a column knows nothing of what a function makes of it: each row is read and converted. Ask for a range of the column
    itself, or index the expression.

    Example: SELECT id FROM orders WHERE YEAR(placed) = 2024
    """
    for one in conditions(subject):
        if not isinstance(one.node, COMPARISONS) or one.pinned:
            continue
        for side, other in sides(one.node):
            column = _wrapped(side)
            if column is None or not (constant(other) or isinstance(other, _CLOCK) or _now(other)):
                continue
            if _folded(one, side) is None:
                better = None if subject.redacted else _range(subject, one, side, other, column)
                yield _advice(subject, one, f"{shown(side)} hides {shown(column)} from its index", better)


def _now(node: exp.Expression) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.upper() in ("NOW", "SYSDATE", "UNIX_TIMESTAMP")


def _wrapped(node: exp.Expression) -> exp.Column | None:
    """The column inside a function of it alone."""
    if not isinstance(node, exp.Func) or isinstance(
        node, exp.AggFunc | exp.JSONExtract | exp.JSONExtractScalar | exp.Coalesce | exp.Connector
    ):
        return None
    columns = list(node.find_all(exp.Column))
    if len(columns) != 1 or node.find(exp.AggFunc, exp.Query, exp.JSONExtract, exp.JSONExtractScalar):
        return None
    return columns[0]


def _range(
    subject: Subject, one: Condition, side: exp.Expression, other: exp.Expression, column: exp.Column
) -> exp.Expression | None:
    bound = one.bound(column)
    kind = type(one.node) if side is one.node.this else MIRRORED[type(one.node)]
    return None if bound is None else as_range(bound, column, side, kind, other, subject.flavor)


def _advice(subject: Subject, one: Condition, detail: str, better: exp.Expression | None) -> Finding:
    if better is None:
        return Finding(detail)
    return Finding(f"{detail}: write {shown(better)}", rewritten(subject, (one.node, better)))


@rule("Folding case that is folded anyway", "text", "rewrite", 2)
def case_folded_twice(subject: Subject) -> Iterable[Finding]:
    """A collation whose name ends in _ci takes 'ADA' and 'ada' for equal: LOWER() and UPPER() change nothing but that the index is not
    used. Compare the column.

    Example: SELECT id FROM customer WHERE LOWER(email) = 'ada@example.net'
    """
    for one in conditions(subject):
        if isinstance(one.node, exp.EQ) and not one.pinned:
            for side, other in sides(one.node):
                column = _folded(one, side)
                if column is None or not constant(other):
                    continue
                value = text_of(other)
                plain = value is not None and re.fullmatch(r"[ -~]*", value) and not subject.redacted
                better = exp.EQ(this=column.copy(), expression=other.copy())
                detail = (
                    f"{shown(column)} is compared without regard to case, with or without {side.key.upper()}():"
                    f" write {shown(better)}"
                )
                # In Unicode a few letters change more than their case, and equal a plain one only then: the sign for kelvin, dotless i.
                sure = plain and _charset(one, column) in ("latin1", "ascii")
                yield Finding(detail, rewritten(subject, (one.node, better)) if sure else "")


def _charset(one: Condition, column: exp.Column) -> str | None:
    bound = one.bound(column)
    return None if bound is None else bound.column.charset


def _folded(one: Condition, side: exp.Expression) -> exp.Column | None:
    """The column inside LOWER or UPPER, where it is known to be compared without regard to case."""
    if not isinstance(side, exp.Lower | exp.Upper) or not isinstance(side.this, exp.Column):
        return None
    bound = one.bound(side.this)
    return side.this if bound is not None and (bound.column.collation or "").lower().endswith("_ci") else None


@rule("Arithmetic on the column", "text", "rewrite", 2)
def arithmetic_on_column(subject: Subject) -> Iterable[Finding]:
    """`column + 1 = 5` is worked out for each row; `column = 4` is looked up. Bring what is constant to the other side.

    Example: SELECT id FROM item WHERE quantity * 2 > 10
    """
    for one in conditions(subject):
        if not isinstance(one.node, COMPARISONS) or one.pinned:
            continue
        for side, other in sides(one.node):
            column = _summed(side)
            if column is not None and (constant(other) or isinstance(other, _CLOCK) or _now(other)):
                bound, kind = (
                    one.bound(column),
                    type(one.node) if side is one.node.this else MIRRORED[type(one.node)],
                )
                sum_ = bare(side) or side
                better = None if bound is None else without_sum(bound, column, sum_, kind, other)
                detail = f"{shown(side)} is worked out for each row; leave {shown(column)} alone on its side"
                yield _advice(subject, one, detail, None if subject.redacted else better)


def _summed(side: exp.Expression) -> exp.Column | None:
    """The column of a sum with something constant."""
    found = bare(side)
    if not isinstance(found, exp.Add | exp.Sub | exp.Mul | exp.Div):
        return None
    parts = (bare(found.this), bare(found.expression))
    columns = [part for part in parts if isinstance(part, exp.Column)]
    still = any(
        part is not None
        and (constant(part) or (isinstance(part, exp.Interval) and not part.find(exp.Column, exp.Query)))
        for part in parts
    )
    return columns[0] if len(columns) == 1 and still else None


RULES = (function_on_column, arithmetic_on_column, case_folded_twice)
