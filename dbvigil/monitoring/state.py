"""What any process can tell from the service's database.

The newest figures, verdicts and whether a monitor runs. It reads, and asks no server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dbvigil.alerting.counts import OpenAlerts, count_open
from dbvigil.analysis.health import assess, worst
from dbvigil.conf import Configuration
from dbvigil.models import MonitorProcess, TargetState
from dbvigil.monitoring import control
from dbvigil.monitoring.leases import LEASE_SECONDS
from dbvigil.monitoring.thresholds import Thresholds
from dbvigil.types import DatabaseMetrics, Health, iso_utc

_REPLICATION = (
    "replication_role",
    "replication_io_running",
    "replication_sql_running",
    "replication_lag",
    "replication_channels",
)
_NEVER: tuple[datetime | None, dict[str, Any] | None] = (None, None)


@dataclass(frozen=True, slots=True)
class MonitorState:
    """Whether a monitor runs anywhere, since when, and how often it samples (seconds)."""

    running: bool
    since: datetime | None
    interval: float

    def to_dict(self) -> dict[str, Any]:
        """The body of POST control/."""
        return {
            "running": self.running,
            "interval_seconds": self.interval,
            "since": self.since and iso_utc(self.since),
        }


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything a reader needs at one moment.

    Each database's newest figures with the verdict that holds now, and how many alerts are open.
    """

    now: datetime
    monitor: MonitorState
    metrics: Mapping[str, DatabaseMetrics]
    health: Mapping[str, Health]
    sampled_at: Mapping[str, datetime | None]
    alerts: OpenAlerts


def monitor_state(configuration: Configuration, now: datetime) -> MonitorState:
    """From the rows that running monitors renew.

    One that has not been seen for two lease times does not run.
    """
    alive = now - timedelta(seconds=2 * LEASE_SECONDS)
    started = (
        MonitorProcess.objects.filter(seen_at__gte=alive)
        .order_by("started_at")
        .values_list("started_at", flat=True)
    )
    since = started.first()
    interval = control.read().interval or configuration.interval
    return MonitorState(since is not None, since, interval)


def stale_after(interval: float) -> float:
    """Seconds after which a sample is no longer believed.

    Two missed samples and the time that one may take.
    """
    return 2 * interval + 10


def overview(configuration: Configuration, now: datetime | None = None) -> Overview:
    """The state of every database that is monitored or configured here."""
    now = now or datetime.now(UTC)
    monitor = monitor_state(configuration, now)
    thresholds = Thresholds(configuration.thresholds)
    newest = TargetState.objects.filter(active=True).values_list("alias", "sampled_at", "metrics")
    rows = {alias: (sampled_at, figures) for alias, sampled_at, figures in newest}
    metrics: dict[str, DatabaseMetrics] = {}
    health: dict[str, Health] = {}
    for alias in aliases(configuration, rows):
        _, stored = rows.get(alias, _NEVER)
        figures = DatabaseMetrics.from_dict(stored) if stored else None
        verdict = assess(figures, thresholds.of(alias), now, stale_after(monitor.interval))
        figures = figures or DatabaseMetrics(database=alias, timestamp=now, up=None)
        metrics[alias] = replace(figures, health_score=verdict.score, status=verdict.status)
        health[alias] = verdict
    sampled_at = {alias: rows.get(alias, _NEVER)[0] for alias in metrics}
    return Overview(now, monitor, metrics, health, sampled_at, count_open())


def aliases(configuration: Configuration, rows: Mapping[str, object]) -> list[str]:
    """What a monitor has registered; before any monitor has run, what is configured here."""
    return sorted(rows) or sorted(configuration.targets)


def summary(state: Overview) -> dict[str, Any]:
    """The body of GET health/."""
    scores = [verdict.score for verdict in state.health.values() if verdict.score is not None]
    sampled = [moment for moment in state.sampled_at.values() if moment is not None]
    return {
        "status": worst(verdict.status for verdict in state.health.values()) if state.health else "unknown",
        "score": min(scores, default=None),
        "timestamp": iso_utc(state.now),
        "databases": {alias: _database(state, alias, verdict) for alias, verdict in state.health.items()},
        "monitor": {
            **state.monitor.to_dict(),
            "last_cycle": iso_utc(max(sampled)) if sampled else None,
        },
        "alerts": state.alerts.to_dict(),
    }


def dashboard(state: Overview) -> dict[str, Any]:
    """The parts of GET dashboard/ that tell how things stand now."""
    figures = {alias: metrics.to_dict() for alias, metrics in state.metrics.items()}
    return {
        "health": summary(state),
        "metrics": figures,
        "replication": {
            alias: {name: row[name] for name in _REPLICATION}
            for alias, row in figures.items()
            if row["replication_role"] not in (None, "standalone")
        },
    }


def _database(state: Overview, alias: str, verdict: Health) -> dict[str, Any]:
    sampled_at = state.sampled_at[alias]
    return {
        "status": verdict.status,
        "score": verdict.score,
        "reasons": [reason.to_dict() for reason in verdict.reasons],
        "last_sample": sampled_at and iso_utc(sampled_at),
        "age_seconds": sampled_at and round(max(0.0, (state.now - sampled_at).total_seconds()), 3),
        "alerts": state.alerts.databases.get(alias, 0),
    }
