"""`recover`: what recovery may do and has done; with ACTION, does it now."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime

from django.core.management.base import CommandError

from dbvigil.management.actions.acknowledge import add_user, login_name
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.recovery.by_hand import overview, recover
from dbvigil.terminal import recovery as views


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "recovery",
        nargs="?",
        metavar="ACTION",
        help="do this now; without it, actions and attempts are listed",
    )
    parser.add_argument("--database", metavar="A", help="on this database; of a list, only its attempts")
    parser.add_argument("--reason", metavar="T", help="why, kept on record and told with what was done")
    parser.add_argument("--live", action="store_true", help="do it; otherwise only say what would be done")
    add_user(parser, "who asks")


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    database = options["database"]
    if database is not None:
        monitor.require(database)
    if options["recovery"] is not None:
        _recover(options, output)
        return
    if options["live"] or options["reason"] is not None:
        raise CommandError(
            f"--{'live' if options['live'] else 'reason'} says how to do something: ACTION is missing"
        )
    found = overview(database)
    if output.as_json:
        output.document(found)
        return
    now = datetime.now().astimezone()
    output.show(lambda: views.drawn(found, now), lambda: views.lines(found, now))


def _recover(options: Options, output: Output) -> None:
    for name in ("database", "reason"):
        if options[name] is None:
            raise CommandError(f"--{name} is missing: an action is done on one database, and with a reason")
    done = recover(
        options["recovery"],
        options["database"],
        options["reason"],
        options["user"] or login_name(),
        live=options["live"],
    )
    if output.as_json:
        output.document(done)
    else:
        output.lines(views.attempt(done))
    if done["outcome"] == "failed":
        raise CommandError(f"{done['action']} on {done['database']} failed: {done['error']}")


ACTION = Action("recover", "show what recovery may do and has done, or do one action now", _run, _flags)
