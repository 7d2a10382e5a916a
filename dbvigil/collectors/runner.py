"""Runs the collectors over one target's connection: which are due, how long each may take, what a failure means for the next visit."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from dbvigil.collectors.base import Collector
from dbvigil.collectors.shipped import ALL
from dbvigil.errors import (
    AccessDenied,
    ConnectionLost,
    InsecureConnection,
    MissingObject,
    MissingPrivilege,
    ServerError,
    ServerTimeout,
    ServerUnreachable,
    TooManyConnections,
)
from dbvigil.server import Server
from dbvigil.targets import Target
from dbvigil.types import Failure, Snapshot

logger = logging.getLogger(__name__)

# A collector that was refused for good is tried again after this many seconds: a grant may have been given.
RETRY_AFTER = 600.0

# One that grows dear runs less often: seconds of pause for a second of work. What runs with every sample is let be up to `DEAR` seconds,
# for a distant server's answers take long and cost it nothing.
PAUSE = 10.0
PAUSE_ON_SCHEDULE = 100.0
LONGEST_PAUSE = 86_400.0
DEAR = 1.0

# The server itself cannot be had: no matter of one collector.
_NO_CONNECTION = (ServerUnreachable, AccessDenied, InsecureConnection, TooManyConnections)

# Less than these is no time for a statement, nor to judge that a server takes no new connection.
_LEAST = 0.05
_ENOUGH_TO_CONNECT = 0.5

# A proxy that reloads or a listen queue that was full for a moment refuses at once. What took longer than `_AT_ONCE` was silence, of
# which another attempt would tell no more.
_AT_ONCE = 0.5
_SECOND_LOOK_AFTER = 0.05


def boot_clock() -> str:
    """Names this host's boot: two readings of `monotonic` under the same name can be differenced."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"boot-{psutil.boot_time():.0f}"


