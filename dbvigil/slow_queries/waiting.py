"""What was found about statements and is not written yet. The service's database may be away: then it waits here, and nothing is lost."""

from __future__ import annotations

import logging
import threading
from collections import deque

from dbvigil.models import QueryProgress
from dbvigil.slow_queries import storing
from dbvigil.slow_queries.collecting import Collected

logger = logging.getLogger("dbvigil.monitor")

CAPACITY = 2_000
"""Visits that wait at most, of all targets. Then the oldest go: their differences are lost, and the log says so."""
AT_ONCE = 50
"""Visits of one `flush`: samples take their turn between two."""
SAMPLES = 200
"""Statements with their values that are remembered of one target, in memory only."""


class Waiting:
    """A queue of visits of this monitor, `holder` of the targets' leases; thread-safe."""

    def __init__(self, holder: str) -> None:
        self._holder = holder
        self._queue: deque[tuple[str, int, Collected]] = deque()
        self._troubles: dict[str, str] = {}
        self._ids: dict[str, storing.Ids] = {}
        self._samples: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._queue) + len(self._troubles)

    def put(self, database: str, token: int, found: Collected) -> None:
        with self._lock:
            if len(self._queue) >= CAPACITY:
                self._queue.popleft()
                self.dropped += 1
                logger.error(
                    "too many readings of statements wait to be written: %d lost so far", self.dropped
                )
            self._queue.append((database, token, found))
            samples = self._samples.setdefault(database, {})
            samples.update(found.samples)
            while len(samples) > SAMPLES:
                del samples[next(iter(samples))]

    def sample(self, database: str, pair: str) -> str | None:
        """A statement of a log with its values, for EXPLAIN and nothing else, by what it has in common with its digest."""
        return self._samples.get(database, {}).get(pair) if pair else None

    def fail(self, database: str, trouble: str) -> None:
        """A visit that came to nothing."""
        with self._lock:
            self._troubles[database] = trouble

    def remember(self, database: str, ids: storing.Ids) -> None:
        """The kinds of a target that are stored already."""
        self._ids[database] = ids

    def flush(self) -> None:
        """Writes some of what waits, visit by visit. Raises `DatabaseError`; what is not written stays."""
        for _ in range(min(AT_ONCE, len(self._queue))):
            database, token, found = self._queue[0]
            if not storing.save(database, self._holder, token, found, self._ids.setdefault(database, {})):
                logger.debug("%s: its lease is gone, its statements are another monitor's", database)
            with self._lock:
                # `put` may have dropped it from the front of a full queue meanwhile.
                if self._queue and self._queue[0][2] is found:
                    self._queue.popleft()
        for database, trouble in list(self._troubles.items()):
            QueryProgress.objects.update_or_create(
                database=database, defaults={"trouble": {"digest": trouble, "slow_log": trouble}}
            )
            with self._lock:
                if self._troubles.get(database) == trouble:
                    del self._troubles[database]
