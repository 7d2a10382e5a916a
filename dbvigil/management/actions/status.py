"""`status`: whether a monitor runs, every database with its health, score and newest sample, and how many alerts."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime

from django.core.management.base import CommandError
from rich.console import Group, RenderableType
from rich.text import Text

from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.management.actions.watch import Reader, watch
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal import alerts, live, plain, rows
from dbvigil.terminal.overview import overview
from dbvigil.terminal.screen import Interrupts


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument("--watch", action="store_true", help="show the live view until q or Ctrl-C")


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    if not options["watch"]:
        show(monitor, output)
        return
    if output.as_json:
        raise CommandError("--watch and --json exclude each other: a live view is no document")
    with Interrupts() as interrupts:
        watch(monitor, output, interrupts, lambda: True)


def show(monitor: DatabaseMonitor, output: Output) -> None:
    """The status once."""
    if output.as_json:
        output.document(monitor.get_health_summary())
        return
    view = (
        Reader(monitor).look()
        if output.rich
        else overview(
            monitor.get_health_summary(), monitor.get_current_metrics(), datetime.now().astimezone()
        )
    )

    counts = view.alerts, view.critical_alerts

    def drawn() -> RenderableType:
        return Group(
            live.header(view, output.room, output.glyphs),
            rows.status(view.databases, output.room, output.glyphs),
            Text(""),
            Text(alerts.summary(*counts).capitalize(), alerts.summary_style(*counts)),
        )

    output.show(drawn, lambda: [*plain.status(view), "", f"alerts: {alerts.summary(*counts)}"])


ACTION = Action("status", "show whether a monitor runs, and the health of every database", _run, _flags)
