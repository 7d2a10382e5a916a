"""Who holds a server's connections: counts by user, host, program and process, in one grouped statement, and what the server allows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dbvigil.collectors.sources import NOBODY, sources
from dbvigil.collectors.values import lower_names, number
from dbvigil.server import Server
from dbvigil.types import ServerInfo

MOST_GROUPS = 20
MOST_PIDS = 50
_MOST_ROWS = 2_000

_LIMITS = (
    "max_connections",
    "wait_timeout",
    "thread_cache_size",
    "read_buffer_size",
    "read_rnd_buffer_size",
    "sort_buffer_size",
    "join_buffer_size",
    "thread_stack",
    "binlog_cache_size",
)
BUFFERS = _LIMITS[3:]
LIMITS = "SELECT " + ", ".join(f"@@GLOBAL.{name} AS {name}" for name in _LIMITS)

_ATTRIBUTES = """
      LEFT JOIN (SELECT PROCESSLIST_ID AS id, MAX(IF(ATTR_NAME = '_pid', ATTR_VALUE, NULL)) AS pid,
                        COALESCE(MAX(IF(ATTR_NAME = 'program_name', ATTR_VALUE, NULL)),
                                 MAX(IF(ATTR_NAME = '_client_name', ATTR_VALUE, NULL))) AS program
                   FROM performance_schema.session_connect_attrs
                  WHERE ATTR_NAME IN ('_pid', 'program_name', '_client_name') GROUP BY PROCESSLIST_ID) AS attribute
        ON attribute.id = session.id"""


def statement(info: ServerInfo) -> str:
    """The grouped statement for one kind of server."""
    where = sources(info)
    host = "session.host" if where.host == "host" else where.host.replace("host", "session.host")
    program, pid, joined = "NULL", "NULL", ""
    if info.performance_schema:
        program, pid, joined = "attribute.program", "attribute.pid", _ATTRIBUTES
    return f"""
    SELECT session.user AS user, {host} AS client, {program} AS program, {pid} AS pid, COUNT(*) AS connections,
           SUM(session.command <> 'Sleep') AS active,
           SUM(session.command = 'Sleep' AND trx.id IS NULL) AS idle,
           SUM(session.command = 'Sleep' AND trx.id IS NOT NULL) AS idle_in_transaction,
           MAX(IF(session.command = 'Sleep', session.seconds, NULL)) AS oldest_idle,
           MAX(IF(session.command = 'Sleep' AND trx.id IS NOT NULL, session.seconds, NULL)) AS oldest_idle_in_transaction
      FROM ({where.sessions}) AS session
      LEFT JOIN (SELECT trx_mysql_thread_id AS id FROM information_schema.INNODB_TRX GROUP BY trx_mysql_thread_id) AS trx
        ON trx.id = session.id{joined}
     WHERE session.id <> CONNECTION_ID() AND COALESCE(session.user, '') NOT IN {NOBODY} AND session.command NOT IN ('Daemon', 'Connect')
     GROUP BY 1, 2, 3, 4 ORDER BY connections DESC LIMIT {_MOST_ROWS}"""  # noqa: S608 - of names in this file alone


async def groups(server: Server) -> list[dict[str, Any]]:
    """The largest groups, by user, host and program: `{"user", "host", "program", "connections", "active", "idle",
    "idle_in_transaction", "oldest_idle_seconds", "oldest_idle_in_transaction_seconds", "pids"}`. Raises `ServerError`s."""
    return fold(lower_names(row) for row in await server.rows(statement(server.info)))


async def limits(server: Server) -> Mapping[str, int | float | None]:
    """The server's variables that bound connections; seconds and bytes."""
    (row,) = await server.rows(LIMITS)
    return {name: number(row[name]) for name in _LIMITS}


def fold(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of one process each as groups, the largest first, each with its largest processes."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        key = (row["user"], row["client"], row["program"])
        group = found.setdefault(
            key,
            {
                "user": row["user"],
                "host": row["client"],
                "program": row["program"],
                "connections": 0,
                "active": 0,
                "idle": 0,
                "idle_in_transaction": 0,
                "oldest_idle_seconds": None,
                "oldest_idle_in_transaction_seconds": None,
                "pids": {},
            },
        )
        for name in ("connections", "active", "idle", "idle_in_transaction"):
            group[name] += number(row[name]) or 0
        for name in ("oldest_idle", "oldest_idle_in_transaction"):
            value, before = number(row[name]), group[f"{name}_seconds"]
            if value is not None:
                group[f"{name}_seconds"] = max(value, 0 if before is None else before)
        if row["pid"] is not None and len(group["pids"]) < MOST_PIDS:
            group["pids"][str(row["pid"])] = number(row["connections"])
    return sorted(found.values(), key=lambda one: -one["connections"])[:MOST_GROUPS]
