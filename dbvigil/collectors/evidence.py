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
from dbvigil.collectors import tables
from dbvigil.collectors.replication import Replication
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

_PLAIN_SESSIONS = """
         SELECT ID AS id, USER AS user, HOST AS host, DB AS db, COMMAND AS command, {age} AS seconds, STATE AS state,
                LEFT(INFO, 2000) AS text
           FROM information_schema.PROCESSLIST"""
# It shows an account without PROCESS its own sessions only, and silently; INNODB_TRX, where it is read too, refuses.
_REFUSES = ", (SELECT COUNT(*) AS open FROM information_schema.INNODB_TRX) AS refuses"
# Host and port stand in one column there; the address of version 6 has colons of its own.
_PLAIN_HOST = (
    "LEFT(host, CHAR_LENGTH(host) - IF(host LIKE '%:%', CHAR_LENGTH(SUBSTRING_INDEX(host, ':', -1)) + 1, 0))"
)
_THREADS = """
         SELECT PROCESSLIST_ID AS id, PROCESSLIST_USER AS user, PROCESSLIST_HOST AS host, PROCESSLIST_DB AS db,
                PROCESSLIST_COMMAND AS command, PROCESSLIST_TIME AS seconds, PROCESSLIST_STATE AS state,
                LEFT(PROCESSLIST_INFO, 2000) AS text
           FROM performance_schema.threads
          WHERE PROCESSLIST_ID IS NOT NULL AND (NAME LIKE '%one\\_connection' OR NAME LIKE 'thread/mysqlx/%')"""

_IDLE_COMMANDS = "('Sleep', 'Daemon', 'Connect', 'Binlog Dump', 'Binlog Dump GTID', 'Group Replication')"
_NOBODY = "('system user', 'event_scheduler', 'unauthenticated user')"


@dataclass(frozen=True, slots=True)
class _Sources:
    """Where a server keeps its sessions, their statements and their programs, as pieces of SQL.

    `refuses` joins what refuses an account that would be shown its own sessions only. `last` finds, for an id, the statement that a
    session runs or ran last.
    """

    sessions: str
    host: str
    refuses: str
    event: bool

    def last(self, name: str, session_id: str) -> str:
        if not self.event:
            return ""
        return f"""
      LEFT JOIN performance_schema.threads AS {name}_thread ON {name}_thread.PROCESSLIST_ID = {session_id}
      LEFT JOIN performance_schema.events_statements_current AS {name}_event
        ON {name}_event.THREAD_ID = {name}_thread.THREAD_ID AND {name}_event.NESTING_EVENT_LEVEL = 0"""

    def text(self, name: str, otherwise: str) -> str:
        """A digest where there is one; else the statement itself, to be redacted here."""
        if not self.event:
            return otherwise
        return f"COALESCE({name}_event.DIGEST_TEXT, {name}_event.SQL_TEXT, {otherwise})"


def _sources(info: ServerInfo) -> _Sources:
    if info.is_mysql and info.performance_schema:
        return _Sources(_THREADS, "host", "", event=True)
    age = "TIME_MS / 1000" if info.is_mariadb else "TIME"
    return _Sources(_PLAIN_SESSIONS.format(age=age), _PLAIN_HOST, _REFUSES, event=info.performance_schema)


def _longest(sources: _Sources) -> str:
    return f"""
    SELECT session.id, session.user, {sources.host} AS host, session.db, session.command, session.seconds, session.state,
           {sources.text("last", "session.text")} AS statement
      FROM (SELECT * FROM ({sources.sessions}) AS every
             WHERE id <> CONNECTION_ID() AND command NOT IN {_IDLE_COMMANDS} AND COALESCE(user, '') NOT IN {_NOBODY}
             ORDER BY seconds DESC LIMIT {ROWS}) AS session{sources.last("last", "session.id")}"""  # noqa: S608 - of names in this file alone


def _oldest(sources: _Sources) -> str:
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
    sources = _sources(asked.info)
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


def _holders(sources: _Sources) -> str:
    program, attributes = "NULL", ""
    if sources.event:
        program = "attribute.program"
        attributes = """
      LEFT JOIN (SELECT PROCESSLIST_ID AS id, COALESCE(MAX(IF(ATTR_NAME = 'program_name', ATTR_VALUE, NULL)),
                        MAX(IF(ATTR_NAME = '_client_name', ATTR_VALUE, NULL))) AS program
                   FROM performance_schema.session_connect_attrs
                  WHERE ATTR_NAME IN ('program_name', '_client_name') GROUP BY PROCESSLIST_ID) AS attribute
        ON attribute.id = session.id"""
    return f"""
    SELECT user, {sources.host} AS host, {program} AS program, COUNT(*) AS connections, SUM(command = 'Sleep') AS sleeping
      FROM ({sources.sessions}) AS session{attributes}{sources.refuses}
     WHERE COALESCE(user, '') NOT IN {_NOBODY} AND command <> 'Daemon'
     GROUP BY 1, 2, 3 ORDER BY connections DESC LIMIT {ROWS}"""  # noqa: S608 - of names in this file alone


async def _connections(asked: _Asked) -> list[Row]:
    return _plain(await asked.rows(_holders(_sources(asked.info))), "connections", "sleeping")


# -- who waits for whom

