"""A statement as a tree, or nothing where it is no statement that can be read. Bounded, and without an exception."""

from __future__ import annotations

import logging
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

LONGEST = 64 * 1024
"""Characters of a statement that is read; what is longer is data more than question."""

# What it cannot read it says at length to the log; here that is an ordinary answer.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


@lru_cache(maxsize=512)
def parse(sql: str) -> exp.Expression | None:
    """The tree of one statement in MySQL's dialect, which MariaDB shares. Do not change it: it is kept."""
    if len(sql) > LONGEST:
        return None
    try:
        found = [one for one in sqlglot.parse(sql, read="mysql") if one is not None]
    except (SqlglotError, RecursionError, ValueError):
        return None
    tree = found[0] if len(found) == 1 else None
    return tree if isinstance(tree, exp.Expression) and not isinstance(tree, exp.Command) else None
