"""Health of one database: a pure verdict whose every lost point has a name.

A database starts at 100. Each reason takes its points off; what is left is the score, never below 0. The
table of reasons:

| reason | points | status at least |
| --- | --- | --- |
| the server does not answer | all: the score is 0 | down |
| no sample yet, or the newest is too old | the score is unknown | unknown |
| connections cannot be read | the score is unknown | unknown |
| a receiver or applier thread is stopped | 60 | critical |
| a metric at its critical level | 30–40 by metric | critical |
| a metric at its warning level | 10–15 by metric, growing towards critical | warning |
| a replica whose lag or threads are unknown | 15 | warning |
| a replica that accepts writes | 10 | warning |
| errant transactions on a replica | 10 | warning |
| a subject that the account cannot read | 5 | warning |

The status is the worst that any reason asks for; with no reason it is healthy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from dbvigil.catalogue import metric
from dbvigil.display import display
from dbvigil.types import DatabaseMetrics, Health, Reason, Status, Threshold

SEVERITY: Mapping[Status, int] = {"healthy": 0, "warning": 1, "unknown": 2, "critical": 3, "down": 4}
"""How bad each status is, for the worst of several."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What a metric costs at its warning and critical level, and what to do about it."""

    warning: int
    critical: int
    action: str


DEFAULT_ADVICE = Advice(10, 30, "look at what changed when it started")

ADVICE: Mapping[str, Advice] = {
    "connection_usage": Advice(
        15, 40, "find who holds connections, close idle ones, or raise max_connections"
    ),
    "query_time": Advice(10, 30, "look at the slowest statements and at what waits for locks"),
    "slow_queries": Advice(10, 30, "look at the slow query log for statements without a good index"),
    "replication_lag": Advice(
        15, 40, "look for a large transaction, a table without a primary key, or a slow disk on the replica"
    ),
    "history_list_length": Advice(10, 30, "end the oldest open transaction; purge cannot pass it"),
    "auto_increment_max_usage": Advice(10, 40, "change the column to BIGINT UNSIGNED before inserts fail"),
    "backup_overdue_seconds": Advice(
        10, 30, "read why there is no backup (database_monitor backup list), and make one"
    ),
    "backup_size_change": Advice(5, 15, "look which table has grown or shrunk since the backup before"),
    "disk_usage": Advice(15, 40, "free space or grow the volume; purge old binary logs"),
    "cpu_usage": Advice(10, 30, "look for the statements that use the most time"),
    "memory_usage": Advice(
        10, 30, "lower innodb_buffer_pool_size or what sessions may take, before the host swaps"
    ),
    "threads_running": Advice(10, 30, "look at what is running and what it waits for"),
    "longest_transaction_seconds": Advice(
        10, 30, "find the session that holds it open and let it commit or end it"
    ),
    "lock_waits_current": Advice(10, 30, "find the session at the root of the lock waits"),
}

# The subjects without which a verdict would be a guess. Others (table sizes, the host) are shown as unknown
# and judged nowhere.
_NEEDED = ("status", "variables", "replication", "sessions", "locks", "innodb", "statements")


