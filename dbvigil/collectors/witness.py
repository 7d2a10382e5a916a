"""What is asked for after a sample, evidence above all, and kept out of the next one's figures.

What the monitor's session adds to the server's counters is taken off with the session's own counters, evidence included. Two things cannot
be known from the next sample alone: how long those statements took that MySQL has forgotten by then, and how many there were where the
connection is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Collection
from dataclasses import replace
from typing import Any, TypeVar

from dbvigil.collectors import evidence, statements
from dbvigil.errors import ServerError
from dbvigil.server import Server
from dbvigil.types import Snapshot

logger = logging.getLogger(__name__)

_DURATIONS_SECONDS = 0.5

_T = TypeVar("_T")


async def gather_after(
    server: Server, snapshot: Snapshot, kinds: Collection[str], limit_seconds: float
) -> tuple[dict[str, Any], Snapshot]:
    """`evidence.gather` right after `snapshot` was taken of `server`, and the snapshot with what asking has cost.

    Takes `limit_seconds` and half a second more at most; no server's trouble is raised.
    """
    return await aside(server, snapshot, evidence.gather(server, kinds, limit_seconds))


async def aside(server: Server, snapshot: Snapshot, asking: Awaitable[_T]) -> tuple[_T, Snapshot]:
    """What `asking` finds over the connection of `snapshot`, right after it, and the snapshot with what asking has cost."""
    before, connection = server.statements, server.connection
    found = await asking
    readings = dict(snapshot.readings)
    if (
        connection == snapshot.connection == server.connection
        and server.connected
        and "buckets" in readings.get("statements", {})
    ):
        reading = readings["statements"]
        durations = [*reading.get("own_since", ()), *await _durations(server)]
        readings["statements"] = {**reading, "own_since": durations}
    if connection == snapshot.connection:
        # What was sent over a newer connection is in that one's own counters.
        sent = (server.statements if server.connection == connection else server.statements_before) - before
        monitor = readings["monitor"]
        readings["monitor"] = {**monitor, "trailing_statements": monitor["trailing_statements"] + sent}
    return found, replace(snapshot, readings=readings)


async def _durations(server: Server) -> list[list[int]]:
    """How long the monitor's newest statements took; nothing where that cannot be had, which leaves one `query_time` unknown."""
    try:
        async with asyncio.timeout(_DURATIONS_SECONDS):
            return await statements.own_durations(server)
    except (TimeoutError, ServerError) as error:
        logger.debug("%s: the durations of evidence were not read: %s", server.target.alias, error)
    except Exception:
        # An alert must not be lost for the sake of a figure; the log has the place.
        logger.exception("%s: the durations of evidence were not understood", server.target.alias)
    return []
