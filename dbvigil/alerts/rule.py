"""What a rule is: when one metric is worth an alert, and what to do then. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from dbvigil.alert import Severity
from dbvigil.catalogue import BY_NAME
from dbvigil.types import DatabaseMetrics, Json

DOWN = "up"
REPLICATION_RUNNING = "replication_running"
RESTARTED = "restarted"
EvidenceKind = Literal[
    "", "sessions", "connections", "locks", "deadlocks", "statements", "replication", "tables", "backup"
]


@dataclass(frozen=True, slots=True)
class Rule:
    """When one metric is worth an alert, and what to do then.

    A rule on a level has `warning` and `critical`, from which on it is breached (None: that level is off); a rule on a
    `condition` has the severity of that condition (its level is 0), which is breached by a reading of False or by any text.
    `clear` is the share of a level that a value has to step back by before it counts as clear. Seconds: a breach has to hold
    for `hold` (`critical_hold` where critical differs), and a clear value for `keep`.
    """

    id: str
    metric: str
    why: str
    actions: tuple[str, ...]
    warning: float | None = None
    critical: float | None = None
    condition: Severity | None = None
    bad: Literal["high", "low"] = "high"
    clear: float = 0.05
    hold: float = 0.0
    critical_hold: float | None = None
    keep: float = 60.0
    evidence: EvidenceKind = ""
    runbook: str = ""

    @property
    def critical_after(self) -> float:
        """Seconds that a breach has to hold before it is critical."""
        return self.hold if self.critical_hold is None else self.critical_hold

    def read(self, metrics: DatabaseMetrics) -> Json:
        """The reading that this rule judges; None where there is none."""
        special = READINGS.get(self.id)
        return special(metrics) if special else getattr(metrics, self.metric)

    @property
    def of_replication(self) -> bool:
        """Whether it is about what a replica has and other servers have not."""
        return self.id in _OF_REPLICATION

    def missing(self, metrics: DatabaseMetrics) -> str:
        """Why a reading that should be there is not; empty where nothing is wrong about its absence."""
        row = BY_NAME.get(self.metric)
        collector = "replication" if self.of_replication else row.collector if row else ""
        for failure in metrics.failures:
            if failure.collector == collector and not failure.lacking:
                return str(failure)
        if self.of_replication and metrics.replication_role in ("replica", "both"):
            if (
                self.id == "replication_lag"
                and metrics.replication_io_running
                and metrics.replication_sql_running
            ):
                return "the server reports no lag while its threads run"
            if self.id == REPLICATION_RUNNING:
                return "the server does not say whether its threads run"
        return ""

    def level(self, severity: Severity) -> float | None:
        """The level of `severity`; for a condition any number that says it is on."""
        return self.critical if severity == "critical" else self.warning

    def threshold(self, severity: Severity) -> float | None:
        """The level that an alert shows; None for a condition."""
        return None if self.condition is not None else self.level(severity)

    def breached(self, value: Json) -> bool:
        """Whether `value` is beyond any level."""
        return self.reaches(value, self.warning) or self.reaches(value, self.critical)

    def reaches(self, value: Json, level: float | None) -> bool:
        """Whether `value` is at `level` or beyond it; for a condition of that severity, whether it is so."""
        if self.condition is not None:
            return level is not None and (value is False or isinstance(value, str))
        if level is None or not isinstance(value, int | float):
            return False
        return value <= level if self.bad == "low" else value >= level

    def holds(self, value: Json, severity: Severity) -> bool:
        """Whether `value` has not yet stepped back from the level of `severity`."""
        level = self.level(severity)
        if level is None or self.condition is not None:
            return self.reaches(value, level)
        step = abs(level) * self.clear
        return self.reaches(value, level + step if self.bad == "low" else level - step)


def _replication_running(metrics: DatabaseMetrics) -> Json:
    if metrics.replication_role not in ("replica", "both"):
        return None
    threads = (metrics.replication_io_running, metrics.replication_sql_running)
    if False in threads:
        return False
    return None if None in threads else True


def _writable_replica(metrics: DatabaseMetrics) -> Json:
    return metrics.read_only if metrics.replication_role == "replica" else None


def _errant(metrics: DatabaseMetrics) -> Json:
    if metrics.errant_gtids is None:
        return None
    return metrics.errant_gtids[:200] or True


READINGS: Mapping[str, Callable[[DatabaseMetrics], Json]] = {
    REPLICATION_RUNNING: _replication_running,
    "read_only": _writable_replica,
    "errant_gtids": _errant,
    RESTARTED: lambda metrics: metrics.uptime,
}
"""The rules whose reading is not simply their metric."""

_OF_REPLICATION = ("replication_lag", REPLICATION_RUNNING, "read_only", "errant_gtids")