def assess(
    metrics: DatabaseMetrics | None, thresholds: Mapping[str, Threshold], now: datetime, stale_after: float
) -> Health:
    """The verdict on `metrics` at `now`.

    Figures older than `stale_after` seconds are not believed. None: never sampled.
    """
    if metrics is None:
        return Health(
            "unknown",
            None,
            (Reason("up", None, 100, "not sampled yet: wait for the monitor's first sample, or start it"),),
        )
    age = (now - metrics.timestamp).total_seconds()
    if age > stale_after:
        message = (
            f"the newest sample is {age:.0f} s old: check that the monitor runs and reaches its database"
        )
        return Health("unknown", None, (Reason("up", metrics.up, 100, message),))
    if metrics.up is False:
        return Health("down", 0, (Reason("up", False, 100, metrics.error or "the server does not answer"),))
    if metrics.up is None or metrics.connection_usage is None:
        cause = next((str(failure) for failure in metrics.failures), "the sample has no connection figures")
        return Health("unknown", None, (Reason("connection_usage", None, 100, f"cannot be read: {cause}"),))
    findings = sorted(_findings(metrics, thresholds), key=lambda finding: -finding[1].penalty)
    score = max(0, 100 - sum(reason.penalty for _, reason in findings))
    return Health(worst(status for status, _ in findings), score, tuple(reason for _, reason in findings))


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of `statuses`; healthy where there are none."""
    return max(statuses, key=SEVERITY.__getitem__, default="healthy")


def _findings(
    metrics: DatabaseMetrics, thresholds: Mapping[str, Threshold]
) -> Iterator[tuple[Status, Reason]]:
    yield from _replication(metrics)
    for threshold in thresholds.values():
        value = getattr(metrics, threshold.metric)
        if value is not None and threshold.metric not in ("up", "health_score"):
            yield from _level(threshold, float(value))
    for failure in metrics.failures:
        if failure.collector in _NEEDED and not failure.lacking:
            remedy = failure.remedy or "it is tried again"
            yield (
                "warning",
                Reason(
                    failure.collector,
                    None,
                    5,
                    f"{failure.collector} cannot be read: {failure.cause}; {remedy}",
                ),
            )


def _replication(metrics: DatabaseMetrics) -> Iterator[tuple[Status, Reason]]:
    if metrics.replication_role not in ("replica", "both"):
        return
    threads = (
        ("replication_io_running", "receiver", "last_io_error"),
        ("replication_sql_running", "applier", "last_sql_error"),
    )
    stopped = False
    for name, thread, error_field in threads:
        running = getattr(metrics, name)
        if running is False:
            stopped = True
            errors = (getattr(channel, error_field) for channel in metrics.replication_channels or ())
            cause = next((error for error in errors if error), "no error is reported")
            message = (
                f"the {thread} thread is not running: {cause}; mend the cause and start the replica again"
            )
            yield "critical", Reason("replication_running", False, 60, message)
        elif running is None:
            yield (
                "warning",
                Reason("replication_running", None, 15, f"whether the {thread} thread runs is unknown"),
            )
    if not stopped and metrics.replication_lag is None:
        yield (
            "warning",
            Reason(
                "replication_lag",
                None,
                15,
                "the lag is unknown: the server reports none while its threads run",
            ),
        )
    if metrics.read_only is False and metrics.replication_role == "replica":
        yield (
            "warning",
            Reason(
                "read_only", False, 10, "the replica accepts writes: set read_only=ON so that it cannot drift"
            ),
        )
    if metrics.errant_gtids:
        shown = metrics.errant_gtids[:120]
        message = (
            f"transactions were written on the replica itself ({shown}): find the writer, set read_only=ON"
        )
        yield "warning", Reason("errant_gtids", shown, 10, message)


def _level(threshold: Threshold, value: float) -> Iterator[tuple[Status, Reason]]:
    row = metric(threshold.metric)
    advice = ADVICE.get(row.name, DEFAULT_ADVICE)
    sign = -1.0 if row.bad == "low" else 1.0

    def reached(level: float | None) -> bool:
        return level is not None and value * sign >= level * sign

    shown = display(row.name, value)
    if reached(threshold.critical):
        message = (
            f"{row.title} is {shown}, critical from {display(row.name, threshold.critical)}: {advice.action}"
        )
        yield "critical", Reason(row.name, value, advice.critical, message)
    elif reached(threshold.warning):
        points = advice.warning + _growth(threshold, value) * (advice.critical - advice.warning)
        message = (
            f"{row.title} is {shown}, a warning from {display(row.name, threshold.warning)}: {advice.action}"
        )
        yield "warning", Reason(row.name, value, int(points), message)


def _growth(threshold: Threshold, value: float) -> float:
    """How far `value` is on its way from warning to critical, 0 to 1."""
    if threshold.warning is None or threshold.critical is None or threshold.warning == threshold.critical:
        return 0.0
    return min(1.0, max(0.0, (value - threshold.warning) / (threshold.critical - threshold.warning)))
