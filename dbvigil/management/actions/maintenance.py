"""`maintenance`: the maintenance windows; makes one, or removes one."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from typing import cast

from django.core.management.base import CommandError

from dbvigil.alerting.service import get_database_alerting
from dbvigil.alerting.windows import Values, number_of
from dbvigil.management.actions.acknowledge import add_user, login_name
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal import windows as views
from dbvigil.terminal.text import clean

_OF_A_WINDOW = ("schedule", "zone", "minutes", "database", "metric", "reason")
_NEEDED = ("schedule", "zone", "minutes")


def _flags(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--add", metavar="NAME", help="make a window of this name")
    what.add_argument("--remove", metavar="NAME", help="remove the window of this name")
    parser.add_argument("--schedule", metavar="CRON", help='when it begins, such as "0 3 * * 0"')
    parser.add_argument("--zone", metavar="Z", help="whose clock that is, such as Europe/Berlin")
    parser.add_argument("--minutes", type=int, metavar="N", help="how long it lasts")
    parser.add_argument("--database", metavar="A", help="only this database; every one where it is left out")
    parser.add_argument("--metric", metavar="M", help="only this metric; every one where it is left out")
    parser.add_argument("--reason", metavar="T", help="why, kept on record")
    add_user(parser, "who makes or removes it")


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    if options["add"] is not None:
        _add(monitor, options, output)
        return
    given = next((name for name in _OF_A_WINDOW if options[name] is not None), None)
    if given is not None:
        raise CommandError(f"--{given} says something of a new window: --add NAME is missing")
    if options["remove"] is not None:
        _remove(options, output)
        return
    found = get_database_alerting().get_windows()
    if output.as_json:
        output.document({"count": len(found), "results": found})
        return
    now = datetime.now().astimezone()
    output.show(lambda: views.drawn(found, now), lambda: views.lines(found, now))


def _add(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    missing = next((name for name in _NEEDED if options[name] is None), None)
    if missing is not None:
        raise CommandError(f"--{missing} is missing: a window has a schedule, a time zone and an end")
    names = {"zone": "time_zone"}
    values = {names.get(name, name): options[name] for name in _OF_A_WINDOW if options[name] is not None}
    made = get_database_alerting().add_window(
        cast(Values, {"name": options["add"], **values}), monitor.databases(), _user(options)
    )
    if output.as_json:
        output.document(made)
    else:
        output.say(clean(views.sentence(made, datetime.now().astimezone())))


def _remove(options: Options, output: Output) -> None:
    removed = get_database_alerting().remove_window(number_of(options["remove"]), _user(options))
    if output.as_json:
        output.document(removed)
    else:
        output.say(clean(f"The window {removed['name']} is removed: {views.about(removed)} is heard again."))


def _user(options: Options) -> str:
    return options["user"] or login_name()


ACTION = Action("maintenance", "show the maintenance windows, make one or remove one", _run, _flags)
