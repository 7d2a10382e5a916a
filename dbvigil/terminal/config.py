"""Settings, thresholds and channels in effect, each with where it comes from: the body of GET config/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dbvigil.terminal.plain import aligned
from dbvigil.terminal.text import clean, figure

_SETTINGS = ("SETTING", "SOURCE", "VALUE")
_THRESHOLDS = ("THRESHOLD", "SOURCE", "DATABASE", "WARNING", "CRITICAL")
_CHANNELS = ("CHANNEL", "STATE", "KIND", "TARGET", "LAST SENT")
_NO_CHANNEL = "no channel is configured: alerts are shown and sent to nobody"
_NARROW = 76


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        text = " ".join(f"{name}={part}" for name, part in value.items())
    elif isinstance(value, list | tuple):
        text = " ".join(map(str, value))
    elif isinstance(value, float):
        text = f"{value:g}"
    else:
        text = str(value)
    return clean(text) or "(none)"


def _settings(body: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(name, row["source"], _value(row["value"])) for name, row in body["settings"].items()]


def _thresholds(body: Mapping[str, Any]) -> list[tuple[str, ...]]:
    def level(row: Mapping[str, Any], name: str) -> str:
        return "off" if row[name] is None else figure(row["metric"], row[name])

    return [
        (
            row["metric"],
            row["source"],
            "all" if row["database"] is None else clean(row["database"]),
            level(row, "warning"),
            level(row, "critical"),
        )
        for row in body["thresholds"]
    ]


def _channels(body: Mapping[str, Any]) -> list[tuple[str, ...]]:
    def state(row: Mapping[str, Any]) -> str:
        return "disabled" if row["disabled"] else "failing" if row["failing_since"] else "ok"

    return [
        (
            clean(row["name"]),
            state(row),
            clean(row["kind"]),
            clean(row["target"]),
            row["last_sent_at"] or "never",
        )
        for row in body["channels"]
    ]


def lines(body: Mapping[str, Any]) -> list[str]:
    """For a pipe: settings, thresholds and channels, an empty line between."""
    found = [*aligned([_SETTINGS, *_settings(body)]), "", *aligned([_THRESHOLDS, *_thresholds(body)]), ""]
    return found + (aligned([_CHANNELS, *_channels(body)]) if body["channels"] else [_NO_CHANNEL])


def tables(body: Mapping[str, Any], room: int) -> RenderableType:
    """For a terminal: the same as tables; what is not the default stands out."""
    shown = _stacked if room < _NARROW else _table
    channels = shown(_CHANNELS, _channels(body)) if body["channels"] else Text(_NO_CHANNEL, "dim")
    return Group(shown(_SETTINGS, _settings(body)), "", shown(_THRESHOLDS, _thresholds(body)), "", channels)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in head:
        level = title in ("WARNING", "CRITICAL")
        table.add_column(title.lower(), justify="right" if level else "left", overflow="fold")
    for name, source, *values in rows:
        table.add_row(Text(name), Text(source, _style(source)), *map(Text, values))
    return table


def _stacked(head: Sequence[str], rows: Sequence[Sequence[str]]) -> RenderableType:
    """Where columns have no room: the name, and below it the rest."""
    parts: list[RenderableType] = [Text("  ".join(title.lower() for title in head), "dim")]
    for name, source, *values in rows:
        rest = Text.assemble((source, _style(source)), *(f"  {value}" for value in values))
        parts += [Text(name), Padding(rest, (0, 0, 0, 2))]
    return Group(*parts)


def _style(source: str) -> str:
    return {"default": "dim", "ok": "green", "failing": "bold red", "disabled": "bold red"}.get(
        source, "bold"
    )
