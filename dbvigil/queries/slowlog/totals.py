"""Sums over entries of one kind. Two can be merged, and merging is exact: all sums are integers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from dbvigil.queries.comments import OTHERS
from dbvigil.queries.figures import Figures
from dbvigil.queries.slowlog.attributes import NOTHING, Attributes
from dbvigil.queries.slowlog.bursts import Bursts
from dbvigil.queries.slowlog.sketch import PER_LOG, quantile

_Key = TypeVar("_Key")

_EXTRAS = 64
_NAMES = 1000
_COUNTED = len(Attributes._fields) - 1


@dataclass(slots=True)
class Sums:
    """Times are microseconds, moments seconds since 1970; counts are scaled where a server logs one statement in so many."""

    count: int = 0
    total: int = 0
    longest: int = -1
    lock: int = 0
    sent: int = 0
    examined: int = 0
    first: int | None = None
    last: int | None = None
    times: dict[int, int] = field(default_factory=dict)
    users: dict[bytes, int] = field(default_factory=dict)
    schemas: dict[bytes | None, int] = field(default_factory=dict)
    """By name, None for the one that was chosen before what was read."""
    extras: dict[Attributes, int] = field(default_factory=dict)
    callers: dict[str, int] = field(default_factory=dict)
    """By what the comments in statements name."""
    bursts: Bursts = field(default_factory=Bursts)
    fingerprint: bytes = b""
    folded: list[int | None] = field(default_factory=lambda: [None] * _COUNTED)
    """Sums of what `extras` has grown too large for."""
    sample: bytes | None = None

    def add(
        self,
        time: int,
        lock: int,
        sent: int,
        examined: int,
        user: bytes,
        schema: bytes | None,
        at: int | None,
        extra: Attributes,
    ) -> bool:
        """One execution. True where it is the longest so far."""
        weight = extra[-1]
        self.count += weight
        self.total += time * weight
        self.lock += lock * weight
        self.sent += sent * weight
        self.examined += examined * weight
        number = int(math.log(time) * PER_LOG) if time else -1
        times, users, schemas = self.times, self.users, self.schemas
        times[number] = times.get(number, 0) + weight
        users[user] = users.get(user, 0) + weight
        schemas[schema] = schemas.get(schema, 0) + weight
        if extra is not NOTHING:
            extras = self.extras
            extras[extra] = extras.get(extra, 0) + 1
            if len(extras) > _EXTRAS:
                self.folded, self.extras = self._all_extras(), {}
        if at is not None:
            if self.last is None or at > self.last:
                self.last = at
            if self.first is None or at < self.first:
                self.first = at
        if time > self.longest:
            self.longest = time
            return True
        return False

    def called(self, caller: str, weight: int) -> None:
        """By whom one execution was asked for."""
        callers = self.callers
        if caller not in callers and len(callers) >= _NAMES:
            caller = OTHERS
        callers[caller] = callers.get(caller, 0) + weight

    @property
    def crowded(self) -> bool:
        """Whether there are more accounts, schemas or callers than a log has in earnest."""
        return max(len(self.users), len(self.schemas), len(self.callers)) > _NAMES

    def merge(self, later: Sums, schema: bytes | None) -> None:
        """Adds what was read behind this, with `schema` chosen in between."""
        self.count += later.count
        self.total += later.total
        self.lock += later.lock
        self.sent += later.sent
        self.examined += later.examined
        _add_counts(self.times, later.times)
        _add_counts(self.users, later.users)
        for name, count in later.schemas.items():
            chosen = schema if name is None else name
            self.schemas[chosen] = self.schemas.get(chosen, 0) + count
        _add_counts(self.callers, later.callers)
        self.bursts.add(later.bursts)
        _add_counts(self.extras, later.extras)
        for number, value in enumerate(later.folded):
            if value is not None:
                self.folded[number] = (self.folded[number] or 0) + value
        self.first = min((at for at in (self.first, later.first) if at is not None), default=None)
        self.last = max((at for at in (self.last, later.last) if at is not None), default=None)
        if later.longest > self.longest:
            self.longest, self.sample = later.longest, later.sample

    def figures(self, seconds: float | None) -> Figures:
        """As the rest of the program has them."""
        affected, full_scans, full_joins, tables, disk_tables, merges, rows, errors = self._all_extras()
        return Figures(
            count=self.count,
            total_time=self.total / 1e6,
            seconds=seconds,
            max_time=self.longest / 1e6,
            p95_time=quantile(self.times, 0.95),
            lock_time=self.lock / 1e6,
            rows_examined=self.examined,
            rows_sent=self.sent,
            rows_affected=affected,
            full_scans=full_scans,
            full_joins=full_joins,
            tmp_tables=tables,
            tmp_disk_tables=disk_tables,
            sort_merge_passes=merges,
            sort_rows=rows,
            errors=errors,
            first_seen=None if self.first is None else datetime.fromtimestamp(self.first, UTC),
            last_seen=None if self.last is None else datetime.fromtimestamp(self.last, UTC),
        )

    def _all_extras(self) -> list[int | None]:
        sums = list(self.folded)
        for extra, times in self.extras.items():
            executions = times * extra.weight
            for number in range(_COUNTED):
                value = extra[number]
                if value is not None:
                    sums[number] = (sums[number] or 0) + value * executions
        return sums


def _add_counts(to: dict[_Key, int], counts: dict[_Key, int]) -> None:
    for key, count in counts.items():
        to[key] = to.get(key, 0) + count
