"""An alert as a page shows it: figures with units, times with their zone, evidence as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dbvigil.alert import Alert, AlertEvent, Notification
from dbvigil.alerts.messages import title
from dbvigil.catalogue import BY_NAME
from dbvigil.display import display

_MOST_ROWS = 20
_LONGEST_CELL = 2_000


@dataclass(frozen=True, slots=True)
class Moment:
    """A time: `text` for people, `iso` for programs."""

    text: str
    iso: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen of one kind: a table, or a text where it is none."""

    title: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    text: str = ""

    @property
    def cells(self) -> list[list[tuple[str, str]]]:
        """The rows with each cell's heading, which a narrow page shows beside it; empty where the table has none."""
        head = self.head or ("",) * max((len(row) for row in self.rows), default=0)
        return [list(zip(head, row, strict=False)) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Happened:
    """One event."""

    at: Moment
    what: str
    actor: str
    detail: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one event on one channel."""

    channel: str
    what: str
    status: str
    at: Moment | None
    error: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the page says, ready to be shown. Empty text and None: nothing to say."""

    alert: Alert
    title: str
    message: str
    value: str
    threshold: str
    since: Moment
    lasted: str
    last_seen: Moment
    acknowledged: Moment | None
    suppressed_until: Moment | None
    resolved: Moment | None
    escalated: Moment | None
    evidence: tuple[Evidence, ...]
    events: tuple[Happened, ...]
    sent: tuple[Sent, ...]

    @property
    def over(self) -> bool:
        return self.alert.resolved_at is not None


def facts(alert: Alert) -> Facts:
    """The facts of `alert`."""
    return Facts(
        alert=alert,
        title=title(alert.metric),
        # A figure and its percent sign stay on one line.
        message=alert.message.replace(" %", "\N{NO-BREAK SPACE}%"),
        value="" if alert.value is None else reading(alert.metric, alert.value),
        threshold="" if alert.threshold is None else reading(alert.metric, alert.threshold),
        since=moment(alert.started_at),
        lasted=display("uptime", max(1.0, round(alert.duration_seconds))),
        last_seen=moment(alert.last_seen_at),
        acknowledged=_maybe(alert.acknowledged_at),
        suppressed_until=_maybe(alert.suppressed_until),
        resolved=_maybe(alert.resolved_at),
        escalated=_maybe(alert.escalated_at),
        evidence=tuple(_evidence(kind, found) for kind, found in alert.evidence.items()),
        events=tuple(_happened(event) for event in alert.events or ()),
        sent=tuple(_sent(row) for row in alert.notifications),
    )


def reading(metric: str, value: object) -> str:
    """A value of an alert with its unit."""
    return display(metric, value) if metric in BY_NAME else _text(value)


def moment(at: datetime) -> Moment:
    """A time in UTC: a page without script does not know its reader's zone."""
    at = at.astimezone(UTC)
    return Moment(f"{at:%Y-%m-%d %H:%M:%S} UTC", at.isoformat(timespec="seconds"))


def _maybe(at: datetime | None) -> Moment | None:
    return None if at is None else moment(at)


def _evidence(kind: str, found: object) -> Evidence:
    name = kind.replace("_", " ").capitalize()
    if isinstance(found, Mapping) and set(found) == {"unavailable"}:
        return Evidence(name, text=f"Not to be had: {_text(found['unavailable'])}")
    if isinstance(found, Mapping):
        return Evidence(name, rows=tuple((str(key), _text(value)) for key, value in found.items()))
    if isinstance(found, Sequence) and found and all(isinstance(row, Mapping) for row in found):
        return _table(name, found)
    return Evidence(name, text=_text(found) if found else "Nothing was seen.")


def _table(name: str, found: Sequence[Mapping[str, Any]]) -> Evidence:
    shown = found[:_MOST_ROWS]
    keys = tuple(dict.fromkeys(key for row in shown for key in row))
    rows = tuple(tuple(_text(row.get(key)) for key in keys) for row in shown)
    return Evidence(name, tuple(str(key).replace("_", " ") for key in keys), rows)


def _happened(event: AlertEvent) -> Happened:
    return Happened(moment(event.at), _words(event.event), event.actor, "; ".join(_details(event.detail)))


def _details(detail: Mapping[str, Any]) -> Iterator[str]:
    for key, value in detail.items():
        if value not in (None, "", [], {}):
            yield f"{key.replace('_', ' ')}: {_text(value)}"


def _sent(row: Notification) -> Sent:
    status = row.status if row.attempts < 2 else f"{row.status}, {row.attempts} attempts"
    return Sent(row.channel, _words(row.event), status, _maybe(row.sent_at), row.error)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _text(value: object) -> str:
    if value is None:
        return "n/a"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        value = "; ".join(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    # A lone surrogate, which a server's text may hold, cannot be sent.
    return text[:_LONGEST_CELL].encode("utf-8", "replace").decode()
