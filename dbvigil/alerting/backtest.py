"""Thresholds tried on recorded history before anybody is woken by them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from dbvigil import conf
from dbvigil.alerts.backtest import Reading, replay
from dbvigil.alerts.rule import Rule
from dbvigil.alerts.rules import for_database
from dbvigil.catalogue import metric as catalogue_row
from dbvigil.errors import AlertError, ConfigurationError
from dbvigil.history.base import History
from dbvigil.types import Threshold

# At one-second steps samples come as they were taken; history answers so many steps at once.
_SLICE = timedelta(hours=3)


def backtest(
    history: History,
    database: str,
    metric: str,
    warning: float | None,
    critical: float | None,
    hours: float,
    now: datetime,
) -> dict[str, Any]:
    """How a threshold would have done: `{"samples", "readings", "fired", "firing_seconds", "longest_seconds", "episodes"}`.

    Raises `UnknownMetric`, `ConfigurationError` for levels that cannot be, `AlertError` for a range beyond the raw samples.
    """
    rule = _rule(metric, warning, critical)
    longest = conf.load().retention_days * 24
    if isinstance(hours, bool) or not 0 < hours <= longest:
        raise AlertError(
            "hours",
            f"{hours:g} is not allowed; allowed: more than 0, at most {longest:g}, for which single samples are kept",
        )
    found = replay(rule, _readings(history, database, metric, now - timedelta(hours=hours), now))
    episodes = [firing.to_dict(now) for firing in found.firings]
    seconds = [episode["seconds"] for episode in episodes]
    return {
        "samples": found.samples,
        "readings": found.readings,
        "fired": len(episodes),
        "firing_seconds": round(sum(seconds), 3),
        "longest_seconds": max(seconds, default=0.0),
        "episodes": episodes,
    }


def _rule(metric: str, warning: float | None, critical: float | None) -> Rule:
    """The rule that would hold: the one that ships for the metric, or a plain one, with these levels."""
    if warning is None and critical is None:
        raise ConfigurationError("warning", None, "allowed: at least one of warning and critical")
    catalogue_row(metric)
    conf.check_levels(metric, warning, critical)
    changes = {name: dict(values, enabled=True) for name, values in (conf.load().alerts.rules or {}).items()}
    rules = for_database({metric: Threshold(metric, warning, critical)}, changes)
    return next(rule for rule in rules if rule.id == metric)


def _readings(
    history: History, database: str, metric: str, start: datetime, end: datetime
) -> Iterator[Reading]:
    """Every sample of the range, in time order. A sample that found the server down has no other reading."""
    while start <= end:
        last = min(end, start + _SLICE - timedelta(milliseconds=1))
        found = history.query(database, ("up", metric) if metric != "up" else ("up",), start, last, 1).points
        values = {moment: mean for moment, mean, _, _ in found.get(metric, ())}
        for moment, up, _, _ in found["up"]:
            yield Reading(datetime.fromtimestamp(moment, UTC), up >= 1, values.get(moment))
        start = last + timedelta(milliseconds=1)
