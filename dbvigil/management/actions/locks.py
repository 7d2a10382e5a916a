"""`locks`: who waits for whom now, who did, and deadlocks by pattern."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime

from dbvigil.locks.stored import deadlocks, lock_waits
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal import locks as views

_HOURS = 24.0
_LIMIT = 20


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument("--database", metavar="A", help="only this database")
    parser.add_argument(
        "--hours",
        type=float,
        metavar="N",
        default=_HOURS,
        help=f"what was seen in the last N hours; {_HOURS:g} where it is left out",
    )
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        default=_LIMIT,
        help=f"at most so many of each; {_LIMIT} where it is left out",
    )


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    database, hours, limit = options["database"], options["hours"], options["limit"]
    if database is not None:
        monitor.require(database)
    chosen = monitor.databases() if database is None else (database,)
    now, interval = datetime.now(UTC), monitor.get_status()["interval_seconds"]
    waits = lock_waits(chosen, hours, now, limit=limit, interval=interval)
    found = deadlocks(chosen, hours, now, limit=limit)
    if output.as_json:
        output.document(
            {
                "hours": hours,
                "lock_waits": {"count": len(waits), "results": waits},
                "deadlocks": {"count": len(found), "results": found},
            }
        )
        return
    here = now.astimezone()
    output.show(lambda: views.drawn(waits, found, here), lambda: views.lines(waits, found, here))


ACTION = Action("locks", "show who waits for whom, who did, and deadlocks by pattern", _run, _flags)
