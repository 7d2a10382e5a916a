"""The live view on a terminal; on anything else one line for every new sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import Error as ServiceDatabaseError
from django.db import close_old_connections, connections

from dbvigil.management.actions.base import Output
from dbvigil.management.trouble import explain
from dbvigil.monitoring import DatabaseMonitor
from dbvigil.terminal import plain
from dbvigil.terminal.live import Frame
from dbvigil.terminal.logs import held_back
from dbvigil.terminal.overview import ORDER, TREND_METRICS, TREND_SAMPLES, Overview, overview, trend
from dbvigil.terminal.screen import Interrupts, Screen

_REFRESH = 1.0
_MOST_TRENDS = 50
_LOG_LINES = 3

Trends = Mapping[str, tuple[float | None, ...]]


class Reader:
    """Reads the overview again and again, and a database's trends whenever it has a new sample."""

    def __init__(self, monitor: DatabaseMonitor) -> None:
        self._monitor = monitor
        self._trends: dict[str, tuple[tuple[str, float], Trends]] = {}

    def look(self) -> Overview:
        """How it is now, in this machine's time zone; raises `django.db.Error`."""
        close_old_connections()
        health = self._monitor.get_health_summary()
        metrics = self._monitor.get_current_metrics()
        trends = {alias: self._trend(alias, health) for alias in self._drawn(health)}
        return overview(health, metrics, datetime.now().astimezone(), trends)

    @staticmethod
    def _drawn(health: Mapping[str, Any]) -> list[str]:
        """The databases that a screen may have room for: where not all fit, the worst are shown."""
        databases = health["databases"]
        return sorted(databases, key=lambda alias: ORDER.index(databases[alias]["status"]))[:_MOST_TRENDS]

    def _trend(self, alias: str, health: Mapping[str, Any]) -> Trends:
        sampled: str | None = health["databases"][alias]["last_sample"]
        interval: float = health["monitor"]["interval_seconds"]
        if sampled is None:
            return {}
        known = self._trends.get(alias)
        if known is None or known[0] != (sampled, interval):
            hours = TREND_SAMPLES * interval / 3600
            series = self._monitor.get_metrics_history(alias, hours, TREND_METRICS)["series"]
            known = (sampled, interval), trend(series, datetime.fromisoformat(sampled), interval)
            self._trends[alias] = known
        return known[1]


def watch(
    monitor: DatabaseMonitor, output: Output, interrupts: Interrupts, going_on: Callable[[], bool]
) -> None:
    """Shows how it is until q, a signal, or `going_on` is false.

    Raises `django.db.Error` where the first look fails; later trouble is shown and looked past.
    """
    reader = Reader(monitor)
    view = reader.look()
    if not output.live:
        _lines(reader, view, output, interrupts, going_on)
        return
    with held_back() as log, Screen(output.console, interrupts) as screen:
        trouble: tuple[str, ...] = ()
        while going_on() and not interrupts.ended:
            screen.show(Frame(view, output.glyphs, (*log.newest(_LOG_LINES), *trouble)))
            if "q" in screen.wait(_REFRESH).lower():
                break
            view, trouble = _look_again(reader, view)


def _look_again(reader: Reader, view: Overview) -> tuple[Overview, tuple[str, ...]]:
    """The next look, or the last one grown older with what went wrong."""
    try:
        return reader.look(), ()
    except ServiceDatabaseError as error:
        connections.close_all()
        now = datetime.now().astimezone()
        return view.at(now), (f"as of {view.now:%H:%M:%S}: {explain(error)}",)


def _lines(
    reader: Reader, view: Overview, output: Output, interrupts: Interrupts, going_on: Callable[[], bool]
) -> None:
    told: dict[str, tuple[object, str]] = {}
    complaint: tuple[str, ...] = ()
    while going_on() and not interrupts.ended:
        for database in view.databases:
            news = (database.figures.timestamp, database.status)
            if database.age_seconds is not None and told.get(database.alias) != news:
                told[database.alias] = news
                output.lines([plain.sampled(view, database)])
        interrupts.wait(_REFRESH)
        view, trouble = _look_again(reader, view)
        if bool(trouble) != bool(complaint):
            output.complain(trouble[0] if trouble else "the service's own database answers again")
        complaint = trouble
