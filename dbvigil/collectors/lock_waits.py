"""Who waits for whom at this moment, for row locks and for metadata locks: read when there are waits, and for an alert's evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from dbvigil.blocking import Forest, Session, Ticket, Wait, forest, metadata_waits
from dbvigil.collectors.sources import METADATA_STATES, Sources, sources
from dbvigil.collectors.values import number
from dbvigil.errors import MissingObject, MissingPrivilege
from dbvigil.types import ServerInfo

Row = dict[str, Any]
Shown = Callable[[str | None, str | None], str | None]
"""How a statement is shown, without values: from the server's digest of it and from its text, whichever there is."""

MOST_PAIRS = 1_000
MOST_TICKETS = 2_000


class Asks(Protocol):
    """A server, or one with less time."""

    @property
    def info(self) -> ServerInfo: ...

    async def rows(self, sql: str) -> list[Row]: ...


# Of a queue of three hundred for one row each waits for all before it: forty-five thousand pairs, of which those with the holder count.
MYSQL_ROW_WAITS = f"""
    SELECT waiting.PROCESSLIST_ID AS waiting, blocking.PROCESSLIST_ID AS blocking, pair.queued, waiting.PROCESSLIST_TIME AS seconds,
           CONCAT(locked.OBJECT_SCHEMA, '.', locked.OBJECT_NAME) AS locked, locked.INDEX_NAME AS index_name, locked.LOCK_MODE AS mode
      FROM (SELECT one.REQUESTING_THREAD_ID AS waiting, one.BLOCKING_THREAD_ID AS blocking,
                   MIN(one.REQUESTING_ENGINE_LOCK_ID) AS lock_id, MIN(asked.id IS NOT NULL) AS queued
              FROM performance_schema.data_lock_waits AS one
              LEFT JOIN (SELECT DISTINCT REQUESTING_ENGINE_LOCK_ID AS id FROM performance_schema.data_lock_waits) AS asked
                ON asked.id = one.BLOCKING_ENGINE_LOCK_ID
             GROUP BY 1, 2 ORDER BY queued LIMIT {MOST_PAIRS}) AS pair
      JOIN performance_schema.threads AS waiting ON waiting.THREAD_ID = pair.waiting
      LEFT JOIN performance_schema.threads AS blocking ON blocking.THREAD_ID = pair.blocking
      LEFT JOIN performance_schema.data_locks AS locked ON locked.ENGINE_LOCK_ID = pair.lock_id"""  # noqa: S608 - of names in this file alone

# The pairs are chosen before they are joined with the transactions: the other way round three hundred took MariaDB ten times as long.
INNODB_ROW_WAITS = f"""
    SELECT requesting.trx_mysql_thread_id AS waiting, NULLIF(holding.trx_mysql_thread_id, 0) AS blocking, pair.queued, NULL AS seconds,
           REPLACE(locked.lock_table, '`', '') AS locked, locked.lock_index AS index_name, locked.lock_mode AS mode
      FROM (SELECT one.requesting_trx_id AS waiting, one.blocking_trx_id AS blocking,
                   MIN(one.requested_lock_id) AS lock_id, MIN(asked.id IS NOT NULL) AS queued
              FROM information_schema.INNODB_LOCK_WAITS AS one
              LEFT JOIN (SELECT DISTINCT requested_lock_id AS id FROM information_schema.INNODB_LOCK_WAITS) AS asked
                ON asked.id = one.blocking_lock_id
             GROUP BY 1, 2 ORDER BY queued LIMIT {MOST_PAIRS}) AS pair
      JOIN information_schema.INNODB_TRX AS requesting ON requesting.trx_id = pair.waiting
      JOIN information_schema.INNODB_TRX AS holding ON holding.trx_id = pair.blocking
      LEFT JOIN information_schema.INNODB_LOCKS AS locked ON locked.lock_id = pair.lock_id"""  # noqa: S608 - of names in this file alone

# Only of objects that somebody waits for. On MariaDB it is empty unless the instrument wait/lock/metadata/sql/mdl is switched on.
TICKETS = f"""
    SELECT thread.PROCESSLIST_ID AS session, ticket.OBJECT_TYPE AS type, ticket.OBJECT_SCHEMA AS schema_name,
           ticket.OBJECT_NAME AS name, ticket.LOCK_TYPE AS mode, ticket.LOCK_STATUS AS status, thread.PROCESSLIST_TIME AS seconds
      FROM (SELECT DISTINCT OBJECT_TYPE AS type, OBJECT_SCHEMA AS schema_name, OBJECT_NAME AS name
              FROM performance_schema.metadata_locks WHERE LOCK_STATUS = 'PENDING') AS wanted
      JOIN performance_schema.metadata_locks AS ticket
        ON ticket.OBJECT_TYPE = wanted.type AND ticket.OBJECT_SCHEMA <=> wanted.schema_name AND ticket.OBJECT_NAME <=> wanted.name
      JOIN performance_schema.threads AS thread ON thread.THREAD_ID = ticket.OWNER_THREAD_ID
     WHERE ticket.LOCK_STATUS IN ('PENDING', 'GRANTED') AND thread.PROCESSLIST_ID IS NOT NULL
     ORDER BY ticket.LOCK_STATUS = 'PENDING' DESC LIMIT {MOST_TICKETS}"""  # noqa: S608 - of names in this file alone

