"""`stop`: stops the running monitor, wherever it runs."""

from __future__ import annotations

from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    ran = monitor.is_running
    if ran:
        monitor.stop()
    if output.as_json:
        output.document({**monitor.get_status(), "was_running": ran})
    else:
        output.say("The monitor has stopped." if ran else "No monitor is running.")


ACTION = Action("stop", "stop the running monitor, wherever it runs, and wait until it has stopped", _run)
