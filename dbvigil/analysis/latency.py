"""How long statements took, from what the server keeps: a histogram, or sums. Pure.

`readings` are those of the collector `statements`:

    MySQL    {"buckets": [[upper bound in ps, count], …], "own": [[event id, ps], …], "own_count", "thread": id}: every statement
             since the server's start, the newest few of the monitor's own thread, how many that thread has sent; where evidence
             was asked for since, "own_since" is like "own" after it
    MariaDB  {"count", "seconds", "own_count", "own_seconds"}: statements finished since the server's start, and the monitor's own
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from dbvigil.analysis.interval import Interval
from dbvigil.analysis.shares import mean

_PICOSECONDS = 1e12
_QUANTILE = 0.95
_NOT_WORTH_MENTIONING = 0.01


def query_time(
    interval: Interval | None, now: Mapping[str, Any], before: Mapping[str, Any]
) -> tuple[float | None, str | None]:
    """Seconds and how they were found ("histogram": 95th percentile; "mean"), for the statements finished in the interval.

    The monitor's own statements are taken out. Seconds are None where none finished, or where the server cannot tell.
    """
    if "buckets" in now:
        return _percentile(interval, now, before), "histogram"
    if "count" in now:
        return _finished_mean(interval, now, before), "mean"
    if interval is not None and interval.delta("Query_time") is not None:
        return mean(interval.clients_delta("Query_time"), interval.clients_delta("Questions")), "mean"
    return None, None


def _percentile(interval: Interval | None, now: Mapping[str, Any], before: Mapping[str, Any]) -> float | None:
    if (
        interval is None
        or not interval.same_run
        or "buckets" not in before
        or now.get("thread") != before.get("thread")
    ):
        return None
    former = dict(before["buckets"])
    bounds = [bound for bound, _ in now["buckets"]]
    finished = [count - former.pop(bound, 0) for bound, count in now["buckets"]]
    if any(former.values()) or any(count < 0 for count in finished):
        return None  # the histogram was emptied in between
    seen = max((event for event, _ in before["own"]), default=0)
    unseen = now["own_count"] - before["own_count"]
    for event, duration in (dict(before.get("own_since", ())) | dict(now["own"])).items():
        place = bisect_right(bounds, duration)
        if event > seen and place < len(finished) and finished[place] > 0:
            finished[place] -= 1
            unseen -= 1
    if unseen > _NOT_WORTH_MENTIONING * sum(finished):
        return None  # too many of the monitor's own are left among them
    wanted = _QUANTILE * sum(finished)
    reached = 0
    for bound, count in zip(bounds, finished, strict=True):
        reached += count
        if count and reached >= wanted:
            return float(bound / _PICOSECONDS)
    return None


def _finished_mean(
    interval: Interval | None, now: Mapping[str, Any], before: Mapping[str, Any]
) -> float | None:
    if interval is None or not interval.same_run or not interval.same_connection or "count" not in before:
        return None
    grown = {name: now[name] - before[name] for name in ("count", "seconds", "own_count", "own_seconds")}
    if any(value < 0 for value in grown.values()):
        return None
    count = grown["count"] - grown["own_count"]
    seconds = grown["seconds"] - grown["own_seconds"]
    return mean(max(0.0, seconds), count)
