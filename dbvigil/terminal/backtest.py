"""How a threshold would have done: a sentence a database, and a line an episode."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from dbvigil.terminal.plain import aligned
from dbvigil.terminal.text import Glyphs, clean, clock, duration, figure

_STYLES: Mapping[str, str] = {"warning": "yellow", "critical": "bold red"}
_HEAD = ("SEVERITY", "FROM", "UNTIL", "LASTED", "WORST")


def lines(body: Mapping[str, Any]) -> list[str]:
    """For a pipe."""
    found = [_title(body)]
    for name, row in body["databases"].items():
        found += ["", f"{clean(name)}: {_sentence(row)}"]
        if row["episodes"]:
            found += aligned([_HEAD, *_rows(body["metric"], row)])
    return found


def drawn(body: Mapping[str, Any], glyphs: Glyphs) -> RenderableType:
    """For a terminal: the same with the severities' signs and colors."""
    parts: list[RenderableType] = [Text(_title(body), "bold")]
    for name, row in body["databases"].items():
        parts += [Text(""), Text.assemble((clean(name), "bold"), f"  {_sentence(row)}")]
        table = aligned([_HEAD, *_rows(body["metric"], row)])[1:] if row["episodes"] else []
        for line, episode in zip(table, row["episodes"], strict=True):
            severity = episode["severity"]
            sign = glyphs.status["critical" if severity == "critical" else "warning"]
            parts.append(Text.assemble("  ", (f"{sign} ", _STYLES[severity]), line))
    return Group(*parts)


def _title(body: Mapping[str, Any]) -> str:
    levels = [
        f"{word} {figure(body['metric'], body[word])}"
        for word in ("warning", "critical")
        if body[word] is not None
    ]
    return f"{body['metric']}, {', '.join(levels)}, over the last {duration(body['hours'] * 3600)}"


def _sentence(row: Mapping[str, Any]) -> str:
    if not row["readings"]:
        return "nothing is recorded of it in this time"
    seen = f"{row['readings']} of {row['samples']} samples have it"
    if not row["fired"]:
        return f"would not have fired; {seen}"
    times = "once" if row["fired"] == 1 else f"{row['fired']} times"
    longest = f", the longest {duration(row['longest_seconds'])}" if row["fired"] > 1 else ""
    return f"would have fired {times}, {duration(row['firing_seconds'])} in all{longest}; {seen}"


def _rows(metric: str, row: Mapping[str, Any]) -> list[tuple[str, ...]]:
    now = datetime.now().astimezone()
    return [
        (
            episode["severity"],
            clock(datetime.fromisoformat(episode["started_at"]), now),
            clock(datetime.fromisoformat(episode["ended_at"]), now)
            if episode["ended_at"]
            else "still firing",
            duration(episode["seconds"]),
            figure(metric, episode["worst"]),
        )
        for episode in row["episodes"]
    ]
