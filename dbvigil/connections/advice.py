"""Advice on limits, with the arithmetic in each sentence. Pure; nothing is advised where a figure is unknown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dbvigil.collectors.connections import BUFFERS
from dbvigil.connections.pool_advice import pool_sizes

Rule = Literal[
    "max_connections", "max_connections_memory", "thread_cache", "wait_timeout", "conn_max_age", "pool_size"
]

HIGH_SHARE = 0.85
RESERVE_SHARE = 0.2
RESERVE_LEAST = 5
LOW_SHARE = 0.1
THREADS_A_SECOND = 1.0
CACHE_HIT = 0.9
CONNECTS_A_SECOND = 1.0
LEAST_UPTIME = 3_600.0
LARGE_MEMORY = 4 * 2**30


@dataclass(frozen=True, slots=True)
class Advice:
    """One piece: what to set, and the sentence with the figures that it follows from."""

    rule: Rule
    text: str

    def to_dict(self) -> dict[str, str]:
        return {"rule": self.rule, "text": self.text}


def advise(figures: Mapping[str, Any], processes: Sequence[Mapping[str, Any]]) -> list[Advice]:
    """For one server: its variables and counters (`figures`), and the processes that report."""
    found = (
        _room(figures, processes),
        _memory(figures),
        _threads(figures),
        _wait_timeout(figures, processes),
        _reuse(figures, processes),
    )
    pools = [Advice("pool_size", text) for text in pool_sizes(figures, processes)]
    return [one for one in found if one is not None] + pools


def _known(figures: Mapping[str, Any], *names: str) -> tuple[float, ...] | None:
    values = tuple(figures.get(name) for name in names)
    return None if any(value is None for value in values) else values  # type: ignore[return-value]  # None is told just before


def _room(figures: Mapping[str, Any], processes: Sequence[Mapping[str, Any]]) -> Advice | None:
    """Whether the peak, or what the processes may open together beside others, comes too near to max_connections."""
    known = _known(figures, "max_connections", "Max_used_connections", "Threads_connected")
    if known is None:
        return None
    limit, peak, connected = known
    ours_now, ours_most = sum(one["open"] for one in processes), sum(one["highest"] for one in processes)
    others = max(0, connected - ours_now)
    need = max(peak, others + ours_most)
    if need < HIGH_SHARE * limit:
        return None
    reserve = max(RESERVE_LEAST, math.ceil(RESERVE_SHARE * need))
    both = (
        f"the peak was {peak:g}; {len(processes)} reporting processes had {ours_most:g} at their highest, beside {others:g} of others"
        if processes
        else f"the peak was {peak:g}"
    )
    return Advice(
        "max_connections",
        f"{both}: {need:g} of max_connections {limit:g} is {100 * need / limit:.0f} %. Set max_connections to {need:g} +"
        f" {reserve} in reserve = {need + reserve:g}, or let fewer processes × threads keep connections open.",
    )


def _memory(figures: Mapping[str, Any]) -> Advice | None:
    """A limit far above the peak, with buffers that would not fit if it were ever reached."""
    known = _known(figures, "max_connections", "Max_used_connections", "Uptime", *BUFFERS)
    if known is None:
        return None
    limit, peak, uptime, *buffers = known
    each, total = sum(buffers), sum(buffers) * limit
    if uptime < 24 * LEAST_UPTIME or peak > LOW_SHARE * limit or total < LARGE_MEMORY:
        return None
    wanted = max(50, 2 * peak)
    if wanted >= limit:
        return None
    return Advice(
        "max_connections_memory",
        f"One connection may take {each / 2**20:.1f} MiB (its buffers added up), so max_connections {limit:g} ×"
        f" {each / 2**20:.1f} MiB = {total / 2**30:.1f} GiB; the peak in {uptime / 86_400:.0f} days was {peak:g}."
        f" max_connections {wanted:g} would bound it to {wanted * each / 2**30:.1f} GiB.",
    )


def _threads(figures: Mapping[str, Any]) -> Advice | None:
    known = _known(
        figures, "Threads_created", "Connections", "Uptime", "thread_cache_size", "Max_used_connections"
    )
    if known is None:
        return None
    created, made, uptime, size, peak = known
    if uptime < LEAST_UPTIME or made <= 0 or created > made:
        return None
    rate, hit = created / uptime, 1 - created / made
    wanted = min(peak, 100)
    if rate < THREADS_A_SECOND or hit >= CACHE_HIT or wanted <= size:
        return None
    return Advice(
        "thread_cache",
        f"{created:g} threads were created for {made:g} connections in {uptime:g} s: {rate:.1f} a second, and {100 * hit:.0f} % came"
        f" from the cache of {size:g}. Set thread_cache_size to {wanted:g} (the peak of {peak:g} connections, at most 100).",
    )


def _wait_timeout(figures: Mapping[str, Any], processes: Sequence[Mapping[str, Any]]) -> Advice | None:
    """A server that ends idle connections sooner than Django renews them gives "server has gone away"."""
    wait = figures.get("wait_timeout")
    if wait is None:
        return None
    at_risk = [
        one
        for one in processes
        if one["open"]
        and one["health_checks"] is False
        and (one["max_age"] is None or one["max_age"] >= wait)
    ]
    if not at_risk:
        return None
    ages = sorted({"no limit" if one["max_age"] is None else f"{one['max_age']:g} s" for one in at_risk})
    return Advice(
        "wait_timeout",
        f"wait_timeout is {wait:g} s and CONN_MAX_AGE {' and '.join(ages)} in {len(at_risk)} of {len(processes)} processes, without"
        " CONN_HEALTH_CHECKS: the server ends idle connections that Django still takes for good."
        f" Set CONN_HEALTH_CHECKS to True, or CONN_MAX_AGE below {wait:g} s.",
    )


def _reuse(figures: Mapping[str, Any], processes: Sequence[Mapping[str, Any]]) -> Advice | None:
    """Connections made anew for every request, as often as connecting costs."""
    opening = [one for one in processes if one["max_age"] == 0 and one["seconds"] >= 60]
    rate = sum(one["opened"] / one["seconds"] for one in opening)
    known = _known(figures, "max_connections", "Max_used_connections")
    if rate < CONNECTS_A_SECOND or known is None or known[1] > HIGH_SHARE * known[0]:
        return None
    opened = sum(one["opened"] for one in opening)
    spent = sum(one["opened"] * (one["connect_seconds_mean"] or 0.0) for one in opening)
    return Advice(
        "conn_max_age",
        f"CONN_MAX_AGE 0 in {len(opening)} processes: {opened:g} connections were opened, {rate:.1f} a second,"
        f" {1000 * spent / opened:.1f} ms each. CONN_MAX_AGE 60 keeps one a thread;"
        f" max_connections {known[0]:g} has room above the peak of {known[1]:g}.",
    )
