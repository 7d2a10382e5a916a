"""`topology`: who follows whom, what is wrong about it, and when those that are behind will have caught up."""

from __future__ import annotations

from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal import topology as views


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    body = monitor.get_replication()
    if output.as_json:
        output.document(body)
        return
    output.show(lambda: views.drawn(body), lambda: views.lines(body))


ACTION = Action("topology", "show which servers replicate from which, and what is wrong about it", _run)
"""Asks no monitored server."""
