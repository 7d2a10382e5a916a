"""A metric over time as a picture of its own, without script: a line of means, and a band from the least to the most. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

WIDTH = 640
HEIGHT = 96
_GAP_STEPS = 2.5
"""So many steps without a point are a gap: nobody knows what was in between."""

Point = Sequence[Any]
"""[moment (ISO-8601), mean, least, most], as history has it."""


@dataclass(frozen=True, slots=True)
class Chart:
    """`lines` and `bands` are the points of polylines and polygons in a box of `WIDTH` by `HEIGHT`, one for each stretch without a gap.

    `highest` is the value at the upper edge, `last` the newest, None where there is none.
    """

    lines: tuple[str, ...]
    bands: tuple[str, ...]
    highest: float
    last: float | None
    began: datetime
    ended: datetime

    @property
    def empty(self) -> bool:
        return not self.lines


def chart(
    points: Sequence[Point], began: datetime, ended: datetime, step: float, least_height: float
) -> Chart:
    """Of `points` that are `step` seconds apart; `least_height` is the least that the upper edge stands for: little should look little."""
    read = [
        (datetime.fromisoformat(str(moment)).timestamp(), float(mean), float(least), float(most))
        for moment, mean, least, most in points
        if None not in (mean, least, most)
    ]
    highest = max([least_height, *(most for _, _, _, most in read)])
    start, span = began.timestamp(), max(1.0, (ended - began).total_seconds())

    def place(moment: float, value: float) -> str:
        x = min(max((moment - start) / span, 0.0), 1.0) * WIDTH
        return f"{x:.1f},{HEIGHT - value / highest * HEIGHT:.1f}"

    lines, bands = [], []
    for stretch in _stretches(read, step * _GAP_STEPS):
        # One point alone would not be seen.
        shown = stretch if len(stretch) > 1 else [stretch[0], (stretch[0][0] + step, *stretch[0][1:])]
        lines.append(" ".join(place(moment, mean) for moment, mean, _, _ in shown))
        upper = [place(moment, most) for moment, _, _, most in shown]
        lower = [place(moment, least) for moment, _, least, _ in reversed(shown)]
        bands.append(" ".join(upper + lower))
    return Chart(tuple(lines), tuple(bands), highest, read[-1][1] if read else None, began, ended)


def _stretches(
    points: Sequence[tuple[float, float, float, float]], gap: float
) -> list[list[tuple[float, float, float, float]]]:
    found: list[list[tuple[float, float, float, float]]] = []
    for point in points:
        if found and point[0] - found[-1][-1][0] <= gap:
            found[-1].append(point)
        else:
            found.append([point])
    return found
