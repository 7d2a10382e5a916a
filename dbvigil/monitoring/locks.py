"""When a target is asked about locks: after a sample, over the same connection, where the sample says that there is something to see."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from dbvigil.collectors.evidence import ROWS
from dbvigil.collectors.witness import aside
from dbvigil.errors import ServerError
from dbvigil.locks.collecting import Collector, Seen, SeenDeadlock
from dbvigil.locks.waiting import Waiting
from dbvigil.queries.deadlocks import pattern_key
from dbvigil.server import Server
from dbvigil.types import Snapshot, iso_utc

logger = logging.getLogger("dbvigil.monitor")

_LIMIT_SECONDS = 2.0

_T = TypeVar("_T")
Readings = Mapping[str, Mapping[str, Any]]


class LockVisits:
    """The visits to one target under one lease. What goes wrong in one is said, and hinders no sample."""

    def __init__(self, alias: str, token: int, waiting: Waiting) -> None:
        self._alias = alias
        self._token = token
        self._waiting = waiting
        self._collector = Collector()
        self._trouble = ""

    async def after(self, server: Server, snapshot: Snapshot | None, moment: float) -> Snapshot | None:
        """What is due after `snapshot` at `moment` (seconds of the loop's clock); the snapshot with what asking has cost."""
        if snapshot is None:
            return None
        collector, readings = self._collector, snapshot.readings
        deadlock_due = collector.deadlocks_due(readings, moment)
        waits_due = collector.waits_due(readings, moment)
        seen = Seen(snapshot.taken_at, waits=collector.quiet(readings))
        if deadlock_due or waits_due:
            seen, snapshot = await aside(
                server, snapshot, self._visit(server, snapshot, moment, deadlock_due, waits_due)
            )
        if seen.deadlock is not None or seen.waits is not None:
            self._waiting.put(self._alias, self._token, seen)
        return snapshot

    async def evidence(
        self, server: Server, snapshot: Snapshot, moment: float
    ) -> tuple[list[dict[str, Any]] | dict[str, str], Snapshot]:
        """The latest deadlock, one row a transaction; or why it cannot be had. And the snapshot with what asking has cost."""
        reading = self._guarded(
            self._collector.deadlock(server, snapshot.readings, moment, datetime.now(UTC))
        )
        (found, trouble), snapshot = await aside(server, snapshot, reading)
        if trouble:
            return {"unavailable": trouble}, snapshot
        if found is None:
            return {"unavailable": "the server tells of no deadlock"}, snapshot
        self._waiting.put(self._alias, self._token, Seen(snapshot.taken_at, deadlock=found))
        return _rows(found), snapshot

    async def _visit(
        self, server: Server, snapshot: Snapshot, moment: float, deadlock_due: bool, waits_due: bool
    ) -> Seen:
        collector, readings = self._collector, snapshot.readings
        deadlock, waits, troubles = None, collector.quiet(readings), []
        if waits_due:
            # First of the two: waits pass.
            began = time.perf_counter()
            waits, trouble = await self._guarded(collector.waits(server, readings))
            collector.took(moment, time.perf_counter() - began)
            troubles.append(trouble)
        if deadlock_due:
            deadlock, trouble = await self._guarded(
                collector.deadlock(server, readings, moment, snapshot.taken_at)
            )
            troubles.append(trouble)
        self._say("; ".join(dict.fromkeys(filter(None, troubles))))
        return Seen(snapshot.taken_at, deadlock, waits)

    async def _guarded(self, asking: Awaitable[_T]) -> tuple[_T | None, str]:
        """What `asking` finds, or what went wrong in one line."""
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                return await asking, ""
        except TimeoutError:
            return None, f"the server did not answer within {_LIMIT_SECONDS:g} s"
        except ServerError as error:
            return None, str(error)
        except Exception as error:
            # An answer of an unforeseen shape must not end the samples; the log has the place.
            logger.exception("%s: what it tells about locks was not understood", self._alias)
            return None, f"the server's answer was not understood ({type(error).__name__})"

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            logger.warning("%s: its locks are not read: %s", self._alias, trouble)
        self._trouble = trouble


def _rows(seen: SeenDeadlock) -> list[dict[str, Any]]:
    pattern, at = pattern_key(seen.deadlock), iso_utc(seen.at)
    return [
        {
            "pattern": pattern,
            "at": at,
            "id": one.thread_id,
            "user": one.user,
            "host": one.host,
            "victim": one.number == seen.deadlock.victim if seen.deadlock.victim is not None else None,
            "statement": one.statement,
            "holds": "; ".join(map(str, one.holds)) or None,
            "waits_for": "; ".join(map(str, one.waits_for)) or None,
        }
        for one in seen.deadlock.transactions[:ROWS]
    ]
