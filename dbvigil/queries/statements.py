"""What can be told of a statement before anything is asked about it: whose it is, and which tables it names."""

from __future__ import annotations

import re

from sqlglot import exp

from dbvigil.queries.parse import parse
from dbvigil.queries.schema_reader import Key

# The last of the beginnings is that of `digests.NEWS`, which is longer than the servers' digests: what it reads is cut off.
_ADMINISTRATIVE = re.compile(
    r"\A(?:SHOW|SET|USE|EXPLAIN|SELECT (?:@@|SYSTEM_USER|CURRENT_USER|VERSION|DATABASE)"
    r"|SELECT SQL_BIG_RESULT IF ?\( ?`?LAST_SEEN`?)|\b(?:performance|information)_schema\b",
    re.IGNORECASE,
)


def administrative(schema: str, text: str) -> bool:
    """Whether a digest is what monitoring tools send, this one too: outside of any schema, about the server itself.

    They are in the totals, and are nobody's slow queries.
    """
    return not schema and _ADMINISTRATIVE.search(text) is not None


def tables_of(sql: str, schema: str) -> set[Key]:
    """(schema, table) of everything that a statement names as a table; "" where no schema is known."""
    tree = parse(sql)
    if tree is None:
        return set()
    names = {one.alias_or_name.lower() for one in tree.find_all(exp.CTE)}
    return {
        (one.db or schema, one.name)
        for one in tree.find_all(exp.Table)
        if one.name and (one.db or one.name.lower() not in names)
    }
