"""A statement as a tree, or nothing where it is no statement that can be read. Bounded, and without an exception."""

from __future__ import annotations

import logging
import re
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

LONGEST = 64 * 1024
"""Characters of a statement that is read; what is longer is data more than question."""
DEEPEST = 150
"""Levels of nesting; what walks a tree of more could run out of stack. A chain of AND or OR is one level."""

# Lists as digests of the server and fingerprints of pt-query-digest shorten them, which are no SQL any more. Tried only where the text
# as it is cannot be read, so that no string is changed that happens to look like one.
_SHORTENED = (
    (re.compile(r"/\*\s*, \.\.\.\s*\*/|/\*repeat [a-z ]*\*/"), ""),
    (re.compile(r"\(\s*(?:\.\.\.|\?\+)\s*\)"), "(?)"),
    (re.compile(r"\?\s*,\s*\.\.\."), "?, ?"),
    (re.compile(r"\b(in|values?)\s*\(\?\+\)", re.IGNORECASE), r"\1 (?)"),
)
# REPLACE is an INSERT for all that the rules ask; MariaDB's settings for one statement, and its limit on rows that are looked at,
# stand before and behind a statement like any other.
_BESIDE = (
    (re.compile(r"^\s*REPLACE\s+(?=[\w`])", re.IGNORECASE), "INSERT "),
    (re.compile(r"^\s*SET\s+STATEMENT\s[^'\"`;]*?\sFOR\s+", re.IGNORECASE), ""),
    (re.compile(r"\sROWS\s+EXAMINED\s+(?:\d+|\?)", re.IGNORECASE), ""),
    (re.compile(r"\bLIMIT\s*(?=$|\))", re.IGNORECASE), ""),
)

# What it cannot read it says at length to the log; here that is an ordinary answer.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


@lru_cache(maxsize=512)
def parse(sql: str) -> exp.Expression | None:
    """The tree of one statement in MySQL's dialect, which MariaDB shares. Do not change it: it is kept.

    Reads statements, and the shortened ones of digests (`IN (...)`) and of fingerprints (`in(?+)`). What was cut is no statement.
    """
    if len(sql) > LONGEST:
        return None
    tree = _read(sql)
    if tree is None:
        longer = sql
        for pattern, text in (*_SHORTENED, *_BESIDE):
            longer = pattern.sub(text, longer)
        tree = _read(longer) if longer != sql else None
    return tree if tree is not None and _shallow(tree) else None


def _read(sql: str) -> exp.Expression | None:
    try:
        found = [one for one in sqlglot.parse(sql, read="mysql") if one is not None]
    except (SqlglotError, RecursionError, ValueError):
        return None
    tree = found[0] if len(found) == 1 else None
    return tree if isinstance(tree, exp.Expression) and not isinstance(tree, exp.Command) else None


def _shallow(tree: exp.Expression) -> bool:
    waiting: list[tuple[exp.Expression, int]] = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > DEEPEST:
            return False
        for child in node.iter_expressions():
            chained = isinstance(node, exp.Connector | exp.SetOperation) and type(child) is type(node)
            waiting.append((child, depth if chained else depth + 1))
    return True
