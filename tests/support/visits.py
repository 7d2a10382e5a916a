"""Samples of a real server, taken by hand: no schedule, no service around them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from dbvigil import targets
from dbvigil.analysis import rates
from dbvigil.collectors.base import Collector
from dbvigil.collectors.runner import Sampler
from dbvigil.collectors.shipped import ALL
from dbvigil.sandbox import PrivateServer
from dbvigil.targets import Target
from dbvigil.types import DatabaseMetrics, Snapshot
from tests.support.servers import monitoring_url


class Visits:
    """Takes one sample after another, as the monitor does: `await visits.sample()` is its figures.

    `snapshots` and `figures` keep them all. `await visits.close()` at the end.
    """

    def __init__(self, target: Target, collectors: Sequence[Collector] = ALL) -> None:
        self.sampler = Sampler(target, collectors=collectors)
        self.snapshots: list[Snapshot] = []
        self.figures: list[DatabaseMetrics] = []
        self._ahead = 0.0

    @classmethod
    def of(
        cls, server: PrivateServer, collectors: Sequence[Collector] = ALL, *, node_exporter: str | None = None
    ) -> Visits:
        """Visits to a private server under its monitoring account."""
        target = targets.parse_url("shop", monitoring_url(server))
        return cls(replace(target, node_exporter=node_exporter), collectors)

    def skip(self, seconds: float) -> None:
        """From now on the schedule believes that `seconds` more have passed; differences are then taken over a time that did not."""
        self._ahead += seconds

    async def sample(self, *, full: bool = False, limit: float = 10.0) -> DatabaseMetrics:
        """One sample; raises the `ServerError` of a server that cannot be sampled, as `Sampler.snapshot` does."""
        snapshot = await self.sampler.snapshot(datetime.now(UTC), time.monotonic() + self._ahead, full, limit)
        self.snapshots.append(snapshot)
        previous = self.snapshots[-2] if len(self.snapshots) > 1 else None
        earlier = self.figures[-1] if self.figures else None
        self.figures.append(rates.metrics(snapshot, previous, earlier))
        return self.figures[-1]

    def failure(self, collector: str) -> str:
        """The newest failure line of `collector`, "" where there is none."""
        return next(
            (str(failure) for failure in self.figures[-1].failures if failure.collector == collector), ""
        )

    async def close(self) -> None:
        await self.sampler.close()
