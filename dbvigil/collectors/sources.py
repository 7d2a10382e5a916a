"""Where a server keeps its client sessions, as pieces of SQL: MySQL in performance_schema, others in their process list."""

from __future__ import annotations

from dataclasses import dataclass

from dbvigil.types import ServerInfo

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

IDLE_COMMANDS = "('Sleep', 'Daemon', 'Connect', 'Binlog Dump', 'Binlog Dump GTID', 'Group Replication')"
NOBODY = "('system user', 'event_scheduler', 'unauthenticated user')"

METADATA_STATES = "'Waiting for %lock'"
"""What the state of a session that waits for a metadata lock is like: of a table, a schema, the whole server."""


@dataclass(frozen=True, slots=True)
class Sources:
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

    def programs(self, session_id: str, which: str) -> str:
        """Joins `attribute.program`, the program that an id's session has named when it connected, to those that `which` chooses."""
        return f"""
      LEFT JOIN (SELECT PROCESSLIST_ID AS id, COALESCE(MAX(IF(ATTR_NAME = 'program_name', ATTR_VALUE, NULL)),
                        MAX(IF(ATTR_NAME = '_client_name', ATTR_VALUE, NULL))) AS program
                   FROM performance_schema.session_connect_attrs
                  WHERE ATTR_NAME IN ('program_name', '_client_name') AND {which} GROUP BY PROCESSLIST_ID) AS attribute
        ON attribute.id = {session_id}"""  # noqa: S608 - of names in this file alone


def sources(info: ServerInfo) -> Sources:
    """Those of one server."""
    if info.is_mysql and info.performance_schema:
        return Sources(_THREADS, "host", "", event=True)
    age = "TIME_MS / 1000" if info.is_mariadb else "TIME"
    return Sources(_PLAIN_SESSIONS.format(age=age), _PLAIN_HOST, _REFUSES, event=info.performance_schema)
