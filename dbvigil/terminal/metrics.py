"""All figures of a database, with their lowest, mean and highest over some hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dbvigil.catalogue import METRICS
from dbvigil.catalogue import Group as MetricGroup
from dbvigil.terminal.plain import aligned
from dbvigil.terminal.text import Glyphs, clean, figure, sparkline
from dbvigil.types import DatabaseMetrics, ReplicationChannel

CELLS = 24
"""How many steps a sparkline has."""

_TITLES: Mapping[MetricGroup, str] = {
    "server": "Server",
    "connections": "Connections",
    "queries": "Queries",
    "innodb": "InnoDB and caches",
    "replication": "Replication",
    "storage": "Storage",
    "host": "Host",
    "health": "Health",
}
_LEFT: tuple[MetricGroup, ...] = ("health", "server", "connections", "queries", "storage")
_RIGHT: tuple[MetricGroup, ...] = ("innodb", "replication", "host")
_SHOWN_ELSEWHERE = frozenset(("database", "timestamp"))
_TOLD_ABOVE = _SHOWN_ELSEWHERE | {"error"}
_TWO_COLUMNS, _RANGES = 96, 80
_LABEL, _NARROW_LABEL, _NOW, _RANGE = 28, 24, 9, 10


@dataclass(frozen=True, slots=True)
class Past:
    """How a metric went over some hours: its lowest, mean and highest, and its values, oldest first."""

    least: float
    mean: float
    most: float
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """One database's newest figures; `past` by metric where it was asked for, `hours` long."""

    metrics: DatabaseMetrics
    hours: float | None = None
    past: Mapping[str, Past] | None = None

    @property
    def title(self) -> str:
        sampled = (
            f"sampled {self.metrics.timestamp:%Y-%m-%d %H:%M:%S} UTC" if self.known else "not sampled yet"
        )
        return sampled if self.hours is None else f"{sampled}; the last {self.hours:g} h"

    @property
    def known(self) -> bool:
        """Whether there has been a sample: one was up, down, or failed with an error."""
        return self.metrics.up is not None or self.metrics.error is not None


def value_text(metrics: DatabaseMetrics, name: str) -> str:
    """The value of metric `name` for people: with unit, "n/a" where unknown, "none" where empty."""
    value = getattr(metrics, name)
    if name == "replication_channels" and value is not None:
        return "; ".join(map(_channel, value)) or "none"
    return figure(name, value) or "none"


def _channel(channel: ReplicationChannel) -> str:
    source = f"{channel.source_host or 'n/a'}:{channel.source_port or 'n/a'}"
    text = f"{channel.name or 'default'} from {source}, lag {figure('replication_lag', channel.lag)}"
    errors = [error for error in (channel.last_io_error, channel.last_sql_error) if error]
    return clean(", ".join([text, *errors]))


def lines(shown: Sequence[Figures], glyphs: Glyphs) -> list[str]:
    """For a pipe: one line a metric, beginning with database and name; then what could not be read."""
    rows: list[tuple[str, ...]] = []
    hours = any(figures.past is not None for figures in shown)
    for figures in shown:
        for row in METRICS:
            if row.name in _SHOWN_ELSEWHERE:
                continue
            cells = (clean(figures.metrics.database), row.name, value_text(figures.metrics, row.name))
            rows.append((*cells, *_past(figures, row.name, glyphs)) if hours and row.numeric else cells)
    head = ("DATABASE", "METRIC", "VALUE", *(("MIN", "MEAN", "MAX", "TREND") if hours else ()))
    return aligned([head, *rows]) + [line for figures in shown for line in _failures(figures)]


def panel(figures: Figures, room: int, glyphs: Glyphs) -> RenderableType:
    """For a terminal: the figures in groups, in two columns where there is room for them."""
    parts: list[RenderableType] = [
        Text.assemble((clean(figures.metrics.database), "bold"), "  ", (figures.title, "dim"))
    ]
    if figures.metrics.error:
        parts.append(Text(clean(figures.metrics.error), "bold red"))
    parts.append(Text(""))
    if figures.past is None and room >= _TWO_COLUMNS:
        half = (room - 4) // 2
        grid = Table.grid(padding=(0, 4, 0, 0))
        grid.add_column(width=half)
        grid.add_column(width=half)
        grid.add_row(_groups(figures, _LEFT, half, glyphs), _groups(figures, _RIGHT, half, glyphs))
        parts.append(grid)
    else:
        parts.append(_groups(figures, (*_LEFT, *_RIGHT), room, glyphs))
    parts += [Text(line, "yellow") for line in _failures(figures)]
    return Group(*parts)


def _groups(figures: Figures, groups: Sequence[MetricGroup], room: int, glyphs: Glyphs) -> RenderableType:
    """The metrics of `groups` in `room` columns of text: range and sparkline as far as they fit."""
    trend = 0 if figures.past is None else CELLS if room >= _TWO_COLUMNS else CELLS // 2
    ranges = ("min", "mean", "max") if trend and room >= _RANGES else ()
    beside = len(ranges) * (_RANGE + 1) + (trend + 1 if trend else 0)
    label = min(_NARROW_LABEL if trend and room < _TWO_COLUMNS else _LABEL, room - beside - _NOW - 1)
    now = room - beside - label - 1
    table = Table(
        box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=bool(ranges), header_style="dim"
    )
    table.add_column("", no_wrap=True, overflow=glyphs.overflow, width=label)
    table.add_column("now", justify="right", no_wrap=True, overflow=glyphs.overflow, width=now)
    for title in ranges:
        table.add_column(title, justify="right", no_wrap=True, width=_RANGE)
    if trend:
        table.add_column("", no_wrap=True, width=trend)
    for group in groups:
        rows = [row for row in METRICS if row.group == group and _worth_showing(figures.metrics, row.name)]
        if rows:
            table.add_row(Text(_TITLES[group], "bold cyan"))
        for row in rows:
            value = value_text(figures.metrics, row.name)
            cells = [Text(f"  {row.title}"), Text(value, "dim" if value == "n/a" else "")]
            least, mean, most, drawn = _past(figures, row.name, glyphs)
            cells += [Text(least, "dim"), Text(mean), Text(most, "dim")] if ranges else []
            cells += [Text(drawn[-trend:], "cyan")] if trend else []
            table.add_row(*cells)
        if rows:
            table.add_row()
    return table


def _worth_showing(metrics: DatabaseMetrics, name: str) -> bool:
    """Whether to spend a line on it: of a server that does not answer, only what is known."""
    return name not in _TOLD_ABOVE and (metrics.up is True or getattr(metrics, name) is not None)


def _past(figures: Figures, name: str, glyphs: Glyphs) -> tuple[str, str, str, str]:
    """Lowest, mean, highest and sparkline; empty for what is no number or was never read."""
    past = (figures.past or {}).get(name)
    if past is None:
        return "", "", "", ""
    drawn = sparkline(past.values, glyphs)
    return figure(name, past.least), figure(name, past.mean), figure(name, past.most), drawn


def _failures(figures: Figures) -> list[str]:
    """What could not be read in the newest sample, and what would help."""
    alias = clean(figures.metrics.database)
    return [f"{alias}: not read: {clean(str(failure))}" for failure in figures.metrics.failures]
