"""`slow-queries`: which statements cost most, as the monitor has collected them, as a server tells now, or as a slow log has it."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbvigil.errors import ConfigurationError
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.queries.severity import SEVERITIES
from dbvigil.slow_queries.analyzer import SlowQueryAnalyzer
from dbvigil.slow_queries.stored import slow_queries, troubles
from dbvigil.terminal import queries as views

_LIMIT = 20
_HOURS = 24.0


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument("--database", metavar="A", help="only this database")
    parser.add_argument(
        "--log", metavar="FILE", help="read this slow query log, plain or gzip; needs no server"
    )
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        default=_LIMIT,
        help=f"at most so many; {_LIMIT} where it is left out",
    )
    parser.add_argument(
        "--hours",
        type=float,
        metavar="N",
        help=f"what the monitor collected in the last N hours; {_HOURS:g} where it is left out",
    )
    parser.add_argument(
        "--now", action="store_true", help="ask the servers now: all since their counters began"
    )
    parser.add_argument("--severity", metavar="S", choices=SEVERITIES, help="only those of this severity")


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    if options["limit"] < 1:
        raise ConfigurationError("--limit", options["limit"], "allowed: 1 or more")
    body, results = _of_log(options) if options["log"] is not None else _of_servers(monitor, options)
    if output.as_json:
        output.document(body)
        return
    output.show(
        lambda: views.drawn(body, results, output.room, output.glyphs), lambda: views.lines(body, results)
    )


def _of_log(options: Options) -> tuple[dict[str, Any], list[Any]]:
    for other in ("hours", "now"):
        if options[other]:
            raise ConfigurationError(
                f"--{other}", options[other], "allowed: without --log, which is read whole"
            )
    path = Path(options["log"])
    try:
        found = SlowQueryAnalyzer(options["database"] or "default").analyze_log_file(
            path, options["limit"], options["severity"]
        )
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise ConfigurationError(
            "--log", str(path), f"allowed: a slow query log that can be read ({reason})"
        ) from None
    return found.to_dict(), found.results


def _of_servers(monitor: DatabaseMonitor, options: Options) -> tuple[dict[str, Any], list[Any]]:
    database = options["database"]
    if database is not None:
        monitor.require(database)
    chosen = monitor.databases() if database is None else (database,)
    if options["now"]:
        found = [one for alias in chosen for one in SlowQueryAnalyzer(alias).analyze_server(options["limit"])]
        found = [one for one in found if options["severity"] in (None, one.severity)]
        found.sort(key=lambda one: -(one.total_time or 0.0))
        found = found[: options["limit"]]
    else:
        hours = _HOURS if options["hours"] is None else options["hours"]
        now = datetime.now(UTC)
        found = slow_queries(chosen, hours, now, limit=options["limit"], only=options["severity"])
    body = {
        "events": sum(one.count or 0 for one in found),
        "total_time": sum(one.total_time or 0.0 for one in found),
        "skipped_bytes": 0,
        "kinds": len(found),
        "results": [one.to_dict() for one in found],
        "trouble": {} if options["now"] else troubles(chosen),
    }
    return body, found


ACTION = Action("slow-queries", "show which statements cost most, and what to do about them", _run, _flags)
