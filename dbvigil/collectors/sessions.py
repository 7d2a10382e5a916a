"""Who is doing what right now: client sessions, replicas that read the binary log, open transactions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dbvigil.collectors.sources import METADATA_STATES
from dbvigil.collectors.values import number
from dbvigil.server import Server
from dbvigil.types import ServerInfo

# What runs for a client: not those that wait for one (Sleep), nor the server's own threads, nor replicas that read the binary log.
_IDLE_COMMANDS = "'Sleep', 'Daemon', 'Connect', 'Binlog Dump', 'Binlog Dump GTID', 'Group Replication'"
_SYSTEM_USERS = "'system user', 'event_scheduler', 'unauthenticated user'"


def _statement(source: str, age: str) -> str:
    """`source` gives id, user, command; `age` is the column that says how long a session has been in its state, in seconds.

    INNODB_TRX stands in the same statement for a reason: a process list shows an account without PROCESS its own sessions only, and
    silently; INNODB_TRX refuses.
    """
    return f"""
    SELECT COUNT(*) AS sessions, COALESCE(SUM(busy), 0) AS busy, COALESCE(MAX(IF(busy, age, NULL)), 0) AS longest_query,
           COALESCE(SUM(command LIKE 'Binlog Dump%'), 0) AS dump_threads,
           COALESCE(SUM(busy AND state LIKE {METADATA_STATES}), 0) AS metadata_waits,
           (SELECT COALESCE(TIMESTAMPDIFF(SECOND, MIN(trx_started), NOW()), 0) FROM information_schema.INNODB_TRX) AS longest_transaction
      FROM (SELECT command, state, {age} AS age,
                   command NOT IN ({_IDLE_COMMANDS}) AND COALESCE(user, '') NOT IN ({_SYSTEM_USERS}) AS busy
              FROM {source} WHERE id <> CONNECTION_ID()) AS session"""  # noqa: S608 - of names in this file alone


MARIADB_SESSIONS = _statement("information_schema.PROCESSLIST", "TIME_MS / 1000")

# Reads the threads without the lock that the process list of information_schema takes. By their names, for replication's threads run here
# under the account that started them: a client's is an "…one_connection", also with a thread pool, or a worker of the X protocol.
MYSQL_SESSIONS = _statement(
    """(SELECT PROCESSLIST_ID AS id, PROCESSLIST_USER AS user, PROCESSLIST_COMMAND AS command, PROCESSLIST_TIME AS time,
                         PROCESSLIST_STATE AS state
                      FROM performance_schema.threads
                     WHERE PROCESSLIST_ID IS NOT NULL
                       AND (NAME LIKE '%one\\_connection' OR NAME LIKE 'thread/mysqlx/%')) AS thread""",
    "time",
)
MYSQL_SESSIONS_PLAIN = _statement("information_schema.PROCESSLIST", "TIME")


class Sessions:
    name: ClassVar = "sessions"
    help: ClassVar = (
        "Client sessions, those that wait for a metadata lock, the longest running statement and transaction, replicas that read the"
        " binary log."
    )
    every: ClassVar = 0.0
    limit: ClassVar = 3.0
    grants: ClassVar[Mapping[str, str]] = {
        "mysql": "PROCESS ON *.* and SELECT ON performance_schema.*",
        "mariadb": "PROCESS ON *.*",
    }

    def supports(self, info: ServerInfo) -> bool:
        return True

    async def collect(self, server: Server) -> Mapping[str, Any]:
        """`{"sessions", "busy", "dump_threads", "metadata_waits"}` as numbers of sessions without the monitor's own;
        `{"longest_query", "longest_transaction"}` in seconds, 0 where none is open."""
        if server.info.is_mariadb:
            statement = MARIADB_SESSIONS
        elif server.info.performance_schema:
            statement = MYSQL_SESSIONS
        else:
            statement = MYSQL_SESSIONS_PLAIN
        (row,) = await server.rows(statement)
        found = {name: number(value) for name, value in row.items()}
        # The server's clock may have been set back under a running statement.
        return found | {name: max(0, found[name] or 0) for name in ("longest_query", "longest_transaction")}
