"""Answers from what is kept: which statements cost most in a span of time, how that changed, and what to do. Asks no monitored server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

from dbvigil.errors import ConfigurationError
from dbvigil.models import QueryKind, QueryPlan, QueryWindow, TargetState
from dbvigil.queries.figures import Figures
from dbvigil.queries.judging import Kind, Surroundings, advice, measured
from dbvigil.queries.rules.statistics_history import latency_regression
from dbvigil.queries.severity import severity
from dbvigil.query import QuerySeverity, QuerySource, Recommendation, SlowQuery
from dbvigil.slow_queries.packing import Window
from dbvigil.slow_queries.storing import COARSE, FINE, read_windows
from dbvigil.types import Flavor, iso_utc

NEW_FOR = timedelta(days=7)
MOST = 1_000
LONGEST_HOURS = 400 * 24.0

SOURCES: tuple[QuerySource, ...] = ("digest", "slow_log")


def slow_queries(
    databases: Sequence[str],
    hours: float,
    now: datetime,
    *,
    limit: int = 50,
    only: QuerySeverity | None = None,
) -> list[SlowQuery]:
    """The kinds of statement that took most time on `databases` together in the last `hours`, the worst first.

    `only` keeps those of one severity. Raises `ConfigurationError` for hours or a limit out of range.
    """
    if not 0 < hours <= LONGEST_HOURS:
        raise ConfigurationError("hours", hours, f"allowed: more than 0, at most {LONGEST_HOURS:g}")
    if not 1 <= limit <= MOST:
        raise ConfigurationError("limit", limit, f"allowed: 1 to {MOST}")
    found = [
        one
        for database in databases
        for one in collected(database, timedelta(hours=hours), now, limit=limit, only=only)
    ]
    return sorted(found, key=_worst_first)[:limit]


def covers(database: str, start: datetime, end: datetime) -> bool:
    """Whether the statements of `database` were watched from `start` on."""
    first = QueryWindow.objects.filter(database=database, source="digest").order_by("start").first()
    return (
        first is not None
        and first.start <= start.timestamp()
        and _windows(database, "digest", start, end) != []
    )


def collected(
    database: str,
    span: timedelta,
    now: datetime,
    *,
    limit: int = 50,
    only: QuerySeverity | None = None,
) -> list[SlowQuery]:
    """The kinds of statement that took most time on one database within `span`, from digests and the slow log.

    A statement that both sources know is told once, as the digest; what only the log can tell (95th percentile, longest) is added to it.
    """
    around = _server(database)
    judged: list[tuple[Figures, QueryKind, Window[int]]] = []
    windows = {source: read_windows(_windows(database, source, now - span, now)) for source in SOURCES}
    ids = [number for window in windows.values() for number in window.kinds]
    kinds = {kind.id: kind for kind in _kinds(ids)}
    pairs = {
        (kind.schema, kind.pair): windows["slow_log"].figures(number)
        for number in windows["slow_log"].kinds
        if (kind := kinds.get(number)) is not None and kind.pair
    }
    digests = {
        (kinds[number].schema, kinds[number].pair) for number in windows["digest"].kinds if number in kinds
    }
    for source, window in windows.items():
        for number in window.kinds:
            kind = kinds.get(number)
            if kind is None or (source == "slow_log" and kind.pair and (kind.schema, kind.pair) in digests):
                continue
            figures = replace(window.figures(number), first_seen=kind.first_seen)
            if source == "digest":
                figures = _with_log(figures, pairs.get((kind.schema, kind.pair)))
            if only is None or severity(figures, window.total_time) == only:
                judged.append((figures, kind, window))
    judged.sort(key=lambda item: (-item[0].total_time, item[1].id))
    worst = judged[:limit]
    earlier = _earlier(database, span, now, {kind.source for _figures, kind, _window in worst})
    plans = _plans([kind.id for _figures, kind, _window in worst])
    return [
        _answer(kind, figures, replace(around, total_time=window.total_time), now, span, earlier, plans)
        for figures, kind, window in worst
    ]


def _with_log(figures: Figures, log: Figures | None) -> Figures:
    """A digest's figures with what only the log of the same statement tells."""
    if log is None:
        return figures
    return replace(
        figures,
        # A log has the slow ones only: its 95th percentile is that of all executions where it has them all.
        p95_time=log.p95_time
        if figures.p95_time is None and log.count >= figures.count
        else figures.p95_time,
        max_time=log.max_time if figures.max_time is None else figures.max_time,
    )


