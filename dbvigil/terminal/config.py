"""Settings and thresholds in effect, each with where it comes from: the body of GET config/."""

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


def lines(body: Mapping[str, Any]) -> list[str]:
    """For a pipe: settings, an empty line, thresholds."""
    return [*aligned([_SETTINGS, *_settings(body)]), "", *aligned([_THRESHOLDS, *_thresholds(body)])]


def tables(body: Mapping[str, Any], room: int) -> RenderableType:
    """For a terminal: the same as two tables; what is not the default stands out."""
    shown = _stacked if room < _NARROW else _table
    return Group(shown(_SETTINGS, _settings(body)), "", shown(_THRESHOLDS, _thresholds(body)))


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
    return "dim" if source == "default" else "bold"
