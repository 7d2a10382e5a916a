"""What an alert can be about: the databases and metrics that may be asked for, or kept quiet."""

from __future__ import annotations

from collections.abc import Sequence

from dbvigil.alerting.selfwatch import OWN
from dbvigil.alerts.shipped import SHIPPED
from dbvigil.catalogue import NUMERIC
from dbvigil.errors import AlertError, UnknownDatabase
from dbvigil.models import Episode

METRICS: tuple[str, ...] = tuple(dict.fromkeys((*NUMERIC, *(rule.metric for rule in SHIPPED))))
"""The metrics that rules alert on. Beside them there are those that dbvigil's watch over itself and programs name."""


def check_database(database: str, monitored: Sequence[str]) -> None:
    """Raises `UnknownDatabase` unless `database` is monitored, or has ever had an alert: one that is monitored no more has a history."""
    if database in (OWN, *monitored) or Episode.objects.filter(database=database).exists():
        return
    raise UnknownDatabase(database, tuple(monitored))


def check_metric(metric: str) -> None:
    """Raises `AlertError` unless a rule alerts on `metric`, or an alert has carried it."""
    if metric in METRICS or Episode.objects.filter(metric=metric).exists():
        return
    raise AlertError("metric", f"no alert is about {metric!r}; allowed: {', '.join(METRICS)}")
