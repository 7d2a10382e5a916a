"""The status as a table, one row a database, and the reasons below it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dbvigil.terminal.overview import STYLES, Database
from dbvigil.terminal.text import Glyphs, bar, sparkline

_GAP = 2
_LONGEST_ALIAS = 24
_LONGEST_TREND = 40
_TREND = 8


def sign(database: Database, glyphs: Glyphs) -> Text:
    """The status' sign in its color."""
    return Text(glyphs.status[database.status], STYLES[database.status])


def styled(database: Database, metric: str, text: str) -> Text:
    """`text` of `metric`: dim where unknown, in the status' color where the metric costs points."""
    if text == "n/a":
        return Text(text, "dim")
    return Text(text, STYLES[database.status] if metric in database.troubled else "")


def trend(database: Database, metric: str, width: int, glyphs: Glyphs) -> Text:
    """The last samples of `metric` as a sparkline from zero, at most `width` wide."""
    values = database.trends.get(metric, ())[-width:] if database.believed else ()
    return Text(sparkline(values, glyphs, low=0.0).rjust(width), "cyan")


def gauge(database: Database, metric: str, width: int, glyphs: Glyphs) -> Text:
    """The share `metric` as a bar."""
    filled, empty = bar(database.value(metric), width, glyphs)
    style = STYLES[database.status] if metric in database.troubled else "cyan"
    return Text.assemble((filled, style), (empty, "dim"))


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: how wide it is, and the order in which columns are given up where there is no room."""

    title: str
    width: int
    rank: int
    cell: Callable[[Database, int, Glyphs], Text]
    justify: Literal["left", "right"] = "left"


_COLUMNS: tuple[_Column, ...] = (
    _Column(
        "database",
        10,
        0,
        lambda database, width, glyphs: Text.assemble(sign(database, glyphs), " ", (database.alias, "bold")),
    ),
    _Column("status", 8, 4, lambda database, width, glyphs: Text(database.status, STYLES[database.status])),
    _Column("score", 5, 1, lambda database, width, glyphs: Text(database.score_text), "right"),
    _Column(
        "alerts", 6, 5, lambda database, width, glyphs: Text(str(database.alerts or ""), "bold"), "right"
    ),
    _Column(
        "connections",
        11,
        6,
        lambda database, width, glyphs: styled(database, "connection_usage", database.connections),
        "right",
    ),
    _Column("", 10, 10, lambda database, width, glyphs: gauge(database, "connection_usage", width, glyphs)),
    _Column(
        "queries",
        8,
        2,
        lambda database, width, glyphs: styled(database, "queries_rate", database.text("queries_rate")),
        "right",
    ),
    _Column("", 8, _TREND, lambda database, width, glyphs: trend(database, "queries_rate", width, glyphs)),
    _Column(
        "lag",
        8,
        7,
        lambda database, width, glyphs: styled(database, "replication_lag", database.lag),
        "right",
    ),
    _Column(
        "query time",
        10,
        9,
        lambda database, width, glyphs: styled(database, "query_time", database.text("query_time")),
        "right",
    ),
    _Column(
        "uptime",
        7,
        12,
        lambda database, width, glyphs: styled(database, "", database.text("uptime")),
        "right",
    ),
    _Column("version", 16, 11, lambda database, width, glyphs: styled(database, "", database.version)),
    _Column("age", 6, 3, lambda database, width, glyphs: Text(database.age, "dim"), "right"),
)


def columns(databases: Sequence[Database], room: int) -> list[tuple[_Column, int]]:
    """The columns that fit into `room`, the least needed left out first, each with its width."""
    longest = max((len(database.alias) for database in databases), default=0)
    idle = set()
    if not any(database.replicates for database in databases):
        idle.add("lag")
    if not any(database.alerts for database in databases):
        idle.add("alerts")
    widths = {
        column: max(column.width, 2 + min(longest, _LONGEST_ALIAS))
        if column.title == "database"
        else column.width
        for column in _COLUMNS
        if column.title not in idle
    }
    chosen: set[_Column] = set()
    left = room
    for column in sorted(widths, key=lambda column: column.rank):
        if not chosen or widths[column] <= left:
            chosen.add(column)
            left -= widths[column] + _GAP
    found = [(column, widths[column]) for column in widths if column in chosen]
    # What is left over goes to the sparkline.
    return [
        (column, min(width + max(0, left), _LONGEST_TREND) if column.rank == _TREND else width)
        for column, width in found
    ]


def table(databases: Sequence[Database], room: int, glyphs: Glyphs) -> RenderableType:
    """One row a database, in `room` columns of text."""
    chosen = columns(databases, room)
    result = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim", show_edge=False)
    for column, width in chosen:
        wide = None if column.title == "database" else width
        result.add_column(
            column.title,
            justify=column.justify,
            width=wide,
            max_width=width,
            no_wrap=True,
            overflow=glyphs.overflow,
        )
    for database in databases:
        result.add_row(*(column.cell(database, width, glyphs) for column, width in chosen))
    return result


def reasons(databases: Iterable[Database], glyphs: Glyphs) -> RenderableType:
    """Why databases lost points, in plain words."""
    result = Table.grid(padding=(0, 1, 0, 0))
    result.add_column(width=1)
    result.add_column(overflow="fold")
    for database in databases:
        for reason in database.reasons:
            result.add_row(sign(database, glyphs), Text.assemble((database.alias, "bold"), ": ", reason))
    return result


def status(databases: Sequence[Database], room: int, glyphs: Glyphs) -> RenderableType:
    """The table, and below it the reasons where there are any."""
    if not any(database.reasons for database in databases):
        return table(databases, room, glyphs)
    return Group(table(databases, room, glyphs), Text(""), reasons(databases, glyphs))
