"""`connections`: who holds connections, leaks, and advice on limits."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime

from dbvigil.connections.stored import connections
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal import connections as views


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument("--database", metavar="A", help="only this database")


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    database = options["database"]
    if database is not None:
        monitor.require(database)
    found = connections(monitor.databases() if database is None else (database,), datetime.now(UTC))
    if output.as_json:
        output.document({"databases": found})
        return
    output.show(lambda: views.drawn(found), lambda: views.lines(found))


ACTION = Action("connections", "show who holds connections, leaks, and advice on limits", _run, _flags)
