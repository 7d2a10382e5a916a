"""The sessions of a server as recovery sees them, and how one is ended: read again just before, and only if it is still the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from dbvigil.collectors.values import number
from dbvigil.errors import MissingPrivilege, ServerError, StatementFailed
from dbvigil.recovery.policy import LONGEST_TEXT, Own, Row
from dbvigil.server import Server
from dbvigil.types import ServerInfo

NOT_OWNER = (1095, 1979)
"""Of a thread, or (MariaDB) of a statement."""
GONE = (1094, 1957)
"""There is no such thread, or no such statement (MariaDB), any more."""

# INNODB_TRX stands here for another reason too: a process list shows an account without PROCESS its own sessions only, and silently.
_SESSIONS = f"""
    SELECT session.ID AS id, session.USER AS user, session.HOST AS host, session.DB AS db, session.COMMAND AS command,
           {{age}} AS seconds, session.STATE AS state, LEFT(session.INFO, {LONGEST_TEXT}) AS text,
           {{query}} AS query, {{outer}} AS outer_name, {{last}} AS last, {{thread}} AS thread, {{program}} AS program,
           trx.trx_id IS NOT NULL AS transaction, TIMESTAMPDIFF(SECOND, trx.trx_started, NOW()) AS transaction_seconds
      FROM information_schema.PROCESSLIST AS session
      LEFT JOIN (SELECT trx_mysql_thread_id, MIN(trx_id) AS trx_id, MIN(trx_started) AS trx_started
                   FROM information_schema.INNODB_TRX GROUP BY trx_mysql_thread_id) AS trx
        ON trx.trx_mysql_thread_id = session.ID{{joins}}"""  # noqa: S608 - of names in this file alone
_JOINS = """
      LEFT JOIN performance_schema.threads AS thread ON thread.PROCESSLIST_ID = session.ID
      LEFT JOIN performance_schema.events_statements_current AS event
        ON event.THREAD_ID = thread.THREAD_ID AND event.NESTING_EVENT_LEVEL = 0
      LEFT JOIN (SELECT PROCESSLIST_ID AS id, COALESCE(MAX(IF(ATTR_NAME = 'program_name', ATTR_VALUE, NULL)),
                        MAX(IF(ATTR_NAME = '_client_name', ATTR_VALUE, NULL))) AS program
                   FROM performance_schema.session_connect_attrs
                  WHERE ATTR_NAME IN ('program_name', '_client_name') GROUP BY PROCESSLIST_ID) AS attribute
        ON attribute.id = session.ID"""
_ONE = " WHERE session.ID = {id}"

# What can hide a statement within another where performance_schema does not tell: procedures, blocks, and transactions across servers.
HIDING = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_call_procedure', 'Com_compound_sql', 'Com_xa_start') AND Value <> '0'"
RDS_PROCEDURES = """
    SELECT ROUTINE_NAME AS name FROM information_schema.ROUTINES
     WHERE ROUTINE_SCHEMA = 'mysql' AND ROUTINE_NAME LIKE 'rds\\_kill%'"""


async def look(server: Server, users: Iterable[str]) -> tuple[list[Row], Own]:
    """Every session, and which are ours: those of `users` and this connection. Raises `ServerError`s."""
    await _connected(server)
    rows = [_row(one) for one in await server.rows(_statement(server.info))]
    hidden = bool(await server.rows(HIDING))
    return rows, Own(frozenset(users), frozenset((server.connection_id,)), hidden)


async def read_one(server: Server, number: int) -> Row | None:
    """One session, None where there is none of this number."""
    rows = await server.rows(_statement(server.info) + _ONE.format(id=int(number)))
    return _row(rows[0]) if rows else None


def same(before: Row, now: Row | None) -> str | None:
    """None where `now` is the very session that was chosen as `before`, and does the same; else what differs."""
    if now is None:
        return "it is gone"
    if now.user != before.user or now.host != before.host:
        return "its number belongs to another session now"
    if now.command != before.command or now.text != before.text or now.query != before.query:
        return "it does something else now"
    if now.seconds is None or before.seconds is None or now.seconds < before.seconds - 1:
        return "it has begun something new since"
    if now.transaction != before.transaction or now.last != before.last:
        return "its transaction has changed"
    return None


async def end_statement(server: Server, chosen: Row) -> str | None:
    """Ends the statement that `chosen` runs; None where that was sent, else why not. Its session stays.

    MariaDB is told the statement's own number, so that none other can be hit; MySQL the session's, right after it was read again.
    """
    if (differs := same(chosen, await read_one(server, chosen.id))) is not None:
        return differs
    if server.info.is_mariadb and chosen.query is not None:
        return await _end(server, f"KILL QUERY ID {int(chosen.query)}", None)
    return await _end(server, f"KILL QUERY {int(chosen.id)}", f"CALL mysql.rds_kill_query({int(chosen.id)})")


async def end_session(server: Server, chosen: Row) -> str | None:
    """Ends the session `chosen`, which undoes its transaction; None where that was sent, else why not."""
    if (differs := same(chosen, await read_one(server, chosen.id))) is not None:
        return differs
    return await _end(server, f"KILL CONNECTION {int(chosen.id)}", f"CALL mysql.rds_kill({int(chosen.id)})")


async def _end(server: Server, statement: str, managed: str | None) -> str | None:
    try:
        await server.rows(statement)
    except StatementFailed as error:
        if error.code in GONE:
            return "it is gone"
        if error.code not in NOT_OWNER:
            raise
        if managed is None or not await server.rows(RDS_PROCEDURES):
            raise lacking(server.info, "CONNECTION ADMIN") from None
        await server.rows(managed)
    return None


def lacking(info: ServerInfo, privilege: str) -> ServerError:
    """What to grant where the account may not do it. `privilege` as MariaDB writes it; MySQL joins its words."""
    name = privilege if info.is_mariadb else privilege.replace(" ", "_")
    protected = ", or whom it is to end has SYSTEM_USER" if name == "CONNECTION_ADMIN" else ""
    return MissingPrivilege(
        f"the account may not do this: it lacks {name}{protected}",
        f"GRANT {name} ON *.* TO the account that recovery uses (DB_RECOVERY_ACCOUNTS)",
    )


async def _connected(server: Server) -> None:
    if not server.connected:
        await server.connect()


def _statement(info: ServerInfo) -> str:
    schema = info.performance_schema
    query = "session.QUERY_ID" if info.is_mariadb else "NULL"
    if info.is_mysql and schema:
        query = "CONCAT(event.THREAD_ID, '-', event.EVENT_ID)"
    return _SESSIONS.format(
        age="session.TIME_MS / 1000" if info.is_mariadb else "session.TIME",
        query=query,
        outer="event.EVENT_NAME" if schema else "NULL",
        last="IF(session.COMMAND = 'Sleep', LEFT(event.SQL_TEXT, 200), NULL)" if schema else "NULL",
        thread="thread.NAME" if schema else "NULL",
        program="attribute.program" if schema else "NULL",
        joins=_JOINS if schema else "",
    )


def _row(row: dict[str, object]) -> Row:
    found = Row(
        id=int(str(row["id"])),
        **{
            name: None if row[name] is None else str(row[name])
            for name in (
                "user",
                "host",
                "db",
                "command",
                "state",
                "text",
                "program",
                "query",
                "last",
                "thread",
            )
        },
        outer=None if row["outer_name"] is None else str(row["outer_name"]),
        seconds=number(row["seconds"]),
        transaction=None if row["transaction"] is None else bool(row["transaction"]),
        transaction_seconds=number(row["transaction_seconds"]),
    )
    # A server's clock that was set back makes it negative, or, unsigned, very large.
    return found if found.seconds is None or 0 <= found.seconds < 4e9 else replace(found, seconds=None)
