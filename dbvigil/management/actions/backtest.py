"""`backtest`: how often, when and how long a threshold would have fired on recorded history."""

from __future__ import annotations

from argparse import ArgumentParser

from dbvigil.alerting.service import get_database_alerting
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal import backtest as views

_HOURS = 168.0


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument("--metric", metavar="M", required=True, help="a metric that is a number")
    parser.add_argument("--warning", type=float, metavar="W", help="the level that is worth a warning")
    parser.add_argument("--critical", type=float, metavar="C", help="the level that is critical")
    parser.add_argument(
        "--hours", type=float, metavar="N", default=_HOURS, help="how far back; a week where it is left out"
    )
    parser.add_argument("--database", metavar="A", help="only this database")


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    if options["database"] is not None:
        monitor.require(options["database"])
    names = monitor.databases() if options["database"] is None else (options["database"],)
    metric, warning, critical, hours = (options[name] for name in ("metric", "warning", "critical", "hours"))
    alerting = get_database_alerting()
    found = {name: alerting.backtest(name, metric, warning, critical, hours) for name in names}
    body = {"metric": metric, "warning": warning, "critical": critical, "hours": hours, "databases": found}
    if output.as_json:
        output.document(body)
    else:
        output.show(lambda: views.drawn(body, output.glyphs), lambda: views.lines(body))


ACTION = Action(
    "backtest",
    "show how often, when and how long a threshold would have fired on recorded history",
    _run,
    _flags,
)
