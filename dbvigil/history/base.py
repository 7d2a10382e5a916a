"""What history answers with, and what any place that keeps it must be able to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from dbvigil.types import DatabaseMetrics

Point = tuple[float, float, float, float]
"""Seconds since 1970 (UTC), mean, lowest, highest."""


@dataclass(frozen=True, slots=True)
class Series:
    """Metrics of one database over time.

    `points` has every metric that was asked for, its points in time order; a time without a reading has no
    point. `resolution_seconds` is the step that was asked for, or the one chosen: at least the usual distance
    between two samples. Where samples are gathered, a point stands at the start of its step, so that the
    first may lie up to one step before `start`.
    """

    database: str
    resolution_seconds: int
    start: datetime
    end: datetime
    points: Mapping[str, Sequence[Point]]


class History(Protocol):
    """Where samples live. Every method may be called from any thread."""

    def save(self, samples: Sequence[DatabaseMetrics]) -> None:
        """Keeps the numeric metrics of these samples.

        Of two with the same database and time (to the millisecond) the later saved wins. The transaction is
        the caller's.
        """

    def query(
        self,
        database: str,
        metrics: Sequence[str],
        start: datetime,
        end: datetime,
        resolution: int | None = None,
    ) -> Series:
        """`metrics` of `database` from `start` to `end`, both included, every `resolution` seconds.

        None chooses the resolution for at most about 500 points.
        Raises `UnknownMetric`, and `HistoryError` for a range or resolution that cannot be answered.
        """

    def aggregate(
        self, database: str, metrics: Sequence[str], start: datetime, end: datetime
    ) -> dict[str, tuple[float, float, float]]:
        """Lowest, mean and highest reading of each metric in the range; a metric without a reading is absent.

        Ranges over six hours are answered from rollups, whole buckets at both ends. Raises as `query` does.
        """

    def maintain(self, now: datetime) -> bool:
        """One bounded piece of upkeep: packs, rolls up, prunes. True while more is waiting."""

    def forget(self, database: str) -> None:
        """Removes everything kept of `database`."""
