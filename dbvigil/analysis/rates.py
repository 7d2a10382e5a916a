"""From raw counters to figures: the one place where differences are taken. Pure.

Every rate needs two snapshots between which the server ran through (see `analysis.interval`); without them it is None, never 0 and never
negative. A share of nothing (no lookup, no temporary table, no lock wait in the interval) is None too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dbvigil.analysis import replication
from dbvigil.analysis.course import Behind
from dbvigil.analysis.interval import Interval, between, counters, growth, same_server
from dbvigil.analysis.latency import query_time
from dbvigil.analysis.shares import hit_percent, mean, percent, total
from dbvigil.types import DatabaseMetrics, Snapshot

_WRITES = (
    "Com_insert",
    "Com_insert_select",
    "Com_update",
    "Com_update_multi",
    "Com_delete",
    "Com_delete_multi",
    "Com_replace",
    "Com_replace_select",
)
_SLOW_SCHEDULE = ("data_size_bytes", "index_size_bytes", "auto_increment_max_usage")


def metrics(
    current: Snapshot,
    previous: Snapshot | None,
    earlier: DatabaseMetrics | None = None,
    behind: Mapping[str, Behind] | None = None,
) -> DatabaseMetrics:
    """The figures of `current`; rates since `previous`; `behind` is what is known of the positions of a replica's sources.

    `earlier` is the last sample's figures: those on a slow schedule are carried over from it while their collector is not due.
    """
    interval = between(current, previous)
    figures: dict[str, Any] = {}
    for part in (_connections, _queries, _innodb, _sessions, _tables, _host):
        figures.update(part(current, interval))
    figures.update(_replication(current, behind))
    figures.update(_latency(current, interval))
    if earlier is not None and previous is not None and same_server(current, previous):
        figures.update(_carried_over(current, earlier))
    return DatabaseMetrics(
        database=current.database,
        timestamp=current.taken_at,
        up=True,
        flavor=current.server.flavor,
        server_version=current.server.version_text,
        collection_ms=current.collection_ms,
        failures=current.failures,
        **figures,
    )


def down(
    database: str,
    now: datetime,
    error: Exception | str,
    earlier: DatabaseMetrics | None = None,
    collection_ms: float | None = None,
) -> DatabaseMetrics:
    """The figures of a server that could not be sampled: `up` is False, `error` says why in one line, everything else is unknown.

    What kind of server it was is kept from `earlier`.
    """
    return DatabaseMetrics(
        database=database,
        timestamp=now,
        up=False,
        error=" ".join(str(error).split()),
        flavor=earlier.flavor if earlier else None,
        server_version=earlier.server_version if earlier else None,
        collection_ms=collection_ms,
    )


def _connections(current: Snapshot, interval: Interval | None) -> dict[str, Any]:
    status, settings = counters(current, "global"), counters(current, "settings")
    connected, limit = status.get("Threads_connected"), settings.get("max_connections")
    return {
        "uptime": status.get("Uptime"),
        "connections": connected,
        "max_connections": limit,
        "max_used_connections": status.get("Max_used_connections"),
        "connection_usage": percent(connected, limit),
        "threads_cached": status.get("Threads_cached"),
        "thread_cache_hit_rate": interval
        and hit_percent(interval.delta("Threads_created"), interval.delta("Connections")),
        "aborted_connects_rate": interval and interval.rate("Aborted_connects"),
        "aborted_clients_rate": interval and interval.rate("Aborted_clients"),
        "open_files_ratio": percent(status.get("Open_files"), settings.get("open_files_limit")),
    }


def _queries(current: Snapshot, interval: Interval | None) -> dict[str, Any]:
    if interval is None:
        return {}
    slow = interval.clients_rate("Slow_queries")
    return {
        "queries_rate": interval.clients_rate("Questions"),
        "selects_rate": interval.clients_rate("Com_select"),
        "transactions_rate": total(interval.rate("Com_commit"), interval.rate("Com_rollback")),
        "writes_rate": total(*(interval.rate(name) for name in _WRITES)),
        "slow_queries": None if slow is None else slow * 60,
        "full_scans_rate": total(
            interval.clients_rate("Select_scan"), interval.clients_rate("Select_full_join")
        ),
        "sort_merge_passes_rate": interval.clients_rate("Sort_merge_passes"),
        "tmp_disk_tables_ratio": percent(
            interval.clients_delta("Created_tmp_disk_tables"), interval.clients_delta("Created_tmp_tables")
        ),
        "table_cache_hit_rate": percent(
            hits := interval.clients_delta("Table_open_cache_hits"),
            total(hits, interval.clients_delta("Table_open_cache_misses")),
        ),
        "query_cache_hit_rate": _query_cache(current, interval),
    }


def _query_cache(current: Snapshot, interval: Interval) -> float | None:
    """MariaDB only. A cache that is switched off has no blocks at all. Com_select counts the selects that the cache answered too."""
    if not counters(current, "global").get("Qcache_total_blocks"):
        return None
    return percent(interval.delta("Qcache_hits"), interval.clients_delta("Com_select"))


def _latency(current: Snapshot, interval: Interval | None) -> dict[str, Any]:
    now = current.readings.get("statements", {})
    before = interval.previous.readings.get("statements", {}) if interval else {}
    seconds, source = query_time(interval, now, before)
    return {"query_time": seconds, "query_time_source": source}


def _innodb(current: Snapshot, interval: Interval | None) -> dict[str, Any]:
    status = counters(current, "global")
    engine = current.readings.get("innodb", {})
    pages, free = status.get("Innodb_buffer_pool_pages_total"), status.get("Innodb_buffer_pool_pages_free")
    figures = {
        "buffer_pool_usage": percent(None if pages is None or free is None else pages - free, pages),
        "buffer_pool_dirty_ratio": percent(status.get("Innodb_buffer_pool_pages_dirty"), pages),
        "history_list_length": engine.get("trx_rseg_history_len", status.get("Innodb_history_list_length")),
        "checkpoint_age_ratio": _checkpoint_age(status),
    }
    if interval is not None:
        figures |= {
            "buffer_pool_hit_rate": hit_percent(
                interval.delta("Innodb_buffer_pool_reads"), interval.delta("Innodb_buffer_pool_read_requests")
            ),
            "row_lock_waits_rate": interval.rate("Innodb_row_lock_waits"),
            "row_lock_time_avg_ms": mean(
                interval.delta("Innodb_row_lock_time"), interval.delta("Innodb_row_lock_waits")
            ),
            "log_waits_rate": interval.rate("Innodb_log_waits"),
            "deadlocks_rate": _deadlocks(interval),
        }
    return figures


def _checkpoint_age(status: Mapping[str, Any]) -> float | None:
    if "Innodb_checkpoint_max_age" in status:  # MariaDB
        return percent(status.get("Innodb_checkpoint_age"), status["Innodb_checkpoint_max_age"])
    newest, checkpoint = (
        status.get("Innodb_redo_log_current_lsn"),
        status.get("Innodb_redo_log_checkpoint_lsn"),
    )
    if newest is None or checkpoint is None:
        return None
    return percent(newest - checkpoint, status.get("Innodb_redo_log_capacity_resized"))


def _deadlocks(interval: Interval) -> float | None:
    engine = interval.current.readings.get("innodb", {})
    if "lock_deadlocks" not in engine:  # MariaDB has it among its status counters
        return interval.rate("Innodb_deadlocks")
    grown = growth(engine, interval.previous.readings.get("innodb", {}), "lock_deadlocks")
    return grown / interval.seconds if grown is not None and interval.same_run else None


def _sessions(current: Snapshot, interval: Interval | None) -> dict[str, Any]:
    sessions, locks = current.readings.get("sessions", {}), current.readings.get("locks", {})
    return {
        # Not Threads_running: that counts the event scheduler, replication's threads, or both.
        "threads_running": sessions.get("busy"),
        "longest_query_seconds": sessions.get("longest_query"),
        "longest_transaction_seconds": sessions.get("longest_transaction"),
        "lock_waits_current": locks.get("waiting"),
    }


def _replication(current: Snapshot, behind: Mapping[str, Behind] | None) -> dict[str, Any]:
    settings = counters(current, "settings")
    read_only = settings.get("read_only")
    figures: dict[str, Any] = {
        "read_only": None if read_only is None else bool(read_only),
        "gtid_executed": replication.gtid_executed(current.server, settings),
    }
    rows = current.readings.get("replication", {}).get("channels")
    if rows is None:
        return figures
    ages = current.readings.get("heartbeat", {}).get("ages")
    found = replication.channels(replication.with_heartbeats(rows, ages) if ages else rows, behind)
    dump_threads = current.readings.get("sessions", {}).get("dump_threads")
    return figures | {
        "replication_role": replication.role(bool(found), None if dump_threads is None else dump_threads > 0),
        "replication_channels": found,
        "replication_io_running": replication.all_run([channel.io_running for channel in found]),
        "replication_sql_running": replication.all_run([channel.sql_running for channel in found]),
        "replication_lag": replication.worst_lag(found),
        "errant_gtids": replication.errant_gtids(current.server, settings) if found else None,
    }


def _tables(current: Snapshot, interval: Interval | None) -> dict[str, Any]:
    tables = current.readings.get("tables", {})
    return {
        "data_size_bytes": tables.get("data_bytes"),
        "index_size_bytes": tables.get("index_bytes"),
        "auto_increment_max_usage": tables.get("auto_increment_usage"),
    }


def _carried_over(current: Snapshot, earlier: DatabaseMetrics) -> dict[str, Any]:
    """Figures of a collector that was not due; nothing where it failed, so that an unknown figure is not hidden by an old one."""
    failed = any(failure.collector == "tables" and not failure.lacking for failure in current.failures)
    if "tables" in current.readings or failed:
        return {}
    return {name: getattr(earlier, name) for name in _SLOW_SCHEDULE}


def _host(current: Snapshot, interval: Interval | None) -> dict[str, Any]:
    now = current.readings.get("host", {})
    before = interval.previous.readings.get("host", {}) if interval else {}
    figures: dict[str, Any] = {
        "system_source": now.get("source"),
        "memory_usage": percent(now.get("memory_used"), now.get("memory_total")),
        "disk_usage": percent(now.get("disk_used"), now.get("disk_total")),
        "load1": now.get("load1"),
    }
    # The host's counters start anew with the host, not with the server. Its readings carry their own moment: one may serve many targets.
    seconds = growth(now, before, "at")
    if (
        interval is None
        or not seconds
        or interval.current.clock != interval.previous.clock
        or now.get("boot") != before.get("boot")
    ):
        return figures
    received, sent = growth(now, before, "received"), growth(now, before, "sent")
    return figures | {
        "cpu_usage": percent(growth(now, before, "cpu_busy"), growth(now, before, "cpu_total")),
        "network_rx_rate": None if received is None else received / seconds,
        "network_tx_rate": None if sent is None else sent / seconds,
    }
