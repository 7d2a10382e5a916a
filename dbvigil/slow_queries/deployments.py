"""When what ran against the databases changed, and what that did to their statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from dbvigil.errors import ConfigurationError
from dbvigil.models import Deployment, QueryKind, QueryPlan
from dbvigil.queries.figures import Figures
from dbvigil.queries.rules.statistics_history import latency_regression
from dbvigil.slow_queries.novelty import is_new
from dbvigil.slow_queries.past import figures_between, trend
from dbvigil.types import iso_utc

LONGEST_NAME = 100
LONGEST_AGO = timedelta(days=30)
TOLD_FOR = timedelta(days=7)
"""How long a statement is compared with what it was before a deployment."""
_COMPARED = timedelta(hours=24)
_LEAST = timedelta(minutes=15)


def deployed(name: str, database: str, by: str, now: datetime, minutes_ago: float = 0.0) -> dict[str, Any]:
    """Puts a deployment on record: of one database, or of every one where `database` is empty. Raises `ConfigurationError`."""
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise ConfigurationError(
            "name", name[:LONGEST_NAME], f"allowed: 1 to {LONGEST_NAME} printable characters"
        )
    if not 0 <= minutes_ago <= LONGEST_AGO / timedelta(minutes=1):
        raise ConfigurationError("minutes_ago", minutes_ago, "allowed: 0 to 43200")
    made = Deployment.objects.create(
        name=name.strip(), database=database, at=now - timedelta(minutes=minutes_ago), by=by[:150]
    )
    return body(made)


def deployments(since: datetime, database: str | None = None) -> list[dict[str, Any]]:
    """Those since a moment, the newest first; with `database` those that touched it."""
    rows = Deployment.objects.filter(at__gte=since)
    if database is not None:
        rows = rows.filter(Q(database=database) | Q(database=""))
    return [body(row) for row in rows.order_by("-at", "-id")]


def body(row: Deployment) -> dict[str, Any]:
    return {"name": row.name, "at": iso_utc(row.at), "database": row.database or None, "by": row.by}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The newest deployment that touched a database, with the figures of each kind of statement since it and just before it."""

    deployment: Deployment
    since: Mapping[int, Figures] = field(default_factory=dict)
    before: Mapping[int, Figures] = field(default_factory=dict)

    def of(self, kind: QueryKind, plans: Sequence[QueryPlan], known: datetime | None) -> dict[str, Any]:
        """What it did to one kind of statement of a database whose first was seen at `known`.

        `trend`: its time an execution as a multiple of that before, None where unknown.
        """
        since, before = self.since.get(kind.id), self.before.get(kind.id)
        slower = [] if since is None or before is None else latency_regression(before, since)
        return {
            "name": self.deployment.name,
            "at": iso_utc(self.deployment.at),
            "is_new": is_new(kind.first_seen, known, self.deployment.at),
            "trend": None if since is None else trend(before, since),
            "slower": slower[0].detail if slower else "",
            "plan_changed": len(plans) > 1 and plans[0].first_seen >= self.deployment.at,
        }


def comparison(database: str, sources: set[str], now: datetime) -> Comparison | None:
    """With the newest deployment of the last week: up to a day since it against as long before it; None where there was none."""
    newest = (
        Deployment.objects.filter(Q(database=database) | Q(database=""), at__gte=now - TOLD_FOR, at__lte=now)
        .order_by("-at", "-id")
        .first()
    )
    if newest is None:
        return None
    span = min(max(now - newest.at, _LEAST), _COMPARED)
    until = newest.at + span
    return Comparison(
        newest,
        figures_between(database, sources, newest.at, None if until >= now else until),
        figures_between(database, sources, newest.at - span, newest.at),
    )