def monotonic() -> float:
    """Seconds since this host's boot, its sleep included: a laptop that slept must not make a night's queries a minute's."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@dataclass(slots=True)
class _Plan:
    """What is known about one collector on one target: when it is due (monotonic seconds), and why it could not read."""

    due: float = 0.0
    failure: Failure | None = None


@dataclass(slots=True)
class _Visit:
    """One sample under way."""

    server: Server
    deadline: float
    monotonic: float
    readings: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    renewed: bool = False
    connection: str = ""
    statements: int = 0

    def remaining(self) -> float:
        return self.deadline - time.perf_counter()

    def keep(self, name: str, reading: Mapping[str, Any]) -> None:
        self.readings[name] = reading
        if name == "status":
            self.connection, self.statements = self.server.connection, self.server.statements

    def trailing_statements(self) -> int:
        """How many statements the monitor sent after its own counters were read, over the connection that they belong to."""
        return self.server.statements - self.statements if self.connection == self.server.connection else 0


class Sampler:
    """Takes the samples of one target, one at a time, over one connection.

    `clock` names the monotonic clock that `snapshot` is given (see `boot_clock`).
    """

    def __init__(self, target: Target, *, clock: str = "", collectors: Sequence[Collector] = ALL) -> None:
        self.target = target
        self.server = Server(target)
        self._clock = clock or boot_clock()
        self._collectors = tuple(collectors)
        self._plans = {collector.name: _Plan() for collector in collectors}

    @property
    def lost(self) -> asyncio.Event:
        """Set when the server's side has ended the connection that is held between samples; the next sample clears it."""
        return self.server.lost

    async def snapshot(
        self, now: datetime, monotonic: float, full: bool = False, limit: float = 10.0
    ) -> Snapshot:
        """One visit at `now`, which is `monotonic` on the clock: every collector that is due; with `full` all that the server supports.

        It takes at most `limit` seconds, connecting included. Raises the `ServerError` of a server that cannot be sampled at all: no
        connection, or it stopped answering. A collector's own trouble is a `Failure` in the snapshot.
        """
        started = time.perf_counter()
        visit = _Visit(self.server, started + limit, monotonic)
        try:
            if not self.server.connected:
                await self._connect(visit)
            for collector in self._collectors:
                if collector.supports(self.server.info):
                    await self._visit(collector, visit, full)
        except BaseException:
            # Whatever ended the visit, the connection may stand in the middle of an answer.
            await self.server.close()
            raise
        supported = [collector.name for collector in self._collectors if collector.supports(self.server.info)]
        return Snapshot(
            database=self.target.alias,
            taken_at=now,
            clock=self._clock,
            monotonic=monotonic,
            connection=visit.connection or self.server.connection,
            server=self.server.info,
            readings=visit.readings | {"monitor": {"trailing_statements": visit.trailing_statements()}},
            failures=tuple(
                failure for name in supported if (failure := self._plans[name].failure) is not None
            ),
            collection_ms=round((time.perf_counter() - started) * 1000, 3),
        )

    async def close(self) -> None:
        """Ends the connection; never hangs."""
        await self.server.close()

    async def _connect(self, visit: _Visit) -> None:
        """A new connection within the visit's time; what was switched off gets another chance on it."""
        try:
            async with asyncio.timeout(visit.remaining()):
                await self._connect_or_look_again()
        except TimeoutError:
            raise self._silent() from None
        for plan in self._plans.values():
            if plan.failure is not None and plan.failure.permanent:
                plan.due = 0.0

    async def _connect_or_look_again(self) -> None:
        """A new connection. One that is refused is tried once more, so that a blip is not called a fall."""
        began = time.perf_counter()
        try:
            await self.server.connect()
        except ServerUnreachable:
            if time.perf_counter() - began > _AT_ONCE:
                raise
            await asyncio.sleep(_SECOND_LOOK_AFTER)
            await self.server.connect()

    async def _visit(self, collector: Collector, visit: _Visit, full: bool) -> None:
        """Runs `collector` if it is due, and keeps its reading or its failure."""
        plan = self._plans[collector.name]
        if visit.monotonic < plan.due and not full:
            if not collector.every and plan.failure is None:
                plan.failure = Failure(
                    collector.name,
                    "it cost the server much time, and is read less often",
                    "look for what makes it slow",
                )
            return
        limit = min(collector.limit, visit.remaining())
        if limit < _LEAST:
            plan.failure = Failure(
                collector.name, "not read: the sample's time was used up", "see which collector is slow"
            )
            return
        began = time.perf_counter()
        try:
            async with asyncio.timeout(limit):
                visit.keep(collector.name, reading := await self._collect(collector, visit))
            plan.failure = None
            if "missing" in reading:
                cause, remedy = reading["missing"]
                plan.failure = Failure(collector.name, cause, remedy, lacking=True)
        except _NO_CONNECTION:
            raise
        except Exception as error:  # noqa: BLE001 - what is no ServerError is logged with its traceback
            plan.failure = self._failure(collector, error, limit)
            if isinstance(error, ConnectionLost | TimeoutError | ServerTimeout):
                await self._renew(visit)
        if plan.failure is not None and plan.failure.permanent:
            plan.due = visit.monotonic + RETRY_AFTER
        else:
            plan.due = visit.monotonic + _pause(collector, time.perf_counter() - began)

    async def _renew(self, visit: _Visit) -> None:
        """In the middle of an answer a connection cannot be used again. Where no new one can be had, the server is at fault, and so
        it is where it said nothing in the whole sample."""
        await self.server.close()
        if visit.remaining() >= _ENOUGH_TO_CONNECT:
            await self._connect(visit)
        elif not visit.readings:
            raise self._silent()

    def _silent(self) -> ServerTimeout:
        return ServerTimeout(
            f"{self.target.address} did not answer in time to sample it",
            "check whether the server is stopped or overloaded",
        )

    async def _collect(self, collector: Collector, visit: _Visit) -> Mapping[str, Any]:
        """A connection that was lost since the last sample (idle limit, restart) is renewed once, which is no failure."""
        try:
            return await collector.collect(self.server)
        except ConnectionLost:
            if visit.readings or visit.renewed:
                raise
        visit.renewed = True
        await self.server.close()
        await self._connect(visit)
        return await collector.collect(self.server)

    def _failure(self, collector: Collector, error: Exception, limit: float) -> Failure:
        """What `error` means for `collector`: cause, remedy, and whether trying again is pointless."""
        if isinstance(error, TimeoutError | ServerTimeout):
            return Failure(
                collector.name,
                f"no answer within {limit:.2g} s",
                "tried again later; see what the server waits for",
            )
        if isinstance(error, MissingPrivilege):
            grant = collector.grants.get("mariadb" if self.server.info.is_mariadb else "mysql")
            return Failure(
                collector.name,
                error.cause,
                f"GRANT {grant} to the monitor's account" if grant else error.remedy,
                permanent=True,
            )
        if isinstance(error, ServerError):
            lacking = isinstance(error, MissingObject)
            return Failure(collector.name, error.cause, error.remedy, permanent=lacking, lacking=lacking)
        # An answer of an unforeseen shape: the other subjects are still worth reading, and the log has the place.
        logger.error("%s: collector %s failed", self.target.alias, collector.name, exc_info=error)
        return Failure(
            collector.name,
            f"the server's answer was not understood ({type(error).__name__})",
            "see the monitor's log",
        )


def _pause(collector: Collector, cost: float) -> float:
    """Seconds until `collector` is due again after a run of `cost` seconds."""
    if collector.every:
        return max(collector.every, min(LONGEST_PAUSE, cost * PAUSE_ON_SCHEDULE))
    return cost * PAUSE if cost > DEAR else 0.0
