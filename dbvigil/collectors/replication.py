"""Replication as the replica sees it, one row a channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dbvigil.collectors.values import lower_names, number
from dbvigil.errors import MissingPrivilege
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
    "sql_state": ("replica_sql_running_state", "slave_sql_running_state"),
    "received": ("retrieved_gtid_set", "gtid_io_pos"),
    "executed": ("executed_gtid_set", "gtid_slave_pos"),
    "read_file": ("source_log_file", "master_log_file"),
    "applied_file": ("relay_source_log_file", "relay_master_log_file"),
    "using_gtid": ("auto_position", "using_gtid"),
    "last_io_error": ("last_io_error",),
    "last_sql_error": ("last_sql_error",),
}
_NUMBERS = {
    "source_port": ("source_port", "master_port"),
    "source_server_id": ("source_server_id", "master_server_id"),
    "lag": ("seconds_behind_source", "seconds_behind_master"),
    "delay": ("sql_delay",),
    "remaining_delay": ("sql_remaining_delay",),
    "retry_interval": ("connect_retry",),
    "retry_count": ("source_retry_count", "master_retry_count"),
    "io_error_number": ("last_io_errno",),
    "sql_error_number": ("last_sql_errno",),
    "read_position": ("read_source_log_pos", "read_master_log_pos"),
    "applied_position": ("exec_source_log_pos", "exec_master_log_pos"),
}


def _age(column: str, known_by: str = "") -> str:
    """Seconds since a moment of performance_schema, which is in the session's time zone, and 0000-00-00 where there is none."""
    known = f"{known_by} <> ''" if known_by else f"{column} > '1970-01-02'"
    return f"IF({known}, TIMESTAMPDIFF(MICROSECOND, {column}, NOW(6)) / 1e6, NULL)"


# Ages of what the threads work on, by the time at which the immediate source committed it.
MYSQL_APPLIER = f"""
    SELECT receiver.CHANNEL_NAME AS name,
           {_age("receiver.QUEUEING_TRANSACTION_IMMEDIATE_COMMIT_TIMESTAMP", "receiver.QUEUEING_TRANSACTION")} AS queueing,
           {_age("receiver.LAST_QUEUED_TRANSACTION_END_QUEUE_TIMESTAMP", "receiver.LAST_QUEUED_TRANSACTION")} AS queued_age,
           IF(receiver.COUNT_RECEIVED_HEARTBEATS > 0, {_age("receiver.LAST_HEARTBEAT_TIMESTAMP")}, NULL) AS heartbeat_age,
           (SELECT PROCESSLIST_TIME FROM performance_schema.threads WHERE THREAD_ID = receiver.THREAD_ID) AS connected_age,
           configuration.HEARTBEAT_INTERVAL AS heartbeat_period,
           {_age("coordinator.PROCESSING_TRANSACTION_IMMEDIATE_COMMIT_TIMESTAMP", "coordinator.PROCESSING_TRANSACTION")} AS processing,
           workers.applying, workers.oldest_start, workers.busy, workers.workers
      FROM performance_schema.replication_connection_status AS receiver
      JOIN performance_schema.replication_connection_configuration AS configuration USING (CHANNEL_NAME)
      LEFT JOIN performance_schema.replication_applier_status_by_coordinator AS coordinator USING (CHANNEL_NAME)
      LEFT JOIN (SELECT CHANNEL_NAME,
                        MAX({_age("APPLYING_TRANSACTION_IMMEDIATE_COMMIT_TIMESTAMP", "APPLYING_TRANSACTION")}) AS applying,
                        MAX({_age("APPLYING_TRANSACTION_START_APPLY_TIMESTAMP", "APPLYING_TRANSACTION")}) AS oldest_start,
                        SUM(APPLYING_TRANSACTION <> '') AS busy, COUNT(*) AS workers
                   FROM performance_schema.replication_applier_status_by_worker GROUP BY CHANNEL_NAME) AS workers
        USING (CHANNEL_NAME)"""  # noqa: S608 - of names in this file alone
_APPLIER_NUMBERS = (
    "queueing",
    "queued_age",
    "heartbeat_age",
    "connected_age",
    "heartbeat_period",
    "processing",
    "applying",
    "oldest_start",
    "busy",
    "workers",
)


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
        list on a server that is no replica.

        On MySQL 8 and later `applier` has the ages (seconds) of what a channel's threads work on: see `analysis.lag`.
        """
        rows = await server.rows(_statement(server.info))
        channels = [_channel(lower_names(row)) for row in rows]
        if (
            channels
            and server.info.is_mysql
            and server.info.performance_schema
            and server.info.at_least(8, 0)
        ):
            appliers = await _appliers(server)
            for channel in channels:
                channel["applier"] = appliers.get(channel["name"])
        return {"channels": channels}


async def _appliers(server: Server) -> Mapping[str, Mapping[str, Any]]:
    try:
        rows = await server.rows(MYSQL_APPLIER)
    except MissingPrivilege:
        return {}  # Lag is then what the server says itself, and names that as its source.
    return {row["name"]: {name: number(row[name]) for name in _APPLIER_NUMBERS} for row in rows}


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
    for name in ("received", "executed"):
        channel[name] = None if channel[name] is None else "".join(channel[name].split())
    return channel


def _first(row: Mapping[str, Any], columns: tuple[str, ...]) -> Any:
    return next((row[column] for column in columns if column in row), None)
