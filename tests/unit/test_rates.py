"""From two snapshots to figures: no wrong rate, ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.analysis import rates
from dbvigil.analysis.replication import errant_gtids, gtid_executed, worst_lag
from dbvigil.types import DatabaseMetrics, Failure, ReplicationChannel, ServerInfo, Snapshot

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MYSQL = ServerInfo("mysql", (9, 7, 4), "9.7.4", True, 1, "6e5a2f3c-0000-4000-8000-000000000001", "db1")
MARIADB = ServerInfo("mariadb", (10, 11, 19), "10.11.19-MariaDB", True, 7, None, "db1")

COUNTERS = {
    "Aborted_clients": 3,
    "Aborted_connects": 4,
    "Com_commit": 100,
    "Com_delete": 1,
    "Com_delete_multi": 0,
    "Com_insert": 10,
    "Com_insert_select": 0,
    "Com_replace": 0,
    "Com_replace_select": 0,
    "Com_rollback": 5,
    "Com_select": 1000,
    "Com_update": 20,
    "Com_update_multi": 0,
    "Connections": 50,
    "Created_tmp_disk_tables": 5,
    "Created_tmp_tables": 50,
    "Innodb_buffer_pool_read_requests": 100_000,
    "Innodb_buffer_pool_reads": 100,
    "Innodb_deadlocks": 1,
    "Innodb_log_waits": 0,
    "Innodb_row_lock_time": 500,
    "Innodb_row_lock_waits": 5,
    "Qcache_hits": 10,
    "Query_time": 12.5,
    "Questions": 2000,
    "Select_full_join": 2,
    "Select_scan": 30,
    "Slow_queries": 6,
    "Sort_merge_passes": 0,
    "Table_open_cache_hits": 900,
    "Table_open_cache_misses": 100,
    "Threads_created": 10,
}
GAUGES = {
    "Innodb_buffer_pool_pages_dirty": 10,
    "Innodb_buffer_pool_pages_free": 400,
    "Innodb_buffer_pool_pages_total": 1000,
    "Innodb_checkpoint_age": 25,
    "Innodb_checkpoint_max_age": 100,
    "Innodb_history_list_length": 17,
    "Max_used_connections": 12,
    "Open_files": 50,
    "Qcache_total_blocks": 1,
    "Threads_cached": 2,
    "Threads_connected": 8,
    "Uptime": 1000,
    "Uptime_since_flush_status": 1000,
}
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
SETTINGS = {
    "max_connections": 100,
    "open_files_limit": 1000,
    "read_only": False,
    "log_bin": "1",
    "gtid_binlog_pos": "0-7-3",
}

RATES = frozenset(
    name
    for name in DatabaseMetrics.__dataclass_fields__
    if name.endswith("_rate") and name not in ("network_rx_rate", "network_tx_rate")
) | {"slow_queries", "tmp_disk_tables_ratio", "row_lock_time_avg_ms", "query_time"}


def snapshot(
    at: float = 0,
    changes: Mapping[str, Any] | None = None,
    *,
    own: Mapping[str, Any] | None = None,
    **values: Any,
) -> Snapshot:
    """A snapshot `at` seconds after NOW: uptime goes along, `changes` are added to the counters."""
    added = changes or {}
    status = {name: value + added.get(name, 0) for name, value in {**COUNTERS, **GAUGES}.items()}
    status["Uptime"] += int(at)
    status["Uptime_since_flush_status"] += int(at)
    readings: dict[str, Any] = {
        "status": {"global": status, "own": dict.fromkeys(OWN, 0) | dict(own or {}), "settings": SETTINGS},
        "sessions": {"busy": 1, "dump_threads": 0, "longest_query": 0, "longest_transaction": 0},
        "locks": {"waiting": 0},
        "replication": {"channels": []},
    }
    readings |= values.pop("readings", {})
    return replace(
        Snapshot("shop", NOW + timedelta(seconds=at), "boot", 5000.0 + at, "first", MARIADB, readings),
        **values,
    )


def without(start: Snapshot, *collectors: str) -> Snapshot:
    return replace(
        start, readings={name: value for name, value in start.readings.items() if name not in collectors}
    )


def known_rates(figures: DatabaseMetrics) -> set[str]:
    return {name for name in RATES if getattr(figures, name) is not None}


def test_the_first_sample_has_no_rate_but_every_reading() -> None:
    figures = rates.metrics(snapshot(), None)
    assert known_rates(figures) == set()
    assert figures.up is True
    assert (figures.connections, figures.max_connections, figures.connection_usage) == (8, 100, 8.0)
    assert (figures.buffer_pool_usage, figures.buffer_pool_dirty_ratio, figures.checkpoint_age_ratio) == (
        60.0,
        1.0,
        25.0,
    )
    assert (figures.open_files_ratio, figures.history_list_length, figures.uptime) == (5.0, 17, 1000)


def test_differences_over_the_monotonic_clock() -> None:
    grown = {
        "Questions": 100,
        "Com_select": 40,
        "Com_insert": 6,
        "Com_update_multi": 4,
        "Com_commit": 3,
        "Com_rollback": 2,
        "Slow_queries": 1,
        "Select_scan": 3,
        "Select_full_join": 2,
        "Created_tmp_tables": 10,
        "Created_tmp_disk_tables": 1,
        "Innodb_buffer_pool_read_requests": 1000,
        "Innodb_buffer_pool_reads": 10,
        "Innodb_row_lock_waits": 2,
        "Innodb_row_lock_time": 30,
        "Connections": 10,
        "Threads_created": 1,
        "Table_open_cache_hits": 3,
        "Table_open_cache_misses": 1,
        "Qcache_hits": 10,
        "Innodb_deadlocks": 5,
        "Query_time": 5.0,
    }
    figures = rates.metrics(snapshot(10, grown, taken_at=NOW - timedelta(days=1)), snapshot())
    assert figures.queries_rate == 10
    assert figures.selects_rate == 4
    assert figures.writes_rate == 1
    assert figures.transactions_rate == 0.5
    assert figures.slow_queries == 6, "a minute"
    assert figures.full_scans_rate == 0.5
    assert figures.tmp_disk_tables_ratio == 10
    assert figures.buffer_pool_hit_rate == 99
    assert figures.row_lock_waits_rate == 0.2
    assert figures.row_lock_time_avg_ms == 15
    assert figures.thread_cache_hit_rate == 90
    assert figures.table_cache_hit_rate == 75
    assert figures.query_cache_hit_rate == 25
    assert figures.deadlocks_rate == 0.5
    assert (figures.query_time, figures.query_time_source) == (0.05, "mean")


def test_the_monitors_own_part_is_taken_out() -> None:
    before = snapshot(own={"Questions": 70, "Com_select": 60, "Created_tmp_tables": 9, "Select_scan": 8})
    now = snapshot(
        10,
        {"Questions": 27, "Com_select": 25, "Created_tmp_tables": 6, "Select_scan": 4},
        own={"Questions": 77, "Com_select": 65, "Created_tmp_tables": 15, "Select_scan": 12},
    )
    figures = rates.metrics(now, before)
    assert figures.queries_rate == 2
    assert figures.selects_rate == 2
    assert figures.full_scans_rate == 0
    assert figures.tmp_disk_tables_ratio is None, "no temporary table but the monitor's own: nothing to judge"


def test_a_new_connection_to_the_same_run_knows_statements_only() -> None:
    before = snapshot(own={"Questions": 70}, readings={"monitor": {"trailing_statements": 5}})
    now = snapshot(10, {"Questions": 30}, own={"Questions": 5}, connection="second")
    figures = rates.metrics(now, before)
    assert figures.queries_rate == 2
    assert figures.full_scans_rate is None
    assert figures.writes_rate == 0


def test_shares_of_nothing_are_unknown() -> None:
    figures = rates.metrics(snapshot(10), snapshot())
    assert figures.queries_rate == 0
    for name in (
        "buffer_pool_hit_rate",
        "tmp_disk_tables_ratio",
        "thread_cache_hit_rate",
        "table_cache_hit_rate",
        "query_cache_hit_rate",
        "row_lock_time_avg_ms",
        "query_time",
    ):
        assert getattr(figures, name) is None, name


def restarted(at: float, uptime: int) -> Snapshot:
    now = snapshot(at, {"Questions": 100}, connection="second")
    now.readings["status"]["global"].update(Uptime=uptime, Uptime_since_flush_status=uptime)
    return now


def flushed(at: float) -> Snapshot:
    now = snapshot(at, {"Questions": 100})
    now.readings["status"]["global"]["Uptime_since_flush_status"] = 3
    return now


def young() -> Snapshot:
    start = snapshot()
    start.readings["status"]["global"].update(Uptime=1, Uptime_since_flush_status=1)
    return start


@pytest.mark.parametrize(
    ("now", "before"),
    [
        pytest.param(restarted(30, 12), snapshot(), id="restarted"),
        pytest.param(restarted(5000, 2000), snapshot(), id="restarted-and-older-than-before"),
        pytest.param(restarted(30, 2000), snapshot(), id="server-clock-jumped-across-connections"),
        pytest.param(restarted(2, 2), young(), id="perhaps-restarted-in-its-first-moments"),
        pytest.param(flushed(30), snapshot(), id="counters-flushed"),
        pytest.param(snapshot(0), snapshot(0), id="no-time-between"),
        pytest.param(snapshot(-5), snapshot(0), id="time-runs-backwards"),
        pytest.param(snapshot(30, server=replace(MARIADB, server_id=8)), snapshot(), id="another-server-id"),
        pytest.param(snapshot(30, server=replace(MARIADB, hostname="db2")), snapshot(), id="another-host"),
        pytest.param(snapshot(30, server=MYSQL), snapshot(), id="another-flavor"),
        pytest.param(snapshot(30, database="other"), snapshot(), id="another-target"),
        pytest.param(without(snapshot(30), "status"), snapshot(), id="status-not-read-now"),
        pytest.param(snapshot(30), without(snapshot(), "status"), id="status-not-read-before"),
        pytest.param(snapshot(5, clock="other", connection="x"), snapshot(), id="other-clock-too-near"),
        pytest.param(
            snapshot(60, clock="other", connection="x", taken_at=NOW + timedelta(hours=1)),
            snapshot(),
            id="other-clock-disagrees",
        ),
    ],
)
def test_unknown_rather_than_wrong(now: Snapshot, before: Snapshot) -> None:
    assert known_rates(rates.metrics(now, before)) == set()


def test_the_servers_clock_may_step_while_the_connection_holds() -> None:
    now = snapshot(10, {"Questions": 100})
    now.readings["status"]["global"].update(Uptime=90_000, Uptime_since_flush_status=90_000)
    assert rates.metrics(now, snapshot()).queries_rate == 10


def test_after_a_reboot_of_the_monitors_host_uptime_counts_the_seconds() -> None:
    now = snapshot(60, {"Questions": 600}, clock="other", connection="x", monotonic=3.0)
    assert rates.metrics(now, snapshot()).queries_rate == pytest.approx(10)


@pytest.mark.parametrize("name", sorted(COUNTERS))
def test_a_counter_that_shrank_takes_only_its_own_figures_along(name: str) -> None:
    everything = dict.fromkeys(COUNTERS, 10)
    whole = known_rates(rates.metrics(snapshot(10, everything), snapshot()))
    rest = known_rates(rates.metrics(snapshot(10, everything | {name: -1}), snapshot()))
    lost = whole - rest
    assert lost, f"nothing depends on {name}"
    assert len(lost) <= 3
    assert rest < whole


def test_slow_schedule_figures_are_carried_over_but_not_past_a_failure() -> None:
    tables = {"tables": {"data_bytes": 10, "index_bytes": 5, "auto_increment_usage": 50.0}}
    first = snapshot(readings=tables)
    earlier = rates.metrics(first, None)
    assert (earlier.data_size_bytes, earlier.auto_increment_max_usage) == (10, 50.0)
    assert rates.metrics(snapshot(30), first, earlier).data_size_bytes == 10
    refused = snapshot(30, failures=(Failure("tables", "refused", permanent=True),))
    assert rates.metrics(refused, first, earlier).data_size_bytes is None
    lacking = snapshot(30, failures=(Failure("tables", "too many", lacking=True),))
    assert rates.metrics(lacking, first, earlier).data_size_bytes == 10
    elsewhere = snapshot(30, server=replace(MARIADB, hostname="db2"))
    assert rates.metrics(elsewhere, first, earlier).data_size_bytes is None


def histogram(
    buckets: Mapping[int, int], own: list[list[int]] | None = None, own_count: int = 0, thread: int = 9
) -> dict[str, Any]:
    return {
        "statements": {
            "buckets": [[bound * 10**9, count] for bound, count in sorted(buckets.items())],
            "own": [[event, duration * 10**9] for event, duration in own or []],
            "own_count": own_count,
            "thread": thread,
        }
    }


def p95(before: dict[str, Any], now: dict[str, Any]) -> float | None:
    return rates.metrics(
        snapshot(10, server=MYSQL, readings=now), snapshot(server=MYSQL, readings=before)
    ).query_time


def test_the_percentile_is_that_of_the_interval() -> None:
    before = histogram({1: 1000, 10: 5})
    assert p95(before, histogram({1: 1094, 10: 5, 100: 6})) == 0.1
    assert p95(before, histogram({1: 1095, 10: 5, 100: 5})) == 0.001
    assert p95(before, before) is None, "nothing finished"
    assert p95(before, histogram({1: 10})) is None, "emptied in between"
    assert p95(before, histogram({1: 1100, 10: 5}, thread=10)) is None, "another thread of the monitor's own"


def test_the_percentile_leaves_the_monitors_own_statements_out() -> None:
    before = histogram({1: 1000, 2: 7}, own=[[1, 1], [2, 1]], own_count=7)
    own_only = histogram({1: 1000, 2: 9, 4: 1}, own=[[2, 1], [3, 1], [4, 1], [5, 3]], own_count=10)
    assert p95(before, own_only) is None
    with_one = histogram({1: 1000, 2: 9, 4: 1, 50: 1}, own=[[2, 1], [3, 1], [4, 1], [5, 3]], own_count=10)
    assert p95(before, with_one) == 0.05
    forgotten = histogram({1: 1000, 2: 9, 4: 2, 50: 1}, own=[[5, 3]], own_count=11)
    assert p95(before, forgotten) is None, "own statements that cannot be told from the clients'"
    renewed = histogram({1: 1000, 2: 9, 4: 2, 50: 1}, own=[[5, 3], [6, 3]], own_count=11)
    assert p95(before, renewed) is None
    before["statements"]["own_since"] = [[2, 10**9], [3, 10**9], [4, 10**9], [5, 3 * 10**9]]
    assert p95(before, renewed) == 0.05, "known from when evidence was asked for"


def test_the_mean_is_of_the_statements_that_finished() -> None:
    before = {"statements": {"count": 100, "seconds": 10.0, "own_count": 20, "own_seconds": 1.0}}
    now = {"statements": {"count": 108, "seconds": 12.5, "own_count": 26, "own_seconds": 1.5}}
    figures = rates.metrics(snapshot(10, readings=now), snapshot(readings=before))
    assert (figures.query_time, figures.query_time_source) == (1.0, "mean")


def test_the_host_is_differenced_over_its_own_moments() -> None:
    before = {
        "host": {
            "source": "local",
            "at": 100.0,
            "boot": 1,
            "cpu_busy": 10,
            "cpu_total": 100,
            "received": 0,
            "sent": 50,
        }
    }
    now = {
        "host": {
            "source": "local",
            "at": 104.0,
            "boot": 1,
            "cpu_busy": 11,
            "cpu_total": 108,
            "received": 40,
            "sent": 50,
        }
    }
    figures = rates.metrics(snapshot(10, readings=now), snapshot(readings=before))
    assert (figures.cpu_usage, figures.network_rx_rate, figures.network_tx_rate) == (12.5, 10, 0)
    now["host"]["boot"] = 2
    assert rates.metrics(snapshot(10, readings=now), snapshot(readings=before)).cpu_usage is None


def test_the_worst_channel_wins_and_an_unknown_one_hides_nothing() -> None:
    good, late, stopped = (
        ReplicationChannel(name, lag=lag) for name, lag in (("a", 0.0), ("b", 40.0), ("c", None))
    )
    assert worst_lag([good, late]) == 40
    assert worst_lag([good, replace(late, delay=30.0)]) == 10
    assert worst_lag([replace(good, delay=30.0)]) == 0
    assert worst_lag([good, stopped]) is None
    assert worst_lag([]) is None


def test_errant_transactions() -> None:
    uuid, other = MYSQL.server_uuid, "aaaaaaaa-0000-4000-8000-000000000002"
    executed = {"gtid_mode": "ON", "gtid_executed": f"{other}:1-9,\n{uuid}:1-2,\n{uuid}:tag:5"}
    assert errant_gtids(MYSQL, executed) == f"{uuid}:1-2,{uuid}:tag:5"
    assert gtid_executed(MYSQL, executed) == f"{other}:1-9,{uuid}:1-2,{uuid}:tag:5"
    assert errant_gtids(MYSQL, {"gtid_mode": "ON", "gtid_executed": f"{other}:1-9"}) == ""
    assert errant_gtids(MYSQL, {"gtid_mode": "OFF", "gtid_executed": ""}) is None
    position = {"log_bin": "1", "gtid_slave_pos": "0-1-100,4-1-2", "gtid_binlog_pos": "0-1-100,3-7-1,4-7-5"}
    assert errant_gtids(MARIADB, position) == "3-7-1,4-7-5"
    assert errant_gtids(MARIADB, position | {"gtid_slave_pos": "0-1-100,3-1-9,4-1-9"}) == ""
    assert errant_gtids(MARIADB, {"log_bin": "0", "gtid_binlog_pos": ""}) is None


def test_down_keeps_what_kind_of_server_it_was() -> None:
    earlier = rates.metrics(snapshot(), None)
    figures = rates.down("shop", NOW, "nothing listens;\nstart it", earlier, 12.0)
    assert (figures.up, figures.error, figures.flavor) == (False, "nothing listens; start it", "mariadb")
    assert figures.connections is None


ANY = st.none() | st.integers(-10, 2**64) | st.floats(0, 1e15, allow_nan=False)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Any snapshot: counters missing, huge, shrinking; collectors missing; clocks and connections anyhow."""
    status = {name: value for name in {**COUNTERS, **GAUGES} if (value := draw(ANY)) is not None}
    own = {name: value for name in OWN if (value := draw(ANY)) is not None}
    buckets = draw(st.dictionaries(st.integers(1, 500), st.integers(0, 10**9), max_size=4))
    host = {
        name: draw(ANY)
        for name in ("at", "boot", "cpu_busy", "cpu_total", "memory_used", "memory_total", "received", "sent")
    }
    readings = {
        "status": {
            "global": status,
            "own": own,
            "settings": {"max_connections": draw(ANY), "open_files_limit": draw(ANY)},
        },
        "innodb": {
            name: value
            for name in ("lock_deadlocks", "trx_rseg_history_len")
            if (value := draw(ANY)) is not None
        },
        "monitor": {"trailing_statements": draw(st.integers(0, 20))},
        "host": {"source": "local"} | host,
        **histogram(
            buckets, [[draw(st.integers(1, 50)), draw(st.integers(0, 600))]], draw(st.integers(0, 99))
        ),
    }
    kept = draw(st.sets(st.sampled_from(sorted(readings))))
    return Snapshot(
        database="shop",
        taken_at=NOW + timedelta(seconds=draw(st.integers(-(10**6), 10**6))),
        clock=draw(st.sampled_from(["boot", "other"])),
        monotonic=draw(st.floats(0, 1e7)),
        connection=draw(st.sampled_from(["first", "second"])),
        server=draw(st.sampled_from([MYSQL, MARIADB])),
        readings={name: reading for name, reading in readings.items() if name in kept},
    )


@given(snapshots(), st.none() | snapshots())
def test_whatever_two_snapshots_say_no_figure_is_impossible(now: Snapshot, before: Snapshot | None) -> None:
    figures = rates.metrics(now, before)
    for name in RATES | {"cpu_usage", "network_rx_rate", "network_tx_rate"}:
        value = getattr(figures, name)
        assert value is None or value >= 0, (name, value)
        if name.endswith(("hit_rate", "_ratio", "_usage")):
            assert value is None or value <= 100, (name, value)
    if before is None or "status" not in now.readings or "status" not in before.readings:
        assert known_rates(figures) == set()
    assert figures.to_dict()["database"] == "shop"


@given(snapshots())
def test_a_snapshot_survives_storage(now: Snapshot) -> None:
    assert Snapshot.from_dict(now.to_dict()) == now
