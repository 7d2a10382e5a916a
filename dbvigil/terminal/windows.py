"""Maintenance windows: what each keeps quiet, when it comes, and whether it is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from dbvigil.terminal.plain import aligned
from dbvigil.terminal.text import clean, clock

_HEAD = ("NAME", "DATABASE", "METRIC", "SCHEDULE", "ZONE", "MINUTES", "STATE", "NEXT", "BY", "REASON")
_NONE = "there is no maintenance window"

Window = Mapping[str, Any]
"""One of the results of GET alerts/windows/."""


def about(window: Window) -> str:
    """What it keeps quiet: "every metric of shop"."""
    return f"{window['metric'] or 'every metric'} of {window['database'] or 'every database'}"


def state(window: Window, now: datetime) -> str:
    """ "open until 04:30", "closed" or "off"."""
    if not window["active"]:
        return "off"
    return f"open until {_clock(window['open_until'], now)}" if window["open"] else "closed"


def sentence(window: Window, now: datetime) -> str:
    """What a window that was just made does."""
    what = f"Nothing is sent about {about(window)} in the window {window['name']}"
    if window["open"]:
        return f"{what}, which is open until {_clock(window['open_until'], now)} {now:%Z}."
    return f"{what}, which begins next at {_clock(window['next_start'], now)} {now:%Z}."


def lines(windows: Sequence[Window], now: datetime) -> list[str]:
    """For a pipe: one line a window. Moments are in the time zone of `now`."""
    return aligned([_HEAD, *(_row(window, now) for window in windows)]) if windows else [_NONE]


def drawn(windows: Sequence[Window], now: datetime) -> RenderableType:
    """For a terminal: a block a window."""
    if not windows:
        return Text(_NONE.capitalize(), "dim")
    parts: list[RenderableType] = []
    for window in windows:
        parts += [Text("")] * bool(parts)
        style = "yellow" if window["open"] else "dim"
        head = Text.assemble((clean(window["name"]), "bold"), "  ", (state(window, now), style))
        facts = [
            clean(about(window)),
            f"{clean(window['schedule'])} ({clean(window['time_zone'])}), for {window['minutes']} min",
        ]
        if window["next_start"]:
            facts.append(f"next at {_clock(window['next_start'], now)} {now:%Z}")
        if window["created_by"]:
            facts.append(f"made by {clean(window['created_by'])}")
        if window["reason"]:
            facts.append(clean(window["reason"]))
        parts += [head, *(Padding(Text(fact, "dim"), (0, 0, 0, 2)) for fact in facts)]
    return Group(*parts)


def _row(window: Window, now: datetime) -> tuple[str, ...]:
    return (
        clean(window["name"]),
        clean(window["database"]) or "every",
        clean(window["metric"]) or "every",
        clean(window["schedule"]),
        clean(window["time_zone"]),
        str(window["minutes"]),
        state(window, now),
        _clock(window["next_start"], now) if window["next_start"] else "",
        clean(window["created_by"]),
        clean(window["reason"]),
    )


def _clock(moment: str, now: datetime) -> str:
    return clock(datetime.fromisoformat(moment), now)
