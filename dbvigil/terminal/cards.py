"""The status as cards: one panel a database, for a terminal with room for them all."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dbvigil.terminal.overview import STYLES, Database
from dbvigil.terminal.rows import gauge, sign, styled, trend
from dbvigil.terminal.text import Glyphs

CARD = 96
"""The width from which on two cards stand side by side in a terminal twice as wide."""

_LABEL, _VALUE = 11, 9
_TWO_HALVES, _ROOMY = 74, 100
_SHORTEST, _LONGEST_BAR = 6, 24

_BARS = (
    ("connection_usage", "connections"),
    ("cpu_usage", "CPU"),
    ("disk_usage", "disk"),
    ("memory_usage", "memory"),
    ("buffer_pool_usage", "buffer pool"),
)


def cards(databases: Sequence[Database], room: int, glyphs: Glyphs) -> RenderableType:
    """A card for each database, in `room` columns of text."""
    beside = max(1, min(room // CARD, len(databases)))
    width = room // beside
    grid = Table.grid()
    for _ in range(beside):
        grid.add_column(width=width)
    for start in range(0, len(databases), beside):
        grid.add_row(*(card(database, width, glyphs) for database in databases[start : start + beside]))
    return grid


def card(database: Database, width: int, glyphs: Glyphs) -> Panel:
    """One database: its name and verdict in the frame, its figures inside, then the reasons."""
    style = STYLES[database.status]
    # The title would take on the style of the frame, which is dim where all is well.
    title = Text.assemble(
        " ",
        sign(database, glyphs),
        " ",
        (database.alias, "bold"),
        "  ",
        (_verdict(database), style),
        " ",
        style="not dim",
    )
    title.truncate(width - 6, overflow=glyphs.overflow)
    parts: list[RenderableType] = []
    if database.figures.server_version is not None:
        parts.append(_about(database, glyphs))
    if database.believed:
        parts.append(_figures(database, width - 4, glyphs))
    if database.reasons:
        parts.append(_reasons(database, glyphs))
    spaced = [line for part in parts for line in (Text(""), part)][1:]
    return Panel(
        Group(*spaced),
        title=title,
        title_align="left",
        subtitle=Text(f" {database.sampled} ", "dim not bold"),
        subtitle_align="right",
        border_style="dim" if database.status == "healthy" else style,
        box=box.ROUNDED,
        width=width,
        padding=(0, 1),
    )


def _verdict(database: Database) -> str:
    said = database.status if database.score is None else f"{database.status} {database.score}"
    if not database.alerts:
        return said
    return f"{said}, {database.alerts} alert" + "s" * (database.alerts > 1)


def _about(database: Database, glyphs: Glyphs) -> Text:
    figures = database.figures
    facts = [database.version]
    if figures.replication_role is not None and figures.replication_role != "standalone":
        facts.append("source and replica" if figures.replication_role == "both" else figures.replication_role)
    if database.value("uptime") is not None:
        facts.append(f"up {database.text('uptime')}")
    return Text(f" {glyphs.dot} ".join(facts), "dim", no_wrap=True, overflow=glyphs.overflow)


def _figures(database: Database, room: int, glyphs: Glyphs) -> RenderableType:
    trends = [("queries_rate", "queries"), ("query_time", "query time")]
    trends.append(("replication_lag", "lag") if database.replicates else ("slow_queries", "slow"))
    bars = [(name, label) for name, label in _BARS if database.value(name) is not None][: len(trends)]
    if room < _TWO_HALVES:
        return Group(_trends(database, trends, room, glyphs), _bars(database, bars, room, glyphs))
    left = (room - 3) * 3 // 5 if room >= _ROOMY else (room - 3) // 2
    right = room - 3 - left
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(width=left)
    grid.add_column(width=right)
    grid.add_row(_trends(database, trends, left, glyphs), _bars(database, bars, right, glyphs))
    return grid


def _trends(database: Database, rows: Sequence[tuple[str, str]], room: int, glyphs: Glyphs) -> RenderableType:
    width = max(_SHORTEST, room - _LABEL - _VALUE - 2)
    grid = _grid(_VALUE, width)
    for name, label in rows:
        value = styled(database, name, database.text(name))
        grid.add_row(Text(label, "dim"), value, trend(database, name, width, glyphs))
    return grid


def _bars(database: Database, rows: Sequence[tuple[str, str]], room: int, glyphs: Glyphs) -> RenderableType:
    texts = [database.connections if name == "connection_usage" else database.text(name) for name, _ in rows]
    value = max([_VALUE, *map(len, texts)])
    width = min(_LONGEST_BAR, max(_SHORTEST, room - _LABEL - value - 2))
    grid = _grid(value, width)
    for (name, label), text in zip(rows, texts, strict=True):
        grid.add_row(Text(label, "dim"), styled(database, name, text), gauge(database, name, width, glyphs))
    return grid


def _grid(value: int, drawing: int) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=_LABEL, no_wrap=True)
    grid.add_column(width=value, no_wrap=True, justify="right")
    grid.add_column(width=drawing, no_wrap=True)
    return grid


def _reasons(database: Database, glyphs: Glyphs) -> RenderableType:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=1)
    grid.add_column(overflow="fold")
    for reason in database.reasons:
        grid.add_row(sign(database, glyphs), Text(reason))
    return grid
