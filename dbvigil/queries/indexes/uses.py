"""How often a server has read each index since it counts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from dbvigil.collectors.values import number
from dbvigil.errors import MissingObject, MissingPrivilege
from dbvigil.queries.rules.statistics_history import IndexUse
from dbvigil.server import Server

# An index is as old as its table's definition at most; what was made later has not been counted since the server's start.
INDEXES = """
    SELECT s.TABLE_SCHEMA AS table_schema, s.TABLE_NAME AS table_name, s.INDEX_NAME AS index_name,
           TIMESTAMPDIFF(SECOND, t.CREATE_TIME, NOW()) AS age
      FROM information_schema.STATISTICS s
      JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = s.TABLE_SCHEMA AND t.TABLE_NAME = s.TABLE_NAME
     WHERE s.TABLE_SCHEMA = %s AND s.SEQ_IN_INDEX = 1"""
UPTIME = "SHOW GLOBAL STATUS LIKE 'Uptime'"
INSTRUMENT = """
    SELECT i.ENABLED AS counted, c.ENABLED AS consumed
      FROM performance_schema.setup_instruments i JOIN performance_schema.setup_consumers c
     WHERE i.NAME = 'wait/io/table/sql/handler' AND c.NAME = 'global_instrumentation'"""
WAITS = """
    SELECT OBJECT_NAME AS table_name, INDEX_NAME AS index_name, COUNT_READ AS count_read
      FROM performance_schema.table_io_waits_summary_by_index_usage
     WHERE OBJECT_TYPE = 'TABLE' AND OBJECT_SCHEMA = %s AND INDEX_NAME IS NOT NULL"""
USERSTAT = """
    SELECT GLOBAL_VALUE AS switched, GLOBAL_VALUE_ORIGIN AS origin
      FROM information_schema.SYSTEM_VARIABLES WHERE VARIABLE_NAME = 'USERSTAT'"""
USER_STATISTICS = """
    SELECT TABLE_NAME AS table_name, INDEX_NAME AS index_name, ROWS_READ AS rows_read
      FROM information_schema.INDEX_STATISTICS WHERE TABLE_SCHEMA = %s"""

Key = tuple[str, str]


async def read_index_uses(server: Server, schemas: Collection[str]) -> list[IndexUse]:
    """One entry an index of `schemas` that the account may see; `server` in it is the target's alias.

    From performance_schema where it counts reads of indexes, else on MariaDB from INDEX_STATISTICS where `userstat` has been on since the
    start. `reads` is None where the server does not tell, also for one index alone: of a table that nobody opened, for example.
    `counted_since_seconds` is the server's uptime, or the age of the table's definition where that is less. Raises `ServerError`.
    """
    if not server.connected:
        await server.connect()
    uptime = float(number((await server.rows(UPTIME))[0]["Value"]) or 0)
    found: list[IndexUse] = []
    for schema in sorted(set(schemas)):
        counted, otherwise = await _counted(server, schema)
        for row in await server.rows(INDEXES, (schema,)):
            table, index = row["table_name"], row["index_name"]
            reads = counted.get((table.lower(), index.lower()), otherwise)
            age = number(row["age"])
            since = uptime if age is None else max(0.0, min(uptime, float(age)))
            found.append(IndexUse(server.target.alias, reads, since, row["table_schema"], table, index))
    return found


async def _counted(server: Server, schema: str) -> tuple[dict[Key, int], int | None]:
    """Reads by table and index in lower case, and those of what is not among them: None where that is not known."""
    try:
        if server.info.performance_schema and await _instrumented(server):
            return _reads(await server.rows(WAITS, (schema,)), "count_read"), None
        if server.info.is_mariadb and await _userstat(server):
            return _reads(await server.rows(USER_STATISTICS, (schema,)), "rows_read"), 0
    except (MissingObject, MissingPrivilege):
        return {}, None
    return {}, None


def _reads(rows: list[dict[str, Any]], column: str) -> dict[Key, int]:
    return {
        (row["table_name"].lower(), row["index_name"].lower()): int(number(row[column]) or 0) for row in rows
    }


async def _instrumented(server: Server) -> bool:
    rows = await server.rows(INSTRUMENT)
    return bool(rows) and {rows[0]["counted"], rows[0]["consumed"]} == {"YES"}


async def _userstat(server: Server) -> bool:
    """Whether it has counted since the start: switched on meanwhile it has seen only a part, and nobody knows which."""
    rows = await server.rows(USERSTAT)
    return bool(rows) and rows[0]["switched"] in {"ON", "1"} and rows[0]["origin"] not in {"SQL"}
