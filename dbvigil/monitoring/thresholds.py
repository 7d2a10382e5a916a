"""Effective thresholds: the catalogue's defaults, under the settings, under what was stored at run time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from dbvigil.alerting.audit import SYSTEM, Trail
from dbvigil.catalogue import metric as catalogue_row
from dbvigil.conf import Configured, check_levels
from dbvigil.errors import UnknownThreshold
from dbvigil.models import StoredThreshold
from dbvigil.monitoring import control
from dbvigil.types import Threshold


class Thresholds:
    """All thresholds as they stood when they were read.

    `of(database)` is what holds for one database, by metric.
    """

    def __init__(self, configured: Configured) -> None:
        self._everywhere = dict(configured.everywhere)
        self._by_database = {alias: dict(rows) for alias, rows in configured.by_database.items()}
        for row in StoredThreshold.objects.all():
            threshold = Threshold(row.metric, row.warning, row.critical, row.database or None, "stored")
            if row.database:
                self._by_database.setdefault(row.database, {})[row.metric] = threshold
            else:
                self._everywhere[row.metric] = threshold

    def of(self, database: str) -> dict[str, Threshold]:
        return self._everywhere | self._by_database.get(database, {})

    def rows(self) -> list[dict[str, Any]]:
        """Every threshold, JSON-ready: those for all databases, then those for one."""
        single = [threshold for stored in self._by_database.values() for threshold in stored.values()]
        return [
            {
                "metric": threshold.metric,
                "database": threshold.database,
                "warning": threshold.warning,
                "critical": threshold.critical,
                "source": threshold.source,
            }
            for threshold in [*self._everywhere.values(), *single]
        ]


def update(
    configured: Configured,
    metric: str,
    warning: float | None,
    critical: float | None,
    database: str | None,
    by: str,
) -> dict[str, Any]:
    """Stores a threshold, on record; what holds now and what held before.

    Raises `UnknownMetric` or `ConfigurationError`; then nothing is stored.
    """
    catalogue_row(metric)
    check_levels(metric, warning, critical)
    now = datetime.now(UTC)
    with transaction.atomic():
        trail = Trail()
        trail.hold()
        previous = Thresholds(configured).of(database or "").get(metric)
        StoredThreshold.objects.update_or_create(
            metric=metric,
            database=database or "",
            defaults={
                "warning": warning,
                "critical": critical,
                "changed_by": by,
                "changed_at": now,
            },
        )
        return _told(trail, Threshold(metric, warning, critical, database, "stored"), previous, by, now)


def reset(configured: Configured, metric: str, database: str | None, by: str) -> dict[str, Any]:
    """Forgets a threshold that was stored, so that the settings' own holds again; as `update` answers, on record.

    Raises `UnknownMetric`, or `UnknownThreshold` where none was stored.
    """
    catalogue_row(metric)
    now = datetime.now(UTC)
    with transaction.atomic():
        trail = Trail()
        trail.hold()
        previous = Thresholds(configured).of(database or "").get(metric)
        gone, _ = StoredThreshold.objects.filter(metric=metric, database=database or "").delete()
        if not gone:
            raise UnknownThreshold(metric, database)
        holds = Thresholds(configured).of(database or "").get(metric, Threshold(metric, None, None))
        return _told(trail, replace(holds, database=database), previous, by, now)


def _told(
    trail: Trail, threshold: Threshold, previous: Threshold | None, by: str, now: datetime
) -> dict[str, Any]:
    """Puts the change on record and tells the monitors, within the transaction."""
    body = {
        "metric": threshold.metric,
        "warning": threshold.warning,
        "critical": threshold.critical,
        "database": threshold.database,
        "previous": previous
        and {"warning": previous.warning, "critical": previous.critical, "source": previous.source},
    }
    trail.add(None, "threshold_changed", now, by or SYSTEM, body)
    trail.write()
    control.tell_change()
    return body
