"""One alert in one line: its metric's name, its value with the unit, and the level it passed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dbvigil.catalogue import BY_NAME
from dbvigil.channels.evidence import clip, words
from dbvigil.display import display

# What is no number has words of its own: while it lasts, and when it is over.
_STATES: Mapping[str, tuple[str, str]] = {
    "up": ("server is down", "server is up again"),
    "replication_running": ("replication is stopped", "replication runs again"),
    "read_only": ("replica accepts writes", "replica refuses writes again"),
    "errant_gtids": (
        "replica has transactions of its own",
        "replica has no transactions of its own any more",
    ),
    "uptime": ("server was restarted", "server has been up for a while"),
}
_TITLES: Mapping[str, str] = {"up": "Server", "replication_running": "Replication"}
_LONGEST_LINE = 100


def is_state(metric: str) -> bool:
    """Whether trouble with `metric` is told by its state and not by a value against a threshold."""
    return metric in _STATES


def title_of(metric: str) -> str:
    """A metric's name for people."""
    if metric in _TITLES:
        return _TITLES[metric]
    known = BY_NAME.get(metric)
    return known.title if known is not None else clip(words(metric).capitalize(), 80)


def value_of(metric: str, value: object) -> str:
    """A value for people, with its unit where the metric is in the catalogue."""
    if metric in BY_NAME:
        return clip(display(metric, value).replace(".0 %", " %"), 120)
    if value is None:
        return "n/a"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else "n/a"
    return clip(value, 120)


def inside(title: str) -> str:
    """A title as it stands within a sentence: without its capital, unless it begins with an abbreviation."""
    return title if title[:2].isupper() else title[:1].lower() + title[1:]


def topic_of(body: Mapping[str, Any], resolved: bool) -> str:
    metric = str(body.get("metric", ""))
    if body.get("no_data") or body.get("flapping") or metric in _STATES:
        line = line_of(body, resolved)
        return line[:1].upper() + line[1:]
    return title_of(metric)


def line_of(body: Mapping[str, Any], resolved: bool) -> str:
    metric = str(body.get("metric", ""))
    title = title_of(metric)
    name = inside(title)
    if body.get("no_data"):
        return f"{name} can be read again" if resolved else f"{name} cannot be read"
    if body.get("flapping") and not resolved:
        return f"{name} keeps changing"
    if metric in _STATES:
        return _STATES[metric][resolved]
    value = body.get("value")
    if value is None:
        # Trouble that no figure stands for, such as the monitor's own: its message says what is wrong.
        said = clip(body.get("message") or name, _LONGEST_LINE)
        return f"{name}: it is over" if resolved else said
    limit = limit_of(metric, body.get("threshold"))
    return f"{name} {value_of(metric, value)}" + (f" ({limit})" if limit and not resolved else "")


def limit_of(metric: str, threshold: object) -> str:
    if threshold is None:
        return ""
    known = BY_NAME.get(metric)
    return f"{'≤' if known is not None and known.bad == 'low' else '≥'} {value_of(metric, threshold)}"
