"""Active alerts and past ones, what was done about them, and what became of test messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from dbvigil.alert import Alert, Notification
from dbvigil.catalogue import BY_NAME
from dbvigil.terminal.plain import aligned
from dbvigil.terminal.text import Glyphs, clean, clock, duration, figure

_STYLES: Mapping[str, str] = {"warning": "yellow", "critical": "bold red"}
_HEAD = ("ID", "SEVERITY", "STATUS", "DATABASE", "METRIC", "VALUE", "THRESHOLD", "SINCE", "TAKEN BY", "SENT", "MESSAGE")  # fmt: skip
_PAST_HEAD = ("ID", "SEVERITY", "DATABASE", "METRIC", "FROM", "UNTIL", "LASTED", "TAKEN BY", "MESSAGE")
_NONE = "no alert is active"
_NO_PAST = "no alert in this time"


def reading(metric: str, value: object) -> str:
    """A value of an alert with its unit; "n/a" where it is no number or unknown."""
    if metric in BY_NAME:
        return figure(metric, value)
    return "n/a" if value is None else clean(str(value))


def summary(active: int, critical: int) -> str:
    """How many are active, in a few words: "2 active alerts, 1 of them critical"."""
    if not active:
        return _NONE
    words = f"{active} active alert" + "s" * (active > 1)
    return words + (f", {critical} of them critical" if critical and active > 1 else "")


def summary_style(active: int, critical: int) -> str:
    """The style of the gravest."""
    return _STYLES["critical" if critical else "warning"] if active else "green"


def sent(notifications: Sequence[Notification]) -> str:
    """By channel what became of its messages: "email 2 sent, 1 pending; slack 1 failed"."""
    parts = []
    for channel in dict.fromkeys(row.channel for row in notifications):
        counts = Counter(
            # What is being sent at this moment is not there yet.
            "pending" if row.status == "sending" else row.status
            for row in notifications
            if row.channel == channel and row.status != "cancelled"
        )
        if counts:
            parts.append(
                f"{clean(channel)} " + ", ".join(f"{count} {status}" for status, count in counts.items())
            )
    return "; ".join(parts)


def lines(alerts: Sequence[Alert], past: Sequence[Alert] | None, now: datetime) -> list[str]:
    """For a pipe: one line an alert; with `past` also the history."""
    found = aligned([_HEAD, *(_row(alert, now) for alert in alerts)]) if alerts else [_NONE]
    if past is not None:
        rows = [_PAST_HEAD, *(_past_row(alert, now) for alert in past)]
        found += ["", *(aligned(rows) if past else [_NO_PAST])]
    return found


def drawn(
    alerts: Sequence[Alert], past: Sequence[Alert] | None, now: datetime, glyphs: Glyphs
) -> RenderableType:
    """For a terminal: a block an alert; with `past` also the history."""
    counts = len(alerts), sum(alert.severity == "critical" for alert in alerts)
    parts: list[RenderableType] = [Text(summary(*counts).capitalize(), summary_style(*counts))]
    for alert in alerts:
        parts += [Text(""), *_block(alert, now, glyphs)]
    if past is not None:
        parts += [Text(""), Text("History", "bold") if past else Text(_NO_PAST.capitalize(), "dim")]
        parts += [part for alert in past for part in _past_block(alert, now, glyphs)]
    return Group(*parts)


def outcome_lines(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What became of each test message, one line a channel."""
    return aligned(
        [
            (
                clean(name),
                "ok" if row["ok"] else "failed",
                f"{row['latency_ms']:.0f} ms",
                clean(row["detail"]),
            )
            for name, row in results.items()
        ]
    )


def outcomes(results: Mapping[str, Mapping[str, Any]], glyphs: Glyphs) -> RenderableType:
    """The same for a terminal: a sign and a color an outcome."""
    parts = []
    for line, row in zip(outcome_lines(results), results.values(), strict=True):
        style = "green" if row["ok"] else "bold red"
        parts.append(Text.assemble((glyphs.status["healthy" if row["ok"] else "down"], style), " ", line))
    return Group(*parts)


def _row(alert: Alert, now: datetime) -> tuple[str, ...]:
    return (
        str(alert.id),
        alert.severity,
        alert.status,
        clean(alert.database),
        clean(alert.metric),
        reading(alert.metric, alert.value),
        "" if alert.threshold is None else reading(alert.metric, alert.threshold),
        clock(alert.started_at, now),
        clean(alert.acknowledged_by),
        sent(alert.notifications),
        clean(alert.message),
    )


def _past_row(alert: Alert, now: datetime) -> tuple[str, ...]:
    return (
        str(alert.id),
        alert.severity,
        clean(alert.database),
        clean(alert.metric),
        clock(alert.started_at, now),
        "" if alert.resolved_at is None else clock(alert.resolved_at, now),
        duration(alert.duration_seconds),
        clean(alert.acknowledged_by),
        clean(alert.message),
    )


def _block(alert: Alert, now: datetime, glyphs: Glyphs) -> list[RenderableType]:
    head = _head(alert, glyphs)
    value = reading(alert.metric, alert.value)
    if alert.threshold is not None:
        value += f" against {reading(alert.metric, alert.threshold)}"
    facts = [
        f"{value}, since {clock(alert.started_at, now)} ({duration(alert.duration_seconds)})"
        if alert.value is not None
        else f"since {clock(alert.started_at, now)} ({duration(alert.duration_seconds)})",
        _taken(alert, now),
        f"sent: {sent(alert.notifications) or 'nothing yet'}",
    ]
    under = [Text(clean(alert.message)), *(Text(fact, "dim") for fact in facts)]
    return [head, *(Padding(line, (0, 0, 0, 2)) for line in under)]


def _taken(alert: Alert, now: datetime) -> str:
    if alert.acknowledged_at is None:
        level = f", escalated to step {alert.escalation_level}" if alert.escalation_level else ""
        said = f"nobody has taken it up{level}"
    else:
        said = f"taken up by {clean(alert.acknowledged_by)} at {clock(alert.acknowledged_at, now)}"
        said += f": {clean(alert.note)}" if alert.note else ""
    if alert.suppressed_until is not None:
        said += f"; suppressed until {clock(alert.suppressed_until, now)}"
    return said


def _head(alert: Alert, glyphs: Glyphs) -> Text:
    style = _STYLES[alert.severity]
    return Text.assemble(
        (f"{glyphs.status[alert.severity]} {alert.severity}", style),
        "  ",
        (clean(alert.database), "bold"),
        f"  {clean(alert.metric)}",
        (f"  {alert.id}", "dim"),
    )


def _past_block(alert: Alert, now: datetime, glyphs: Glyphs) -> list[RenderableType]:
    end = "still active" if alert.resolved_at is None else f"until {clock(alert.resolved_at, now)}"
    span = f"from {clock(alert.started_at, now)} {end} ({duration(alert.duration_seconds)})"
    return [
        _head(alert, glyphs),
        Padding(Text.assemble((span, "dim"), f" {clean(alert.message)}"), (0, 0, 0, 2)),
    ]
