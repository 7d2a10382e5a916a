"""Every figure of `DatabaseMetrics` once: its name, unit, kind, direction, title and help.

The API's schema, thresholds, charts, Prometheus names, the reference page and the live view all read this
table, so a metric is added by one row here and its formula in `analysis.rates`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dbvigil.errors import UnknownMetric

Unit = Literal[
    "count",
    "percent",
    "seconds",
    "milliseconds",
    "per_second",
    "per_minute",
    "bytes",
    "bytes_per_second",
    "flag",
    "text",
]
Direction = Literal["high", "low", "none"]
Group = Literal["server", "connections", "queries", "innodb", "replication", "storage", "host", "health"]

# Prometheus asks for base units: what to append to a name, and what to multiply a figure with.
_BASE_UNITS: Mapping[Unit, tuple[str, float]] = {
    "count": ("", 1.0),
    "percent": ("_ratio", 0.01),
    "seconds": ("_seconds", 1.0),
    "milliseconds": ("_seconds", 0.001),
    "per_second": ("_per_second", 1.0),
    "per_minute": ("_per_second", 1 / 60),
    "bytes": ("_bytes", 1.0),
    "bytes_per_second": ("_bytes_per_second", 1.0),
    "flag": ("", 1.0),
    "text": ("", 1.0),
}
_NAMED_UNITS = ("_ratio", "_rate", "_seconds", "_ms", "_bytes")


@dataclass(frozen=True, slots=True)
class Metric:
    """One field of `DatabaseMetrics`.

    `bad` says which direction is trouble: "high", "low" or "none". `collector` is where its raw values come
    from. `lacking` names, by flavour, why a server of that kind cannot give it. `warning` and `critical` are
    the thresholds that ship; None where none ships.
    """

    name: str
    group: Group
    unit: Unit
    title: str
    help: str
    collector: str
    bad: Direction = "none"
    integer: bool = False
    warning: float | None = None
    critical: float | None = None
    lacking: Mapping[str, str] = field(default_factory=dict)

    @property
    def numeric(self) -> bool:
        """Whether it is a number or a flag: kept in history, open to thresholds."""
        return self.unit != "text"

    @property
    def prometheus_name(self) -> str:
        """Name by Prometheus's conventions: prefix, base unit as suffix."""
        suffix, _ = _BASE_UNITS[self.unit]
        stem = self.name
        for ending in _NAMED_UNITS:
            stem = stem.removesuffix(ending)
        return f"dbvigil_{stem}{suffix}"

    @property
    def prometheus_factor(self) -> float:
        """What a figure is multiplied with to reach Prometheus's base unit."""
        return _BASE_UNITS[self.unit][1]


_NO_QUERY_CACHE = "MySQL removed the query cache in 8.0"

