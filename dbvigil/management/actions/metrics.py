"""`metrics`: all figures of every database, or of one, with how they went over some hours."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rich.console import Group

from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal import metrics as views
from dbvigil.terminal.text import cells
from dbvigil.types import iso_utc


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument("--database", metavar="A", help="only this database")
    parser.add_argument(
        "--hours", type=float, metavar="N", help="also the lowest, mean and highest of the last N hours"
    )


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    database, hours = options["database"], options["hours"]
    if database is not None:
        monitor.require(database)
    current = monitor.get_current_metrics()
    shown = {alias: figures for alias, figures in current.items() if database in (None, alias)}
    if output.as_json:
        body: dict[str, Any] = {
            "timestamp": iso_utc(datetime.now(UTC)),
            "databases": {alias: figures.to_dict() for alias, figures in shown.items()},
        }
        if hours is not None:
            body |= {"hours": hours, "history": {alias: _history(monitor, alias, hours) for alias in shown}}
        output.document(body)
        return
    figures = [
        views.Figures(row, hours, None if hours is None else _past(monitor, alias, hours))
        for alias, row in shown.items()
    ]
    output.show(
        lambda: Group(*(views.panel(row, output.room, output.glyphs) for row in figures)),
        lambda: views.lines(figures, output.glyphs) if figures else ["no database is monitored"],
    )


def _history(monitor: DatabaseMonitor, alias: str, hours: float) -> dict[str, dict[str, Any]]:
    """By metric: min, mean, max and points ([timestamp, average, lowest, highest], oldest first)."""
    summary = monitor.get_metrics_summary(alias, hours)
    series = monitor.get_metrics_history(alias, hours)["series"]
    return {name: {**row, "points": series.get(name, [])} for name, row in summary.items()}


def _past(monitor: DatabaseMonitor, alias: str, hours: float) -> Mapping[str, views.Past]:
    summary = monitor.get_metrics_summary(alias, hours)
    step = round(max(1.0, hours * 3600 / views.CELLS, monitor.get_status()["interval_seconds"]))
    series = monitor.get_metrics_history(alias, hours, summary, step)["series"]
    points = {
        name: [(datetime.fromisoformat(row[0]).timestamp(), row[1]) for row in rows]
        for name, rows in series.items()
    }
    # A server that is down has no figures, but it has samples: the line ends at the newest of these.
    end = max((rows[-1][0] for rows in points.values() if rows), default=0.0)
    count = min(views.CELLS, max(1, round(hours * 3600 / step)))
    return {
        name: views.Past(row["min"], row["mean"], row["max"], cells(points.get(name, ()), end, step, count))
        for name, row in summary.items()
    }


ACTION = Action("metrics", "show all figures, with --hours also how they went", _run, _flags)
