"""Values as text that any session reads the same: every column as a literal, built by the server that has it."""

from __future__ import annotations

import re

from dbvigil.queries.rules.ddl import quoted
from dbvigil.queries.rules.names import base_type
from dbvigil.queries.schema import Column, Table

_WHOLE = {"tinyint", "smallint", "mediumint", "int", "bigint", "year"}
_DOUBLES = {"float", "double", "real"}
_TIMES = {"date", "datetime", "timestamp", "time"}


def whole(column: Column) -> bool:
    """Whether it holds whole numbers."""
    return base_type(column) in _WHOLE


def literal(column: Column, name: str = "") -> str:
    """An expression for the column's value as ASCII text of a literal, 'NULL' for NULL; bytes and characters survive as they are.

    `name` is how the statement calls the column, quoted; by default its own name.
    """
    at, base = name or quoted(column.name), base_type(column)
    if base in _WHOLE or base == "decimal":
        text = f"CAST({at} AS CHAR)"
    elif base in _DOUBLES:
        # With all its digits: a FLOAT by itself shows six of them.
        text = f"CAST(({at} + 0e0) AS CHAR)"
    elif base in _TIMES:
        text = f"CONCAT('''', CAST({at} AS CHAR), '''')"
    elif base == "json":
        text = f"CONCAT('CONVERT(X''', HEX(CAST({at} AS CHAR)), ''' USING utf8mb4)')"
    elif base == "bit":
        text = f"CONCAT('0x', LPAD(HEX({at}), 16, '0'))"
    else:
        text = f"CONCAT('X''', HEX({at}), '''')"
    return f"COALESCE({text}, 'NULL')"


def comparable(column: Column, name: str = "") -> str:
    """As `literal`, for a comparison with the column: text is a literal as a client would send it, so that an index is used."""
    if column.collation is None:
        return literal(column, name)
    at = name or quoted(column.name)
    return f"COALESCE(CONCAT('_utf8mb4 X''', HEX(CONVERT({at} USING utf8mb4)), ''''), 'NULL')"


_VALUE = (
    r"(?:NULL|0x[0-9A-F]+|-?[0-9][0-9.eE+-]*|'[-0-9 :.]*'|X'[0-9A-F]*'|CONVERT\(X'[0-9A-F]*' USING utf8mb4\))"
)
_ROW = re.compile(rf"\({_VALUE}(?:,{_VALUE})*+\)")


def is_row(text: object) -> bool:
    """Whether this is a row as `row_literal` writes it, and nothing else: a monitored server's answer becomes a statement elsewhere."""
    return isinstance(text, str) and _ROW.fullmatch(text) is not None


def stored(table: Table) -> tuple[Column, ...]:
    """The columns that are written; the others the server computes itself."""
    return tuple(column for column in table.columns if not column.generated)


def row_literal(table: Table) -> str:
    """An expression for a whole row as it stands in VALUES: `(1,X'61',NULL)`."""
    return f"CONCAT('(', CONCAT_WS(',', {', '.join(literal(column) for column in stored(table))}), ')')"
