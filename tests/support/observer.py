"""Several real servers, watched as the monitor watches them, a round at a time: samples, positions, visits, and the report of all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from dbvigil import targets
from dbvigil.analysis import rates
from dbvigil.analysis.course import Behind
from dbvigil.collectors.runner import Sampler, monotonic
from dbvigil.errors import ServerError
from dbvigil.replication.collecting import Collector
from dbvigil.replication.courses import Courses
from dbvigil.replication.facts import Facts
from dbvigil.replication.report import Report, report
from dbvigil.sandbox import PrivateServer
from dbvigil.types import DatabaseMetrics, ReplicationChannel, Snapshot
from tests.support.servers import monitoring_url
from tests.support.waiting import PATIENCE

INTERVAL = 1.0
_SAMPLE_SECONDS = 2.0


class Observer:
    """Takes rounds of samples of servers by their aliases, or those `by_socket` over their sockets; an asynchronous context manager."""

    def __init__(self, by_socket: bool = False, /, **servers: PrivateServer) -> None:
        self._samplers = {
            alias: Sampler(
                targets.parse_url(
                    alias, monitoring_url(server, **({"socket": str(server.socket)} if by_socket else {}))
                )
            )
            for alias, server in servers.items()
        }
        self._limits = dict.fromkeys(servers, _SAMPLE_SECONDS)
        self._courses = Courses()
        self._collectors = {alias: Collector() for alias in servers}
        self._snapshots: dict[str, Snapshot] = {}
        self.facts: dict[str, Facts] = {}
        self.metrics: dict[str, DatabaseMetrics] = {}

    def be_patient(self, seconds: float = PATIENCE, *, hangs: str = "") -> None:
        """Lets a sample take so long, but for that of a server that hangs: a busy machine may hold up the others."""
        self._limits |= {alias: seconds for alias in self._limits if alias != hangs}

    async def round(self) -> Report:
        """One sample of each, all at once, and what is made of it."""
        for alias, figures in await asyncio.gather(*map(self._sample, self._samplers)):
            self.metrics[alias] = figures
        return self.report

    @property
    def report(self) -> Report:
        return report(list(self.facts.values()), self.metrics, {}, datetime.now(UTC))

    async def until(self, reached: Callable[[Report], bool], seconds: float = PATIENCE) -> Report:
        """Rounds until the report says so, for `seconds`, and `PATIENCE`."""
        async with asyncio.timeout(max(seconds, PATIENCE)):
            while not reached(seen := await self.round()):
                await asyncio.sleep(0.2)
        return seen

    async def until_found(self, *expected: tuple[str, str], seconds: float = PATIENCE) -> Report:
        """Rounds until these, as (database, id), are all the findings that there are but for those that only inform."""

        def reached(seen: Report) -> bool:
            # Of a slow server whose first sample failed nothing is found either: it was not looked at yet.
            looked_at = bool(expected) or all(one.up for one in self.metrics.values())
            return looked_at and found(seen) == sorted(expected)

        try:
            return await self.until(reached, seconds)
        except TimeoutError:
            raise AssertionError(f"expected {sorted(expected)}, found {found(self.report)}") from None

    def channel(self, alias: str, name: str = "") -> ReplicationChannel:
        return next(one for one in self.metrics[alias].replication_channels or () if one.name == name)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        for sampler in self._samplers.values():
            await sampler.close()

    async def _sample(self, alias: str) -> tuple[str, DatabaseMetrics]:
        sampler, now, moment = self._samplers[alias], datetime.now(UTC), monotonic()
        earlier = self.metrics.get(alias)
        try:
            snapshot = await sampler.snapshot(now, moment, limit=self._limits[alias])
        except ServerError as error:
            return alias, rates.down(alias, now, error, earlier)
        self._courses.add(sampler.target, snapshot)
        behind = self._courses.applied(snapshot, INTERVAL)
        figures = rates.metrics(snapshot, self._snapshots.get(alias), earlier, behind)
        self._snapshots[alias] = snapshot
        await self._visit(alias, snapshot, self._courses.received(snapshot, INTERVAL), moment)
        return alias, figures

    async def _visit(
        self, alias: str, snapshot: Snapshot, received: dict[str, Behind], moment: float
    ) -> None:
        collector, sampler = self._collectors[alias], self._samplers[alias]
        followed = self._courses.is_followed(alias)
        if not collector.due(snapshot, received, moment, followed=followed):
            return
        facts = await collector.read(
            sampler.server, sampler.target, snapshot, received, moment, followed=followed
        )
        if facts is None:
            self.facts.pop(alias, None)
        else:
            self.facts[alias] = facts


def found(seen: Report, severities: Collection[str] = ("critical", "warning")) -> list[tuple[str, str]]:
    """(database, id) of the findings of these severities, sorted."""
    return sorted((one.database, one.id) for one in seen.findings if one.severity in severities)
