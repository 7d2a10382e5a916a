"""When a target is asked about its statements: after a sample, over the same connection, about once a minute."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dbvigil.collectors.evidence import ROWS
from dbvigil.collectors.witness import aside
from dbvigil.errors import ServerError
from dbvigil.server import Server
from dbvigil.slow_queries.collecting import Collected, Collector
from dbvigil.slow_queries.moment import LONG_SECONDS, worst
from dbvigil.slow_queries.storing import Ids
from dbvigil.slow_queries.waiting import Waiting
from dbvigil.types import Snapshot

logger = logging.getLogger("dbvigil.monitor")

EVERY_SECONDS = 59.0
# A little less than a minute, so that a sample that is early by a hair counts. Nobody wants to wait as long for the first figures.
_FIRST_SECONDS = (1.0, 10.0)
_LIMIT_SECONDS = 5.0
AT_ONCE = 16
"""Visits that are under way at a time, of all targets: many targets may be on few servers, and a sample goes before."""
_EVIDENCE_SECONDS = 1.0


class Visits:
    """The visits to one target under one lease. What goes wrong in one is said, and hinders no sample."""

    _under_way = 0

    def __init__(
        self, alias: str, token: int, waiting: Waiting, progress: Mapping[str, Any] | None, ids: Ids
    ) -> None:
        self._alias = alias
        self._token = token
        self._waiting = waiting
        self._collector = Collector(progress, tuple(ids))
        self._pauses = list(_FIRST_SECONDS)
        self._due = 0.0
        self._trouble = ""
        self._sessions = True
        waiting.remember(alias, dict(ids))

    async def after(self, server: Server, snapshot: Snapshot | None, moment: float) -> Snapshot | None:
        """A visit after `snapshot`, where one is due at `moment` (seconds of the loop's clock); the snapshot with what it has cost."""
        if snapshot is None or moment < self._due or Visits._under_way >= AT_ONCE:
            return snapshot
        # The sample knows already whether anything runs for long.
        longest = snapshot.readings.get("sessions", {}).get("longest_query")
        self._sessions = longest is None or longest >= LONG_SECONDS
        self._due = moment + (self._pauses.pop(0) if self._pauses else EVERY_SECONDS)
        found, snapshot = await aside(server, snapshot, self._visit(server))
        if found is not None:
            self._waiting.put(self._alias, self._token, found)
        return snapshot

    async def evidence(
        self, server: Server, snapshot: Snapshot, moment: float
    ) -> tuple[list[dict[str, Any]], Snapshot]:
        """What took most time since the last visit, asked now; nothing where there is none or the server does not tell."""
        self._due = moment + EVERY_SECONDS
        (found, rows), snapshot = await aside(server, snapshot, self._worst(server))
        if found is not None:
            self._waiting.put(self._alias, self._token, found)
        return rows, snapshot

    async def _worst(self, server: Server) -> tuple[Collected | None, list[dict[str, Any]]]:
        found = await self._visit(server)
        if found is None:
            return None, []
        try:
            async with asyncio.timeout(_EVIDENCE_SECONDS):
                return found, await worst(server, found.windows.get("digest"), ROWS)
        except (TimeoutError, ServerError) as error:
            logger.info("%s: what took most time is not told: %s", self._alias, error or "no answer in time")
            return found, []

    async def _visit(self, server: Server) -> Collected | None:
        Visits._under_way += 1
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                found = await self._collector.collect(server, datetime.now(UTC), sessions=self._sessions)
        except TimeoutError:
            self._say(f"the server did not tell about its statements within {_LIMIT_SECONDS:g} s")
        except ServerError as error:
            self._say(str(error))
        except Exception as error:
            # An answer of an unforeseen shape must not end the samples; the log has the place.
            logger.exception("%s: what it tells about its statements was not understood", self._alias)
            self._say(
                f"the server's answer was not understood ({type(error).__name__}); the monitor's log has the details"
            )
        else:
            self._trouble = ""
            return found
        finally:
            Visits._under_way -= 1
        return None

    def _say(self, trouble: str) -> None:
        self._waiting.fail(self._alias, trouble)
        if trouble != self._trouble:
            logger.warning("%s: its statements are not read: %s", self._alias, trouble)
        self._trouble = trouble
