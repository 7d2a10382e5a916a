"""`threshold`: shows the levels of one metric, sets them, or goes back to those of the settings."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from dbvigil import conf
from dbvigil.catalogue import metric as catalogue_row
from dbvigil.display import display
from dbvigil.management.actions.acknowledge import add_user, login_name
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal.text import clean

_OFF = "off"


def _flags(parser: ArgumentParser) -> None:
    parser.add_argument("metric", metavar="METRIC", help="a metric that is a number")
    parser.add_argument("--warning", metavar="W", help=f"worth a warning from here on; {_OFF}: never")
    parser.add_argument("--critical", metavar="C", help=f"critical from here on; {_OFF}: never")
    parser.add_argument("--database", metavar="A", help="only this database; every one where it is left out")
    parser.add_argument("--reset", action="store_true", help="go back to what the settings say")
    add_user(parser, "who changes it")


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    metric, database = options["metric"], options["database"]
    given = [name for name in ("warning", "critical") if options[name] is not None]
    if options["reset"] and given:
        raise CommandError(f"--reset and --{given[0]} exclude each other")
    user = options["user"] or login_name()
    if options["reset"]:
        _tell(output, monitor.reset_threshold(metric, database, by=user))
    elif given:
        if len(given) == 1:
            missing = "critical" if given == ["warning"] else "warning"
            raise CommandError(f"--{missing} is missing: give both levels, or say {_OFF}")
        warning, critical = (_level(name, options[name]) for name in ("warning", "critical"))
        _tell(output, monitor.update_threshold(metric, warning, critical, database, by=user))
    else:
        _show(monitor, metric, database, output)


def _level(name: str, text: str) -> float | None:
    return None if text == _OFF else conf.check_level(f"--{name}", text)


def _show(monitor: DatabaseMonitor, metric: str, database: str | None, output: Output) -> None:
    catalogue_row(metric)
    if database is not None:
        monitor.require(database)
    rows = [
        row
        for row in monitor.get_configuration()["thresholds"]
        if row["metric"] == metric and (database is None or row["database"] in (None, database))
    ]
    if output.as_json:
        output.document({"metric": metric, "thresholds": rows})
    elif rows:
        output.lines(clean(f"{_about(row)}: {_levels(row)} ({row['source']})") for row in rows)
    else:
        output.say(clean(f"{metric} has no threshold: nothing alerts on it."))


def _tell(output: Output, changed: dict[str, Any]) -> None:
    if output.as_json:
        output.document(changed)
        return
    before = changed["previous"]
    was = f"it was {_levels({**before, 'metric': changed['metric']})}" if before else "it had none"
    output.say(clean(f"{_about(changed)}: {_levels(changed)}; {was}."))


def _about(row: dict[str, Any]) -> str:
    return f"{row['metric']} of {row['database'] or 'every database'}"


def _levels(row: dict[str, Any]) -> str:
    levels = [
        f"{name} {display(row['metric'], row[name])}"
        for name in ("warning", "critical")
        if row[name] is not None
    ]
    return ", ".join(levels) or "no level"


ACTION = Action("threshold", "show, set or reset the levels of one metric", _run, _flags)
