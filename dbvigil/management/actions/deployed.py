"""`deployed`: puts a deployment on record, so that slow queries are compared with what they were before it."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime

from dbvigil.management.actions.acknowledge import add_user, login_name
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.slow_queries.deployments import deployed
from dbvigil.terminal.text import clean


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="what was deployed: a version, a commit")
    parser.add_argument("--database", metavar="A", help="only this database; every one where it is left out")
    parser.add_argument(
        "--minutes-ago", type=float, metavar="N", default=0.0, help="when it was; now where it is left out"
    )
    add_user(parser, "who says so")


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    if options["database"] is not None:
        monitor.require(options["database"])
    user, now = options["user"] or login_name(), datetime.now(UTC)
    made = deployed(options["name"], options["database"] or "", user, now, options["minutes_ago"])
    if output.as_json:
        output.document(made)
    else:
        output.say(
            clean(
                f"{made['name']} is on record as deployed at {made['at']} on {made['database'] or 'every database'}."
            )
        )


ACTION = Action("deployed", "put a deployment on record, to compare slow queries with", _run, _flags)
