"""One statement's plan from a real server: EXPLAIN, never ANALYZE, in a session of its own that can only read."""

from __future__ import annotations

from dataclasses import replace

from dbvigil.errors import ConfigurationError, ServerError, StatementFailed
from dbvigil.queries.explain.document import read_plan
from dbvigil.queries.explain.guard import explainable
from dbvigil.queries.plan import Plan
from dbvigil.server import Server

# The guard has read the statement with these rules; a server that does not take them is not asked.
SAFE_SESSION = "SET SESSION sql_mode = '', character_set_client = utf8mb4, autocommit = 1"
MYSQL_LIMIT = "SET SESSION max_execution_time = {milliseconds}"
MARIADB_LIMIT = "SET SESSION max_statement_time = {seconds}"
# Its version 1 says which indexes were possible. Before 8.3 there is no other.
MYSQL_VERSION_1 = "SET SESSION explain_json_format_version = 1"
BEGIN = "START TRANSACTION READ ONLY"
EXPLAIN = "EXPLAIN FORMAT=JSON "
END = "ROLLBACK"

_UNKNOWN_VARIABLE = 1193
# The server's own limit comes first; this is for one that does not answer.
_PATIENCE_SECONDS = 1.0


async def explain(server: Server, sql: str, *, schema: str = "", limit_seconds: float = 2.0) -> Plan:
    """The plan of one SELECT, with unqualified tables looked up in `schema`.

    Asked over a connection of its own to the same target, which is closed afterwards: nothing of it stays in the session of `server`.
    Raises `NotExplainable` before anything is sent, `ConfigurationError` for a limit that is none, and `ServerError` for what the server
    says: `MissingPrivilege` where the account may not read the tables.
    """
    if not 0 < limit_seconds <= 60:
        raise ConfigurationError("limit_seconds", limit_seconds, "it is more than 0 and at most 60")
    ready = explainable(sql)
    own = Server(server.target, read_timeout=limit_seconds + _PATIENCE_SECONDS)
    try:
        await _settle(own, limit_seconds)
        if schema:
            await own.rows(f"USE `{schema.replace('`', '``')}`")
        await own.rows(BEGIN)
        rows = await own.rows(EXPLAIN + ready.sql)
        document = next(iter(rows[0].values()), None) if rows else None
        plan = read_plan(document, own.info.flavor)
        await own.rows(END)
    finally:
        await own.close()
    return replace(plan, warnings=(*plan.warnings, *ready.warnings))


async def _settle(own: Server, limit_seconds: float) -> None:
    info = await own.connect()
    await own.rows(SAFE_SESSION)
    if info.is_mariadb:
        await own.rows(MARIADB_LIMIT.format(seconds=f"{limit_seconds:g}"))
        return
    if not info.at_least(5, 7, 8):
        raise ServerError("this server cannot limit the time of a statement", "MySQL can since 5.7.8")
    await own.rows(MYSQL_LIMIT.format(milliseconds=round(limit_seconds * 1000) or 1))
    if info.at_least(8, 3):
        try:
            await own.rows(MYSQL_VERSION_1)
        except StatementFailed as error:
            if error.code != _UNKNOWN_VARIABLE:
                raise
