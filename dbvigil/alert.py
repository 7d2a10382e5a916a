"""An alert as everyone sees it: the API, messages, callbacks. Frozen, plain, and free of Django."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

from dbvigil.types import Json, iso_utc

Severity = Literal["warning", "critical"]
AlertStatus = Literal["firing", "acknowledged", "suppressed", "resolved"]
EventName = Literal[
    "fired",
    "severity_changed",
    "flapping",
    "acknowledged",
    "suppressed",
    "unsuppressed",
    "escalated",
    "reminded",
    "resolved",
    "notified",
    "notify_failed",
    "threshold_changed",
    "channel_added",
    "channel_changed",
    "channel_removed",
    "recovery_attempted",
    "recovery_succeeded",
    "recovery_failed",
    "recovery_undone",
]
MESSAGE_PARTS = ("subject", "text", "html")
"""What of a message an operator may have templates for."""

DeliveryStatus = Literal["pending", "sending", "sent", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Notification:
    """What became of one event on one channel. `status`: pending, sending, sent, failed (given up) or
    cancelled (no longer wanted before it was sent).
    """

    channel: str
    event: str
    status: DeliveryStatus
    attempts: int
    sent_at: datetime | None = None
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        body: dict[str, Any] = _json_ready(self)
        return body


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One thing that happened to an alert: what, when, and by whom (`actor`; "dbvigil" where nobody asked)."""

    at: datetime
    event: EventName
    actor: str
    detail: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        body: dict[str, Any] = _json_ready(self)
        return body


@dataclass(frozen=True, slots=True)
class Alert:
    """One episode of trouble on one database, from firing to resolved.

    `metric` is a name of the catalogue, or what `alerts.shipped` lists beside it (`up`, `replication_running`). `value` is the
    newest reading and `threshold` the level it passed; both are None where the trouble is no number. `no_data` says that
    the metric can no longer be read. `flapping`: it changes so often that only one message tells of it. `evidence` is what
    was seen at the moment it fired. `acknowledgements` counts how often it was taken up. `escalation_level` is the highest
    step reached, 0 for the first.
    """

    id: int
    database: str
    metric: str
    severity: Severity
    status: AlertStatus
    value: Json
    threshold: float | None
    message: str
    started_at: datetime
    last_seen_at: datetime
    recommendations: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    occurrences: int = 1
    no_data: bool = False
    flapping: bool = False
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    acknowledgements: int = 0
    note: str = ""
    escalation_level: int = 0
    escalated_at: datetime | None = None
    suppressed_until: datetime | None = None
    resolved_at: datetime | None = None
    duration_seconds: float = 0.0
    notifications: tuple[Notification, ...] = ()
    events: tuple[AlertEvent, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready. `events` is there only where they were asked for."""
        body: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        for name in _MOMENTS:
            moment = getattr(self, name)
            body[name] = None if moment is None else iso_utc(moment)
        body["recommendations"] = list(self.recommendations)
        body["evidence"] = dict(self.evidence)
        body["notifications"] = [one.to_dict() for one in self.notifications]
        if self.events is not None:
            body["events"] = [one.to_dict() for one in self.events]
        return body


_MOMENTS = (
    "started_at",
    "last_seen_at",
    "acknowledged_at",
    "escalated_at",
    "suppressed_until",
    "resolved_at",
)
_PLAIN = tuple(
    item.name
    for item in fields(Alert)
    if item.name not in (*_MOMENTS, "recommendations", "evidence", "notifications", "events")
)


def _json_ready(value: Any) -> Any:
    if isinstance(value, AlertEvent | Notification):
        return {item.name: _json_ready(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, datetime):
        return iso_utc(value)
    if isinstance(value, tuple | list):
        return [_json_ready(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): _json_ready(item) for name, item in value.items()}
    return value


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """After so many seconds unacknowledged, these channels are told (none named: all); of alerts of these severities."""

    after: float
    channels: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ("warning", "critical")

    def to_dict(self) -> dict[str, Any]:
        return {
            "after": self.after,
            "channels": list(self.channels),
            "severities": list(self.severities),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EscalationStep:
        return cls(float(data["after"]), tuple(data["channels"]), tuple(data["severities"]))

    def reaches(self, severity: str, channels: Sequence[str]) -> tuple[str, ...]:
        """Which of the `channels` there are it tells of an alert of `severity`."""
        if severity not in self.severities:
            return ()
        return tuple(name for name in channels if not self.channels or name in self.channels)


DEFAULT_ESCALATION = (
    EscalationStep(0.0),
    EscalationStep(15 * 60.0, severities=("critical",)),
    EscalationStep(30 * 60.0, severities=("critical",)),
)
