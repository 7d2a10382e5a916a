"""Samples gathered into buckets: what is stored at which step, and how buckets are made, joined and cut.

Pure: no clock, no database. Times are whole milliseconds since 1970; steps and windows are milliseconds too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, compress, count, pairwise
from operator import mul, ne, sub, truediv

SECOND = 1000
HOUR = 3600 * SECOND
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Tier:
    """One step at which history is stored (0: samples as they came), and the window that one chunk covers."""

    step: int
    window: int

    def window_of(self, moment: int) -> int:
        """Start of the window that `moment` lies in."""
        return moment // self.window * self.window


RAW = Tier(step=0, window=HOUR)
ROLLUPS = (
    Tier(step=60 * SECOND, window=6 * HOUR),
    Tier(step=300 * SECOND, window=DAY),
    Tier(step=HOUR, window=10 * DAY),
)
TIERS = (RAW, *ROLLUPS)


@dataclass(frozen=True, slots=True)
class Buckets:
    """One metric over time, column by column.

    `times` ascend; at each stand how many samples the bucket gathers, and their mean, lowest and highest
    value. A sample as it came is a bucket of one; for those `means`, `lows` and `highs` may be the same list.
    """

    times: Sequence[int]
    counts: Sequence[int]
    means: Sequence[float]
    lows: Sequence[float]
    highs: Sequence[float]

    def __len__(self) -> int:
        return len(self.times)

    @property
    def single(self) -> bool:
        """Whether every bucket is one sample."""
        return self.counts.count(1) == len(self.counts)


EMPTY = Buckets([], [], [], [], [])


def of_samples(times: Sequence[int], values: Sequence[float]) -> Buckets:
    """Buckets of one sample each; `times` must ascend."""
    return Buckets(times, [1] * len(times), values, values, values)


def columns(samples: Iterable[tuple[int, Mapping[str, float]]]) -> dict[str, Buckets]:
    """Samples (time, values by metric) in the order they were saved, as one `Buckets` a metric.

    Of two samples at one time the later saved wins.
    """
    latest = dict(samples)
    gathered: dict[str, tuple[list[int], list[float]]] = {}
    for moment in sorted(latest):
        for name, value in latest[moment].items():
            times, values = gathered.setdefault(name, ([], []))
            times.append(moment)
            values.append(value)
    return {name: of_samples(times, values) for name, (times, values) in gathered.items()}


def gather(buckets: Buckets, step: int) -> Buckets:
    """The same in buckets of `step`, each at the start of its step (multiples of `step` since 1970).

    A step without samples has no bucket.
    """
    if not len(buckets):
        return buckets
    keys = [moment // step for moment in buckets.times]
    starts = [0, *compress(count(1), map(ne, keys[1:], keys))]
    times = [keys[start] * step for start in starts]
    if len(starts) == len(keys):
        return Buckets(times, buckets.counts, buckets.means, buckets.lows, buckets.highs)
    counts, means, lows, highs = buckets.counts, buckets.means, buckets.lows, buckets.highs
    spans = list(map(slice, starts, [*starts[1:], len(keys)]))
    low = list(map(min, map(lows.__getitem__, spans)))
    high = list(map(max, map(highs.__getitem__, spans)))
    if counts.count(counts[0]) == len(counts):
        sizes = list(map(sub, [*starts[1:], len(keys)], starts))
        total = sizes if counts[0] == 1 else [counts[0] * size for size in sizes]
        mean = list(map(truediv, map(sum, map(means.__getitem__, spans)), sizes))
    else:
        total = list(map(sum, map(counts.__getitem__, spans)))
        sums = list(map(mul, means, counts))
        mean = list(map(truediv, map(sum, map(sums.__getitem__, spans)), total))
    return Buckets(times, total, between(low, mean, high), low, high)


def between(lows: Sequence[float], means: Sequence[float], highs: Sequence[float]) -> list[float]:
    """The means, each kept between lowest and highest: rounding can take it past them."""
    return list(map(min, map(max, means, lows), highs))


def join(parts: Sequence[Buckets]) -> Buckets:
    """Buckets from several places in time order; those at the same time become one."""
    parts = [part for part in parts if len(part)]
    if any(left.times[-1] > right.times[0] for left, right in pairwise(parts)):
        return gather(_sorted(_concatenated(parts)), 1)
    pieces: list[Buckets] = []
    for part in parts:
        piece = part
        if pieces and pieces[-1].times[-1] == part.times[0]:
            last = pieces.pop()
            seam = gather(_concatenated([_cut(last, len(last) - 1, len(last)), _cut(part, 0, 1)]), 1)
            pieces += [_cut(last, 0, len(last) - 1), seam]
            piece = _cut(part, 1, len(part))
        if len(piece):
            pieces.append(piece)
    return _concatenated(pieces)


def overlay(below: Mapping[str, Buckets], above: Mapping[str, Buckets]) -> dict[str, Buckets]:
    """Both, metric by metric; a sample of `above` replaces the whole sample that `below` has at its time."""
    taken = {moment for buckets in above.values() for moment in buckets.times}
    kept = {
        name: _selected(buckets, [moment not in taken for moment in buckets.times])
        for name, buckets in below.items()
    }
    return join_each(kept, above)


def join_each(left: Mapping[str, Buckets], right: Mapping[str, Buckets]) -> dict[str, Buckets]:
    """`join`, metric by metric."""
    return {
        name: join([left.get(name, EMPTY), right.get(name, EMPTY)]) for name in left.keys() | right.keys()
    }


def within(buckets: Buckets, start: int, end: int) -> Buckets:
    """Those with start <= time < end."""
    return _cut(buckets, bisect_left(buckets.times, start), bisect_left(buckets.times, end))


def without(buckets: Buckets, start: int, end: int) -> Buckets:
    """Those before `start` or from `end` on."""
    first, last = bisect_left(buckets.times, start), bisect_left(buckets.times, end)
    if first == last:
        return buckets
    return join([_cut(buckets, 0, first), _cut(buckets, last, len(buckets))])


def summary(buckets: Buckets) -> tuple[float, float, float] | None:
    """Lowest, mean of all samples, highest; None where there is none."""
    if not len(buckets):
        return None
    low, high = min(buckets.lows), max(buckets.highs)
    mean = sum(map(mul, buckets.means, buckets.counts)) / sum(buckets.counts)
    return low, min(max(mean, low), high), high


def _concatenated(parts: Sequence[Buckets]) -> Buckets:
    if len(parts) == 1:
        return parts[0]
    return Buckets(
        list(chain.from_iterable(part.times for part in parts)),
        list(chain.from_iterable(part.counts for part in parts)),
        list(chain.from_iterable(part.means for part in parts)),
        list(chain.from_iterable(part.lows for part in parts)),
        list(chain.from_iterable(part.highs for part in parts)),
    )


def _cut(buckets: Buckets, first: int, last: int) -> Buckets:
    if first == 0 and last == len(buckets):
        return buckets
    return Buckets(
        buckets.times[first:last],
        buckets.counts[first:last],
        buckets.means[first:last],
        buckets.lows[first:last],
        buckets.highs[first:last],
    )


def _sorted(buckets: Buckets) -> Buckets:
    order = sorted(range(len(buckets)), key=buckets.times.__getitem__)
    return Buckets(
        [buckets.times[place] for place in order],
        [buckets.counts[place] for place in order],
        [buckets.means[place] for place in order],
        [buckets.lows[place] for place in order],
        [buckets.highs[place] for place in order],
    )


def _selected(buckets: Buckets, keep: Sequence[bool]) -> Buckets:
    if all(keep):
        return buckets
    return Buckets(
        list(compress(buckets.times, keep)),
        list(compress(buckets.counts, keep)),
        list(compress(buckets.means, keep)),
        list(compress(buckets.lows, keep)),
        list(compress(buckets.highs, keep)),
    )
