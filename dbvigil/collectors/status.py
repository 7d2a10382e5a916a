"""The server's status counters, the monitor's own part in them, and the few settings that change while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dbvigil.collectors.values import numbers, switched_on
from dbvigil.errors import MissingPrivilege
from dbvigil.server import Server
from dbvigil.types import ServerInfo

# A name that a server does not have is simply absent from its answer.
GLOBAL = (
    "Aborted_clients",
    "Aborted_connects",
    "Com_commit",
    "Com_delete",
    "Com_delete_multi",
    "Com_insert",
    "Com_insert_select",
    "Com_replace",
    "Com_replace_select",
    "Com_rollback",
    "Com_select",
    "Com_update",
    "Com_update_multi",
    "Connections",
    "Created_tmp_disk_tables",
    "Created_tmp_tables",
    "Innodb_buffer_pool_pages_dirty",
    "Innodb_buffer_pool_pages_free",
    "Innodb_buffer_pool_pages_total",
    "Innodb_buffer_pool_read_requests",
    "Innodb_buffer_pool_reads",
    "Innodb_checkpoint_age",
    "Innodb_checkpoint_max_age",
    "Innodb_deadlocks",
    "Innodb_history_list_length",
    "Innodb_log_waits",
    "Innodb_redo_log_capacity_resized",
    "Innodb_redo_log_checkpoint_lsn",
    "Innodb_redo_log_current_lsn",
    "Innodb_row_lock_time",
    "Innodb_row_lock_waits",
    "Max_used_connections",
    "Open_files",
    "Qcache_hits",
    "Qcache_total_blocks",
    "Query_time",
    "Questions",
    "Select_full_join",
    "Select_scan",
    "Slow_queries",
    "Sort_merge_passes",
    "Table_open_cache_hits",
    "Table_open_cache_misses",
    "Threads_cached",
    "Threads_connected",
    "Threads_created",
    "Uptime",
    "Uptime_since_flush_status",
)

# Those to which the monitor's own statements add.
OWN = (
    "Com_select",
    "Created_tmp_disk_tables",
    "Created_tmp_tables",
    "Query_time",
    "Questions",
    "Select_full_join",
    "Select_scan",
    "Slow_queries",
    "Sort_merge_passes",
    "Table_open_cache_hits",
    "Table_open_cache_misses",
)

MARIADB_SETTINGS = (
    "max_connections",
    "open_files_limit",
    "read_only",
    "log_bin",
    "gtid_binlog_pos",
    "gtid_current_pos",
    "gtid_slave_pos",
)
MYSQL_SETTINGS = ("max_connections", "open_files_limit", "read_only", "gtid_mode", "gtid_executed")
MYSQL_SESSION = ("Questions", "Slow_queries", "Table_open_cache_hits", "Table_open_cache_misses")


def _list(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _columns(names: Sequence[str]) -> str:
    return ", ".join(f"@@GLOBAL.{name} AS {name}" for name in names)


def _pivot(names: Sequence[str]) -> str:
    return ", ".join(
        f"MAX(IF(VARIABLE_NAME = '{name}', VARIABLE_VALUE + 0, NULL)) AS {name}" for name in names
    )


def _settings(names: Sequence[str]) -> str:
    return " ".join(f"UNION ALL SELECT 'settings', '{name}', @@GLOBAL.{name}" for name in names)


# One statement: MariaDB's information_schema has every counter, of the server and of the session.
MARIADB_STATUS = f"""
    SELECT 'global' AS scope, VARIABLE_NAME AS name, VARIABLE_VALUE AS value
      FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME IN ({_list(GLOBAL)})
    UNION ALL SELECT 'own', VARIABLE_NAME, VARIABLE_VALUE
      FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME IN ({_list(OWN)})
    {_settings(MARIADB_SETTINGS)}"""  # noqa: S608 - of names in this file alone

# MySQL's performance_schema.global_status lacks the Com_ counters, so the server's have to come by SHOW.
MYSQL_STATUS = f"SHOW GLOBAL STATUS WHERE Variable_name IN ({_list(GLOBAL)})"

# SHOW STATUS adds its own temporary tables and scans to the server's counters but hides them from the session's: only the events of the
# session's thread have them. session_status lacks the Com_ counters besides.
MYSQL_OWN = f"""
    SELECT thread.*, session.*, {_columns(MYSQL_SETTINGS)}
      FROM (SELECT SUM(IF(EVENT_NAME = 'statement/sql/select', COUNT_STAR, 0)) AS Com_select,
                   SUM(SUM_CREATED_TMP_DISK_TABLES) AS Created_tmp_disk_tables, SUM(SUM_CREATED_TMP_TABLES) AS Created_tmp_tables,
                   SUM(SUM_SELECT_FULL_JOIN) AS Select_full_join, SUM(SUM_SELECT_SCAN) AS Select_scan,
                   SUM(SUM_SORT_MERGE_PASSES) AS Sort_merge_passes
              FROM performance_schema.events_statements_summary_by_thread_by_event_name
             WHERE THREAD_ID = PS_CURRENT_THREAD_ID()) AS thread,
           (SELECT {_pivot(MYSQL_SESSION)} FROM performance_schema.session_status
             WHERE VARIABLE_NAME IN ({_list(MYSQL_SESSION)})) AS session"""  # noqa: S608 - of names in this file alone

# The same in two statements where performance_schema is off, or may not be read.
# What SHOW STATUS hides is left out: those figures are unknown then, rather than the monitor's.
MYSQL_PLAIN = (
    "Com_select",
    "Questions",
    "Slow_queries",
    "Sort_merge_passes",
    "Table_open_cache_hits",
    "Table_open_cache_misses",
)
MYSQL_OWN_PLAIN = f"SHOW SESSION STATUS WHERE Variable_name IN ({_list(MYSQL_PLAIN)})"
MYSQL_SETTINGS_PLAIN = f"SELECT {_columns(MYSQL_SETTINGS)}"


# MariaDB's information_schema writes the names in capitals.
_NAMES = {name.upper(): name for name in GLOBAL}


class Status:
    name: ClassVar = "status"
    help: ClassVar = "Status counters of the server, the monitor's own part in them, and the settings that change while it runs."
    every: ClassVar = 0.0
    limit: ClassVar = 3.0
    grants: ClassVar[Mapping[str, str]] = {}

    def supports(self, info: ServerInfo) -> bool:
        return True

    async def collect(self, server: Server) -> Mapping[str, Any]:
        """`{"global": counters, "own": the monitor's own, "settings": variables}`."""
        if server.info.is_mariadb:
            found = _by_scope(await server.rows(MARIADB_STATUS))
        else:
            found = await _mysql(server)
        settings = found["settings"]
        settings["read_only"] = switched_on(settings.get("read_only"))
        settings |= numbers((name, settings.get(name)) for name in ("max_connections", "open_files_limit"))
        return {
            "global": numbers(found["global"].items()),
            "own": numbers(found["own"].items()),
            "settings": settings,
        }


async def _mysql(server: Server) -> dict[str, dict[str, Any]]:
    everything = {row["Variable_name"]: row["Value"] for row in await server.rows(MYSQL_STATUS)}
    if server.info.performance_schema and server.info.at_least(8, 0, 16):
        try:
            (row,) = await server.rows(MYSQL_OWN)
        except MissingPrivilege:
            pass  # The account may not read performance_schema: the plain statements need no grant.
        else:
            settings = {name: row[name] for name in MYSQL_SETTINGS}
            return {
                "global": everything,
                "own": {name: row[name] for name in OWN if name in row},
                "settings": settings,
            }
    own = {row["Variable_name"]: row["Value"] for row in await server.rows(MYSQL_OWN_PLAIN)}
    (settings,) = await server.rows(MYSQL_SETTINGS_PLAIN)
    return {"global": everything, "own": own, "settings": dict(settings)}


def _by_scope(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {"global": {}, "own": {}, "settings": {}}
    for row in rows:
        name = row["name"]
        found[row["scope"]][_NAMES.get(name, name)] = row["value"]
    return found
