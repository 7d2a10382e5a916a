"""What a sample becomes in the database.

The target's newest state and its history, in one transaction under its lease.
"""

from __future__ import annotations

import json
import logging
import threading
import zlib
from collections import deque
from dataclasses import dataclass
from itertools import islice

from django.db import transaction
from django.db.models import F

from dbvigil.history.base import History
from dbvigil.models import TargetState
from dbvigil.types import DatabaseMetrics, Snapshot

logger = logging.getLogger(__name__)

_BATCH = 500
_CAPACITY = 50_000


@dataclass(frozen=True, slots=True)
class Result:
    """One sample to be written: its figures, and the token it was taken under."""

    token: int
    metrics: DatabaseMetrics


class Store:
    """A queue of samples and the writer that empties it.

    A sample leaves the queue only once it is committed, so a database that is locked, full or away costs
    time, not samples, until the queue is full; then the oldest go, and the loss is counted and logged. Of the
    raw counters only a target's newest are kept: nobody needs older ones.
    """

    def __init__(self, identity: str, history: History) -> None:
        self._identity = identity
        self._history = history
        self._queue: deque[Result] = deque()
        self._snapshots: dict[str, Snapshot] = {}
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
                self._queue.popleft()
                self.dropped += 1
                if self.dropped == 1 or self.dropped % 1000 == 0:
                    logger.error(
                        "the queue of unwritten samples is full: %d samples lost so far", self.dropped
                    )
            self._queue.append(result)

    def flush(self) -> set[str]:
        """Writes one batch.

        The aliases whose lease is lost, whose samples were thrown away. Raises `django.db.DatabaseError`; all
        is kept then.
        """
        with self._lock:
            batch = list(islice(self._queue, _BATCH))
            snapshots = {
                result.metrics.database: self._snapshots.get(result.metrics.database) for result in batch
            }
        if not batch:
            return set()
        groups: dict[tuple[str, int], list[Result]] = {}
        for result in batch:
            groups.setdefault((result.metrics.database, result.token), []).append(result)
        lost: set[str] = set()
        kept: list[DatabaseMetrics] = []
        with transaction.atomic():
            for (alias, _token), results in groups.items():
                if self._advance(alias, results, snapshots[alias]):
                    kept += [result.metrics for result in results]
                else:
                    lost.add(alias)
            self._history.save(kept)
        written = {id(result) for result in batch}
        with self._lock:
            # `put` may have dropped some of the batch from the front of a full queue meanwhile.
            while self._queue and id(self._queue[0]) in written:
                self._queue.popleft()
            for alias, snapshot in snapshots.items():
                if snapshot is not None and self._snapshots.get(alias) is snapshot:
                    del self._snapshots[alias]
        return lost

    def _advance(self, alias: str, results: list[Result], snapshot: Snapshot | None) -> bool:
        """Moves the target's state on to its newest sample; false where the lease is no longer ours."""
        newest = results[-1]
        values = {
            "metrics": newest.metrics.to_dict(),
            "sampled_at": newest.metrics.timestamp,
            "samples": F("samples") + len(results),
        }
        if snapshot is not None:
            values["snapshot"] = pack_snapshot(snapshot)
        held = TargetState.objects.filter(alias=alias, holder=self._identity, token=newest.token)
        return bool(held.update(**values))


def load(alias: str) -> tuple[Snapshot | None, DatabaseMetrics | None]:
    """The raw counters and the figures that were written last, so that rates go on across a change of
    monitor.
    """
    row = TargetState.objects.only("snapshot", "metrics").get(alias=alias)
    metrics = DatabaseMetrics.from_dict(row.metrics) if row.metrics else None
    return (unpack_snapshot(bytes(row.snapshot)) if row.snapshot else None), metrics


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
