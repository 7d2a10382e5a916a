"""Health is a pure verdict: tables of figures against status, score and named reasons."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.analysis.health import SEVERITY, assess, worst
from dbvigil.catalogue import METRICS
from dbvigil.types import DatabaseMetrics, Failure, Health, ReplicationChannel, Threshold

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
THRESHOLDS = {
    row.name: Threshold(row.name, row.warning, row.critical)
    for row in METRICS
    if row.warning is not None or row.critical is not None
}
WELL = DatabaseMetrics(
    database="shop", timestamp=NOW, up=True, connections=10, max_connections=100, connection_usage=10.0,
    slow_queries=0.0, query_time=0.01, history_list_length=10, replication_role="standalone", read_only=False,
)  # fmt: skip
REPLICA = replace(
    WELL,
    replication_role="replica",
    replication_io_running=True,
    replication_sql_running=True,
    replication_lag=0.0,
    read_only=True,
)


def verdict(metrics: DatabaseMetrics | None, age: float = 0.0) -> Health:
    return assess(metrics, THRESHOLDS, NOW + timedelta(seconds=age), stale_after=70)


def reasons(metrics: DatabaseMetrics | None, age: float = 0.0) -> list[str]:
    return [reason.metric for reason in verdict(metrics, age).reasons]


def test_a_well_server_has_every_point_and_no_reason() -> None:
    for metrics in (WELL, REPLICA):
        health = verdict(metrics)
        assert (health.status, health.score, health.reasons) == ("healthy", 100, ())


def test_down_is_zero_and_says_why() -> None:
    health = verdict(
        DatabaseMetrics(
            database="shop", timestamp=NOW, up=False, error="connection refused; start the server"
        )
    )
    assert (health.status, health.score) == ("down", 0)
    assert health.reasons[0].metric == "up"
    assert "start the server" in health.reasons[0].message


@pytest.mark.parametrize(
    ("metrics", "age"),
    [
        (None, 0),
        (WELL, 71),
        (replace(WELL, up=None), 0),
        (replace(WELL, connection_usage=None), 0),
        (DatabaseMetrics(database="shop", timestamp=NOW, up=False, error="refused"), 71),
    ],
    ids=["never sampled", "stale", "up unknown", "connections unreadable", "stale and down"],
)
def test_unknown_is_never_healthy_and_has_no_score(metrics: DatabaseMetrics | None, age: float) -> None:
    health = verdict(metrics, age)
    assert (health.status, health.score) == ("unknown", None)
    assert len(health.reasons) == 1


@pytest.mark.parametrize("thread", ["replication_io_running", "replication_sql_running"])
def test_a_replica_with_a_stopped_thread_is_critical(thread: str) -> None:
    channel = ReplicationChannel(name="", last_io_error="no route to source", last_sql_error="no such table")
    stopped: dict[str, Any] = {thread: False, "replication_lag": None, "replication_channels": (channel,)}
    health = verdict(replace(REPLICA, **stopped))
    assert health.status == "critical"
    assert health.score == 40
    assert [reason.metric for reason in health.reasons] == ["replication_running"]
    assert "no route" in health.reasons[0].message or "no such table" in health.reasons[0].message


def test_unknown_lag_is_not_taken_for_no_lag() -> None:
    health = verdict(replace(REPLICA, replication_lag=None))
    assert (health.status, [reason.metric for reason in health.reasons]) == ("warning", ["replication_lag"])


def test_a_writable_or_errant_replica_is_a_warning() -> None:
    health = verdict(replace(REPLICA, read_only=False, errant_gtids="3e11fa47:1-5"))
    assert (health.status, health.score) == ("warning", 80)
    assert {reason.metric for reason in health.reasons} == {"read_only", "errant_gtids"}


@pytest.mark.parametrize(
    ("usage", "status", "penalty"),
    [(79.9, "healthy", 0), (80.0, "warning", 15), (87.5, "warning", 27), (95.0, "critical", 40)],
)
def test_points_grow_from_warning_to_critical(usage: float, status: str, penalty: int) -> None:
    health = verdict(replace(WELL, connection_usage=usage))
    assert (health.status, health.score) == (status, 100 - penalty)


def test_where_low_is_bad_the_levels_turn_round() -> None:
    thresholds = {"buffer_pool_hit_rate": Threshold("buffer_pool_hit_rate", 95.0, 90.0)}

    def status(rate: float) -> str:
        return assess(replace(WELL, buffer_pool_hit_rate=rate), thresholds, NOW, 70).status

    assert [status(rate) for rate in (99.0, 95.0, 93.0, 90.0, 10.0)] == [
        "healthy",
        "warning",
        "warning",
        "critical",
        "critical",
    ]


def test_what_the_account_may_not_read_costs_points_and_what_the_server_lacks_does_not() -> None:
    denied = Failure("locks", "SELECT denied", "GRANT PROCESS", permanent=True)
    lacking = Failure("statements", "performance_schema is off", permanent=True, lacking=True)
    health = verdict(replace(WELL, failures=(denied, lacking)))
    assert (health.status, health.score) == ("warning", 95)
    assert "GRANT PROCESS" in health.reasons[0].message


def test_the_worst_of_several() -> None:
    assert worst(["healthy", "unknown", "warning"]) == "unknown"
    assert worst([]) == "healthy"


numbers = st.one_of(st.none(), st.floats(0, 1e9))


@given(
    usage=numbers,
    slow=numbers,
    lag=numbers,
    time=numbers,
    role=st.sampled_from(["standalone", "replica", "both", "source", None]),
)
def test_the_lost_points_are_the_sum_of_the_reasons(usage, slow, lag, time, role) -> None:  # type: ignore[no-untyped-def]
    metrics = replace(
        WELL,
        connection_usage=usage,
        slow_queries=slow,
        replication_lag=lag,
        query_time=time,
        replication_role=role,
    )
    health = verdict(metrics)
    if health.score is None:
        assert health.status == "unknown"
    else:
        assert health.score == max(0, 100 - sum(reason.penalty for reason in health.reasons))
        assert (health.status == "healthy") == (not health.reasons)
        assert SEVERITY[health.status] >= 0
    assert all(reason.message and reason.penalty > 0 for reason in health.reasons)
