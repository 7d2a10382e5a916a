"""What a kind of statement was before: slower than it was, on another plan, in the windows that are kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from dbvigil.models import QueryPlan, QueryWindow
from dbvigil.queries.figures import Figures
from dbvigil.queries.rules.statistics_history import latency_regression
from dbvigil.query import Recommendation
from dbvigil.slow_queries.storing import COARSE, FINE, read_windows


def windows_of(database: str, source: str, start: datetime, end: datetime | None) -> list[QueryWindow]:
    """Those whose middle lies between `start` and `end`, so that two spans side by side share none; all since `start` without an end."""
    rows = QueryWindow.objects.filter(database=database, source=source)
    found: list[QueryWindow] = []
    for step in (FINE, COARSE):
        chosen = rows.filter(step=step, start__gte=int(start.timestamp()) - step // 2)
        if end is not None:
            chosen = chosen.filter(start__lt=int(end.timestamp()) - step // 2)
        found += chosen
    return found


def figures_between(
    database: str, sources: Collection[str], start: datetime, end: datetime | None
) -> dict[int, Figures]:
    """What each kind of statement cost in a span, by its id."""
    found: dict[int, Figures] = {}
    for source in sources:
        window = read_windows(windows_of(database, source, start, end))
        found |= {number: window.figures(number) for number in window.kinds}
    return found


def changed(
    figures: Figures, before: Figures | None, plans: Sequence[QueryPlan], since: datetime
) -> list[Recommendation]:
    """Advice from what was before: slower than it was, or on another plan."""
    found = [
        Recommendation(
            "latency_regression",
            "Slower than before",
            finding.detail,
            "application",
            evidence={"before": finding.before, "after": finding.after, "method": "statistics"},
            confidence="estimated",
        )
        for finding in ([] if before is None else latency_regression(before, figures))
    ]
    if len(plans) > 1 and plans[0].first_seen >= since:
        found.append(
            Recommendation(
                "plan_change",
                "Runs on another plan than before",
                "; ".join(plans[0].changes),
                "schema",
                evidence={"before": plans[1].hash, "after": plans[0].hash, "method": "plan"},
                confidence="estimated",
            )
        )
    return found


def trend(before: Figures | None, now: Figures) -> float | None:
    if before is None or not before.avg_time or now.avg_time is None:
        return None
    return now.avg_time / before.avg_time


def plans_of(ids: Sequence[int]) -> dict[int, list[QueryPlan]]:
    """The plans of each kind, the present one first."""
    found: dict[int, list[QueryPlan]] = {}
    for plan in QueryPlan.objects.filter(kind_id__in=list(ids)).order_by("-last_seen", "-id"):
        found.setdefault(plan.kind_id, []).append(plan)
    return found
