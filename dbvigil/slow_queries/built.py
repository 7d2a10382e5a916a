"""Indexes that were proved, after they are really built: when that was, what their statements cost since, and whether to take them back.

The monitor looks each minute whether one of them is there, and compares a quarter of an hour, one, four and 24 hours later.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dbvigil.models import ProvedIndex, QueryKind
from dbvigil.queries.judging import Surroundings
from dbvigil.queries.proof.promise import promise, slowed
from dbvigil.queries.rules.base import Subject
from dbvigil.queries.rules.ddl import drop_index, hide_index
from dbvigil.queries.schema import Index, Table
from dbvigil.queries.schema_reader import read_indexes
from dbvigil.queries.statements import tables_of
from dbvigil.queries.workload import Candidate, Proof
from dbvigil.query import Recommendation
from dbvigil.server import Server
from dbvigil.slow_queries.past import figures_between
from dbvigil.slow_queries.storing import FINE
from dbvigil.types import iso_utc

logger = logging.getLogger("dbvigil.monitor")

STEPS = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(hours=24))
"""How long after it was built an index is judged."""
_WAITED_FOR = timedelta(days=90)
_LEAST_SPAN = timedelta(hours=1)

Columns = Sequence[Sequence[Any]]


def remember(database: str, proofs: Sequence[Proof], now: datetime) -> None:
    """Waits for those that were proved to help, and no longer for those that were tried again and do not."""
    for proof in proofs:
        candidate = proof.candidate
        rows = ProvedIndex.objects.filter(database=database, key=key_of(candidate))
        if proof.outcome in ("verified", "estimated"):
            ProvedIndex.objects.update_or_create(
                database=database,
                key=key_of(candidate),
                defaults={
                    "schema": candidate.schema,
                    "table": candidate.table,
                    "columns": [list(one) for one in candidate.columns],
                    "serves": list(candidate.serves),
                    "speed_up": proof.speed_up,
                    "proved_at": now,
                    "absent_at": now,
                    "built_at": None,
                },
            )
        elif proof.outcome != "untested":
            rows.delete()


def key_of(candidate: Candidate) -> str:
    return _key(candidate.schema, candidate.table, candidate.columns)


def _key(schema: str, table: str, columns: Columns) -> str:
    parts = [schema, table, *(f"{name} {bool(down)}".lower() for name, down in columns)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


# -- watching


def watched(database: str, now: datetime) -> list[ProvedIndex]:
    """Those that may be built any day, and those that were built. Raises `DatabaseError`."""
    return list(ProvedIndex.objects.filter(database=database, proved_at__gte=now - _WAITED_FOR))


async def present(server: Server, indexes: Collection[ProvedIndex]) -> dict[int, str]:
    """The names of those that are there, by id. Raises `ServerError`."""
    if not indexes:
        return {}
    there = await read_indexes(server, {(one.schema, one.table) for one in indexes})
    names = {one.pk: _name(one.columns, there[one.schema, one.table]) for one in indexes}
    return {number: name for number, name in names.items() if name}


def _name(columns: Columns, indexes: Sequence[Index]) -> str:
    """The index whose columns begin with these, the shortest of several; "" where the server has none that it may use."""
    wanted = [(str(name).lower(), bool(down)) for name, down in columns]
    found = [
        index
        for index in indexes
        if index.visible
        and [(part.column.lower(), part.descending) for part in index.parts[: len(wanted)]] == wanted
        and all(part.prefix is None for part in index.parts[: len(wanted)])
    ]
    return min(found, key=lambda one: len(one.parts)).name if found else ""


def keep(database: str, indexes: Sequence[ProvedIndex], there: Mapping[int, str], now: datetime) -> None:
    """Stores which are there and, where it is time, what came of them. Raises `DatabaseError`."""
    for one in indexes:
        name = there.get(one.pk, "")
        if not name:
            _missing(one, now)
        elif one.built_at is None:
            one.built_at, one.index = now, name
            one.judged_at, one.promises, one.slower = None, {}, {}
            one.save(update_fields=["built_at", "index", "judged_at", "promises", "slower"])
            logger.info("%s: a proved index is there: %s", database, one)
        elif _due(one.built_at, one.judged_at, now):
            _judge(one, now)


def _missing(one: ProvedIndex, now: datetime) -> None:
    # Written seldom: it is what the figures from before the index end with.
    if one.built_at is not None or now - one.absent_at >= STEPS[0]:
        one.absent_at, one.built_at = now, None
        one.save(update_fields=["absent_at", "built_at"])


def _due(built: datetime, judged: datetime | None, now: datetime) -> bool:
    return any(built + step <= now and (judged is None or judged < built + step) for step in STEPS)


def _judge(one: ProvedIndex, now: datetime) -> None:
    if one.built_at is None:
        return
    # Whole windows on both sides: the one in which it was built is of neither.
    start, end = _window(one.built_at, up=True), _window(one.absent_at, up=False)
    span = min(max(now - start, _LEAST_SPAN), STEPS[-1])
    since = figures_between(one.database, ("digest",), start, None)
    before = figures_between(one.database, ("digest",), end - span, end)
    kinds = {kind.pk: kind for kind in QueryKind.objects.filter(id__in=list(since))}
    serves = set(one.serves)
    one.promises = {
        str(number): {**found.to_dict(), "detail": found.detail}
        for number, kind in kinds.items()
        if kind.query_id in serves
        and (found := promise(before.get(number), since[number], one.speed_up)) is not None
    }
    table = (one.schema.lower(), one.table.lower())
    one.slower = {
        kinds[number].query_id: detail
        for number, detail in slowed(before, since).items()
        if number in kinds and kinds[number].query_id not in serves and table in _tables(kinds[number])
    }
    one.judged_at = now
    one.save(update_fields=["promises", "slower", "judged_at"])


def _tables(kind: QueryKind) -> set[tuple[str, str]]:
    return {(schema.lower(), name.lower()) for schema, name in tables_of(kind.query, kind.schema)}


def _window(moment: datetime, *, up: bool) -> datetime:
    whole = int(moment.timestamp()) // FINE * FINE
    return datetime.fromtimestamp(whole + FINE if up else whole, UTC)


# -- telling


def followed(
    advice: Recommendation, kind: int, indexes: Mapping[str, ProvedIndex], around: Surroundings
) -> Recommendation:
    """What was proved, with what came of it where the index was built since: then there is nothing to copy but the way back."""
    one = _of(advice.evidence, indexes)
    if one is None or one.built_at is None:
        return advice
    kept = one.promises.get(str(kind))
    built = {
        "index": one.index,
        "at": iso_utc(one.built_at),
        "outcome": None if kept is None else kept["outcome"],
        "before": None if kept is None else kept["before"],
        "after": None if kept is None else kept["after"],
        "executions": None if kept is None else kept["executions"],
        "speed_up": None if kept is None else kept["speed_up"],
        "slower": one.slower,
    }
    said = f"{advice.detail}. It is there since {one.built_at:%Y-%m-%d %H:%M} UTC, as {one.index}"
    said += f": {kept['detail']}" if kept is not None else "; what it brings is told after 30 executions"
    said += "".join(f"; statement {name} became slower: {why}" for name, why in one.slower.items())
    title, back = "An index that was proved, and is built", False
    if one.slower or built["outcome"] == "slower":
        title, back = "An index that was proved and built makes statements slower: take it back", True
    elif built["outcome"] == "no_gain" and one.judged_at and one.judged_at >= one.built_at + STEPS[-1]:
        title, back = "An index that was proved and built brings nothing: take it back", True
    return replace(
        advice,
        title=title,
        detail=said,
        sql=_back(one, around) if back else "",
        evidence={**advice.evidence, "built": built},
    )


def is_there(advice: Mapping[str, Any], indexes: Mapping[str, ProvedIndex]) -> bool:
    """Whether the index of stored advice was built: a later proof has nothing to say about it."""
    one = _of(advice["evidence"], indexes)
    return one is not None and one.built_at is not None


def _of(evidence: Mapping[str, Any], indexes: Mapping[str, ProvedIndex]) -> ProvedIndex | None:
    index = evidence.get("index")
    return None if index is None else indexes.get(_key(index["schema"], index["table"], index["columns"]))


def _back(one: ProvedIndex, around: Surroundings) -> str:
    """Out of the optimizer's sight where the server can do that, for it is undone at once; else dropped."""
    table = Table(one.table, one.schema)
    subject = Subject("", None, around.flavor, around.version)
    return hide_index(subject, table, one.index) or drop_index(table, one.index)


def of_database(database: str) -> dict[str, ProvedIndex]:
    """By key, all that are known."""
    return {one.key: one for one in ProvedIndex.objects.filter(database=database)}
