"""When a target is asked about its replication: after a sample, over the same connection, where something has changed or it is due."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from dbvigil.analysis.course import Behind
from dbvigil.collectors.witness import aside
from dbvigil.errors import ServerError
from dbvigil.keeping import Newest
from dbvigil.replication.collecting import Collector
from dbvigil.replication.courses import Courses
from dbvigil.replication.standing import Standing
from dbvigil.replication.storing import Seen
from dbvigil.server import Server
from dbvigil.targets import Target
from dbvigil.types import Snapshot

logger = logging.getLogger("dbvigil.monitor")

_LIMIT_SECONDS = 3.0


@dataclass(slots=True)
class ReplicationVisits:
    """The visits to one target under one lease. What goes wrong in one is said once, and hinders no sample."""

    target: Target
    token: int
    waiting: Newest[Seen]
    standing: Standing
    collector: Collector = field(default_factory=Collector)
    trouble: str = ""

    async def after(
        self, server: Server, snapshot: Snapshot | None, courses: Courses, interval: float, moment: float
    ) -> Snapshot | None:
        """Asks where that is due at `moment` (seconds of the loop's clock); the snapshot with what asking has cost.

        `courses` say how far each channel's receiver is behind its source, and whether anybody follows.
        """
        if snapshot is None:
            return None
        received, followed = courses.received(snapshot, interval), courses.is_followed(self.target.alias)
        if not self.collector.due(snapshot, received, moment, followed=followed):
            return snapshot
        asking = self._visit(server, snapshot, received, moment, followed=followed)
        seen, snapshot = await aside(server, snapshot, asking)
        if seen is not None:
            self.waiting.put(self.target.alias, self.token, seen)
            self.standing.seen(self.target.alias, seen.facts)
        return snapshot

    async def _visit(
        self,
        server: Server,
        snapshot: Snapshot,
        received: Mapping[str, Behind],
        moment: float,
        *,
        followed: bool,
    ) -> Seen | None:
        trouble, seen = "", None
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                facts = await self.collector.read(
                    server, self.target, snapshot, received, moment, followed=followed
                )
            seen = Seen(snapshot.taken_at, facts)
        except TimeoutError:
            trouble = f"the server did not answer within {_LIMIT_SECONDS:g} s"
        except ServerError as error:
            trouble = str(error)
        except Exception as error:
            # An answer of an unforeseen shape must not end the samples; the log has the place.
            logger.exception("%s: what it tells about replication was not understood", self.target.alias)
            trouble = f"the server's answer was not understood ({type(error).__name__})"
        if trouble and trouble != self.trouble:
            logger.warning("%s: its replication is not read: %s", self.target.alias, trouble)
        self.trouble = trouble
        return seen
