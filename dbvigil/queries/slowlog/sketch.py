"""Quantiles of times from counts in logarithmic buckets: small, and two of them add up to that of both.

A bucket is 4 % wide and stands for its middle, so a quantile is off by less than 2 % of itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

_GROWTH = 1.04
PER_LOG = 1 / math.log(_GROWTH)
"""A time of n microseconds, n ≥ 1, is in bucket `int(log(n) * PER_LOG)`; 0 is in bucket -1."""


def bucket(microseconds: int) -> int:
    return int(math.log(microseconds) * PER_LOG) if microseconds > 0 else -1


def quantile(counts: Mapping[int, int], share: float) -> float | None:
    """Seconds that `share` (0–1) of the executions did not exceed; None of none."""
    rank = math.ceil(sum(counts.values()) * share)
    for number in sorted(counts):
        rank -= counts[number]
        if rank <= 0:
            # The middle that is as far, in its own share, from both ends.
            return 0.0 if number < 0 else 2 * _GROWTH ** (number + 1) / (_GROWTH + 1) / 1e6
    return None
