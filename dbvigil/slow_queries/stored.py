"""Answers from what is kept: which statements cost most in a span of time, how that changed, and what to do. Asks no monitored server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from dbvigil.django_advice import Advisor, schema_of
from dbvigil.errors import ConfigurationError
from dbvigil.models import ProvedIndex, QueryKind, QueryPlan, QueryProgress, QueryWindow, TargetState
from dbvigil.queries.figures import Figures
from dbvigil.queries.fingerprint import server_text
from dbvigil.queries.judging import Kind, Surroundings, advice, judge, measured
from dbvigil.queries.severity import severity
from dbvigil.query import QuerySeverity, QuerySource, Recommendation, SlowQuery
from dbvigil.slow_queries import built, facts
from dbvigil.slow_queries.deployments import Comparison, comparison
from dbvigil.slow_queries.novelty import NEW_FOR, is_new, known_since
from dbvigil.slow_queries.packing import Window
from dbvigil.slow_queries.past import changed, figures_between, plans_of, trend, windows_of
from dbvigil.slow_queries.storing import read_windows
from dbvigil.types import Flavor, iso_utc

RUNNING_FOR = timedelta(seconds=150)
"""How old the last visit may be for what ran then to be told: two visits and a little more."""
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


def troubles(databases: Sequence[str]) -> dict[str, dict[str, str]]:
    """By database and source, what could not be read at the last visit, and why."""
    rows = QueryProgress.objects.filter(database__in=list(databases)).values_list("database", "trouble")
    return {database: trouble for database, trouble in rows if trouble}


def covers(database: str, start: datetime) -> bool:
    """Whether the statements of `database` were watched from `start` on."""
    first = QueryWindow.objects.filter(database=database, source="digest").order_by("start").first()
    return (
        first is not None
        and first.start <= start.timestamp()
        and windows_of(database, "digest", start, None) != []
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
    windows = {source: read_windows(windows_of(database, source, now - span, None)) for source in SOURCES}
    kinds = {
        kind.id: kind for kind in _kinds([number for window in windows.values() for number in window.kinds])
    }
    logged = _Logged(windows["slow_log"], kinds)
    entries: list[_Entry] = []
    for source, window in windows.items():
        for number in window.kinds:
            kind = kinds.get(number)
            if kind is None or (source == "slow_log" and number in logged.paired):
                continue
            figures = replace(window.figures(number), first_seen=kind.first_seen)
            twin = logged.twin(kind) if source == "digest" else None
            if twin is not None:
                figures = _with_log(figures, windows["slow_log"].figures(twin.id))
            if only is None or severity(figures, window.total_time) == only:
                entries.append(_Entry(kind, figures, window.total_time, twin))
    entries.sort(key=lambda one: (-one.figures.total_time, one.kind.id))
    worst = entries[:limit]
    sources = {one.kind.source for one in worst}
    earlier = figures_between(database, sources, now - 2 * span, now - span)
    deployment = comparison(database, sources, now)
    plans = plans_of([one.kind.id for one in worst])
    indexes, advisor, known = built.of_database(database), Advisor(database), known_since(database)
    found = [
        _answer(
            one,
            replace(around, total_time=one.total_time),
            now,
            span,
            earlier,
            plans,
            deployment,
            indexes,
            advisor,
            known,
        )
        for one in worst
    ]
    return [
        *(one for one in _running(database, around, now, advisor) if only in (None, one.severity)),
        *found,
    ][:limit]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A kind of statement with its figures; `twin` is the same statement as the slow log has it."""

    kind: QueryKind
    figures: Figures
    total_time: float | None
    twin: QueryKind | None


class _Logged:
    """The kinds that a slow log tells of, by what they have in common with digests; `paired` are those that were asked for."""

    def __init__(self, window: Window[int], kinds: Mapping[int, QueryKind]) -> None:
        self._by_pair = {
            (kind.schema, kind.pair): kind
            for number in window.kinds
            if (kind := kinds.get(number)) is not None and kind.pair
        }
        digests = {kind.pair for kind in kinds.values() if kind.source == "digest" and kind.pair}
        self.paired = {kind.id for (_schema, pair), kind in self._by_pair.items() if pair in digests}

    def twin(self, digest: QueryKind) -> QueryKind | None:
        """A log does not always say which schema was in use."""
        return self._by_pair.get((digest.schema, digest.pair)) or self._by_pair.get(("", digest.pair))


def _running(database: str, around: Surroundings, now: datetime, advisor: Advisor) -> list[SlowQuery]:
    """The long statements that ran at the last visit, if that was just now."""
    progress = QueryProgress.objects.filter(database=database, read_at__gte=now - RUNNING_FOR).first()
    if progress is None:
        return []
    found: list[SlowQuery] = []
    for row in progress.running:
        figures = Figures(1, row["seconds"], max_time=row["seconds"], last_seen=progress.read_at)
        kind = Kind(
            query=server_text(row["statement"]),
            source="processlist",
            figures=figures,
            schema=row["schema"] or "",
        )
        judged = advisor.on(judge(kind, around))
        found.append(
            replace(judged, p95_time=None, share_of_load=None, severity=_while_running(row["seconds"]))
        )
    return found


def _while_running(seconds: float) -> QuerySeverity:
    """One execution has no share of the load; what counts is how long it has run."""
    return "high" if seconds >= 60 else "medium" if seconds >= 5 else "low"


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
    one: _Entry,
    around: Surroundings,
    now: datetime,
    span: timedelta,
    earlier: Mapping[int, Figures],
    plans: Mapping[int, list[QueryPlan]],
    deployment: Comparison | None,
    indexes: Mapping[str, ProvedIndex],
    advisor: Advisor,
    known_from: datetime | None,
) -> SlowQuery:
    kind, figures = one.kind, one.figures
    # The log has it as the client wrote it: its fingerprint is the one that other tools know.
    named = one.twin or kind
    told = facts.since(named.facts or kind.facts, now - span)
    known = Kind(
        query=kind.query,
        source=cast("QuerySource", kind.source),
        figures=figures,
        fingerprint=named.fingerprint,
        query_id=named.query_id,
        digest=kind.key if kind.source == "digest" else "",
        schema=kind.schema,
        callers=told.callers,
        burst=told.burst,
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
    history = changed(figures, before, plans.get(kind.id, []), now - span)
    proved = [built.followed(_recommendation(body), kind.pk, indexes, around) for body in kind.proofs]
    answer = measured(known, around, [*proved, *history, *kept, *fresh])
    had = plans.get(kind.id, [])
    return replace(
        advisor.on(answer, schema_of(stored.get("tables", ()))),
        is_new=is_new(kind.first_seen, known_from, now - NEW_FOR),
        trend=trend(before, figures),
        since_deployment=None if deployment is None else deployment.of(kind, had, known_from),
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


def _kinds(ids: Sequence[int]) -> list[QueryKind]:
    found: list[QueryKind] = []
    for first in range(0, len(ids), 500):
        found += QueryKind.objects.filter(id__in=ids[first : first + 500])
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
