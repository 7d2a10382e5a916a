"""Whether a replica catches up, and when it will have. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MINUTES = 10.0
"""How far back lag is looked at."""
_LEAST_POINTS = 3
_LEAST_SPAN = 20.0
_LEAST_LAG = 1.0
_LONGEST = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Trend:
    """`change` is how many seconds of lag are added (or taken off) each second; `catch_up_seconds` is None where it does not catch up."""

    change: float
    catch_up_seconds: float | None

    def to_dict(self) -> dict[str, Any]:
        return {"change": self.change, "catch_up_seconds": self.catch_up_seconds}


def trend(points: Sequence[tuple[float, float]], now: float, lag: float | None) -> Trend | None:
    """From (moment, lag) of the last minutes, oldest first, all in seconds; None where they are too few to tell.

    Only what came after the lag's highest point counts: before it the replica was not catching up.
    """
    recent = [(moment, value) for moment, value in points if now - MINUTES * 60 <= moment <= now]
    if lag is None or len(recent) < _LEAST_POINTS or recent[-1][0] - recent[0][0] < _LEAST_SPAN:
        return None
    if lag < _LEAST_LAG:
        return Trend(round(_slope(recent), 4), 0.0)
    highest = max(range(len(recent)), key=lambda place: (recent[place][1], place))
    falling = recent[highest:]
    if len(falling) >= _LEAST_POINTS and (slope := _slope(falling)) < 0:
        needed = lag / -slope
        return Trend(round(slope, 4), round(needed, 1) if needed <= _LONGEST else None)
    return Trend(round(_slope(recent), 4), None)


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line that lies nearest to the points (least squares)."""
    count = len(points)
    mean_moment = sum(moment for moment, _ in points) / count
    mean_value = sum(value for _, value in points) / count
    spread = sum((moment - mean_moment) ** 2 for moment, _ in points)
    if not spread:
        return 0.0
    return sum((moment - mean_moment) * (value - mean_value) for moment, value in points) / spread
