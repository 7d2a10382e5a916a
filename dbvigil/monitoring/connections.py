"""When a target is asked who holds its connections: once a minute, after a sample, over the same connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dbvigil.collectors import connections
from dbvigil.collectors.witness import aside
from dbvigil.connections.storing import Seen
from dbvigil.errors import ServerError
from dbvigil.keeping import Newest
from dbvigil.server import Server
from dbvigil.types import Snapshot

logger = logging.getLogger("dbvigil.monitor")

EVERY_SECONDS = 60.0
_LIMIT_SECONDS = 2.0
_COUNTERS = (
    "Connections",
    "Max_used_connections",
    "Threads_connected",
    "Threads_created",
    "Threads_cached",
    "Uptime",
)


@dataclass(slots=True)
class ConnectionVisits:
    """The visits to one target under one lease. What goes wrong in one is said once, and hinders no sample."""

    alias: str
    token: int
    waiting: Newest[Seen]
    due: float = 0.0
    troubled: bool = False

    async def after(self, server: Server, snapshot: Snapshot | None, moment: float) -> Snapshot | None:
        """Asks where that is due at `moment` (seconds of the loop's clock); the snapshot with what asking has cost."""
        if snapshot is None or moment < self.due or not self.waiting.wanted:
            return snapshot
        self.due = moment + EVERY_SECONDS
        seen, snapshot = await aside(
            server, snapshot, self._visit(server, snapshot.taken_at, snapshot.readings)
        )
        if seen is not None:
            self.waiting.put(self.alias, self.token, seen)
        return snapshot

    async def _visit(
        self, server: Server, at: datetime, readings: Mapping[str, Mapping[str, Any]]
    ) -> Seen | None:
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                groups = await connections.groups(server)
                limits = await connections.limits(server)
        except (TimeoutError, ServerError) as error:
            if not self.troubled:
                logger.warning(
                    "%s: who holds its connections is not read: %s", self.alias, error or "no answer in time"
                )
            self.troubled = True
            return None
        except Exception:
            # An answer of an unforeseen shape must not end the samples; the log has the place.
            logger.exception("%s: what it tells about connections was not understood", self.alias)
            return None
        self.troubled = False
        counters = readings.get("status", {}).get("global", {})
        return Seen(at, groups, {**limits, **{name: counters.get(name) for name in _COUNTERS}})
