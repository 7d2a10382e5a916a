"""`start`: runs the monitor in the foreground, or takes one sample of each database."""

from __future__ import annotations

import gc
import time
from argparse import ArgumentParser
from collections.abc import Sequence

from django.core.management.base import CommandError

from dbvigil import conf
from dbvigil.management.actions import status
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.management.actions.watch import watch
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal.screen import Interrupts
from dbvigil.terminal.text import clean, duration

_LOOK_EVERY = 0.2
_STARTS_WITHIN = 5.0


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--interval", type=float, metavar="N", help="seconds between samples, kept until it is set again"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--watch", action="store_true", help="show the live view")
    how.add_argument("--once", action="store_true", help="take one sample of each database and end")


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    if options["watch"] and output.as_json:
        raise CommandError("--watch and --json exclude each other: a live view is no document")
    targets = sorted(conf.load().targets)
    if not targets:
        raise CommandError(
            "there is nothing to monitor; set DB_MONITORING_TARGETS, or add a MySQL database to DATABASES"
        )
    if options["interval"] is not None:
        monitor.set_interval(options["interval"], by="the command")
    if options["once"]:
        _once(monitor, output)
    else:
        _foreground(monitor, options, output, targets)


def _once(monitor: DatabaseMonitor, output: Output) -> None:
    sampled = monitor.collect_all()
    if output.as_json:
        moment = monitor.get_health_summary()["timestamp"]
        databases = {alias: figures.to_dict() for alias, figures in sampled.items()}
        output.document({"timestamp": moment, "databases": databases})
    else:
        status.show(monitor, output)


def _foreground(monitor: DatabaseMonitor, options: Options, output: Output, targets: Sequence[str]) -> None:
    other = monitor.is_running
    with Interrupts() as interrupts:
        monitor.start(standby=True)
        # What is loaded by now stays: left alone by the collector, whose rounds would cost a tenth of a storm's time.
        gc.freeze()
        try:
            _announce(monitor, output, targets, other, interrupts)
            if options["watch"]:
                watch(monitor, output, interrupts, lambda: monitor.runs_here)
            else:
                while monitor.runs_here and not interrupts.ended:
                    interrupts.wait(_LOOK_EVERY)
            said = not monitor.runs_here
        finally:
            monitor.stop_here()
    output.say("The monitor has stopped, as it was told elsewhere." if said else "The monitor has stopped.")


def _announce(
    monitor: DatabaseMonitor, output: Output, targets: Sequence[str], other: bool, interrupts: Interrupts
) -> None:
    """Says once that it runs, to a person or to the program that started it."""
    state = monitor.get_status()
    if other:
        text = "Another monitor runs; this one stands by and takes over when that one goes. Ctrl-C stops it."
    else:
        named = clean(", ".join(targets)) if len(targets) <= 4 else f"{len(targets)} databases"
        text = f"Monitoring {named} every {duration(state['interval_seconds'])}. Ctrl-C stops it."
    output.say(text)
    if output.as_json:
        deadline = time.monotonic() + _STARTS_WITHIN
        while not state["running"] and time.monotonic() < deadline and not interrupts.ended:
            interrupts.wait(0.05)
            state = monitor.get_status()
        output.document({**state, "standby": other, "databases": list(targets)})


ACTION = Action("start", "run the monitor in the foreground until Ctrl-C, SIGTERM or `stop`", _run, _flags)
