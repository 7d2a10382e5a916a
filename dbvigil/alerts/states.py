"""What the engine remembers, and what it finds. Plain values; the state is JSON-ready."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from dbvigil.alert import Severity
from dbvigil.alerts.flapping import NOTHING_YET, Outcomes
from dbvigil.alerts.rule import Rule
from dbvigil.types import Json


@dataclass(frozen=True, slots=True)
class RuleState:
    """All that the engine remembers of one rule on one database.

    `warning_since` and `critical_since`: since when the value is beyond that level without a break; `clear_since`: since when it is
    behind the leave level of what is firing. `paused`: the evaluations since `evaluated_at` could not judge it, and its clocks stand.
    """

    evaluated_at: datetime
    severity: Severity | None = None
    warning_since: datetime | None = None
    critical_since: datetime | None = None
    clear_since: datetime | None = None
    paused: bool = False
    flapping: bool = False
    outcomes: Outcomes = NOTHING_YET
    value: Json = None

    @property
    def idle(self) -> bool:
        """Whether there is nothing to remember."""
        return (
            self.severity is None
            and self.warning_since is None
            and self.critical_since is None
            and not self.outcomes.changes
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, defaults left out; `from_dict` is its inverse."""
        body: dict[str, Any] = {"evaluated_at": self.evaluated_at.isoformat()}
        for name in ("warning_since", "critical_since", "clear_since"):
            moment = getattr(self, name)
            if moment is not None:
                body[name] = moment.isoformat()
        for name in ("severity", "paused", "flapping", "value"):
            value = getattr(self, name)
            if value is not None and value is not False:
                body[name] = value
        if self.outcomes.count:
            body["outcomes"] = [self.outcomes.bits, self.outcomes.count]
        return body

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RuleState:
        moments: dict[str, Any] = {
            name: datetime.fromisoformat(data[name])
            for name in ("evaluated_at", "warning_since", "critical_since", "clear_since")
            if name in data
        }
        rest = {name: data[name] for name in ("severity", "paused", "flapping", "value") if name in data}
        return cls(**moments, **rest, outcomes=Outcomes(*data.get("outcomes", (0, 0))))


@dataclass(frozen=True, slots=True)
class Transition:
    """Something that changed. `threshold` is the level that was passed, `value` the reading at that moment."""

    kind: Literal["fired", "severity_changed", "flapping", "resolved"]
    rule: Rule | None
    metric: str
    severity: Severity
    previous: Severity | None
    value: Json
    threshold: float | None
    at: datetime
    message: str
    no_data: bool = False
    flapping: bool = False


@dataclass(frozen=True, slots=True)
class Active:
    """A rule that is firing after the step; `inhibited_by` names the trouble that it follows from, empty where it stands for itself."""

    metric: str
    severity: Severity
    value: Json
    threshold: float | None
    message: str
    no_data: bool = False
    flapping: bool = False
    inhibited_by: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What one evaluation gives: the states to remember, what changed, and what is firing now."""

    states: Mapping[str, RuleState]
    transitions: tuple[Transition, ...]
    active: tuple[Active, ...]
