"""Leaks, found by precise rules: each finding has a name, a sentence with its figures, and the evidence. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Name = Literal[
    "connections_grow",
    "connections_outlived",
    "idle_in_transaction",
    "connections_unaccounted",
    "pool_exhausted",
]

GROWTH_LEAST_SECONDS = 300.0
GROWTH_LEAST_POINTS = 9
GROWTH_LEAST = 5
IN_TRANSACTION_SECONDS = 60.0
UNACCOUNTED_LEAST = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """`process` names the one that it is about; None where it is about a group of the server's sessions."""

    name: Name
    text: str
    process: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "text": self.text,
            "process": self.process,
            "evidence": dict(self.evidence),
        }


def find(
    processes: Sequence[Mapping[str, Any]],
    groups: Sequence[Mapping[str, Any]],
    now: datetime,
) -> list[Finding]:
    """The findings of one database. `processes` are those that report now, as `stored` answers with them; `groups` what its server saw."""
    found: list[Finding] = []
    for one in processes:
        found += [each for each in (_growth(one, now), _outlived(one), _unaccounted(one)) if each is not None]
        found += _exhausted(one)
    return found + list(_transactions(groups))


def _growth(one: Mapping[str, Any], now: datetime) -> Finding | None:
    """More and more open while no more are in use: every count of a third of the time lies above every count of the third before."""
    past = [point for point in one["past"] if point[0] <= now.timestamp() + 1]
    if len(past) < GROWTH_LEAST_POINTS or past[-1][0] - past[0][0] < GROWTH_LEAST_SECONDS:
        return None
    third = len(past) // 3
    first, middle, last = past[:third], past[third : 2 * third], past[2 * third :]
    rises = _highest(first, 1) < _lowest(middle, 1) and _highest(middle, 1) < _lowest(last, 1)
    grown = past[-1][1] - past[0][1]
    if (
        not rises
        or grown < GROWTH_LEAST
        or _highest(last, 2) > _highest(first, 2)
        or _highest(last, 2) >= grown
    ):
        return None
    minutes = (past[-1][0] - past[0][0]) / 60
    return Finding(
        "connections_grow",
        f"{one['program']} (process {one['pid']} on {one['host']}) went from {past[0][1]:g} to {past[-1][1]:g} open connections in"
        f" {minutes:.0f} minutes while at most {_highest(past, 2):g} were in use: it opens connections and does not close them",
        one["identity"],
        {"past": past},
    )


def _highest(points: Iterable[Sequence[float]], place: int) -> float:
    return max(point[place] for point in points)


def _lowest(points: Iterable[Sequence[float]], place: int) -> float:
    return min(point[place] for point in points)


def _outlived(one: Mapping[str, Any]) -> Finding | None:
    if not one["outlived"]:
        return None
    return Finding(
        "connections_outlived",
        f"{one['program']} (process {one['pid']} on {one['host']}) keeps {one['outlived']} of its {one['open']} connections beyond"
        f" CONN_MAX_AGE ({one['max_age']:g} s): they belong to threads that serve no requests, where nothing closes them;"
        " call django.db.close_old_connections() there after each piece of work",
        one["identity"],
        {name: one[name] for name in ("outlived", "open", "max_age", "oldest_seconds")},
    )


def _unaccounted(one: Mapping[str, Any]) -> Finding | None:
    """More on the server than the process knows of, so that they were opened behind Django's back."""
    if one["server_connections"] is None:
        return None
    known = one["highest"]
    unknown = one["server_connections"] - known
    if unknown < max(UNACCOUNTED_LEAST, known):
        return None
    return Finding(
        "connections_unaccounted",
        f"the server sees {one['server_connections']} connections of {one['program']} (process {one['pid']} on {one['host']}), which"
        f" itself knew of at most {known}: {unknown} were opened without Django; give their pool to"
        " dbvigil.connections.watch(), or look for what opens and keeps them",
        one["identity"],
        {"server_connections": one["server_connections"], "known": known},
    )


def _exhausted(one: Mapping[str, Any]) -> Iterable[Finding]:
    for pool in one["pools"]:
        if not pool["refused"]:
            continue
        yield Finding(
            "pool_exhausted",
            f"pool {pool['name']} of {one['program']} (process {one['pid']} on {one['host']}) refused {pool['refused']:,} of"
            f" {pool['checkouts']:,} requests for a connection: all {pool['limit']} were in use; hold them for a shorter time, or see the"
            " advice on its size",
            one["identity"],
            {name: pool[name] for name in ("name", "limit", "checkouts", "waits", "refused", "highest")},
        )


def _transactions(groups: Iterable[Mapping[str, Any]]) -> Iterable[Finding]:
    for group in groups:
        seconds = group["oldest_idle_in_transaction_seconds"]
        if seconds is None or seconds < IN_TRANSACTION_SECONDS:
            continue
        program = group["program"] or "a program that does not name itself"
        many = group["idle_in_transaction"]
        yield Finding(
            "idle_in_transaction",
            f"{group['user']}@{group['host'] or 'localhost'} ({program}) has {many} {'session' if many == 1 else 'sessions'} idle in a"
            f" transaction, the oldest idle for {seconds:.0f} s: it holds its locks and old row versions; commit before waiting for"
            " anything else",
            None,
            {
                name: group[name]
                for name in (
                    "user",
                    "host",
                    "program",
                    "idle_in_transaction",
                    "oldest_idle_in_transaction_seconds",
                )
            },
        )
