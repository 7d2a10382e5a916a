"""Shares and quotients that know when there is nothing to judge. Pure."""

from __future__ import annotations


def percent(part: float | None, whole: float | None) -> float | None:
    """`part` of `whole` as 0–100. None where either is unknown, and where the whole is 0: a share of nothing says nothing."""
    if part is None or whole is None or whole <= 0 or part < 0:
        return None
    return min(100.0, 100.0 * part / whole)


def hit_percent(misses: float | None, requests: float | None) -> float | None:
    """Share of `requests` that were not `misses`, 0–100; None as in `percent`."""
    missed = percent(misses, requests)
    return None if missed is None else 100.0 - missed


def mean(total: float | None, count: float | None) -> float | None:
    """`total / count`; None where either is unknown or nothing was counted."""
    if total is None or count is None or count <= 0 or total < 0:
        return None
    return total / count


def total(*parts: float | None) -> float | None:
    """The sum of `parts`; None where any is unknown."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None
