"""Tables as a server's information_schema describes them: columns, indexes, foreign keys, sizes.

Each table is asked for by its full name in a part of its own: MariaDB opens every table of the server for any other condition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from dbvigil.errors import ConfigurationError, MissingPrivilege
from dbvigil.queries.schema import Column, ForeignKey, Index, IndexPart, Schema, Table
from dbvigil.server import Server
from dbvigil.types import ServerInfo

MOST_TABLES = 200
"""Tables of one call; a statement reads far fewer."""
_A_STATEMENT = 20

# MySQL keeps such figures for a day; of a few named tables they cost little to have fresh.
_FRESH = "/*+ SET_VAR(information_schema_stats_expiry = 0) */"
_NAMED = "TABLE_SCHEMA = %s AND TABLE_NAME = %s"

TABLES = f"""
    SELECT {_FRESH} TABLE_SCHEMA AS table_schema, TABLE_NAME AS table_name, TABLE_TYPE AS table_type, ENGINE AS engine,
           TABLE_ROWS AS table_rows, DATA_LENGTH AS data_length, INDEX_LENGTH AS index_length, CREATE_OPTIONS AS create_options
      FROM information_schema.TABLES WHERE {_NAMED}"""  # noqa: S608 - of texts in this file alone
COLUMNS = f"""
    SELECT TABLE_SCHEMA AS table_schema, TABLE_NAME AS table_name, COLUMN_NAME AS column_name, COLUMN_TYPE AS column_type,
           IS_NULLABLE AS is_nullable, COLLATION_NAME AS collation_name, COLUMN_DEFAULT AS column_default, EXTRA AS extra,
           ORDINAL_POSITION AS ordinal_position
      FROM information_schema.COLUMNS WHERE {_NAMED}"""  # noqa: S608
STATISTICS = f"""
    SELECT {_FRESH} TABLE_SCHEMA AS table_schema, TABLE_NAME AS table_name, INDEX_NAME AS index_name, NON_UNIQUE AS non_unique,
           SEQ_IN_INDEX AS seq_in_index, COLUMN_NAME AS column_name, COLLATION AS direction, CARDINALITY AS cardinality,
           SUB_PART AS sub_part, INDEX_TYPE AS index_type, {{expression}} AS expression, {{visible}} AS visible
      FROM information_schema.STATISTICS WHERE {_NAMED}"""  # noqa: S608
FOREIGN_KEYS = f"""
    SELECT TABLE_SCHEMA AS table_schema, TABLE_NAME AS table_name, CONSTRAINT_NAME AS constraint_name, COLUMN_NAME AS column_name,
           REFERENCED_TABLE_SCHEMA AS referenced_schema, REFERENCED_TABLE_NAME AS referenced_table,
           REFERENCED_COLUMN_NAME AS referenced_column, ORDINAL_POSITION AS ordinal_position
      FROM information_schema.KEY_COLUMN_USAGE WHERE {_NAMED} AND REFERENCED_TABLE_NAME IS NOT NULL"""  # noqa: S608

Key = tuple[str, str]
Rows = dict[Key, list[dict[str, Any]]]


async def read_schema(server: Server, tables: Collection[Key], *, default: str = "") -> Schema:
    """What the server shows of `tables`, given as (schema, table); an empty schema means `default`.

    A table that is not there, or on which the account has no privilege, is not in the answer, and `gaps` says so: information_schema does
    not tell the two apart. Raises `ConfigurationError` for more than `MOST_TABLES`, `ServerError` for a server that does not answer.
    """
    if len(tables) > MOST_TABLES:
        raise ConfigurationError("tables", len(tables), f"at most {MOST_TABLES} are read at a time")
    wanted = sorted({(schema or default, name) for schema, name in tables if schema or default})
    if not wanted:
        return Schema(default=default)
    if not server.connected:
        await server.connect()
    try:
        found = [
            await _read(server, statement, wanted)
            for statement in (TABLES, COLUMNS, _statistics(server.info), FOREIGN_KEYS)
        ]
    except MissingPrivilege as error:
        return Schema(default=default, gaps=(str(error),))
    answer = [_table(rows[0], *(part[key] for part in found[1:])) for key, rows in found[0].items()]
    known = {(one.schema.lower(), one.name.lower()) for one in answer}
    gaps = tuple(
        f"{schema}.{name} is not there, or the monitoring account may not see it; GRANT SELECT ON `{schema}`.* would show it"
        for schema, name in wanted
        if (schema.lower(), name.lower()) not in known
    )
    return replace(Schema.of(tuple(answer), default), gaps=gaps)


async def read_indexes(server: Server, tables: Collection[Key]) -> dict[Key, tuple[Index, ...]]:
    """The indexes of `tables`, given as (schema, table) and answered so; one that is not shown has none. Raises `ServerError`."""
    wanted = sorted(set(tables))
    if not server.connected:
        await server.connect()
    rows = await _read(server, _statistics(server.info), wanted)
    return {key: tuple(_indexes(rows[key])) for key in wanted}


def _statistics(info: ServerInfo) -> str:
    expression, visible = "NULL", "'YES'"
    if info.is_mariadb:
        if info.at_least(10, 6):
            visible = "IF(IGNORED = 'YES', 'NO', 'YES')"
    else:
        if info.at_least(8, 0, 13):
            expression = "EXPRESSION"
        if info.at_least(8, 0):
            visible = "IS_VISIBLE"
    return STATISTICS.format(expression=expression, visible=visible)


async def _read(server: Server, statement: str, wanted: Sequence[Key]) -> Rows:
    found: Rows = defaultdict(list)
    for start in range(0, len(wanted), _A_STATEMENT):
        part = wanted[start : start + _A_STATEMENT]
        sql = "\nUNION ALL".join([statement] * len(part))
        for row in await server.rows(sql, [name for key in part for name in key]):
            found[row["table_schema"], row["table_name"]].append(row)
    return found


def _table(
    facts: dict[str, Any],
    columns: list[dict[str, Any]],
    statistics: list[dict[str, Any]],
    keys: list[dict[str, Any]],
) -> Table:
    indexes = tuple(_indexes(statistics))
    distinct = {
        index.parts[0].column.lower(): index.parts[0].cardinality
        for index in indexes
        if index.parts and not index.parts[0].prefix
    }
    columns.sort(key=lambda row: row["ordinal_position"])
    return Table(
        facts["table_name"],
        facts["table_schema"],
        tuple(_column(row, distinct.get(row["column_name"].lower())) for row in columns),
        indexes,
        tuple(
            _foreign_key(name, rows) for name, rows in _grouped(keys, "constraint_name", "ordinal_position")
        ),
        facts["engine"] or "",
        facts["table_rows"],
        facts["data_length"],
        facts["index_length"],
        view="VIEW" in facts["table_type"],
        partitioned="partitioned" in (facts["create_options"] or "").lower(),
    )


def _column(row: dict[str, Any], distinct: int | None) -> Column:
    extra = (row["extra"] or "").lower()
    return Column(
        row["column_name"],
        _text(row["column_type"]).lower(),
        row["is_nullable"] == "YES",
        row["collation_name"],
        None if row["column_default"] is None else _text(row["column_default"]),
        "auto_increment" in extra,
        any(word in extra for word in ("virtual", "stored", "persistent")),
        distinct,
    )


def _indexes(rows: list[dict[str, Any]]) -> Iterable[Index]:
    return (_index(name, parts) for name, parts in _grouped(rows, "index_name", "seq_in_index"))


def _index(name: str, rows: list[dict[str, Any]]) -> Index:
    first = rows[0]
    kind = str(first["index_type"] or "btree").lower()
    return Index(
        name,
        tuple(
            IndexPart(
                row["column_name"] or "",
                row["sub_part"] if kind in {"btree", "hash"} else None,
                row["direction"] == "D",
                _text(row["expression"] or ""),
                row["cardinality"],
            )
            for row in rows
        ),
        not first["non_unique"],
        kind,
        first["visible"] == "YES",
    )


def _foreign_key(name: str, rows: list[dict[str, Any]]) -> ForeignKey:
    return ForeignKey(
        name,
        tuple(row["column_name"] for row in rows),
        rows[0]["referenced_table"],
        tuple(row["referenced_column"] for row in rows),
        rows[0]["referenced_schema"],
    )


def _grouped(rows: list[dict[str, Any]], name: str, order: str) -> Iterable[tuple[str, list[dict[str, Any]]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda one: one[order]):
        found[row[name]].append(row)
    return found.items()


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
