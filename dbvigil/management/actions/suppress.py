"""`suppress`: keeps a database or a metric quiet for some time, or ends that."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError

from dbvigil.alerting import names
from dbvigil.alerting.service import get_database_alerting
from dbvigil.management.actions.acknowledge import add_user, login_name
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal.text import clean, clock

_SUBJECT = ("database", "metric", "minutes")


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument("--database", metavar="A", help="only this database; every one where it is left out")
    parser.add_argument("--metric", metavar="M", help="only this metric; every one where it is left out")
    parser.add_argument("--minutes", type=float, metavar="N", help="for how long")
    parser.add_argument("--reason", metavar="T", default="", help="why, kept on record")
    add_user(parser, "who keeps it quiet, or ends that")
    parser.add_argument("--end", type=int, metavar="ID", help="end this suppression instead")


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    user = options["user"] or login_name()
    made = _end(options, user) if options["end"] is not None else _make(monitor, options, user)
    if output.as_json:
        output.document(made)
        return
    about = f"{made['metric'] or 'every metric'} of {made['database'] or 'every database'}"
    if options["end"] is not None:
        output.say(clean(f"Suppression {made['suppression_id']} is over: {about} is heard again."))
        return
    now = datetime.now().astimezone()
    until = clock(datetime.fromisoformat(made["until"]), now)
    output.say(
        clean(f"Nothing is sent about {about} until {until} {now:%Z} (suppression {made['suppression_id']}).")
    )


def _make(monitor: DatabaseMonitor, options: Options, user: str) -> dict[str, Any]:
    database, metric, minutes = (options[name] for name in _SUBJECT)
    if minutes is None:
        raise CommandError("--minutes is missing: a suppression has an end")
    if database:
        names.check_database(database, monitor.databases())
    if metric:
        names.check_metric(metric)
    alerting = get_database_alerting()
    return alerting.suppress_alert(database or "", metric or "", minutes, options["reason"], user)


def _end(options: Options, user: str) -> dict[str, Any]:
    given = [name for name in _SUBJECT if options[name] is not None]
    if given:
        raise CommandError(f"--end and --{given[0]} exclude each other")
    return get_database_alerting().end_suppression(options["end"], user)


ACTION = Action("suppress", "keep a database or a metric quiet for some time, or end that", _run, _flags)
