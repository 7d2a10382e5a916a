"""`config`: settings and thresholds in effect, each with where it comes from, and channels; secrets masked."""

from __future__ import annotations

from dbvigil.alerting.service import get_database_alerting
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal import config as views


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    body = {**monitor.get_configuration(), "channels": get_database_alerting().switchboard.shown()}
    if output.as_json:
        output.document(body)
    else:
        output.show(lambda: views.tables(body, output.room), lambda: views.lines(body))


ACTION = Action(
    "config", "show settings, thresholds and channels in effect, each with where it comes from", _run
)
