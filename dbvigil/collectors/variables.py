"""Server variables that seldom change, for people and for advice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dbvigil.server import Server
from dbvigil.types import ServerInfo

NAMES = (
    "binlog_format",
    "character_set_server",
    "collation_server",
    "datadir",
    "event_scheduler",
    "gtid_mode",
    "gtid_strict_mode",
    "innodb_buffer_pool_size",
    "innodb_flush_log_at_trx_commit",
    "innodb_io_capacity",
    "innodb_log_file_size",
    "innodb_redo_log_capacity",
    "join_buffer_size",
    "log_bin",
    "long_query_time",
    "max_allowed_packet",
    "max_connections",
    "max_heap_table_size",
    "open_files_limit",
    "performance_schema",
    "query_cache_size",
    "query_cache_type",
    "server_id",
    "slow_query_log",
    "sort_buffer_size",
    "sql_mode",
    "sync_binlog",
    "table_open_cache",
    "thread_cache_size",
    "time_zone",
    "tmp_table_size",
    "transaction_isolation",
    "tx_isolation",
    "version",
    "version_comment",
    "wait_timeout",
)
VARIABLES = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})".format(
    ", ".join(f"'{name}'" for name in NAMES)
)


class Variables:
    name: ClassVar = "variables"
    help: ClassVar = "Server variables that seldom change."
    every: ClassVar = 300.0
    limit: ClassVar = 3.0
    grants: ClassVar[Mapping[str, str]] = {}

    def supports(self, info: ServerInfo) -> bool:
        return True

    async def collect(self, server: Server) -> Mapping[str, Any]:
        """`{variable: the server's text}`; a variable that the server does not have is absent."""
        return {row["Variable_name"]: row["Value"] for row in await server.rows(VARIABLES)}
