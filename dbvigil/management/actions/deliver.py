"""`deliver`: delivers alerts in a process of its own, beside the monitor's."""

from __future__ import annotations

from django.core.management.base import CommandError

from dbvigil.alerting.service import get_database_alerting
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal.screen import Interrupts
from dbvigil.terminal.text import clean

_LOOK_EVERY = 0.5


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    alerting = get_database_alerting()
    channels = list(alerting.channels())
    deliverer = alerting.deliverer()
    with Interrupts() as interrupts:
        deliverer.start()
        try:
            named = clean(", ".join(channels)) or "no channel: none is configured"
            output.say(f"Delivering alerts on {named}. Ctrl-C stops it.")
            if output.as_json:
                output.document({"identity": deliverer.identity, "channels": channels})
            while deliverer.running and not interrupts.ended:
                interrupts.wait(_LOOK_EVERY)
            died = not interrupts.ended
        finally:
            deliverer.stop()
    if died:
        raise CommandError("the delivery ended by itself; its log has the cause")
    output.say("The delivery has stopped.")


ACTION = Action("deliver", "deliver alerts in the foreground until Ctrl-C or SIGTERM", _run)
