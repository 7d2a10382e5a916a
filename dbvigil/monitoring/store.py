"""What a sample becomes in the database.

The target's newest state, its history, and what the alert engine found, in one transaction under its lease.
"""

from __future__ import annotations

import json
import logging
import threading
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import F

from dbvigil.alert import Alert
from dbvigil.alerting import DatabaseAlerting
from dbvigil.alerting.record import Evaluated
from dbvigil.history.base import History
from dbvigil.models import TargetState
from dbvigil.slow_queries.storing import Ids, progress
from dbvigil.types import DatabaseMetrics, Snapshot

logger = logging.getLogger(__name__)

_BATCH = 500
_CAPACITY = 50_000


@dataclass(frozen=True, slots=True)
class Result:
    """One sample to be written: its figures, the token it was taken under, and what the alert engine made of it.

    `states` is what the engine remembers afterwards; None where that has not changed.
    """

    token: int
    metrics: DatabaseMetrics
    evaluated: Evaluated | None = None
    states: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Flushed:
    """What became of a batch: the aliases whose lease was lost, and the alerts that changed."""

    lost: frozenset[str] = frozenset()
    alerts: tuple[Alert, ...] = ()


class Store:
    """A queue of samples and the writer that empties it.

    A sample leaves the queue only once it is committed, so a database that is locked, full or away costs
    time, not samples, until the queue is full; then the oldest go, and the loss is counted and logged. What the
    alert engine found in them stays. Of the raw counters only a target's newest are kept: nobody needs older ones.
    """

    def __init__(self, identity: str, history: History, alerting: DatabaseAlerting) -> None:
        self._identity = identity
        self._history = history
        self._alerting = alerting
        self._queue: deque[Result] = deque()
        self._snapshots: dict[str, Snapshot] = {}
        self._found: deque[tuple[int, Evaluated]] = deque()
        self._lock = threading.Lock()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, result: Result, snapshot: Snapshot | None) -> None:
        """Queues one sample, with its raw counters where the server answered; never waits for the database."""
        with self._lock:
            if snapshot is not None:
                self._snapshots[result.metrics.database] = snapshot
            if len(self._queue) >= _CAPACITY:
                oldest = self._queue.popleft()
                if oldest.evaluated is not None and oldest.evaluated.step.transitions:
                    self._found.append((oldest.token, oldest.evaluated))
                self.dropped += 1
                if self.dropped == 1 or self.dropped % 1000 == 0:
                    logger.error(
                        "the queue of unwritten samples is full: %d samples lost so far", self.dropped
                    )
            self._queue.append(result)

    def flush(self) -> Flushed:
        """Writes one batch. Raises `django.db.DatabaseError`; all is kept then.

        The samples of a target whose lease is lost are thrown away: its new monitor has found the same.
        """
        with self._lock:
            batch = list(islice(self._queue, _BATCH))
            found = list(self._found)
            snapshots = {
                result.metrics.database: self._snapshots.get(result.metrics.database) for result in batch
            }
        if not batch:
            return Flushed()
        groups: dict[tuple[str, int], list[Result]] = {}
        for result in batch:
            groups.setdefault((result.metrics.database, result.token), []).append(result)
        evaluated = [result.evaluated for result in batch if result.evaluated is not None]
        now = datetime.now(UTC)
        # Read before the transaction, whose reads are to see what was there when it got its lock.
        plan = self._alerting.plan(now) if found or not all(item.empty for item in evaluated) else None
        lost: set[str] = set()
        alerts: list[Alert] = []
        with transaction.atomic():
            for (alias, _token), results in groups.items():
                if not self._advance(alias, results, snapshots[alias]):
                    lost.add(alias)
            if plan is not None:
                kept = [item for token, item in found if (item.database, token) in groups] + evaluated
                alerts = self._alerting.record(
                    (item for item in kept if item.database not in lost), plan, now
                )
            self._history.save([result.metrics for result in batch if result.metrics.database not in lost])
        written = {id(result) for result in batch}
        with self._lock:
            # `put` may have dropped some of the batch from the front of a full queue meanwhile.
            while self._queue and id(self._queue[0]) in written:
                self._queue.popleft()
            for _ in found:
                self._found.popleft()
            for alias, snapshot in snapshots.items():
                if snapshot is not None and self._snapshots.get(alias) is snapshot:
                    del self._snapshots[alias]
        return Flushed(frozenset(lost), tuple(alerts))

    def _advance(self, alias: str, results: list[Result], snapshot: Snapshot | None) -> bool:
        """Moves the target's state on to its newest sample; false where the lease is no longer ours."""
        newest = results[-1]
        values: dict[str, Any] = {
            "metrics": newest.metrics.to_dict(),
            "sampled_at": newest.metrics.timestamp,
            "samples": F("samples") + len(results),
        }
        if snapshot is not None:
            values["snapshot"] = pack_snapshot(snapshot)
        states = next((result.states for result in reversed(results) if result.states is not None), None)
        if states is not None:
            values["alert_states"] = states
        held = TargetState.objects.filter(alias=alias, holder=self._identity, token=newest.token)
        return bool(held.update(**values))


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was written last of a target: its raw counters and figures, so that rates go on across a change of monitor, and what the
    alert engine remembers. `statements` is how far its statements were read, `kinds` those that are stored.
    """

    snapshot: Snapshot | None = None
    metrics: DatabaseMetrics | None = None
    alert_states: Mapping[str, Any] = field(default_factory=dict)
    statements: Mapping[str, Any] | None = None
    kinds: Ids = field(default_factory=dict)


def load(alias: str) -> Remembered:
    """The last that was written of `alias`."""
    row = TargetState.objects.only("snapshot", "metrics", "alert_states").get(alias=alias)
    metrics = DatabaseMetrics.from_dict(row.metrics) if row.metrics else None
    snapshot = unpack_snapshot(bytes(row.snapshot)) if row.snapshot else None
    statements, kinds = progress(alias)
    return Remembered(snapshot, metrics, row.alert_states or {}, statements, kinds)


def pack_snapshot(snapshot: Snapshot) -> bytes:
    return zlib.compress(json.dumps(snapshot.to_dict(), separators=(",", ":")).encode(), 1)


def unpack_snapshot(data: bytes) -> Snapshot | None:
    """None for what another version of dbvigil wrote and this one cannot read.

    The first rates then wait for a second sample.
    """
    try:
        return Snapshot.from_dict(json.loads(zlib.decompress(data)))
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        logger.warning("stored counters cannot be read, starting afresh: %s", error)
        return None