TRANSACTIONS = """
    SELECT trx_mysql_thread_id AS id, TIMESTAMPDIFF(SECOND, trx_started, NOW()) AS seconds,
           TIMESTAMPDIFF(SECOND, trx_wait_started, NOW()) AS waits_seconds
      FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id IN ({ids})"""


async def read_waits(asked: Asks, shown: Shown, *, rows: bool = True, metadata: bool = True) -> Forest:
    """The waits as trees, root blockers first; of row locks, of metadata locks, or of both.

    Raises `ServerError`s; `MissingPrivilege` and `MissingObject` say what is lacking.
    """
    waits: list[Wait] = []
    if rows:
        waits += await _row_waits(asked)
    if metadata:
        waits += await _metadata_waits(asked)
    ids = {wait.waiting for wait in waits} | {wait.blocking for wait in waits if wait.blocking is not None}
    if not ids:
        return Forest()
    transactions = await _transactions(asked, ids)
    waits = [_waited(wait, transactions.get(wait.waiting)) for wait in waits]
    return forest(waits, await _sessions(asked, ids, transactions, shown))


async def _row_waits(asked: Asks) -> list[Wait]:
    statement = INNODB_ROW_WAITS
    # information_schema.INNODB_LOCK_WAITS went with MySQL 8.0.
    if asked.info.is_mysql and asked.info.at_least(8, 0):
        if not asked.info.performance_schema:
            raise MissingObject(
                "performance_schema is off", "set performance_schema=ON and restart the server"
            )
        statement = MYSQL_ROW_WAITS
    return [
        Wait(
            row["waiting"],
            row["blocking"],
            "row",
            row["locked"],
            row["index_name"],
            row["mode"],
            number(row["seconds"]),
            queued=bool(row["queued"]),
        )
        for row in await asked.rows(statement)
    ]


async def _metadata_waits(asked: Asks) -> list[Wait]:
    """Where the server does not tell of metadata locks, who waits for one is known by the state of the session, and for whom is not."""
    if asked.info.performance_schema and (asked.info.is_mysql or asked.info.at_least(10, 5, 2)):
        rows = await asked.rows(TICKETS)
        if rows:
            return metadata_waits(
                Ticket(
                    row["session"],
                    row["type"],
                    ".".join(part for part in (row["schema_name"], row["name"]) if part),
                    row["mode"],
                    row["status"] == "GRANTED",
                    number(row["seconds"]),
                )
                for row in rows
            )
    rows = await asked.rows(_waiting_by_state(sources(asked.info)))
    return [Wait(row["id"], None, "metadata", seconds=number(row["seconds"])) for row in rows]


def _waiting_by_state(where: Sources) -> str:
    return f"""
    SELECT session.id, session.seconds FROM ({where.sessions}) AS session
     WHERE session.state LIKE {METADATA_STATES} AND session.command NOT IN ('Sleep', 'Daemon')
     ORDER BY session.seconds DESC LIMIT {MOST_PAIRS}"""  # noqa: S608 - of names in this file alone


async def _transactions(asked: Asks, ids: Iterable[int]) -> dict[int, Row]:
    try:
        rows = await asked.rows(TRANSACTIONS.format(ids=_listed(ids)))
    except MissingPrivilege:
        if not asked.info.is_mysql:
            raise
        # MySQL shows waits to an account without PROCESS, but no transactions: their ages are unknown then.
        return {}
    return {row["id"]: row for row in rows}


def _waited(wait: Wait, transaction: Mapping[str, Any] | None) -> Wait:
    """InnoDB knows since when a row lock is waited for; the age of the statement is more than that."""
    seconds = transaction["waits_seconds"] if transaction is not None and wait.kind == "row" else None
    seconds = wait.seconds if seconds is None else number(seconds)
    # The server's clock may have been set back since.
    return replace(wait, seconds=None if seconds is None else max(0, seconds))


async def _sessions(
    asked: Asks, ids: Iterable[int], transactions: Mapping[int, Row], shown: Shown
) -> dict[int, Session]:
    found: dict[int, Session] = {}
    for row in await asked.rows(_described(sources(asked.info), _listed(ids))):
        age = number(transactions.get(row["id"], {}).get("seconds"))
        idle = number(row["seconds"]) if row["command"] == "Sleep" else None
        found[row["id"]] = Session(
            id=row["id"],
            user=row["user"],
            host=row["host"],
            program=row["program"],
            schema=row["db"],
            command=row["command"],
            state=row["state"] or None,
            statement=shown(row["digest"], row["statement"]),
            idle_seconds=None if idle is None else max(0, idle),
            transaction_seconds=None if age is None else max(0, age),
        )
    return found


def _described(where: Sources, ids: str) -> str:
    digest, statement, program, attributes = "NULL", "session.text", "NULL", ""
    if where.event:
        digest, statement = "last_event.DIGEST_TEXT", "COALESCE(last_event.SQL_TEXT, session.text)"
        program, attributes = "attribute.program", where.programs("session.id", f"PROCESSLIST_ID IN ({ids})")
    return f"""
    SELECT session.id, session.user, {where.host} AS host, session.db, session.command, session.seconds, session.state,
           {digest} AS digest, {statement} AS statement, {program} AS program
      FROM (SELECT * FROM ({where.sessions}) AS every WHERE id IN ({ids})) AS session{where.last("last", "session.id")}{attributes}"""  # noqa: S608 - of names in this file alone


def _listed(ids: Iterable[int]) -> str:
    return ", ".join(str(int(number)) for number in sorted(ids))
