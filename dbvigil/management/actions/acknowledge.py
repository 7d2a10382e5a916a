"""`acknowledge`: somebody takes an alert up."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser

from dbvigil.alerting.service import get_database_alerting
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal.text import clean


def login_name() -> str:
    """Who runs the command, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have a number and no name.
        return "the command"


def add_user(parser: ArgumentParser, what: str) -> None:
    """`--user U`."""
    parser.add_argument("--user", metavar="U", default=None, help=f"{what} (the login name)")


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=int, metavar="ID", help="the alert's number")
    add_user(parser, "who takes it up")
    parser.add_argument("--note", metavar="T", default="", help="for whoever reads the alert next")


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    user = options["user"] or login_name()
    alert = get_database_alerting().acknowledge_alert(options["id"], user, options["note"])
    if output.as_json:
        output.document(alert.to_dict())
    else:
        output.say(clean(f"{user} has taken up alert {alert.id}: {alert.metric} on {alert.database}."))


ACTION = Action("acknowledge", "take an alert up, so that it is escalated no further", _run, _flags)
