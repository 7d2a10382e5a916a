"""Effective thresholds: the catalogue's defaults, under the settings, under what was stored at run time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from dbvigil.catalogue import metric as catalogue_row
from dbvigil.conf import check_levels
from dbvigil.models import StoredThreshold
from dbvigil.monitoring import control
from dbvigil.types import Threshold


class Thresholds:
    """All thresholds as they stood when they were read.

    `of(database)` is what holds for one database, by metric.
    """

    def __init__(self, configured: Mapping[str, Threshold]) -> None:
        self._everywhere = dict(configured)
        self._by_database: dict[str, dict[str, Threshold]] = {}
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
    configured: Mapping[str, Threshold],
    metric: str,
    warning: float | None,
    critical: float | None,
    database: str | None,
    by: str,
) -> dict[str, Any]:
    """Stores a threshold.

    What holds now and what held before. Raises `UnknownMetric` or `ConfigurationError`; then nothing is
    stored.
    """
    catalogue_row(metric)
    check_levels(metric, warning, critical)
    threshold = Threshold(metric, warning, critical, database, "stored")
    with transaction.atomic():
        current = Thresholds(configured)
        previous = current.of(database or "").get(metric)
        StoredThreshold.objects.update_or_create(
            metric=metric,
            database=database or "",
            defaults={
                "warning": warning,
                "critical": critical,
                "changed_by": by,
                "changed_at": datetime.now(UTC),
            },
        )
        control.tell_change()
    return {
        "metric": metric,
        "warning": threshold.warning,
        "critical": threshold.critical,
        "database": database,
        "previous": previous
        and {"warning": previous.warning, "critical": previous.critical, "source": previous.source},
    }
