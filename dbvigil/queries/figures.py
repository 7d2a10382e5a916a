"""What a kind of statement cost in a span of time, whatever source counted it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


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
