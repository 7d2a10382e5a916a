"""What a kind of statement was before: slower than it was, on another plan, in the windows that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dbvigil.models import QueryPlan, QueryWindow
from dbvigil.queries.figures import Figures
from dbvigil.queries.rules.statistics_history import latency_regression
from dbvigil.query import Recommendation
from dbvigil.slow_queries.storing import COARSE, FINE, read_windows


def windows_of(database: str, source: str, start: datetime, end: datetime) -> list[QueryWindow]:
    """Those that lie in a span; one that begins before it counts where most of it is inside."""
    rows = QueryWindow.objects.filter(database=database, source=source, start__lt=int(end.timestamp()))
    fine = rows.filter(step=FINE, start__gte=int(start.timestamp()) - FINE // 2)
    coarse = rows.filter(step=COARSE, start__gte=int(start.timestamp()) - COARSE // 2)
    return [*fine, *coarse]


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


def earlier_figures(database: str, span: timedelta, now: datetime, sources: set[str]) -> dict[int, Figures]:
    """What the same kinds cost in the span of the same length before."""
    found: dict[int, Figures] = {}
    for source in sources:
        window = read_windows(windows_of(database, source, now - 2 * span, now - span))
        found |= {number: window.figures(number) for number in window.kinds}
    return found


def plans_of(ids: Sequence[int]) -> dict[int, list[QueryPlan]]:
    """The plans of each kind, the present one first."""
    found: dict[int, list[QueryPlan]] = {}
    for plan in QueryPlan.objects.filter(kind_id__in=list(ids)).order_by("-last_seen", "-id"):
        found.setdefault(plan.kind_id, []).append(plan)
    return found
