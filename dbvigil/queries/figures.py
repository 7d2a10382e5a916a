"""What a kind of statement cost in a span of time, whatever source counted it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Figures:
    """Totals over `seconds` of time; times in seconds. What the source does not count is None, never 0.

    `no_index_used`, `full_joins`, `errors` count executions; `full_scans` counts those that read a whole table.
    `p95_time` is of single executions.
    """

    count: int
    total_time: float
    seconds: float | None = None
    max_time: float | None = None
    p95_time: float | None = None
    lock_time: float | None = None
    rows_examined: int | None = None
    rows_sent: int | None = None
    rows_affected: int | None = None
    no_index_used: int | None = None
    full_scans: int | None = None
    full_joins: int | None = None
    tmp_tables: int | None = None
    tmp_disk_tables: int | None = None
    sort_merge_passes: int | None = None
    sort_rows: int | None = None
    errors: int | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None

    @property
    def avg_time(self) -> float | None:
        """Seconds an execution; None where there was none."""
        return self.total_time / self.count if self.count else None

    @property
    def examined_per_sent(self) -> float | None:
        """Rows read for each row sent or changed, at least one of these an execution. None where unknown."""
        if self.rows_examined is None or (self.rows_sent is None and self.rows_affected is None):
            return None
        given = (self.rows_sent or 0) + (self.rows_affected or 0)
        return self.rows_examined / max(given, self.count, 1)


_SUMMED = (
    "rows_examined", "rows_sent", "rows_affected", "no_index_used", "full_scans", "full_joins", "tmp_tables", "tmp_disk_tables",
    "sort_merge_passes", "sort_rows", "errors",
)  # fmt: skip


def added(one: Figures, other: Figures) -> Figures:
    """Both together. What one of them does not count is unknown of both, but for the longest time: a span in which the server's longest
    time did not grow has none that is longer. `p95_time` cannot be added and is None."""
    sums: dict[str, Any] = {
        name: _sum(getattr(one, name), getattr(other, name)) for name in (*_SUMMED, "lock_time")
    }
    return Figures(
        count=one.count + other.count,
        total_time=one.total_time + other.total_time,
        seconds=_sum(one.seconds, other.seconds),
        max_time=_most(max, one.max_time, other.max_time),
        first_seen=_most(min, one.first_seen, other.first_seen),
        last_seen=_most(max, one.last_seen, other.last_seen),
        **sums,
    )


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _most(choose: Callable[..., Any], *values: Any) -> Any:
    known = [value for value in values if value is not None]
    return choose(known) if known else None
