"""What the backups of one database say, as figures that rules judge. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any

from dbvigil.backups.due import overdue

COMPARED = 7
"""The size of a backup is judged by the median of so many before it."""
LEAST_COMPARED = 3


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the backups of one database.

    `failed`: its newest finished backup is no good one. `good_at`: when the newest good one began. `verified`: what the newest judged
    restore said, None before any; `sizes` are those of the good ones, before compression, the newest first. `newest` is what is told of the
    newest finished one, JSON-ready; empty before any.
    """

    cron: str
    since: datetime
    failed: bool | None = None
    good_at: datetime | None = None
    verified: bool | None = None
    sizes: Sequence[int] = ()
    newest: Mapping[str, Any] = field(default_factory=dict)


def figures(standing: Standing | None, now: datetime) -> Mapping[str, Any]:
    """The metrics of backups at `now`; all None where no schedule holds."""
    if standing is None:
        return dict.fromkeys(NAMES)
    good = standing.good_at
    return {
        "backup_age_seconds": None if good is None else max(0.0, (now - good).total_seconds()),
        "backup_overdue_seconds": overdue(standing.cron, standing.since, good, now),
        "backup_ok": None if standing.failed is None else not standing.failed,
        "backup_verified": standing.verified,
        "backup_size_change": size_change(standing.sizes),
    }


NAMES = (
    "backup_age_seconds",
    "backup_overdue_seconds",
    "backup_ok",
    "backup_verified",
    "backup_size_change",
)


def size_change(sizes: Sequence[int]) -> float | None:
    """How far the newest size is from the median of those before it, in percent of the smaller of the two: 100 is twice or half.

    None where there are too few to compare with.
    """
    before = sizes[1 : COMPARED + 1]
    if len(before) < LEAST_COMPARED:
        return None
    usual, newest = median(before), sizes[0]
    smaller, larger = sorted((usual, newest))
    return 100.0 * (larger - smaller) / max(smaller, 1)
