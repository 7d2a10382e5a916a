"""What was going on when an alert fired: a few rows of who and what, asked once, for people who were not there.

Statements are shown as digests, values left out. Everything is bounded: five rows a statement, and seconds for all of it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dbvigil import redaction
from dbvigil.blocking import Session
from dbvigil.collectors import tables
from dbvigil.collectors.lock_waits import read_waits
from dbvigil.collectors.replication import Replication
from dbvigil.collectors.sources import IDLE_COMMANDS, NOBODY, Sources
from dbvigil.collectors.sources import sources as sources_of
from dbvigil.collectors.values import number
from dbvigil.errors import MissingObject, MissingPrivilege, ServerError
from dbvigil.server import Server
from dbvigil.types import ServerInfo

logger = logging.getLogger(__name__)

ROWS = 5

Row = dict[str, Any]

# The server ends a statement a little earlier than the monitor would hang up on it.
_SERVER_SIDE_SHARE = 0.9
_LEAST_SECONDS = 0.05


async def gather(server: Server, kinds: Collection[str], limit_seconds: float = 2.0) -> dict[str, Any]:
    """`{kind: [row, …], …}` for each of `kinds` (see `KINDS`), JSON-ready; names and numbers, None for what is unknown.

    A kind that cannot be had is `{"unavailable": "why, in one line"}`; no server's trouble is raised. All of it takes at most
    `limit_seconds`, connecting included, of which a kind gets its share. The connection is usable afterwards, or closed.
    """
    deadline = time.perf_counter() + limit_seconds
    found: dict[str, Any] = {}
    for left, kind in zip(range(len(kinds), 0, -1), kinds, strict=True):
        share = (deadline - time.perf_counter()) / left
        found[kind] = await _one(server, kind, share)
    return found


async def _one(server: Server, kind: str, seconds: float) -> list[Row] | dict[str, str]:
    ask = KINDS.get(kind)
    if ask is None:
        return {"unavailable": f"there is no evidence of the kind {kind!r}"}
    if seconds < _LEAST_SECONDS:
        return {"unavailable": "the time for evidence was used up"}
    try:
        async with asyncio.timeout(seconds):
            if not server.connected:
                await server.connect()
            return await ask(_Asked(server, time.perf_counter() + seconds))
    except TimeoutError:
        return {"unavailable": f"the server did not answer within {seconds:.2g} s"}
    except MissingPrivilege as error:
        return {"unavailable": f"{error.cause}; see the grants of the monitoring account"}
    except ServerError as error:
        return {"unavailable": str(error)}
    except Exception as error:
        # An alert must not be lost for the sake of its evidence; the log has the place.
        logger.exception("%s: evidence of the kind %s could not be read", server.target.alias, kind)
        return {"unavailable": f"the server's answer was not understood ({type(error).__name__})"}


@dataclass(frozen=True, slots=True)
class _Asked:
    """One kind under way: statements that the server itself ends in time."""

    server: Server
    deadline: float

    @property
    def info(self) -> ServerInfo:
        return self.server.info

    async def rows(self, sql: str) -> list[Row]:
        seconds = (self.deadline - time.perf_counter()) * _SERVER_SIDE_SHARE
        if seconds < _LEAST_SECONDS:
            raise TimeoutError
        if self.info.is_mariadb:
            sql = f"SET STATEMENT max_statement_time = {seconds:.3f} FOR {sql}"
        else:
            sql = sql.replace("SELECT", f"SELECT /*+ MAX_EXECUTION_TIME({seconds * 1000:.0f}) */", 1)
        return await self.server.rows(sql)


# -- who is connected, and what they run


def _longest(sources: Sources) -> str:
    return f"""
    SELECT session.id, session.user, {sources.host} AS host, session.db, session.command, session.seconds, session.state,
           {sources.text("last", "session.text")} AS statement
      FROM (SELECT * FROM ({sources.sessions}) AS every
             WHERE id <> CONNECTION_ID() AND command NOT IN {IDLE_COMMANDS} AND COALESCE(user, '') NOT IN {NOBODY}
             ORDER BY seconds DESC LIMIT {ROWS}) AS session{sources.last("last", "session.id")}"""  # noqa: S608 - of names in this file alone


def _oldest(sources: Sources) -> str:
    return f"""
    SELECT trx.id, session.user, {sources.host} AS host, session.db, session.command, session.seconds, session.state,
           {sources.text("last", "session.text")} AS statement, trx.transaction_seconds
      FROM (SELECT trx_mysql_thread_id AS id, TIMESTAMPDIFF(SECOND, trx_started, NOW()) AS transaction_seconds
              FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id NOT IN (0, CONNECTION_ID())
             ORDER BY trx_started LIMIT {ROWS}) AS trx
      JOIN ({sources.sessions}) AS session ON session.id = trx.id{sources.last("last", "trx.id")}"""  # noqa: S608 - of names in this file alone


async def _sessions(asked: _Asked) -> list[Row]:
    """The longest running statements, then the oldest transactions that are not among them.

    `statement` of a session that sleeps is its last one, where the server remembers it.
    """
    sources = sources_of(asked.info)
    found: dict[int, Row] = {}
    rows = await asked.rows(_longest(sources))
    try:
        rows += await asked.rows(_oldest(sources))
    except MissingPrivilege:
        if sources.refuses:
            raise
        # Without PROCESS an account may still see what runs in performance_schema's threads, which is worth more than nothing.
        logger.debug("%s: transactions cannot be read without PROCESS", asked.server.target.alias)
    for row in rows:
        session = found.setdefault(
            row["id"],
            {
                "id": row["id"],
                "user": row["user"],
                "host": row["host"],
                "schema": row["db"],
                "command": row["command"],
                "seconds": _seconds(row["seconds"]),
                "transaction_seconds": None,
                "state": row["state"] or None,
                "statement": redaction.statement(row["statement"]),
            },
        )
        if "transaction_seconds" in row:
            session["transaction_seconds"] = _seconds(row["transaction_seconds"])
    return list(found.values())


def _holders(sources: Sources) -> str:
    program, attributes = "NULL", ""
    if sources.event:
        program = "attribute.program"
        attributes = sources.programs("session.id", "TRUE")
    return f"""
    SELECT user, {sources.host} AS host, {program} AS program, COUNT(*) AS connections, SUM(command = 'Sleep') AS sleeping
      FROM ({sources.sessions}) AS session{attributes}{sources.refuses}
     WHERE COALESCE(user, '') NOT IN {NOBODY} AND command <> 'Daemon'
     GROUP BY 1, 2, 3 ORDER BY connections DESC LIMIT {ROWS}"""  # noqa: S608 - of names in this file alone


async def _connections(asked: _Asked) -> list[Row]:
    return _plain(await asked.rows(_holders(sources_of(asked.info))), "connections", "sleeping")


# -- who waits for whom


async def _locks(asked: _Asked) -> list[Row]:
    """Root blockers (that wait for nobody) first, of them the one with most victims, then down its tree."""
    found = await read_waits(asked, lambda digest, text: redaction.statement(digest or text))
    by_id = {node.session.id: node for node in found.nodes if node.session is not None}
    rows: list[Row] = []
    for node in found.nodes:
        wait, waiting = node.wait, node.session
        if wait is None or waiting is None or len(rows) == ROWS:
            continue
        blocker = None if wait.blocking is None else by_id.get(wait.blocking)
        blocking = Session(0) if blocker is None or blocker.session is None else blocker.session
        rows.append(
            {
                "kind": wait.kind,
                "table": wait.locked,
                "seconds": _seconds(wait.seconds),
                "depth": node.depth,
                "waiting_id": waiting.id,
                "waiting_user": waiting.user,
                "waiting_statement": waiting.statement,
                "blocking_id": wait.blocking,
                "blocking_user": blocking.user,
                "blocking_command": blocking.command,
                "blocking_idle_seconds": _seconds(blocking.idle_seconds),
                "blocking_statement": blocking.statement,
                "victims": None if blocker is None else blocker.victims,
                "root": blocker is None or blocker.depth == 0,
            }
        )
    return rows


# -- what takes the time

_STATEMENTS = f"""
    SELECT SCHEMA_NAME AS `schema`, DIGEST AS digest, DIGEST_TEXT AS statement, COUNT_STAR AS count,
           ROUND(SUM_TIMER_WAIT / 1e12, 3) AS seconds, ROUND(SUM_TIMER_WAIT / NULLIF(COUNT_STAR, 0) / 1e9, 3) AS average_ms,
           ROUND(MAX_TIMER_WAIT / 1e9, 3) AS slowest_ms, SUM_ROWS_EXAMINED AS rows_examined
      FROM performance_schema.events_statements_summary_by_digest WHERE DIGEST IS NOT NULL
     ORDER BY SUM_TIMER_WAIT DESC LIMIT {ROWS}"""  # noqa: S608 - of names in this file alone


async def _statements(asked: _Asked) -> list[Row]:
    _require_performance_schema(asked.info)
    rows = await asked.rows(_STATEMENTS)
    for row in rows:
        row["statement"] = redaction.statement(row["statement"])
    return _plain(rows, "count", "seconds", "average_ms", "slowest_ms", "rows_examined")


# -- replication and tables


async def _replication(asked: _Asked) -> list[Row]:
    """As the collector reads it, errors without the values they quote."""
    reading = await Replication().collect(asked.server)
    return [
        {
            "name": channel["name"] or "",
            "source": f"{channel['source_host']}:{channel['source_port']}",
            "io_running": channel["io_running"],
            "io_state": channel["io_state"] or None,
            "sql_running": channel["sql_running"],
            "seconds": channel["lag"],
            "last_io_error": channel["last_io_error"] or None,
            "last_sql_error": channel["last_sql_error"] or None,
        }
        for channel in reading["channels"][:ROWS]
    ]


async def _tables(asked: _Asked) -> list[Row]:
    """The largest tables, then those with the fullest AUTO_INCREMENT that are not among them; a partition is a table of its own."""
    prefix, counters = "INNODB_", tables.MYSQL_FULLEST
    if asked.info.is_mariadb:
        prefix, counters = "INNODB_SYS_", tables.MARIADB_FULLEST
    largest = await asked.rows(
        f"""
    SELECT CONVERT(NAME USING utf8mb4) AS name, FILE_SIZE AS bytes, COUNT(*) OVER () AS tables
      FROM information_schema.{prefix}TABLESPACES WHERE {tables.USER_TABLES}
     ORDER BY FILE_SIZE DESC LIMIT {ROWS}"""  # noqa: S608 - of names in this file alone
    )
    fullest: list[Row] = []
    if largest and largest[0]["tables"] <= tables.MOST_TABLES:
        fullest = await asked.rows(f"{counters} LIMIT {ROWS}")
    found: dict[str, Row] = {}
    for row in [*largest, *fullest]:
        name = row["name"].replace("/", ".", 1)
        table = found.setdefault(name, {"table": name, "bytes": None, "auto_increment_usage": None})
        if "bytes" in row:
            table["bytes"] = number(row["bytes"])
        else:
            table["auto_increment_usage"] = number(row["auto_increment_usage"])
    return list(found.values())


def _require_performance_schema(info: ServerInfo) -> None:
    if not info.performance_schema:
        raise MissingObject("performance_schema is off", "set performance_schema=ON and restart the server")


def _plain(rows: Iterable[Row], *numbers: str) -> list[Row]:
    return [
        {name: number(value) if name in numbers else value for name, value in row.items()} for row in rows
    ]


def _seconds(value: object) -> int | float | None:
    """The server's clock may have been set back since."""
    seconds = number(value)
    return None if seconds is None else max(0, round(seconds, 3))


KINDS: Mapping[str, Callable[[_Asked], Awaitable[list[Row]]]] = {
    "sessions": _sessions,
    "connections": _connections,
    "locks": _locks,
    "statements": _statements,
    "replication": _replication,
    "tables": _tables,
}
"""Every kind of evidence, and who reads it."""
