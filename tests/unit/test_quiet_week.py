"""A week of an ordinary shop raises no alert; the same week with five troubles raises those five, each once."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dbvigil.alerts.engine import step
from dbvigil.alerts.rules import for_database
from dbvigil.alerts.states import RuleState, Transition
from dbvigil.conf import load
from dbvigil.types import DatabaseMetrics

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
EVERY = timedelta(seconds=30)
WEEK = timedelta(days=7)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

Trouble = Callable[[DatabaseMetrics, datetime], DatabaseMetrics]


def shop(alias: str, replica: bool, seed: int) -> Iterator[DatabaseMetrics]:
    """Samples of a week: days and nights, a Monday's rush, nightly backups, a burst each hour, deployments, a report."""
    dice = random.Random(seed)
    now = MONDAY
    while now < MONDAY + WEEK:
        since_midnight = now - now.replace(hour=0, minute=0, second=0)
        load_now = 0.35 - 0.3 * math.cos(2 * math.pi * since_midnight / DAY)
        load_now *= 1.6 if now < MONDAY + DAY and 10 * HOUR < since_midnight < 14 * HOUR else 1.0
        burst = since_midnight % HOUR < 40 * timedelta(seconds=1)
        backup = 3 * HOUR <= since_midnight < 5 * HOUR
        deployment = any(
            timedelta() <= now - (MONDAY + day * DAY + 15 * HOUR) < timedelta(seconds=40) for day in (1, 3)
        )
        report = replica and 6 * HOUR <= since_midnight < 7 * HOUR
        noise = dice.uniform(0.9, 1.1)
        usage = 100 * min(0.74, load_now * 0.7 * noise)
        if deployment:
            # Every worker opens its connections anew while the old ones are still there.
            usage = 93.0
        yield DatabaseMetrics(
            alias,
            now,
            True,
            uptime=40 * 86_400.0,
            connection_usage=usage,
            query_time=0.02 * noise * (40 if burst else 1) * (20 if backup else 1),
            slow_queries=dice.choice([0, 0, 1, 2]) + (30 if burst else 0) + (6 if backup else 0),
            longest_transaction_seconds=(since_midnight - 3 * HOUR).total_seconds()
            if backup
            else dice.uniform(0, 20),
            history_list_length=int(60_000 * noise) if backup else int(900 * noise),
            lock_waits_current=dice.choice([0, 0, 0, 1, 3]),
            deadlocks_rate=1 / 30 if dice.random() < 0.001 else 0.0,
            aborted_connects_rate=0.1 if deployment else 0.0,
            log_waits_rate=0.0,
            auto_increment_max_usage=41.0,
            disk_usage=62 + 5 * since_midnight / DAY,
            cpu_usage=min(88.0, 100 * load_now * noise) if not backup else 80.0,
            memory_usage=78.0,
            replication_role="replica" if replica else "source",
            replication_io_running=True if replica else None,
            replication_sql_running=True if replica else None,
            replication_lag=(dice.choice([0, 0, 0, 8, 18]) if report else 0.0) if replica else None,
            read_only=replica,
        )
        now += EVERY


def week(troubles: dict[str, Trouble]) -> list[tuple[str, Transition]]:
    """Every transition of both databases, with the alias."""
    rules = for_database(load().thresholds.everywhere)
    found = []
    for alias, replica in (("shop", False), ("shop-replica", True)):
        states: dict[str, RuleState] = {}
        for metrics in shop(alias, replica, seed=7 + replica):
            sample = troubles[alias](metrics, metrics.timestamp) if alias in troubles else metrics
            result = step(rules, sample, states, sample.timestamp)
            states = dict(result.states)
            found += [(alias, change) for change in result.transitions]
    return found


def between(now: datetime, day: int, hour: float, minutes: float) -> bool:
    start = MONDAY + day * DAY + hour * HOUR
    return start <= now < start + minutes * MINUTE


def on_the_source(metrics: DatabaseMetrics, now: datetime) -> DatabaseMetrics:
    if between(now, 1, 11, 20):
        return replace(metrics, connection_usage=99.0)
    if between(now, 2, 9, 15):
        return replace(metrics, query_time=3.0)
    if between(now, 4, 2, 3):
        return DatabaseMetrics(metrics.database, now, False)
    return metrics


def on_the_replica(metrics: DatabaseMetrics, now: datetime) -> DatabaseMetrics:
    if between(now, 3, 16, 30):
        return replace(metrics, replication_sql_running=False, replication_lag=None)
    if between(now, 5, 12, 60):
        return replace(metrics, disk_usage=96.0)
    return metrics


def test_an_ordinary_week_raises_nothing() -> None:
    assert week({}) == []


@pytest.fixture(scope="module")
def troubled() -> list[tuple[str, Transition]]:
    return week({"shop": on_the_source, "shop-replica": on_the_replica})


def test_five_troubles_raise_five_alerts_each_once(troubled: list[tuple[str, Transition]]) -> None:
    fired = Counter((alias, change.metric) for alias, change in troubled if change.kind == "fired")
    assert fired == {
        ("shop", "connection_usage"): 1,
        ("shop", "query_time"): 1,
        ("shop", "up"): 1,
        ("shop-replica", "replication_running"): 1,
        ("shop-replica", "disk_usage"): 1,
    }


def test_each_is_found_soon_and_over_soon(troubled: list[tuple[str, Transition]]) -> None:
    moments = {(change.metric, change.kind): change.at for _, change in troubled}
    began = {
        "connection_usage": MONDAY + DAY + 11 * HOUR,
        "query_time": MONDAY + 2 * DAY + 9 * HOUR,
        "up": MONDAY + 4 * DAY + 2 * HOUR,
        "replication_running": MONDAY + 3 * DAY + 16 * HOUR,
        "disk_usage": MONDAY + 5 * DAY + 12 * HOUR,
    }
    lasted = {"connection_usage": 20, "query_time": 15, "up": 3, "replication_running": 30, "disk_usage": 60}
    for metric, start in began.items():
        assert moments[metric, "fired"] - start <= 4 * MINUTE
        assert timedelta() <= moments[metric, "resolved"] - (start + lasted[metric] * MINUTE) <= 3 * MINUTE
