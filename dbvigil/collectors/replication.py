"""Replication as the replica sees it, one row a channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dbvigil.collectors.values import lower_names, number
from dbvigil.redaction import server_message
from dbvigil.server import Server
from dbvigil.types import ServerInfo

MARIADB_CHANNELS = "SHOW ALL SLAVES STATUS"
MYSQL_CHANNELS = "SHOW REPLICA STATUS"
OLD_MYSQL_CHANNELS = "SHOW SLAVE STATUS"

# The first of these columns that a server has. MySQL renamed them in 8.0.22; MariaDB keeps the former names.
_TEXTS = {
    "name": ("channel_name", "connection_name"),
    "source_host": ("source_host", "master_host"),
    "source_uuid": ("source_uuid", "master_uuid"),
    "io_running": ("replica_io_running", "slave_io_running"),
    "io_state": ("replica_io_state", "slave_io_state"),
    "sql_running": ("replica_sql_running", "slave_sql_running"),
    "last_io_error": ("last_io_error",),
    "last_sql_error": ("last_sql_error",),
}
_NUMBERS = {
    "source_port": ("source_port", "master_port"),
    "source_server_id": ("source_server_id", "master_server_id"),
    "lag": ("seconds_behind_source", "seconds_behind_master"),
    "delay": ("sql_delay",),
}


class Replication:
    name: ClassVar = "replication"
    help: ClassVar = "The replica's channels: threads, lag, intended delay, last errors."
    every: ClassVar = 0.0
    limit: ClassVar = 3.0
    grants: ClassVar[Mapping[str, str]] = {
        "mysql": "REPLICATION CLIENT ON *.*",
        "mariadb": "REPLICA MONITOR ON *.*",
    }

    def supports(self, info: ServerInfo) -> bool:
        return True

    async def collect(self, server: Server) -> Mapping[str, Any]:
        """`{"channels": [{name, source_host, …}, …]}` under the names of `ReplicationChannel`, threads in the server's words; an empty
        list on a server that is no replica."""
        rows = await server.rows(_statement(server.info))
        return {"channels": [_channel(lower_names(row)) for row in rows]}


def _statement(info: ServerInfo) -> str:
    if info.is_mariadb:
        return MARIADB_CHANNELS
    return MYSQL_CHANNELS if info.at_least(8, 0, 22) else OLD_MYSQL_CHANNELS


def _channel(row: Mapping[str, Any]) -> dict[str, Any]:
    channel: dict[str, Any] = {key: _first(row, columns) for key, columns in _TEXTS.items()}
    channel |= {key: number(_first(row, columns)) for key, columns in _NUMBERS.items()}
    for name in ("last_io_error", "last_sql_error"):
        # A failed statement is quoted with its values; those are an application's own.
        channel[name] = server_message(channel[name])
    channel["lag_source"] = None if channel["lag"] is None else "seconds_behind"
    return channel


def _first(row: Mapping[str, Any], columns: tuple[str, ...]) -> Any:
    return next((row[column] for column in columns if column in row), None)
