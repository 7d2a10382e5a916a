"""Where a source has stood and when, and how far behind it a replica is that has only come to an earlier place. Pure.

It needs no clock but the monitor's and nothing written on a server, and tells the truth where a replica cannot: with its threads stopped,
and when its connection is dead without its knowing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass

MOST = 1_024
"""How many places are remembered; those that are long past are thinned out."""


@dataclass(slots=True)
class _Place:
    """A position, and the first and last moment (seconds) at which the source was seen there."""

    position: str
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Behind:
    """How many seconds a replica is behind: at least, and at most (None where memory does not reach back so far)."""

    least: float
    most: float | None

    @property
    def middle(self) -> float | None:
        return None if self.most is None else (self.least + self.most) / 2


class Course:
    """The places of one source, as its samples tell them."""

    def __init__(self) -> None:
        self._places: list[_Place] = []

    def add(self, position: str, moment: float) -> None:
        """The source stood at `position` at `moment`; moments never go back."""
        if self._places and self._places[-1].position == position:
            self._places[-1].last = moment
            return
        self._places.append(_Place(position, moment, moment))
        if len(self._places) > MOST:
            half = len(self._places) // 2
            self._places = self._places[:half:2] + self._places[half:]

    def passed(self, between: Callable[[str, str], bool]) -> bool:
        """Whether `between` says so of two places that follow each other, or of one where the source was seen."""
        places = [place.position for place in self._places]
        return any(between(place, place) for place in places) or any(map(between, places, places[1:]))

    def behind(self, has: Callable[[str], bool], moment: float, within: float) -> Behind | None:
        """How far a replica is behind that was asked at `moment`; `has` says whether it has all of a position.

        None where the source was not seen for `within` seconds and the replica has all that was seen: nobody knows.
        """
        places = self._places[: bisect_right(self._places, moment, key=lambda place: place.first)]
        # Who has a place has all before it: the first that is missing is found by halving.
        missing = bisect_left(places, True, key=lambda place: not has(place.position))
        had = places[missing - 1] if missing else None
        if missing == len(places):
            if had is None or moment - had.last > within:
                return None
            return Behind(0.0, max(0.0, moment - had.last))
        return Behind(moment - places[missing].first, None if had is None else moment - had.last)
