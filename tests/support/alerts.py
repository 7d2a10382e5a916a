"""Evaluations as the engine gives them, and a channel that keeps what it is handed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from dbvigil.alert import Alert, Severity
from dbvigil.alerting.plan import Plan
from dbvigil.alerting.record import Evaluated, record
from dbvigil.alerts.states import Active, Step, Transition
from dbvigil.channels.base import Notice, Outcome

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def transition(
    kind: Any, metric: str, second: float, severity: Severity = "critical", value: float | None = 97.0
) -> Transition:
    return Transition(
        kind=kind,
        rule=None,
        metric=metric,
        severity=severity,
        previous=None if kind == "fired" else severity,
        value=value,
        threshold=95.0,
        at=at(second),
        message=f"{metric} {kind}",
        no_data=False,
        flapping=kind == "flapping",
    )


def active(metric: str, severity: Severity = "critical", value: float = 97.0, **rest: Any) -> Active:
    return Active(metric, severity, value, 95.0, f"{metric} goes on", **rest)


def evaluated(
    database: str,
    second: float,
    transitions: Sequence[Transition] = (),
    going_on: Sequence[Active] = (),
    evidence: Mapping[str, Mapping[str, Any]] | None = None,
    first: bool = False,
) -> Evaluated:
    return Evaluated(
        database, at(second), Step({}, tuple(transitions), tuple(going_on)), evidence or {}, first
    )


def write(plan: Plan, *evaluations: Evaluated) -> list[Alert]:
    """Records evaluations in a transaction of their own, at the moment of the last."""
    with transaction.atomic():
        return record(evaluations, plan, evaluations[-1].at)


def fire(plan: Plan, database: str, metric: str, second: float = 0, severity: Severity = "critical") -> Alert:
    """An alert that fires now."""
    found = evaluated(
        database, second, [transition("fired", metric, second, severity)], [active(metric, severity)]
    )
    (alert,) = write(plan, found)
    return alert


def resolve(plan: Plan, database: str, metric: str, second: float) -> Alert:
    (alert,) = write(plan, evaluated(database, second, [transition("resolved", metric, second, value=40.0)]))
    return alert


@dataclass
class Kept:
    """A channel that keeps its notices and answers as it is told."""

    name: str = "kept"
    rate: float = 6_000.0
    bundles: bool = False
    fingerprint: str = "1"
    notices: list[Notice] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def shown(self) -> Mapping[str, Any]:
        return {"name": self.name, "kind": "kept", "target": "here"}

    def send(self, notice: Notice) -> Outcome:
        self.notices.append(notice)
        return self.outcomes.pop(0) if self.outcomes else Outcome(True, "kept")
