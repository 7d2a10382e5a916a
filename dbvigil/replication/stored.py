"""Replication as the service knows it, from what monitors have stored. No monitored server is asked."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from dbvigil.history.base import History
from dbvigil.models import ReplicationFacts
from dbvigil.replication.facts import Facts
from dbvigil.replication.report import Points, Report, report
from dbvigil.replication.trend import MINUTES
from dbvigil.types import DatabaseMetrics

logger = logging.getLogger(__name__)


def facts(databases: Collection[str]) -> list[Facts]:
    """What each of `databases` told last, by alias; nothing of one that replicates nothing."""
    found = []
    for row in ReplicationFacts.objects.filter(database__in=list(databases)).order_by("database"):
        try:
            found.append(Facts.from_dict(row.database, row.facts))
        except (KeyError, TypeError, ValueError) as error:
            logger.warning("what is stored of %s's replication cannot be read: %s", row.database, error)
    return found


def replication(metrics: Mapping[str, DatabaseMetrics], history: History, now: datetime) -> Report:
    """The report of the databases in `metrics`, their newest figures."""
    known = facts(metrics)
    lags = {
        one.database: _lags(history, one.database, now)
        for one in known
        if (figures := metrics.get(one.database)) is not None and figures.replication_lag
    }
    return report(known, metrics, lags, now)


def _lags(history: History, database: str, now: datetime) -> Points:
    series = history.query(database, ("replication_lag",), now - timedelta(minutes=MINUTES), now, None)
    points: Sequence[tuple[float, float]] = [
        (moment, average) for moment, average, _least, _most in series.points.get("replication_lag", ())
    ]
    return points
