"""The same views for a pipe or a file: aligned text without colors, frames or escape codes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from dbvigil.terminal.overview import Database, Overview
from dbvigil.terminal.text import clock
from dbvigil.types import iso_utc

_HEAD = (
    "DATABASE",
    "STATUS",
    "SCORE",
    "ALERTS",
    "SAMPLED",
    "CONNECTIONS",
    "QUERIES",
    "LAG",
    "UPTIME",
    "VERSION",
)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """`rows` as lines in columns; an empty cell is shown as "-".

    Rows may have different lengths. What stands last in a row may be long: it makes no column wider.
    """
    shown = [[cell or "-" for cell in row] for row in rows]
    widths = [0] * max(map(len, shown), default=0)
    for row in shown:
        for place, cell in enumerate(row[:-1]):
            widths[place] = max(widths[place], cell_len(cell))
    return [
        "  ".join(
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=False)
        ).rstrip()
        for row in shown
    ]


def status(view: Overview) -> list[str]:
    """The monitor, one line a database, then the reasons, each beginning with its database."""
    since = f" since {clock(view.since, view.now)} {view.now:%Z}" if view.since else ""
    lines = [f"monitor: running{since}" if view.running else "monitor: not running"]
    if view.databases:
        lines += ["", *aligned([_HEAD, *(_row(database) for database in view.databases)])]
    else:
        lines.append("no database is monitored")
    lines += [""] * any(database.reasons for database in view.databases)
    lines += [f"{database.alias}: {reason}" for database in view.databases for reason in database.reasons]
    return lines


def sampled(view: Overview, database: Database) -> str:
    """One line for one new sample, as a log has it."""
    facts = [
        iso_utc(view.now),
        database.alias,
        database.status,
        f"score={database.score_text}",
        f"connections={database.connections.replace(' ', '')}",
        f"queries={database.text('queries_rate').replace(' ', '')}",
    ]
    if database.replicates:
        facts.append(f"lag={database.lag.replace(' ', '')}")
    return " ".join([*facts, *(f"[{reason}]" for reason in database.reasons)])


def _row(database: Database) -> tuple[str, ...]:
    return (
        database.alias,
        database.status,
        database.score_text,
        str(database.alerts or ""),
        database.sampled,
        database.connections.replace(" / ", "/"),
        database.text("queries_rate"),
        database.lag,
        database.text("uptime"),
        database.version,
    )
