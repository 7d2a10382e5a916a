"""How often, when and how long a rule would have fired: recorded readings through the same engine. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from dbvigil.alert import Severity
from dbvigil.alerts.engine import step
from dbvigil.alerts.rule import Rule
from dbvigil.alerts.states import RuleState
from dbvigil.types import DatabaseMetrics, iso_utc


class Reading(NamedTuple):
    """One sample as history keeps it; `value` is None where the metric was not read."""

    at: datetime
    up: bool
    value: float | None


@dataclass(frozen=True, slots=True)
class Firing:
    """One episode as it would have been. `ended_at` is None where it was still firing at the end; `worst` is its worst reading."""

    started_at: datetime
    severity: Severity
    worst: float
    ended_at: datetime | None = None

    def to_dict(self, end: datetime) -> dict[str, Any]:
        """JSON-ready; one that had no end is counted up to `end`."""
        return {
            "started_at": iso_utc(self.started_at),
            "ended_at": self.ended_at and iso_utc(self.ended_at),
            "seconds": round(((self.ended_at or end) - self.started_at).total_seconds(), 3),
            "severity": self.severity,
            "worst": self.worst,
        }


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of it: how many samples there were, how many of them had a reading, and every episode in time order."""

    samples: int
    readings: int
    firings: tuple[Firing, ...] = field(default=())


def replay(rule: Rule, readings: Iterable[Reading]) -> Replay:
    """Runs `rule`, which is on a level, over `readings` in time order, as the monitor would have."""
    states: dict[str, RuleState] = {}
    firings: list[Firing] = []
    samples = read = 0
    for at, up, value in readings:
        samples += 1
        read += value is not None
        metrics = DatabaseMetrics("", at, up, **{rule.metric: value})  # type: ignore[arg-type]  # a metric that is a number
        found = step((rule,), metrics, states, at)
        states = dict(found.states)
        for change in found.transitions:
            if change.kind == "fired":
                firings.append(Firing(at, change.severity, _number(change.value)))
            elif change.kind == "resolved":
                firings[-1] = replace(firings[-1], ended_at=at)
        if found.active and value is not None:
            firings[-1] = _worse(rule, firings[-1], found.active[0].severity, value)
    return Replay(samples, read, tuple(firings))


def _worse(rule: Rule, firing: Firing, severity: Severity, value: float) -> Firing:
    pick = min if rule.bad == "low" else max
    gravest: Severity = "critical" if "critical" in (severity, firing.severity) else "warning"
    return replace(firing, severity=gravest, worst=pick(firing.worst, value))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
