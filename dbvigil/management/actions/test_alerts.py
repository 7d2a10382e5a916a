"""`test-alerts`: a test message on every channel, and what became of each."""

from __future__ import annotations

from argparse import ArgumentParser

from django.core.management.base import CommandError

from dbvigil.alerting.service import get_database_alerting
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal import alerts as views
from dbvigil.terminal.text import clean

_NONE = "no channel is configured; set DB_ALERT_EMAIL_RECIPIENTS, DB_ALERT_WEBHOOK_URL, DB_ALERT_SLACK_WEBHOOK or DB_ALERT_APPRISE_URLS"


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument("--channel", metavar="C", help="only this channel")


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    channel = options["channel"]
    results = get_database_alerting().switchboard.test(None if channel is None else [channel])
    if output.as_json:
        output.document({"results": results})
    elif not results:
        output.lines([_NONE])
    else:
        output.show(lambda: views.outcomes(results, output.glyphs), lambda: views.outcome_lines(results))
    failed = [f"{clean(name)} ({clean(row['detail'])})" for name, row in results.items() if not row["ok"]]
    if failed:
        raise CommandError(f"not delivered: {', '.join(failed)}")


ACTION = Action(
    "test-alerts", "send a test message on every channel and show what became of it", _run, _flags
)