def _answer(
    kind: QueryKind,
    figures: Figures,
    around: Surroundings,
    now: datetime,
    span: timedelta,
    earlier: Mapping[int, Figures],
    plans: Mapping[int, list[QueryPlan]],
) -> SlowQuery:
    known = Kind(
        query=kind.query,
        source=cast("QuerySource", kind.source),
        figures=figures,
        fingerprint=kind.fingerprint,
        query_id=kind.query_id,
        digest=kind.key if kind.source == "digest" else "",
        schema=kind.schema,
    )
    stored = kind.advice or {}
    around = replace(around, gaps=tuple(stored.get("gaps", ())))
    # What the analysis found in schema and plan, and what the text and today's figures say.
    fresh = advice(known, around)
    seen = {one.rule for one in fresh}
    kept = [
        one
        for one in (_recommendation(body) for body in stored.get("recommendations", ()))
        if one.rule not in seen
    ]
    before = earlier.get(kind.id)
    history = _history(kind, figures, before, plans.get(kind.id, []), now - span)
    answer = measured(known, around, [*history, *kept, *fresh])
    had = plans.get(kind.id, [])
    return replace(
        answer,
        is_new=kind.first_seen >= now - NEW_FOR,
        trend=_trend(before, figures),
        plan=had[0].plan if had else None,
        plan_history=tuple(
            {
                "hash": plan.hash,
                "first_seen": iso_utc(plan.first_seen),
                "last_seen": iso_utc(plan.last_seen),
                "changes": list(plan.changes),
            }
            for plan in had
        ),
    )


def _history(
    kind: QueryKind, figures: Figures, before: Figures | None, plans: Sequence[QueryPlan], since: datetime
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


def _trend(before: Figures | None, now: Figures) -> float | None:
    if before is None or not before.avg_time or now.avg_time is None:
        return None
    return now.avg_time / before.avg_time


def _earlier(database: str, span: timedelta, now: datetime, sources: set[str]) -> dict[int, Figures]:
    """What the same kinds cost in the span of the same length before."""
    found: dict[int, Figures] = {}
    for source in sources:
        window = read_windows(_windows(database, source, now - 2 * span, now - span))
        found |= {number: window.figures(number) for number in window.kinds}
    return found


def _windows(database: str, source: str, start: datetime, end: datetime) -> list[QueryWindow]:
    """Those that lie in a span; one that begins before it counts where most of it is inside."""
    rows = QueryWindow.objects.filter(database=database, source=source, start__lt=int(end.timestamp()))
    fine = rows.filter(step=FINE, start__gte=int(start.timestamp()) - FINE // 2)
    coarse = rows.filter(step=COARSE, start__gte=int(start.timestamp()) - COARSE // 2)
    return [*fine, *coarse]


def _kinds(ids: Sequence[int]) -> list[QueryKind]:
    found: list[QueryKind] = []
    for first in range(0, len(ids), 500):
        found += QueryKind.objects.filter(id__in=ids[first : first + 500])
    return found


def _plans(ids: Sequence[int]) -> dict[int, list[QueryPlan]]:
    """The plans of each kind, the present one first."""
    found: dict[int, list[QueryPlan]] = {}
    for plan in QueryPlan.objects.filter(kind_id__in=list(ids)).order_by("-last_seen", "-id"):
        found.setdefault(plan.kind_id, []).append(plan)
    return found


def _server(database: str) -> Surroundings:
    """What the newest sample says of the server."""
    metrics = TargetState.objects.filter(alias=database).values_list("metrics", flat=True).first() or {}
    version = tuple(
        int(part)
        for part in str(metrics.get("server_version") or "").split("-")[0].split(".")
        if part.isdigit()
    )
    flavor = metrics.get("flavor")
    if flavor is None or len(version) != 3:
        return Surroundings(database)
    return Surroundings(database, cast("Flavor", flavor), version)


def _recommendation(body: Mapping[str, Any]) -> Recommendation:
    return Recommendation(**body)


def _worst_first(one: SlowQuery) -> tuple[float, str]:
    return -(one.total_time or 0.0), one.query_id