# Who waits for nobody is found by a join: asked of each pair with NOT IN, three hundred waiting sessions took MySQL three seconds.
_MYSQL_WAITS = """
    SELECT waiting.PROCESSLIST_ID AS waiting_id, waiting.PROCESSLIST_USER AS waiting_user, wait.seconds,
           COALESCE(waiting_event.DIGEST_TEXT, waiting_event.SQL_TEXT) AS waiting_statement,
           CONCAT(locked.OBJECT_SCHEMA, '.', locked.OBJECT_NAME) AS locked_table,
           blocking.PROCESSLIST_ID AS blocking_id, blocking.PROCESSLIST_USER AS blocking_user,
           blocking.PROCESSLIST_COMMAND AS blocking_command,
           COALESCE(blocking_event.DIGEST_TEXT, blocking_event.SQL_TEXT) AS blocking_statement, wait.root
      FROM (SELECT one.REQUESTING_THREAD_ID AS waiting, one.BLOCKING_THREAD_ID AS blocking,
                   MIN(one.REQUESTING_ENGINE_LOCK_ID) AS lock_id, MAX(thread.PROCESSLIST_TIME) AS seconds,
                   MAX(waiter.id IS NULL) AS root
              FROM performance_schema.data_lock_waits AS one
              JOIN performance_schema.threads AS thread ON thread.THREAD_ID = one.REQUESTING_THREAD_ID
              LEFT JOIN (SELECT DISTINCT REQUESTING_ENGINE_TRANSACTION_ID AS id FROM performance_schema.data_lock_waits) AS waiter
                ON waiter.id = one.BLOCKING_ENGINE_TRANSACTION_ID
             GROUP BY 1, 2 ORDER BY root DESC, seconds DESC LIMIT {ROWS}) AS wait
      JOIN performance_schema.threads AS waiting ON waiting.THREAD_ID = wait.waiting
      LEFT JOIN performance_schema.threads AS blocking ON blocking.THREAD_ID = wait.blocking
      LEFT JOIN performance_schema.data_locks AS locked ON locked.ENGINE_LOCK_ID = wait.lock_id
      LEFT JOIN performance_schema.events_statements_current AS waiting_event
        ON waiting_event.THREAD_ID = wait.waiting AND waiting_event.NESTING_EVENT_LEVEL = 0
      LEFT JOIN performance_schema.events_statements_current AS blocking_event
        ON blocking_event.THREAD_ID = wait.blocking AND blocking_event.NESTING_EVENT_LEVEL = 0
     ORDER BY wait.root DESC, wait.seconds DESC""".replace("{ROWS}", str(ROWS))


def _innodb_waits(sources: _Sources) -> str:
    return f"""
    SELECT wait.waiting_id, waiting.user AS waiting_user, wait.seconds,
           {sources.text("waiting", "LEFT(wait.waiting_text, 2000)")} AS waiting_statement,
           REPLACE(locked.lock_table, '`', '') AS locked_table, wait.blocking_id, blocking.user AS blocking_user,
           blocking.command AS blocking_command,
           {sources.text("blocking", "LEFT(wait.blocking_text, 2000)")} AS blocking_statement, wait.root
      FROM (SELECT one.requested_lock_id AS lock_id, requesting.trx_mysql_thread_id AS waiting_id,
                   requesting.trx_query AS waiting_text, holding.trx_mysql_thread_id AS blocking_id,
                   holding.trx_query AS blocking_text,
                   TIMESTAMPDIFF(SECOND, requesting.trx_wait_started, NOW()) AS seconds,
                   waiter.id IS NULL AS root
              FROM information_schema.INNODB_LOCK_WAITS AS one
              JOIN information_schema.INNODB_TRX AS requesting ON requesting.trx_id = one.requesting_trx_id
              JOIN information_schema.INNODB_TRX AS holding ON holding.trx_id = one.blocking_trx_id
              LEFT JOIN (SELECT DISTINCT requesting_trx_id AS id FROM information_schema.INNODB_LOCK_WAITS) AS waiter
                ON waiter.id = one.blocking_trx_id
             ORDER BY root DESC, seconds DESC LIMIT {ROWS}) AS wait
      LEFT JOIN information_schema.INNODB_LOCKS AS locked ON locked.lock_id = wait.lock_id
      LEFT JOIN ({sources.sessions}) AS waiting ON waiting.id = wait.waiting_id
      LEFT JOIN ({sources.sessions}) AS blocking ON blocking.id = wait.blocking_id
      {sources.last("waiting", "wait.waiting_id")}{sources.last("blocking", "wait.blocking_id")}
     ORDER BY wait.root DESC, wait.seconds DESC"""  # noqa: S608 - of names in this file alone


async def _locks(asked: _Asked) -> list[Row]:
    """Root blockers (that wait for nobody) first, and of them the longest waits."""
    if asked.info.is_mysql and asked.info.at_least(8, 0):
        _require_performance_schema(asked.info)
        rows = await asked.rows(_MYSQL_WAITS)
    else:
        rows = await asked.rows(_innodb_waits(_sources(asked.info)))
    return [
        {
            "table": row["locked_table"],
            "seconds": _seconds(row["seconds"]),
            "waiting_id": row["waiting_id"],
            "waiting_user": row["waiting_user"],
            "waiting_statement": redaction.statement(row["waiting_statement"]),
            "blocking_id": row["blocking_id"],
            "blocking_user": row["blocking_user"],
            "blocking_command": row["blocking_command"],
            "blocking_statement": redaction.statement(row["blocking_statement"]),
            "root": bool(row["root"]),
        }
        for row in rows
    ]


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
