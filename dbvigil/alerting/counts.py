"""How many alerts are open, for whoever only wants to know that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from django.db.models import Count, Q

from dbvigil.models import Episode

_SUPPRESSED = Q(suppressed_until__isnull=False)
_ACKNOWLEDGED = Q(acknowledged_at__isnull=False)


@dataclass(frozen=True, slots=True)
class OpenAlerts:
    """How many alerts are open by how they stand, and the same ones by severity; `databases` has how many each database has.

    A database without one is not in `databases`; one that is monitored no more can be, and so can `dbvigil` itself.
    """

    firing: int = 0
    acknowledged: int = 0
    suppressed: int = 0
    critical: int = 0
    warning: int = 0
    databases: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, int]:
        """The key `alerts` of GET health/."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "databases"}


def count_open() -> OpenAlerts:
    """Counts in one query, which looks at open episodes alone. The states are those of `bodies.status`."""
    rows = (
        Episode.objects.filter(resolved_at=None)
        .order_by()
        .values("database")
        .annotate(
            total=Count("id"),
            suppressed=Count("id", filter=_SUPPRESSED),
            acknowledged=Count("id", filter=_ACKNOWLEDGED & ~_SUPPRESSED),
            critical=Count("id", filter=Q(severity="critical")),
        )
    )
    found = list(rows)
    total, suppressed, acknowledged, critical = (
        sum(row[name] for row in found) for name in ("total", "suppressed", "acknowledged", "critical")
    )
    return OpenAlerts(
        firing=total - suppressed - acknowledged,
        acknowledged=acknowledged,
        suppressed=suppressed,
        critical=critical,
        warning=total - critical,
        databases={row["database"]: row["total"] for row in found},
    )
