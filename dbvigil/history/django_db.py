"""History in a Django database: SQLite, PostgreSQL, MariaDB or MySQL.

A sample is one row of `Sample` until its hour is over. `maintain` then closes the hour, one database at a
time: its samples go, column by column, into the raw chunk of that hour, and the same hour of the 1-minute,
5-minute and 1-hour chunks is made anew from them, all in one transaction that also deletes the rows. So a
crash loses and doubles nothing, no rollup trails the samples, and a late sample only makes its hour be closed
once more. A query reads the chunks and, for what is still open, the rows.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from math import isfinite
from operator import attrgetter
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from dbvigil.catalogue import NUMERIC
from dbvigil.errors import UnknownMetric
from dbvigil.history.base import Point, Series
from dbvigil.history.numbers import PackingError
from dbvigil.history.packing import code, pack_chunk, pack_sample, unpack_chunk, unpack_sample
from dbvigil.history.resolution import Plan, answered_seconds, apply, coarse_plan, milliseconds, plan
from dbvigil.history.tiers import (
    DAY,
    EMPTY,
    HOUR,
    RAW,
    ROLLUPS,
    SECOND,
    TIERS,
    Buckets,
    Tier,
    columns,
    gather,
    join,
    join_each,
    overlay,
    summary,
    within,
    without,
)
from dbvigil.models import Chunk, Sample
from dbvigil.types import DatabaseMetrics

log = logging.getLogger(__name__)

ROLLUP_DAYS = 400

_CODES = tuple(code(name) for name in NUMERIC)
_NAMES = dict(zip(_CODES, NUMERIC, strict=True))
_VALUES = attrgetter(*NUMERIC)

# An hour is closed this long after its end, so that samples on their way still find it open.
_GRACE = 60 * SECOND
_ROWS_AT_ONCE = 500
_CHUNKS_AT_ONCE = 100

_Columns = dict[str, Buckets]
# A database's driver may hand out its own memory.
_Blob = bytes | memoryview


class _Part(NamedTuple):
    """A chunk of which start <= time < end counts."""

    data: _Blob
    start: int
    end: int


class _Held(NamedTuple):
    """A chunk as it was read for writing: its row, None if there is none yet, and what it holds."""

    id: int | None
    content: _Columns


class DjangoHistory:
    """The default `History`. `using` is the Django database it lives in, `raw_days` how long samples stay.

    Rollups stay 400 days. `hours_at_once` bounds one call of `maintain`: how many hours of a database it
    closes, each in a transaction of its own.
    """

    def __init__(self, *, using: str = "default", raw_days: float = 30, hours_at_once: int = 4) -> None:
        self._using = using
        self._raw_days = raw_days
        self._hours_at_once = hours_at_once

    @property
    def _samples(self) -> QuerySet[Sample]:
        return Sample.objects.using(self._using)

    @property
    def _chunks(self) -> QuerySet[Chunk]:
        return Chunk.objects.using(self._using)

    def save(self, samples: Sequence[DatabaseMetrics]) -> None:
        rows = [
            Sample(
                database=sample.database,
                taken_at=milliseconds(sample.timestamp, "timestamp"),
                data=_packed(sample),
            )
            for sample in samples
        ]
        self._samples.bulk_create(rows, batch_size=_ROWS_AT_ONCE)

    def query(
        self,
        database: str,
        metrics: Sequence[str],
        start: datetime,
        end: datetime,
        resolution: int | None = None,
    ) -> Series:
        _check_names(metrics)
        asked = plan(start, end, resolution)
        read = self._read(database, metrics, asked)
        answers = {name: apply(asked, read.get(name, EMPTY)) for name in metrics}
        points = {name: _points(found) for name, found in answers.items()}
        return Series(database, answered_seconds(asked, answers.values()), start, end, points)

    def aggregate(
        self, database: str, metrics: Sequence[str], start: datetime, end: datetime
    ) -> dict[str, tuple[float, float, float]]:
        _check_names(metrics)
        asked = coarse_plan(start, end)
        read = self._read(database, metrics, asked)
        summaries = {name: summary(read.get(name, EMPTY)) for name in metrics}
        return {name: found for name, found in summaries.items() if found is not None}

    def maintain(self, now: datetime) -> bool:
        moment = milliseconds(now, "now")
        return self._close_hours(moment) | self._prune(moment)

    def forget(self, database: str) -> None:
        for rows in (self._samples.filter(database=database), self._chunks.filter(database=database)):
            while self._delete_some(rows):
                pass

    def _read(self, database: str, names: Sequence[str], asked: Plan) -> _Columns:
        """The plan's range of each metric: samples as they came, rollups gathered into the plan's step.

        The order of reading matters: what `maintain` moves from rows to chunks meanwhile is seen twice, and
        known by its hour's raw chunk, but never missed.
        """
        wanted = {number: name for number, name in _NAMES.items() if name in names}
        rows = self._samples.filter(database=database, taken_at__gte=asked.start, taken_at__lt=asked.end)
        pending = columns(_unpacked_rows(rows.order_by("id").values_list("taken_at", "data"), wanted))
        parts = self._parts(database, asked)
        if asked.tier is RAW:
            return overlay(_joined(parts, names), pending)
        hours = {RAW.window_of(moment) for buckets in pending.values() for moment in buckets.times}
        closed = self._chunks.filter(database=database, step=0, start__in=hours).values_list("start", "data")
        raw = {hour: _unpacked(data, names) for hour, data in closed}
        for content in raw.values():
            inside = {name: within(buckets, asked.start, asked.end) for name, buckets in content.items()}
            pending = overlay(inside, pending)
        gathered = {name: gather(buckets, asked.step) for name, buckets in pending.items()}
        return join_each(_joined(parts, names, asked.step, raw), gathered)

    def _parts(self, database: str, asked: Plan) -> list[_Part]:
        """The chunks for a plan, in time order; where its tier is gone already, those of the next coarser."""
        found: list[_Part] = []
        upper = asked.end
        for tier in TIERS[TIERS.index(asked.tier) :]:
            chunks = self._chunks.filter(database=database, step=tier.step // SECOND)
            oldest = chunks.order_by("start").values_list("start", flat=True).first()
            if oldest is None or oldest >= upper:
                continue
            lower = max(asked.start, oldest)
            needed = chunks.filter(start__gt=lower - tier.window, start__lt=upper).order_by("start")
            datas = needed.values_list("data", flat=True)
            found = [*(_Part(data, lower, upper) for data in datas), *found]
            upper = lower
            if lower == asked.start:
                break
        return found

    def _close_hours(self, now: int) -> bool:
        for _ in range(self._hours_at_once):
            oldest = self._samples.order_by("taken_at").values_list("database", "taken_at").first()
            if oldest is None:
                return False
            database, taken_at = oldest
            hour = RAW.window_of(taken_at)
            if hour + HOUR + _GRACE > now:
                return False
            try:
                with transaction.atomic(using=self._using):
                    self._close(database, hour)
            except IntegrityError:
                log.debug("history of %s: another process closes the hour %d as well", database, hour)
        return True

    def _close(self, database: str, hour: int) -> None:
        # A write comes first: SQLite refuses a write after a read if somebody else has written in between.
        self._chunks.filter(database=database, step=0, start=hour).update(step=0)
        held = {tier: self._held(database, tier, hour) for tier in TIERS}
        rows = self._samples.filter(database=database, taken_at__gte=hour, taken_at__lt=hour + HOUR)
        pending = list(rows.order_by("id").values_list("id", "taken_at", "data"))
        if not pending:
            return
        fresh = columns(_unpacked_rows(((taken_at, data) for _, taken_at, data in pending), _NAMES))
        raw = held[RAW].content
        # Closed long ago, and its samples are pruned: what comes now can only be added to the rollups.
        expired = not raw and any(hour in buckets.times for buckets in held[ROLLUPS[-1]].content.values())
        if not expired:
            fresh = overlay(raw, fresh)
            self._keep(database, RAW, hour, held[RAW], fresh)
        for tier in ROLLUPS:
            rest = held[tier].content
            if not expired:
                rest = {name: without(buckets, hour, hour + HOUR) for name, buckets in rest.items()}
            gathered = {name: gather(buckets, tier.step) for name, buckets in fresh.items()}
            self._keep(database, tier, hour, held[tier], join_each(rest, gathered))
        for first in range(0, len(pending), _ROWS_AT_ONCE):
            ids = [row_id for row_id, _, _ in pending[first : first + _ROWS_AT_ONCE]]
            self._samples.filter(id__in=ids).delete()

    def _held(self, database: str, tier: Tier, hour: int) -> _Held:
        """The chunk of `tier` that covers `hour`, locked until the transaction ends."""
        chunks = self._chunks.filter(database=database, step=tier.step // SECOND, start=tier.window_of(hour))
        row = chunks.select_for_update().values_list("id", "data").first()
        return _Held(None, {}) if row is None else _Held(row[0], _unpacked(row[1]))

    def _keep(self, database: str, tier: Tier, hour: int, held: _Held, content: _Columns) -> None:
        """Writes the chunk that was `held`.

        A new one is only ever inserted: where another process was faster the unique constraint refuses it,
        while an update would wipe out what that process has put in.
        """
        if not content:
            return
        data = pack_chunk(content)
        if held.id is None:
            self._chunks.create(
                database=database, step=tier.step // SECOND, start=tier.window_of(hour), data=data
            )
        else:
            self._chunks.filter(id=held.id).update(data=data)

    def _prune(self, now: int) -> bool:
        removed = 0
        for tier in TIERS:
            days = self._raw_days if tier is RAW else ROLLUP_DAYS
            oldest_kept = now - round(days * DAY)
            gone = self._chunks.filter(step=tier.step // SECOND, start__lte=oldest_kept - tier.window)
            removed = max(removed, self._delete_some(gone.order_by("start")))
        return removed == _CHUNKS_AT_ONCE

    def _delete_some(self, rows: QuerySet[Sample] | QuerySet[Chunk]) -> int:
        """Deletes up to `_CHUNKS_AT_ONCE` of `rows`, so that no lock is held for long, and counts them."""
        ids = list(rows.values_list("id", flat=True)[:_CHUNKS_AT_ONCE])
        if ids:
            rows.model.objects.using(self._using).filter(id__in=ids).delete()
        return len(ids)


def _joined(
    parts: Iterable[_Part], names: Sequence[str], step: int = 0, left_out: Collection[int] = ()
) -> _Columns:
    """What counts of these chunks without the hours `left_out`; each gathered into `step`, before all are joined."""
    found: dict[str, list[Buckets]] = {name: [] for name in names}
    for part in parts:
        for name, buckets in _unpacked(part.data, names).items():
            counted = within(buckets, part.start, part.end)
            for hour in left_out:
                counted = without(counted, hour, hour + HOUR)
            found[name].append(gather(counted, step) if step else counted)
    return {name: join(pieces) for name, pieces in found.items()}


def _points(found: Buckets) -> list[Point]:
    seconds = [moment / SECOND for moment in found.times]
    return list(zip(seconds, found.means, found.lows, found.highs, strict=True))


def _check_names(metrics: Sequence[str]) -> None:
    for name in metrics:
        if name not in NUMERIC:
            raise UnknownMetric(name)


def _packed(sample: DatabaseMetrics) -> bytes:
    readings = [
        (number, value)
        for number, value in zip(_CODES, _VALUES(sample), strict=True)
        if value is not None and isfinite(value)
    ]
    return pack_sample([number for number, _ in readings], [value for _, value in readings])


def _unpacked_rows(
    rows: Iterable[tuple[int, _Blob]], wanted: Mapping[int, str]
) -> Iterator[tuple[int, dict[str, float]]]:
    """Time and values of each row; one that cannot be read is logged and left out."""
    for taken_at, data in rows:
        try:
            yield taken_at, unpack_sample(bytes(data), wanted)
        except PackingError as error:
            log.error("history: a sample cannot be read: %s", error)


def _unpacked(data: _Blob, names: Collection[str] | None = None) -> _Columns:
    """What a chunk holds; one that cannot be read is logged and counts as empty."""
    try:
        return unpack_chunk(bytes(data), names)
    except PackingError as error:
        log.error("history: a chunk cannot be read: %s", error)
        return {}
