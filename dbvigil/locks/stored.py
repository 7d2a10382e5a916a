"""Answers from what is kept of deadlocks and of waits for locks. Asks no monitored server."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from dbvigil.errors import ConfigurationError
from dbvigil.models import Deadlock, LockWait
from dbvigil.queries.deadlocks import Deadlock as Report
from dbvigil.queries.deadlocks import advise
from dbvigil.types import iso_utc

MOST = 1_000
LONGEST_HOURS = 400 * 24.0
_REST_SECONDS = 30.0


def deadlocks(
    databases: Sequence[str], hours: float, now: datetime, *, limit: int = 50
) -> list[dict[str, Any]]:
    """The patterns of deadlocks on `databases` of which one was seen in the last `hours`, the newest first.

    Each is `{"database", "pattern", "count", "first_seen", "last_seen", "victim", "transactions", "advice"}`; the last three are of
    its latest. Raises `ConfigurationError` for hours or a limit out of range.
    """
    _check(hours, limit)
    rows = Deadlock.objects.filter(database__in=list(databases), last_seen__gte=now - timedelta(hours=hours))
    return [
        {
            "database": row.database,
            "pattern": row.pattern,
            "count": row.count,
            "first_seen": iso_utc(row.first_seen),
            "last_seen": iso_utc(row.last_seen),
            **row.example,
            "advice": [dict(one.to_dict()) for one in advise(Report.from_dict(row.example))],
        }
        for row in rows.order_by("-last_seen", "database", "pattern")[:limit]
    ]


def lock_waits(
    databases: Sequence[str],
    hours: float,
    now: datetime,
    *,
    limit: int = 50,
    interval: float = 30.0,
) -> list[dict[str, Any]]:
    """The episodes of waiting on `databases` that touch the last `hours`: those that go on first, then the newest.

    Each is `{"database", "current", "started_at", "seen_at", "ended_at", "seconds", "longest_seconds", "most_waiting", "depth",
    "root_statement", "tree", "left_out", "latest"}`. `current`: it goes on, and was seen at one of the last two
    samples, which come every `interval` seconds. `tree` is the deepest, row by row;
    `latest` the newest of one that is current. Raises `ConfigurationError` for hours or a limit out of range.
    """
    _check(hours, limit)
    # What is dear to read is read less often than with every sample.
    fresh = timedelta(seconds=2 * interval + _REST_SECONDS)
    rows = LockWait.objects.filter(database__in=list(databases), seen_at__gte=now - timedelta(hours=hours))
    found = [_episode(row, now, fresh) for row in rows.order_by("-seen_at", "database")[:limit]]
    return sorted(found, key=lambda one: not one["current"])


def _episode(row: LockWait, now: datetime, fresh: timedelta) -> dict[str, Any]:
    current = row.ended_at is None and row.seen_at >= now - fresh
    end = row.ended_at or row.seen_at
    return {
        "database": row.database,
        "current": current,
        "started_at": iso_utc(row.started_at),
        "seen_at": iso_utc(row.seen_at),
        "ended_at": None if row.ended_at is None else iso_utc(row.ended_at),
        "seconds": round((end - row.started_at).total_seconds(), 3),
        "longest_seconds": row.longest_seconds,
        "most_waiting": row.most_waiting,
        "depth": row.depth,
        "root_statement": row.root_statement,
        "tree": row.tree["nodes"],
        "left_out": row.tree["left_out"],
        "latest": row.latest.get("nodes", []) if current else [],
    }


def _check(hours: float, limit: int) -> None:
    if not 0 < hours <= LONGEST_HOURS:
        raise ConfigurationError("hours", hours, f"allowed: more than 0, at most {LONGEST_HOURS:g}")
    if not 1 <= limit <= MOST:
        raise ConfigurationError("limit", limit, f"allowed: 1 to {MOST}")
