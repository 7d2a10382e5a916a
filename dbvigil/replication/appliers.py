"""What the threads that apply work on: in which state, for how long, on which tables, and whether a lock holds them."""

from __future__ import annotations

import re
from typing import Any

from dbvigil import redaction
from dbvigil.collectors.values import number
from dbvigil.replication.facts import Row
from dbvigil.server import Server
from dbvigil.types import ServerInfo

MYSQL_APPLIERS = """
    SELECT worker.CHANNEL_NAME AS channel, thread.PROCESSLIST_STATE AS state, thread.PROCESSLIST_INFO AS statement,
           TIMESTAMPDIFF(MICROSECOND, worker.APPLYING_TRANSACTION_START_APPLY_TIMESTAMP, NOW(6)) / 1e6 AS seconds,
           (SELECT GROUP_CONCAT(DISTINCT CONCAT(held.OBJECT_SCHEMA, '.', held.OBJECT_NAME) SEPARATOR '\\n')
              FROM performance_schema.metadata_locks AS held
             WHERE held.OWNER_THREAD_ID = worker.THREAD_ID AND held.OBJECT_TYPE = 'TABLE') AS tables,
           EXISTS (SELECT 1 FROM information_schema.INNODB_TRX
                    WHERE trx_mysql_thread_id = thread.PROCESSLIST_ID AND trx_state = 'LOCK WAIT') AS blocked
      FROM performance_schema.replication_applier_status_by_worker AS worker
      JOIN performance_schema.threads AS thread ON thread.THREAD_ID = worker.THREAD_ID
     WHERE worker.APPLYING_TRANSACTION <> ''
     ORDER BY seconds DESC LIMIT 8"""
MARIADB_APPLIERS = """
    SELECT NULL AS channel, STATE AS state, INFO AS statement, TIME_MS / 1000 AS seconds, NULL AS tables, DB AS db,
           EXISTS (SELECT 1 FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id = thread.ID AND trx_state = 'LOCK WAIT') AS blocked
      FROM information_schema.PROCESSLIST AS thread
     WHERE COMMAND IN ('Slave_SQL', 'Slave_worker') AND STATE NOT LIKE 'Waiting for work%' AND STATE NOT LIKE '%has read all relay log%'
     ORDER BY TIME_MS DESC LIMIT 8"""


async def appliers(server: Server) -> list[dict[str, Any]]:
    """`{"channel", "state", "seconds", "verb", "tables", "blocked"}` of at most eight, the longest first. Raises `ServerError`s."""
    if server.info.is_mysql and not _by_worker(server.info):
        return []
    rows = await server.rows(MARIADB_APPLIERS if server.info.is_mariadb else MYSQL_APPLIERS)
    return [
        {
            "channel": row["channel"],
            "state": row["state"] or None,
            "seconds": number(row["seconds"]),
            "verb": _verb(row["statement"]),
            "tables": tables_of(row),
            "blocked": bool(row["blocked"]),
        }
        for row in rows
    ]


def _by_worker(info: ServerInfo) -> bool:
    return info.performance_schema and info.at_least(8, 0)


def tables_of(row: Row) -> list[str]:
    """What a worker works on: as MySQL's locks say, or on MariaDB the words of the statement that the rows come from."""
    if row["tables"]:
        return [name for name in row["tables"].split("\n") if "#sql" not in name]
    named = _NAMED.search(row["statement"] or "") if "db" in row else None
    if named is None:
        return []
    schema, table = named["schema"] or row["db"], named["table"]
    return [f"{schema}.{table}"] if schema else []


_NAMED = re.compile(
    r"^\s*(?:UPDATE|DELETE\s+FROM|(?:INSERT|REPLACE)\s+INTO|ALTER\s+TABLE)\s+(?:`?(?P<schema>[\w$]+)`?\s*\.\s*)?`?(?P<table>[\w$]+)`?",
    re.IGNORECASE,
)
"""The one table that most statements begin with; of others nothing is said."""


def _verb(statement: str | None) -> str | None:
    """The first words of a statement, which say what kind it is; no names and no values."""
    words = (redaction.statement(statement) or "").split()[:2]
    return " ".join(word.upper() for word in words if word.isalpha()) or None
