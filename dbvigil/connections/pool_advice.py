"""Advice on the size of pools, with its arithmetic. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dbvigil.display import seconds

Row = Mapping[str, Any]

WAITS_SHARE = 0.01
WAITS_LEAST = 10
"""So many checkouts have to have waited, and so large a share, before a pool is called too small; one that was refused is enough."""
IDLE_SECONDS = 3_600.0
IDLE_SHARE = 0.5
IDLE_LEAST = 4
HIGH_SHARE = 0.85


@dataclass(frozen=True, slots=True)
class _Pool:
    """A pool of one name in all processes of one program: counts added up, peaks the highest of any, `seconds` the processes' together."""

    name: str
    program: str
    processes: int
    seconds: float
    youngest: float
    size: int
    limit: int
    highest: int
    checkouts: int
    waits: int
    refused: int
    waited: float
    longest: float


def pool_sizes(figures: Row, processes: Sequence[Row]) -> list[str]:
    """A sentence for each pool that is too small or needlessly large; nothing where a figure is unknown."""
    room = _room(figures, processes)
    found = []
    for pool in _pools(processes):
        if pool.refused or (pool.waits >= WAITS_LEAST and pool.waits >= WAITS_SHARE * pool.checkouts):
            found.append(_larger(pool, room))
        elif (
            pool.youngest >= IDLE_SECONDS
            and pool.size >= IDLE_LEAST
            and pool.highest <= IDLE_SHARE * pool.size
        ):
            found.append(_smaller(pool))
    return found


def _larger(pool: _Pool, room: float | None) -> str:
    # Waiting seconds in a second are how many wait at a time, on average.
    queue = pool.waited / pool.seconds if pool.seconds else 0.0
    more = max(1, math.ceil(queue), math.ceil(pool.limit / 5))
    wanted = pool.limit + more
    refused = f", of which {pool.refused:,} got none" if pool.refused else ""
    share, mean = 100 * pool.waits / pool.checkouts, pool.waited / max(1, pool.waits)
    text = (
        f"Pool {pool.name} of {pool.program} gives out {pool.limit} connections at most: {pool.waits:,} of"
        f" {pool.checkouts:,} requests ({share:.1f} %) found all in use and waited, {seconds(mean)} on average and"
        f" {seconds(pool.longest)} at the longest{refused}; {queue:.2g} waited at a time."
        f" {pool.limit} + {more} = {wanted} would hold them."
    )
    if room is None:
        return text + " Whether the server has room for that is not known."
    extra, below = more * pool.processes, f"below {100 * HIGH_SHARE:.0f} % of max_connections"
    fits = f" In {_many(pool.processes)} that is {extra} more"
    if extra <= room:
        return f"{text}{fits}, and the server has room for {room:.0f} {below}."
    return (
        f"{text}{fits}, but the server has room for {max(0.0, room):.0f} only {below}: hold connections for a shorter"
        " time, or raise max_connections first."
    )


def _smaller(pool: _Pool) -> str:
    reserve = max(1, math.ceil(pool.highest / 5))
    wanted = pool.highest + reserve
    return (
        f"Pool {pool.name} of {pool.program} keeps {pool.size} connections in {_many(pool.processes)},"
        f" {pool.size * pool.processes} in all, and at most {pool.highest} of one were in use at a time."
        f" A size of {pool.highest} + {reserve} = {wanted} keeps {wanted * pool.processes}."
    )


def _many(processes: int) -> str:
    return "1 process" if processes == 1 else f"{processes} processes"


def _room(figures: Row, processes: Sequence[Row]) -> float | None:
    """How many more connections a server takes until it is called full: of the peak, or of what the pools may open where that is more."""
    limit, connected, peak = (
        figures.get(name) for name in ("max_connections", "Threads_connected", "Max_used_connections")
    )
    if limit is None or connected is None or peak is None:
        return None
    pooled = [pool for one in processes for pool in one["pools"]]
    possible = sum((pool["limit"] or pool["open"]) - pool["open"] for pool in pooled)
    return float(HIGH_SHARE * limit - max(peak, connected + possible))


def _pools(processes: Sequence[Row]) -> Iterable[_Pool]:
    groups: dict[tuple[str, str], list[tuple[Row, Row]]] = {}
    for one in processes:
        for pool in one["pools"]:
            if None not in (pool["size"], pool["limit"], pool["checkouts"]) and pool["checkouts"]:
                groups.setdefault((pool["name"], one["program"]), []).append((one, pool))
    for (name, program), held in sorted(groups.items()):
        pools = [pool for _, pool in held]
        yield _Pool(
            name,
            program,
            len(held),
            sum(one["seconds"] for one, _ in held),
            min(one["seconds"] for one, _ in held),
            max(pool["size"] for pool in pools),
            max(pool["limit"] for pool in pools),
            max(pool["highest"] for pool in pools),
            sum(pool["checkouts"] for pool in pools),
            sum(pool["waits"] for pool in pools),
            sum(pool["refused"] for pool in pools),
            sum(pool["waits"] * (pool["wait_seconds_mean"] or 0.0) for pool in pools),
            max(pool["wait_seconds_longest"] or 0.0 for pool in pools),
        )
