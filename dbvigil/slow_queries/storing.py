"""What a visit has found, kept: each window of five minutes is one row, and after two days each hour."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from dbvigil.models import ProvedIndex, QueryKind, QueryProgress, QueryWindow, TargetState
from dbvigil.query import QuerySource
from dbvigil.slow_queries import facts
from dbvigil.slow_queries.collecting import Collected, Description
from dbvigil.slow_queries.log_source import Name
from dbvigil.slow_queries.packing import Window, deflated, inflated, pack, unpack

logger = logging.getLogger(__name__)

FINE = 300
"""Seconds of a window as it is written."""
COARSE = 3600
"""Seconds of a window when it is two days old."""
_FINE_FOR = timedelta(days=2)
# When a kind was seen is written when its windows are gathered.
_SEEN_LATE = timedelta(days=4)
_AT_ONCE = 100
_PROVED_FOR = timedelta(days=400)
_LONGEST_TEXT = 20_000

Ids = dict[Name, int]


def save(database: str, holder: str, token: int, found: Collected, ids: Ids) -> bool:
    """Keeps one visit of `database`, all of it or nothing; false where the lease is no longer ours.

    `ids` is the caller's memory of the kinds that are stored; it is kept up. Raises `DatabaseError`.
    """
    learned: Ids = {}
    with transaction.atomic():
        # A write comes first: SQLite refuses a write after a read if somebody else has written in between.
        QueryProgress.objects.update_or_create(
            database=database,
            defaults={
                "read_at": found.taken_at,
                "data": deflated(found.progress),
                "trouble": dict(found.trouble),
                "running": [dict(row) for row in found.running],
            },
        )
        if not TargetState.objects.filter(alias=database, holder=holder, token=token).exists():
            transaction.set_rollback(True)
            return False
        for source, window in found.windows.items():
            learned |= _stored(database, source, window, found, ids)
            kinds = {
                number: cost
                for name, cost in window.kinds.items()
                if (number := ids.get(name) or learned.get(name)) is not None
            }
            _add(
                database,
                source,
                Window(window.seconds, window.count, window.total_time, kinds),
                found.taken_at,
            )
        if found.facts:
            _keep_facts(found, {**ids, **learned})
    ids |= learned
    return True


def _keep_facts(found: Collected, ids: Ids) -> None:
    told = {ids[name]: one for name, one in found.facts.items() if name in ids}
    kinds = list(QueryKind.objects.filter(id__in=list(told)).only("id", "facts"))
    for kind in kinds:
        kind.facts = facts.added(kind.facts, told[kind.pk], found.taken_at.date())
    QueryKind.objects.bulk_update(kinds, ["facts"], batch_size=_AT_ONCE)


def progress(database: str) -> tuple[Mapping[str, Any] | None, Ids]:
    """Where the last visit of `database` has left off, and the kinds that are known."""
    held = QueryProgress.objects.filter(database=database).first()
    body = None
    if held is not None and held.data:
        try:
            body = inflated(bytes(held.data))
        except ValueError as error:
            logger.warning(
                "%s: where its statements were read to is lost, starting afresh: %s", database, error
            )
    rows = QueryKind.objects.filter(database=database).values_list("source", "schema", "key", "id")
    return body, {(cast("QuerySource", source), schema, key): number for source, schema, key, number in rows}


def _stored(database: str, source: QuerySource, window: Window[Name], found: Collected, ids: Ids) -> Ids:
    """The ids of those kinds of a window that are not in `ids`, stored where they are new."""
    missing = [name for name in window.kinds if name not in ids]
    if not missing:
        return {}
    today = found.taken_at.date()
    QueryKind.objects.bulk_create(
        [
            _kind(database, name, found.new[name], found.taken_at, today)
            for name in missing
            if name in found.new
        ],
        ignore_conflicts=True,
        batch_size=_AT_ONCE,
    )
    rows = QueryKind.objects.filter(database=database, source=source).values_list("schema", "key", "id")
    known: Ids = {(source, schema, key): number for schema, key, number in rows}
    return {name: known[name] for name in missing if name in known}


def _kind(database: str, name: Name, text: Description, now: datetime, today: date) -> QueryKind:
    source, schema, key = name
    return QueryKind(
        database=database,
        source=source,
        schema=schema[:64],
        key=key,
        query_id=text.query_id,
        pair=text.pair,
        fingerprint=text.fingerprint[:_LONGEST_TEXT],
        query=text.query[:_LONGEST_TEXT],
        first_seen=min(text.first_seen or now, now),
        seen_on=today,
    )


def _add(database: str, source: QuerySource, window: Window[int], moment: datetime) -> None:
    """Adds what was found to the window that `moment` lies in."""
    start = int(moment.timestamp()) // FINE * FINE
    row = QueryWindow.objects.filter(database=database, source=source, step=FINE, start=start).first()
    if row is None:
        QueryWindow.objects.create(
            database=database, source=source, step=FINE, start=start, data=pack(window)
        )
        return
    row.data = pack(_read(row) + window)
    row.save(update_fields=["data"])


def _read(row: QueryWindow) -> Window[int]:
    """An unreadable window is as good as none, but not in silence."""
    try:
        return unpack(bytes(row.data))
    except ValueError as error:
        logger.warning("%s: a window of statements is lost: %s", row, error)
        return Window(0.0, None, None, {})


def read_windows(rows: Iterable[QueryWindow]) -> Window[int]:
    """All of them together."""
    whole: Window[int] = Window(0.0, 0, 0.0, {})
    for row in rows:
        whole = whole + _read(row)
    return whole


# -- upkeep


def maintain(now: datetime, retention_days: float) -> bool:
    """Gathers what is older than two days into hours, an hour at a time, and removes what is too old. True where there is more to do."""
    more = _gather(now)
    oldest = int((now - timedelta(days=retention_days)).timestamp())
    more |= _delete(QueryWindow.objects.filter(step=COARSE, start__lt=oldest - COARSE))
    forgotten = now - timedelta(days=retention_days) - _SEEN_LATE
    more |= _delete(ProvedIndex.objects.filter(proved_at__lt=now - _PROVED_FOR))
    return more | _delete(QueryKind.objects.filter(seen_on__lt=forgotten.date()))


def _gather(now: datetime) -> bool:
    before = int((now - _FINE_FOR).timestamp()) // COARSE * COARSE
    oldest = QueryWindow.objects.filter(step=FINE, start__lt=before).order_by("start").first()
    if oldest is None:
        return False
    hour = oldest.start // COARSE * COARSE
    try:
        with transaction.atomic():
            rows = QueryWindow.objects.filter(
                database=oldest.database,
                source=oldest.source,
                step=FINE,
                start__gte=hour,
                start__lt=hour + COARSE,
            )
            fine = list(rows)
            whole = read_windows(fine)
            rows.filter(id__in=[row.id for row in fine]).delete()
            place: dict[str, Any] = {
                "database": oldest.database,
                "source": oldest.source,
                "step": COARSE,
                "start": hour,
            }
            held = QueryWindow.objects.filter(**place).first()
            # A window may come late: its hour is then there already.
            data = pack(whole if held is None else _read(held) + whole)
            QueryWindow.objects.update_or_create(**place, defaults={"data": data})
            # Once an hour is often enough to know on which day a kind was seen.
            QueryKind.objects.filter(id__in=list(whole.kinds), seen_on__lt=_day(hour)).update(
                seen_on=_day(hour)
            )
    except IntegrityError:
        logger.debug("%s: another process gathers the hour %d as well", oldest.database, hour)
        return False
    return True


def _day(moment: int) -> date:
    return datetime.fromtimestamp(moment, UTC).date()


def _delete(rows: QuerySet[QueryWindow] | QuerySet[QueryKind] | QuerySet[ProvedIndex]) -> bool:
    ids = list(rows.values_list("id", flat=True)[:_AT_ONCE])
    if ids:
        rows.model._default_manager.filter(id__in=ids).delete()
    return len(ids) == _AT_ONCE