METRICS: tuple[Metric, ...] = (
    # server
    Metric("database", "server", "text", "Database", "The target's alias.", "server"),
    Metric("timestamp", "server", "text", "Sampled at", "When the sample was taken, UTC.", "server"),
    Metric("up", "server", "flag", "Up", "Whether the server answered the sample.", "server", bad="low"),
    Metric("error", "server", "text", "Error", "Why it is not up: cause and remedy in one line.", "server"),
    Metric("flavor", "server", "text", "Flavor", "mysql, mariadb or percona.", "server"),
    Metric("server_version", "server", "text", "Version", "The server's own version text.", "server"),
    Metric("uptime", "server", "seconds", "Uptime", "Seconds since the server started.", "status", bad="low"),
    Metric(
        "collection_ms",
        "server",
        "milliseconds",
        "Collection time",
        "How long the sample took, connecting included.",
        "server",
        bad="high",
    ),
    # connections
    Metric(
        "connections",
        "connections",
        "count",
        "Connections",
        "Open client connections.",
        "status",
        bad="high",
        integer=True,
    ),
    Metric(
        "max_connections",
        "connections",
        "count",
        "Connection limit",
        "The server's max_connections.",
        "status",
        integer=True,
    ),
    Metric(
        "max_used_connections",
        "connections",
        "count",
        "Most connections used",
        "The most connections open at once since the server started.",
        "status",
        bad="high",
        integer=True,
    ),
    Metric(
        "connection_usage",
        "connections",
        "percent",
        "Connection usage",
        "Open connections as a share of max_connections.",
        "status",
        bad="high",
        warning=80.0,
        critical=95.0,
    ),
    Metric(
        "threads_running",
        "connections",
        "count",
        "Running threads",
        "Sessions that are executing right now, the monitor's own left out.",
        "sessions",
        bad="high",
        integer=True,
    ),
    Metric(
        "threads_cached",
        "connections",
        "count",
        "Cached threads",
        "Idle threads kept for new connections.",
        "status",
        integer=True,
    ),
    Metric(
        "thread_cache_hit_rate",
        "connections",
        "percent",
        "Thread cache hit rate",
        "Share of new connections since the last sample that were served by a cached thread.",
        "status",
        bad="low",
    ),
    Metric(
        "aborted_connects_rate",
        "connections",
        "per_second",
        "Failed connection attempts",
        "Connection attempts that failed: wrong password, time-out, limit reached.",
        "status",
        bad="high",
        warning=3.0,
    ),
    Metric(
        "aborted_clients_rate",
        "connections",
        "per_second",
        "Dropped clients",
        "Clients that went away without closing their connection.",
        "status",
        bad="high",
    ),
    # queries
    Metric(
        "queries_rate",
        "queries",
        "per_second",
        "Queries",
        "Statements from clients, the monitor's own left out.",
        "status",
        bad="high",
    ),
    Metric(
        "transactions_rate",
        "queries",
        "per_second",
        "Transactions",
        "Commits and rollbacks.",
        "status",
        bad="high",
    ),
    Metric(
        "selects_rate",
        "queries",
        "per_second",
        "Selects",
        "SELECT statements, the monitor's own left out.",
        "status",
        bad="high",
    ),
    Metric(
        "writes_rate",
        "queries",
        "per_second",
        "Writes",
        "INSERT, UPDATE, DELETE and REPLACE statements.",
        "status",
        bad="high",
    ),
    Metric(
        "slow_queries",
        "queries",
        "per_minute",
        "Slow queries",
        "Statements over the server's long_query_time.",
        "status",
        bad="high",
        warning=10.0,
        critical=50.0,
    ),
    Metric(
        "query_time",
        "queries",
        "seconds",
        "Query time",
        "95th percentile of the statements finished since the last sample where the server keeps a "
        "histogram, else their mean.",
        "statements",
        bad="high",
        warning=2.0,
        critical=5.0,
    ),
    Metric(
        "query_time_source",
        "queries",
        "text",
        "Query time source",
        "How query_time was found: histogram or mean.",
        "statements",
    ),
    Metric(
        "longest_query_seconds",
        "queries",
        "seconds",
        "Longest running query",
        "Age of the oldest statement a client is running now.",
        "sessions",
        bad="high",
    ),
    Metric(
        "longest_transaction_seconds",
        "queries",
        "seconds",
        "Longest open transaction",
        "Age of the oldest open InnoDB transaction.",
        "sessions",
        bad="high",
        warning=14_400.0,
    ),
    Metric(
        "full_scans_rate",
        "queries",
        "per_second",
        "Full scans",
        "Statements that read a whole table, or joined without an index.",
        "status",
        bad="high",
    ),
    Metric(
        "tmp_disk_tables_ratio",
        "queries",
        "percent",
        "Temporary tables on disk",
        "Share of the temporary tables since the last sample that went to disk.",
        "status",
        bad="high",
    ),
    Metric(
        "sort_merge_passes_rate",
        "queries",
        "per_second",
        "Sort merge passes",
        "Merge passes of sorts that did not fit sort_buffer_size.",
        "status",
        bad="high",
    ),
    # innodb
    Metric(
        "buffer_pool_hit_rate",
        "innodb",
        "percent",
        "Buffer pool hit rate",
        "Share of page reads since the last sample that were found in memory.",
        "status",
        bad="low",
    ),
    Metric(
        "buffer_pool_usage",
        "innodb",
        "percent",
        "Buffer pool usage",
        "Share of the buffer pool that holds pages.",
        "status",
    ),
    Metric(
        "buffer_pool_dirty_ratio",
        "innodb",
        "percent",
        "Dirty pages",
        "Share of the buffer pool's pages that are waiting to be written.",
        "status",
        bad="high",
    ),
    Metric(
        "row_lock_waits_rate",
        "innodb",
        "per_second",
        "Row lock waits",
        "Waits for a row lock.",
        "status",
        bad="high",
    ),
    Metric(
        "row_lock_time_avg_ms",
        "innodb",
        "milliseconds",
        "Row lock wait time",
        "Mean time of the row lock waits since the last sample.",
        "status",
        bad="high",
    ),
    Metric(
        "lock_waits_current",
        "innodb",
        "count",
        "Lock waits now",
        "Row lock waits at this moment.",
        "locks",
        bad="high",
        integer=True,
        warning=20.0,
        critical=100.0,
    ),
    Metric(
        "deadlocks_rate",
        "innodb",
        "per_second",
        "Deadlocks",
        "InnoDB deadlocks.",
        "status, innodb",
        bad="high",
        warning=0.1,
        critical=1.0,
    ),
    Metric(
        "history_list_length",
        "innodb",
        "count",
        "History list length",
        "Undo records that wait for purge; a long-open transaction makes it grow.",
        "status, innodb",
        bad="high",
        integer=True,
        warning=100_000.0,
        critical=1_000_000.0,
    ),
    Metric(
        "checkpoint_age_ratio",
        "innodb",
        "percent",
        "Checkpoint age",
        "Redo log in use as a share of what forces a flush of the buffer pool.",
        "status",
        bad="high",
    ),
    Metric(
        "log_waits_rate",
        "innodb",
        "per_second",
        "Log waits",
        "Waits because the log buffer was full.",
        "status",
        bad="high",
        warning=10.0,
    ),
    Metric(
        "query_cache_hit_rate",
        "innodb",
        "percent",
        "Query cache hit rate",
        "Share of the selects since the last sample that the query cache answered.",
        "status",
        lacking={"mysql": _NO_QUERY_CACHE, "percona": _NO_QUERY_CACHE},
    ),
    Metric(
        "table_cache_hit_rate",
        "innodb",
        "percent",
        "Table cache hit rate",
        "Share of table opens since the last sample that the cache answered.",
        "status",
        bad="low",
    ),
    Metric(
        "open_files_ratio",
        "innodb",
        "percent",
        "Open files",
        "Open files as a share of open_files_limit.",
        "status",
        bad="high",
    ),
    # replication
    Metric(
        "replication_role",
        "replication",
        "text",
        "Replication role",
        "source, replica, both or standalone.",
        "replication",
    ),
    Metric(
        "replication_io_running",
        "replication",
        "flag",
        "Receiver running",
        "Whether the receiver thread of every channel runs; connecting is not running.",
        "replication",
        bad="low",
    ),
    Metric(
        "replication_sql_running",
        "replication",
        "flag",
        "Applier running",
        "Whether the applier thread of every channel runs.",
        "replication",
        bad="low",
    ),
    Metric(
        "replication_lag",
        "replication",
        "seconds",
        "Replication lag",
        "How far the worst channel is behind its source, its intended delay taken off; `lag_source` of the channel "
        "says what told it.",
        "replication",
        bad="high",
        warning=5.0,
        critical=30.0,
    ),
    Metric(
        "replication_channels",
        "replication",
        "text",
        "Replication channels",
        "One entry a channel.",
        "replication",
    ),
    Metric(
        "read_only",
        "replication",
        "flag",
        "Read only",
        "Whether the server refuses writes of ordinary accounts.",
        "status",
    ),
    Metric(
        "gtid_executed",
        "replication",
        "text",
        "GTIDs executed",
        "MySQL: gtid_executed; MariaDB: gtid_current_pos.",
        "status",
    ),
    Metric(
        "errant_gtids",
        "replication",
        "text",
        "Errant GTIDs",
        "Transactions written on a replica itself; empty where there are none.",
        "status, replication",
    ),
    # storage
    Metric(
        "data_size_bytes",
        "storage",
        "bytes",
        "Data size",
        "Size of all tables' rows.",
        "tables",
        integer=True,
    ),
    Metric(
        "index_size_bytes",
        "storage",
        "bytes",
        "Index size",
        "Size of all secondary indexes.",
        "tables",
        integer=True,
    ),
    Metric(
        "auto_increment_max_usage",
        "storage",
        "percent",
        "AUTO_INCREMENT used",
        "The fullest AUTO_INCREMENT column: its counter as a share of what its type can hold.",
        "tables",
        bad="high",
        warning=80.0,
        critical=95.0,
    ),
    Metric(
        "backup_age_seconds",
        "storage",
        "seconds",
        "Backup age",
        "Seconds since the newest good backup began; null without a schedule.",
        "backups",
        bad="high",
    ),
    Metric(
        "backup_overdue_seconds",
        "storage",
        "seconds",
        "Backup overdue",
        "Seconds since a scheduled backup should have begun that there is not; 0 while none is missing.",
        "backups",
        bad="high",
        warning=7200.0,
        critical=93600.0,
    ),
    Metric(
        "backup_ok",
        "storage",
        "flag",
        "Last backup good",
        "Whether the last backup came to its end.",
        "backups",
        bad="low",
    ),
    Metric(
        "backup_verified",
        "storage",
        "flag",
        "Backup verified",
        "Whether the newest good backup held in its restore what the server held.",
        "backups",
        bad="low",
    ),
    Metric(
        "backup_size_change",
        "storage",
        "percent",
        "Backup size change",
        "How far the newest backup's size is from the median of up to seven before it; 100 is twice or half.",
        "backups",
        bad="high",
        warning=50.0,
    ),
    # host
    Metric(
        "cpu_usage",
        "host",
        "percent",
        "CPU",
        "Share of the host's CPU time in use since the last sample.",
        "host",
        bad="high",
    ),
    Metric(
        "memory_usage",
        "host",
        "percent",
        "Memory",
        "Share of the host's memory in use.",
        "host",
        bad="high",
        warning=90.0,
        critical=97.0,
    ),
    Metric(
        "disk_usage",
        "host",
        "percent",
        "Disk",
        "Share of the data folder's file system in use.",
        "host",
        bad="high",
        warning=85.0,
        critical=95.0,
    ),
    Metric("network_rx_rate", "host", "bytes_per_second", "Network in", "Bytes the host received.", "host"),
    Metric("network_tx_rate", "host", "bytes_per_second", "Network out", "Bytes the host sent.", "host"),
    Metric("load1", "host", "count", "Load", "The host's one-minute load average.", "host", bad="high"),
    Metric(
        "system_source",
        "host",
        "text",
        "Host source",
        "Where the host's figures come from: local, node_exporter or none.",
        "host",
    ),
    # health
    Metric(
        "health_score",
        "health",
        "count",
        "Health score",
        "0 to 100; each lost point has a reason.",
        "health",
        bad="low",
        integer=True,
    ),
    Metric("status", "health", "text", "Status", "healthy, warning, critical, unknown or down.", "health"),
)

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}

NUMERIC: tuple[str, ...] = tuple(metric.name for metric in METRICS if metric.numeric)
"""Names of the metrics that are numbers or flags: those that history keeps and thresholds judge."""


def metric(name: str) -> Metric:
    """The row of `name`; raises `UnknownMetric`."""
    try:
        return BY_NAME[name]
    except KeyError:
        raise UnknownMetric(name) from None
