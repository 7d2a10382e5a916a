"""Which kinds of statement are looked at closely, and what comes of it: their tables, their plan, and what the rules make of both.

A few of the worst at a time, each again after some hours, over a connection of its own that is closed afterwards.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from dbvigil.django_advice import facts
from dbvigil.errors import ServerError
from dbvigil.models import QueryKind, QueryPlan, QueryWindow
from dbvigil.queries.explain.shape import changes
from dbvigil.queries.judging import Kind, Surroundings, advice, redacted_plan
from dbvigil.queries.plan import Plan
from dbvigil.query import Recommendation
from dbvigil.server import Server
from dbvigil.slow_queries.asking import surroundings
from dbvigil.slow_queries.storing import FINE, read_windows

logger = logging.getLogger("dbvigil.monitor")

AGAIN_AFTER = timedelta(hours=6)
AT_ONCE = 5
WORST = 25
_SPAN = timedelta(minutes=15)
PLANS_KEPT = 10

# The server keeps one statement a digest with its values; how much of it is a setting, and one that was cut cannot be explained.
MYSQL_SAMPLE = """
    SELECT QUERY_SAMPLE_TEXT AS text FROM performance_schema.events_statements_summary_by_digest
     WHERE DIGEST = %s AND COALESCE(SCHEMA_NAME, '') = %s"""
# MariaDB remembers the last statements of each session, where that is switched on.
MARIADB_SAMPLE = """
    SELECT SQL_TEXT AS text FROM performance_schema.events_statements_history
     WHERE DIGEST = %s AND COALESCE(CURRENT_SCHEMA, '') = %s LIMIT 1"""


_QUESTION = re.compile(r"[\s(]*(?:SELECT|WITH)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Due:
    """A kind of statement to be looked at."""

    id: int
    pair: str
    kind: Kind


Sampling = Callable[[Due], str | None]
"""A statement of a kind with its values, from a log, where one is in memory."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """What came of looking. Nothing of it holds a value of the application's rows. `tables`: names alone, as `facts` tells them."""

    id: int
    recommendations: Sequence[Recommendation]
    gaps: Sequence[str]
    plan: Plan | None
    tables: Sequence[Mapping[str, Any]] = ()


def due(database: str, now: datetime) -> list[Due]:
    """Of those that took most time in the last quarter of an hour, the ones that were not looked at for some hours."""
    rows = QueryWindow.objects.filter(
        database=database, source="digest", step=FINE, start__gte=int((now - _SPAN).timestamp())
    )
    window = read_windows(rows)
    worst = sorted(window.kinds, key=lambda number: -window.kinds[number].figures.total_time)[:WORST]
    kinds = {kind.id: kind for kind in QueryKind.objects.filter(id__in=worst)}
    found: list[Due] = []
    for number in worst:
        kind = kinds.get(number)
        if kind is None or (kind.analyzed_at is not None and kind.analyzed_at > now - AGAIN_AFTER):
            continue
        measured = Kind(
            query=kind.query,
            source="digest",
            figures=window.figures(number),
            fingerprint=kind.fingerprint,
            query_id=kind.query_id,
            digest=kind.key,
            schema=kind.schema,
        )
        found.append(Due(number, kind.pair, measured))
    return found[:AT_ONCE]


async def analyse(
    server: Server, database: str, kinds: Sequence[Due], sample: Sampling, *, explain: bool
) -> list[Analysis]:
    """Looks at each; raises `ServerError` only where there is no server. `sample` gives what a log holds of a kind, in memory."""
    found: list[Analysis] = []
    await server.connect()
    for one in kinds:
        text = (sample(one) or await _sample(server, one)) if explain else None
        around = Surroundings(database)
        try:
            around = await surroundings(server, around, text or one.kind.query, one.kind.schema, text)
        except ServerError as error:
            if not server.connected:
                raise
            around = replace(around, gaps=(f"its tables could not be read: {error}",))
        if explain and text is None and _QUESTION.match(one.kind.query):
            around = replace(
                around, gaps=(*around.gaps, "no plan: the server keeps no such statement with its values")
            )
        subject = replace(one.kind, sample=text)
        plan = None if around.plan is None else redacted_plan(around.plan)
        found.append(Analysis(one.id, advice(subject, around), around.gaps, plan, facts(around.schema)))
    return found


async def _sample(server: Server, one: Due) -> str | None:
    statement = MARIADB_SAMPLE if server.info.is_mariadb else MYSQL_SAMPLE
    if server.info.is_mysql and not server.info.at_least(8, 0, 3):
        return None
    rows = await server.rows(statement, (one.kind.digest, one.kind.schema))
    return rows[0]["text"] if rows and rows[0]["text"] else None


def keep(found: Sequence[Analysis], now: datetime) -> None:
    """Stores what came of looking, and a plan's change. Raises `DatabaseError`."""
    for one in found:
        with transaction.atomic():
            body = {
                "recommendations": [advised.to_dict() for advised in one.recommendations],
                "gaps": list(one.gaps),
                "tables": list(one.tables),
            }
            kept = QueryKind.objects.filter(id=one.id).update(advice=body, analyzed_at=now)
            if kept and one.plan is not None:
                _keep_plan(one.id, one.plan, now)


def _keep_plan(kind: int, plan: Plan, now: datetime) -> None:
    if QueryPlan.objects.filter(kind_id=kind, hash=plan.hash).update(last_seen=now, plan=plan.to_dict()):
        return
    before = QueryPlan.objects.filter(kind_id=kind).order_by("-last_seen", "-id").first()
    said = [] if before is None else changes(Plan.from_dict(before.plan), plan)
    QueryPlan.objects.create(
        kind_id=kind, hash=plan.hash, plan=plan.to_dict(), changes=said, first_seen=now, last_seen=now
    )
    if before is not None:
        logger.info("a statement runs on another plan: %s", "; ".join(said))
    old = (
        QueryPlan.objects.filter(kind_id=kind)
        .order_by("-last_seen", "-id")
        .values_list("id", flat=True)[PLANS_KEPT:]
    )
    QueryPlan.objects.filter(id__in=list(old)).delete()
