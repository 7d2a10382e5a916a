"""Which step answers a query, and from which stored tier. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from operator import lt, sub
from statistics import median

from dbvigil.errors import HistoryError
from dbvigil.history.tiers import DAY, EMPTY, HOUR, RAW, ROLLUPS, SECOND, TIERS, Buckets, Tier, gather, within

AUTO_POINTS = 500
MOST_POINTS = 11_000
LARGEST_STEP = 366 * 86_400

# Seconds. They divide minutes, hours or days, so that a chart's points fall on round times; then whole days.
NICE_STEPS = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400,
)  # fmt: skip

# Up to which span the lowest, mean and highest are taken from which tier; the coarsest serves any longer one.
_SUMMED_FROM = tuple(zip(TIERS, (6 * HOUR, DAY, 7 * DAY), strict=False))


@dataclass(frozen=True, slots=True)
class Plan:
    """How to answer a query for `first` to `last`, both included.

    Read `tier` over start <= time < end, which is the same range in whole steps, and gather into `step`; all
    in milliseconds. `chosen` tells that the step was left to us.
    """

    tier: Tier
    step: int
    first: int
    last: int
    chosen: bool

    @property
    def start(self) -> int:
        return self.first // self.step * self.step

    @property
    def end(self) -> int:
        return (self.last // self.step + 1) * self.step


def milliseconds(moment: datetime, field: str) -> int:
    """Whole milliseconds since 1970; `field` names the parameter in the error for a time without zone."""
    if moment.tzinfo is None:
        raise HistoryError(field, f"{moment.isoformat()} has no time zone")
    return round(moment.timestamp() * SECOND)


def plan(start: datetime, end: datetime, resolution: int | None) -> Plan:
    """How `start` to `end`, both included, is answered at `resolution` seconds (None: chosen here).

    Raises `HistoryError` where it cannot be.
    """
    first, last = _range(start, end)
    span = last - first
    step = _auto_step(span) if resolution is None else _checked(resolution, span) * SECOND
    return Plan(_tier_for(step), step, first, last, chosen=resolution is None)


def coarse_plan(start: datetime, end: datetime) -> Plan:
    """What to read for the lowest, mean and highest of a range: the longer it is, the coarser the tier."""
    first, last = _range(start, end)
    tier = next((tier for tier, longest in _SUMMED_FROM if last - first <= longest), ROLLUPS[-1])
    return Plan(tier, tier.step or 1, first, last, chosen=True)


def apply(asked: Plan, read: Buckets) -> Buckets:
    """What was read, in the step that was asked for.

    Samples about that far apart, or further, stay as they came: gathering them would let the jitter of their
    times put two into one bucket and none into the next.
    """
    if asked.tier.step == asked.step:
        return read
    if asked.tier is RAW:
        close = sum(map(lt, _distances(read), repeat(0.9 * asked.step)))
        if close <= 0.05 * len(read):
            return within(read, asked.first, asked.last + 1)
    return gather(read, asked.step)


def answered_seconds(asked: Plan, answers: Iterable[Buckets]) -> int:
    """The step to name in the answer, in seconds: the one asked for, or the one chosen.

    A chosen one grows to the usual distance between two points.
    """
    step = asked.step
    if asked.chosen:
        fullest = max(answers, key=len, default=EMPTY)
        if len(fullest) > 1:
            step = max(step, round(median(_distances(fullest))))
    return round(step / SECOND)


def _distances(buckets: Buckets) -> list[int]:
    return list(map(sub, buckets.times[1:], buckets.times))


def _range(start: datetime, end: datetime) -> tuple[int, int]:
    first, last = milliseconds(start, "start"), milliseconds(end, "end")
    if last < first:
        raise HistoryError("end", f"{end.isoformat()} is before start, {start.isoformat()}")
    return first, last


def _auto_step(span: int) -> int:
    for seconds in NICE_STEPS:
        if span <= AUTO_POINTS * seconds * SECOND:
            return seconds * SECOND
    return -(-span // (AUTO_POINTS * DAY)) * DAY


def _checked(resolution: int, span: int) -> int:
    least = max(1, -(-span // (MOST_POINTS * SECOND)))
    if least <= resolution <= LARGEST_STEP:
        return resolution
    many = 1 <= resolution < least
    wrong = f"over this range is more than {MOST_POINTS} points" if many else "is no step"
    raise HistoryError(
        "resolution",
        f"{resolution} s {wrong}; allowed: auto, or whole seconds from {least} to {LARGEST_STEP}",
    )


def _tier_for(step: int) -> Tier:
    """The coarsest tier whose step divides this one.

    A step from two minutes on that no rollup divides is answered from the coarsest rollup of at most half of
    it: reading samples for it could mean reading all there are. A bucket of that rollup then counts where it
    begins.
    """
    dividing = [tier for tier in ROLLUPS if step % tier.step == 0]
    finer = [tier for tier in ROLLUPS if 2 * tier.step <= step]
    return (dividing or finer or [RAW])[-1]
