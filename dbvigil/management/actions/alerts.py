"""`alerts`: the active alerts, and with --hours the past ones."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from dbvigil.alerting import names
from dbvigil.alerting.service import get_database_alerting
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal import alerts as views


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument("--hours", type=float, metavar="N", help="also the alerts of the last N hours")
    parser.add_argument("--database", metavar="A", help="only this database's")


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    database, hours = options["database"], options["hours"]
    if database is not None:
        names.check_database(database, monitor.databases())
    alerting = get_database_alerting()
    active = alerting.get_active_alerts(database)
    past = None if hours is None else alerting.get_alert_history(hours, database)
    if output.as_json:
        body: dict[str, Any] = {"count": len(active), "results": [alert.to_dict() for alert in active]}
        if past is not None:
            body |= {"hours": hours, "history": [alert.to_dict() for alert in past]}
        output.document(body)
        return
    now = datetime.now().astimezone()
    output.show(lambda: views.drawn(active, past, now, output.glyphs), lambda: views.lines(active, past, now))


ACTION = Action("alerts", "show the active alerts, with --hours also past ones", _run, _flags)
