"""The values that travel through dbvigil. Frozen, plain, and free of Django."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

Flavor = Literal["mysql", "mariadb", "percona"]
Status = Literal["healthy", "warning", "critical", "unknown", "down"]
ReplicationRole = Literal["source", "replica", "both", "standalone"]

Json = None | bool | int | float | str | list[Any] | dict[str, Any]


@lru_cache(maxsize=1_024)
def iso_utc(moment: datetime) -> str:
    """ISO-8601 in UTC with milliseconds and `Z`: `2026-01-31T09:05:00.250Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server is, asked once a connection: the ground for every decision about what it can do.

    `version` is the numeric part as a tuple, so that 8.10 is after 8.9 and 9.7 before 10.11.
    """

    flavor: Flavor
    version: tuple[int, int, int]
    version_text: str
    performance_schema: bool
    server_id: int | None = None
    server_uuid: str | None = None
    hostname: str | None = None

    @property
    def is_mariadb(self) -> bool:
        return self.flavor == "mariadb"

    @property
    def is_mysql(self) -> bool:
        """MySQL or a build of it (Percona Server)."""
        return self.flavor != "mariadb"

    def at_least(self, *version: int) -> bool:
        """Whether the server's version is this one or later: `info.at_least(8, 0, 22)`."""
        return self.version >= version


@dataclass(frozen=True, slots=True)
class Failure:
    """One collector that could not read: recorded data, not a crash.

    `permanent` says that trying again on this connection is pointless (a missing grant or table); the
    collector is then off until the monitor reconnects or its slow retry comes. `lacking` says that nothing is
    broken: the server, as it is configured, does not have the subject (performance_schema off). `remedy`
    names the grant or option that would help.
    """

    collector: str
    cause: str
    remedy: str = ""
    permanent: bool = False
    lacking: bool = False

    def __str__(self) -> str:
        text = f"{self.collector}: {self.cause}"
        return f"{text}; {self.remedy}" if self.remedy else text

    def to_dict(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One visit to a server: raw values as they were read, nothing derived.

    `readings` maps a collector's name to its raw values (JSON-ready); a collector that failed or was not due
    is absent, its failure is in `failures`. `taken_at` is wall time for people. Differences are taken over
    `monotonic` (seconds), which is comparable between two snapshots only where `clock` (the monitoring host's
    boot) is the same. `connection` numbers the connection within `clock`: two snapshots over one connection
    cannot have a server restart between them.
    """

    database: str
    taken_at: datetime
    clock: str
    monotonic: float
    connection: str
    server: ServerInfo
    readings: Mapping[str, Mapping[str, Any]]
    failures: tuple[Failure, ...] = ()
    collection_ms: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `Snapshot.from_dict` is its inverse."""
        return {
            "database": self.database,
            "taken_at": self.taken_at.isoformat(),
            "clock": self.clock,
            "monotonic": self.monotonic,
            "connection": self.connection,
            "server": {item.name: getattr(self.server, item.name) for item in fields(self.server)},
            "readings": {name: dict(values) for name, values in self.readings.items()},
            "failures": [failure.to_dict() for failure in self.failures],
            "collection_ms": self.collection_ms,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Snapshot:
        server = dict(data["server"])
        server["version"] = tuple(server["version"])
        return cls(
            database=data["database"],
            taken_at=datetime.fromisoformat(data["taken_at"]),
            clock=data["clock"],
            monotonic=data["monotonic"],
            connection=data["connection"],
            server=ServerInfo(**server),
            readings=data["readings"],
            failures=tuple(Failure(**failure) for failure in data["failures"]),
            collection_ms=data["collection_ms"],
        )


@dataclass(frozen=True, slots=True)
class ReplicationChannel:
    """One replication channel as its replica sees it.

    `io_running` and `sql_running` are true only for a thread that runs ("Connecting" is not running) and None
    where the server does not say. `lag` is seconds behind the source and None where unknown; `delay` is the
    intended delay (SQL_Delay), which `lag` includes.
    """

    name: str
    source_host: str | None = None
    source_port: int | None = None
    source_server_id: int | None = None
    source_uuid: str | None = None
    io_running: bool | None = None
    io_state: str | None = None
    sql_running: bool | None = None
    lag: float | None = None
    lag_source: str | None = None
    delay: float | None = None
    last_io_error: str | None = None
    last_sql_error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, slots=True)
class DatabaseMetrics:
    """The figures of one sample of one target; every field is a row of `dbvigil.catalogue` with its unit and
    meaning.

    None means unknown: the server cannot give it, the account may not read it, or a rate has no earlier
    sample to stand on. It never means 0.
    """

    database: str
    timestamp: datetime
    up: bool | None
    error: str | None = None
    flavor: Flavor | None = None
    server_version: str | None = None
    uptime: float | None = None
    collection_ms: float | None = None

    connections: int | None = None
    max_connections: int | None = None
    max_used_connections: int | None = None
    connection_usage: float | None = None
    threads_running: int | None = None
    threads_cached: int | None = None
    thread_cache_hit_rate: float | None = None
    aborted_connects_rate: float | None = None
    aborted_clients_rate: float | None = None

    queries_rate: float | None = None
    transactions_rate: float | None = None
    selects_rate: float | None = None
    writes_rate: float | None = None
    slow_queries: float | None = None
    query_time: float | None = None
    query_time_source: str | None = None
    longest_query_seconds: float | None = None
    longest_transaction_seconds: float | None = None
    full_scans_rate: float | None = None
    tmp_disk_tables_ratio: float | None = None
    sort_merge_passes_rate: float | None = None

    buffer_pool_hit_rate: float | None = None
    buffer_pool_usage: float | None = None
    buffer_pool_dirty_ratio: float | None = None
    row_lock_waits_rate: float | None = None
    row_lock_time_avg_ms: float | None = None
    lock_waits_current: int | None = None
    deadlocks_rate: float | None = None
    history_list_length: int | None = None
    checkpoint_age_ratio: float | None = None
    log_waits_rate: float | None = None
    query_cache_hit_rate: float | None = None
    table_cache_hit_rate: float | None = None
    open_files_ratio: float | None = None

    replication_role: ReplicationRole | None = None
    replication_io_running: bool | None = None
    replication_sql_running: bool | None = None
    replication_lag: float | None = None
    replication_channels: tuple[ReplicationChannel, ...] | None = None
    read_only: bool | None = None
    gtid_executed: str | None = None
    errant_gtids: str | None = None

    data_size_bytes: int | None = None
    index_size_bytes: int | None = None
    auto_increment_max_usage: float | None = None

    backup_age_seconds: float | None = None
    backup_overdue_seconds: float | None = None
    backup_ok: bool | None = None
    backup_verified: bool | None = None
    backup_size_change: float | None = None

    cpu_usage: float | None = None
    memory_usage: float | None = None
    disk_usage: float | None = None
    network_rx_rate: float | None = None
    network_tx_rate: float | None = None
    load1: float | None = None
    system_source: str | None = None

    health_score: int | None = None
    status: Status = "unknown"
    failures: tuple[Failure, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready.

        Times as ISO-8601 `Z`, channels and failures as lists of objects. `from_dict` is its inverse.
        """
        result: dict[str, Any] = {name: getattr(self, name) for name in _METRIC_FIELDS}
        result["timestamp"] = iso_utc(self.timestamp)
        channels = self.replication_channels
        result["replication_channels"] = (
            None if channels is None else [channel.to_dict() for channel in channels]
        )
        result["failures"] = [failure.to_dict() for failure in self.failures]
        return result

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DatabaseMetrics:
        """From `to_dict`; fields of another version of dbvigil are left out, missing ones are unknown."""
        known = {name: data[name] for name in _METRIC_FIELDS if name in data}
        known["timestamp"] = datetime.fromisoformat(known["timestamp"])
        channels = known.get("replication_channels")
        if channels is not None:
            known["replication_channels"] = tuple(ReplicationChannel(**channel) for channel in channels)
        known["failures"] = tuple(Failure(**failure) for failure in known.get("failures", ()))
        return cls(**known)


_METRIC_FIELDS = tuple(item.name for item in fields(DatabaseMetrics))


@dataclass(frozen=True, slots=True)
class Threshold:
    """When a metric is worth a warning and when it is critical; None switches that level off.

    `database` is None for every database. `source` tells where it comes from: default, setting, or stored
    (API, command, Python).
    """

    metric: str
    warning: float | None
    critical: float | None
    database: str | None = None
    source: str = "default"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why health lost points: the metric, its value, the points, and a sentence with what to do."""

    metric: str
    value: Json
    penalty: int
    message: str

    def to_dict(self) -> dict[str, Any]:
        return {"metric": self.metric, "value": self.value, "penalty": self.penalty, "message": self.message}


@dataclass(frozen=True, slots=True)
class Health:
    """A verdict: 0–100 or None where unknown, its status, and the reasons that add up to the lost points."""

    status: Status
    score: int | None
    reasons: tuple[Reason, ...] = field(default=())
