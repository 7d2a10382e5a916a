"""History as it is shown: the bodies that the API and the command answer with, made from what `dbvigil.history` keeps."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from dbvigil.catalogue import NUMERIC
from dbvigil.catalogue import metric as catalogue_row
from dbvigil.errors import HistoryError
from dbvigil.history.base import History
from dbvigil.types import iso_utc

LONGEST_HOURS = 400 * 24
_TREND_HOURS = 24
_TREND_METRICS = ("queries_rate", "connection_usage", "query_time", "replication_lag", "health_score")


def series(
    history: History,
    database: str,
    hours: float,
    metric: str | Iterable[str] | None,
    resolution: int | None,
    now: datetime,
) -> dict[str, Any]:
    """The body of GET metrics/{database}/history/; `metric` None is every numeric metric.

    Raises `UnknownMetric`, and `HistoryError` naming the parameter that cannot be answered.
    """
    names = _metric_names(metric)
    found = history.query(database, names, now - _span(hours), now, resolution)
    return {
        "database": database,
        "hours": hours,
        "resolution_seconds": found.resolution_seconds,
        "series": {
            name: [[_iso(moment), average, least, most] for moment, average, least, most in points]
            for name, points in found.points.items()
        },
    }


def summary(history: History, database: str, hours: float, now: datetime) -> dict[str, dict[str, float]]:
    """Minimum, mean and maximum of every numeric metric over the last `hours`."""
    found = history.aggregate(database, NUMERIC, now - _span(hours), now)
    return {name: {"min": least, "mean": mean, "max": most} for name, (least, mean, most) in found.items()}


def trends(history: History, database: str, now: datetime) -> dict[str, Any]:
    """A day of the metrics that a dashboard draws."""
    body: dict[str, Any] = series(history, database, _TREND_HOURS, _TREND_METRICS, None, now)["series"]
    return body


def _metric_names(metric: str | Iterable[str] | None) -> tuple[str, ...]:
    if metric is None:
        return NUMERIC
    names = (metric,) if isinstance(metric, str) else tuple(metric)
    for name in names:
        if not catalogue_row(name).numeric:
            raise HistoryError(
                "metric",
                f"{name} is not a number, so it has no history; see the catalogue for those that have",
            )
    return names


def _span(hours: float) -> timedelta:
    if isinstance(hours, bool) or not 0 < hours <= LONGEST_HOURS:
        raise HistoryError("hours", f"{hours} is not allowed; allowed: more than 0, at most {LONGEST_HOURS}")
    return timedelta(hours=hours)


def _iso(moment: float) -> str:
    return iso_utc(datetime.fromtimestamp(moment, UTC))
