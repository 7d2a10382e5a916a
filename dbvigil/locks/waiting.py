"""What was found about locks and is not written yet. The service's database may be away: then it waits here."""

from __future__ import annotations

import logging
import threading
from collections import deque

from dbvigil.locks import storing
from dbvigil.locks.collecting import Seen

logger = logging.getLogger("dbvigil.monitor")

CAPACITY = 1_000
"""Findings that wait at most, of all targets. Then the oldest go, and the log says so."""
AT_ONCE = 50
"""Findings of one `flush`: samples take their turn between two."""


class Waiting:
    """A queue of findings of this monitor, `holder` of the targets' leases; thread-safe."""

    def __init__(self, holder: str) -> None:
        self._holder = holder
        self._queue: deque[tuple[str, int, Seen]] = deque()
        self._lock = threading.Lock()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, database: str, token: int, seen: Seen) -> None:
        """Never waits for the database."""
        with self._lock:
            if len(self._queue) >= CAPACITY:
                self._queue.popleft()
                self.dropped += 1
                logger.error("too many findings about locks wait to be written: %d lost so far", self.dropped)
            self._queue.append((database, token, seen))

    def flush(self) -> None:
        """Writes some of what waits. Raises `DatabaseError`; what is not written stays."""
        for _ in range(min(AT_ONCE, len(self._queue))):
            database, token, seen = self._queue[0]
            if not storing.save(database, self._holder, token, seen):
                logger.debug("%s: its lease is gone, its locks are another monitor's", database)
            with self._lock:
                # `put` may have dropped it from the front of a full queue meanwhile.
                if self._queue and self._queue[0][2] is seen:
                    self._queue.popleft()
