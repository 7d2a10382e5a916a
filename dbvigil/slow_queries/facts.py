"""What only a log tells of a kind of statement, kept by day: who sent it, and bursts of it.

{"2026-03-01": {"callers": {"controller=basket": 12}, "burst": [number, executions, longest, opener]}}
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from dbvigil.queries.comments import commonest
from dbvigil.queries.rules.statistics_history import Burst
from dbvigil.queries.slowlog.digest import CALLERS
from dbvigil.slow_queries.log_source import LogFacts

DAYS = 8
"""So many are kept."""
_LONGEST_OPENER = 500

Facts = Mapping[str, Mapping[str, Any]]


def added(kept: Facts, found: LogFacts, day: date) -> dict[str, Mapping[str, Any]]:
    """`kept` with what was found on `day`, without what is too old."""
    days = {name: facts for name, facts in kept.items() if name > (day - timedelta(days=DAYS)).isoformat()}
    today = days.get(day.isoformat(), {})
    burst = _together(_burst(today), found.burst)
    days[day.isoformat()] = {
        "callers": commonest(_sum(today.get("callers", {}), found.callers), CALLERS),
        **({} if burst is None else {"burst": [burst.number, burst.executions, burst.longest, burst.opener[:_LONGEST_OPENER]]}),
    }  # fmt: skip
    return days


def since(kept: Facts, start: datetime) -> LogFacts:
    """All of the days from that of `start` on."""
    callers: dict[str, int] = {}
    burst = None
    for name, facts in kept.items():
        if name >= start.date().isoformat():
            callers = _sum(callers, facts.get("callers", {}))
            burst = _together(burst, _burst(facts))
    return LogFacts(commonest(callers, CALLERS), burst)


def _burst(facts: Mapping[str, Any]) -> Burst | None:
    body = facts.get("burst")
    return None if body is None else Burst(*body)


def _together(one: Burst | None, other: Burst | None) -> Burst | None:
    if one is None or other is None:
        return one or other
    longest = max(one, other, key=lambda burst: burst.longest)
    return Burst(
        one.number + other.number, one.executions + other.executions, longest.longest, longest.opener
    )


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}
