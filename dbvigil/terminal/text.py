"""Small text: symbols, sparklines, bars, ages, and text from servers made fit to print."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dbvigil.display import display
from dbvigil.types import Status

_UNPRINTABLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The signs of one character set. A status has a sign of its own, so that color is never needed.

    `levels` are a sparkline's steps, lowest first; `full`, `half` and `empty` draw a bar;
    `overflow` is how text that is too long ends.
    """

    status: Mapping[Status, str]
    levels: str
    full: str
    half: str
    empty: str
    dot: str
    overflow: Literal["ellipsis", "crop"]


UNICODE = Glyphs(
    status={"healthy": "●", "warning": "▲", "critical": "◆", "unknown": "?", "down": "✕"},
    levels="▁▂▃▄▅▆▇█",
    full="━",
    half="╸",
    empty="─",
    dot="·",
    overflow="ellipsis",
)
ASCII = Glyphs(
    status={"healthy": "o", "warning": "!", "critical": "#", "unknown": "?", "down": "X"},
    levels="_.-:=+*#",
    full="=",
    half="-",
    empty=".",
    dot="-",
    overflow="crop",
)


def glyphs_for(encoding: str | None) -> Glyphs:
    """The signs that `encoding` can carry."""
    return UNICODE if (encoding or "").lower().replace("-", "").startswith("utf") else ASCII


def clean(text: str) -> str:
    """`text` on one line, without anything that a terminal would obey.

    Control characters, direction marks and lone surrogates are shown as escapes (`\\x1b`), line breaks and
    tabs become spaces.
    """
    return "".join(map(_printable, " ".join(text.splitlines())))


def _printable(character: str) -> str:
    if character == "\t":
        return " "
    if unicodedata.category(character) not in _UNPRINTABLE:
        return character
    return character.encode("ascii", "backslashreplace").decode() if ord(character) > 127 else _hex(character)


def _hex(character: str) -> str:
    return f"\\x{ord(character):02x}"


def figure(name: str, value: object) -> str:
    """`value` of metric `name` with its unit, fit to print: "82.5 %", "n/a" where unknown."""
    return clean(display(name, value))


def duration(seconds: float) -> str:
    """Whole seconds, minutes, hours or days: "12 s", "3 h"."""
    return display("uptime", max(1.0, round(seconds)))


def clock(moment: datetime, now: datetime) -> str:
    """`moment` in the time zone of `now`, with its date where that is another day."""
    local = moment.astimezone(now.tzinfo)
    return local.strftime("%H:%M" if local.date() == now.date() else "%Y-%m-%d %H:%M")


def sparkline(values: Sequence[float | None], glyphs: Glyphs, low: float | None = None) -> str:
    """One sign a value, oldest first; a blank where there is none.

    The lowest step stands for `low` (None: the lowest value), the highest for the highest value; a line that
    never moves lies in the middle, or at the bottom where it is zero.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return " " * len(values)
    bottom = min(known) if low is None else min(low, *known)
    reach = max(known) - bottom
    top = len(glyphs.levels) - 1
    flat = top // 2 if bottom else 0

    def sign(value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return " "
        return glyphs.levels[round((value - bottom) / reach * top) if reach > 0 else flat]

    return "".join(map(sign, values))


def bar(share: float | None, width: int, glyphs: Glyphs) -> tuple[str, str]:
    """The filled and the empty part of a bar `width` wide for `share` percent; all blank where unknown."""
    if share is None or not math.isfinite(share):
        return "", " " * width
    halves = round(min(100.0, max(0.0, share)) / 100 * width * 2)
    filled = glyphs.full * (halves // 2) + glyphs.half * (halves % 2)
    return filled, glyphs.empty * (width - len(filled))


def cells(
    points: Sequence[tuple[float, float]], end: float, step: float, count: int
) -> tuple[float | None, ...]:
    """`points` (time, value) laid into `count` cells of `step` seconds, the last of them around `end`.

    Several points in a cell are averaged; a cell without one is None, so that a gap stays a gap.
    """
    found: list[list[float]] = [[] for _ in range(count)]
    for moment, value in points:
        place = count - 1 - round((end - moment) / step)
        if 0 <= place < count:
            found[place].append(value)
    return tuple(sum(values) / len(values) if values else None for values in found)
