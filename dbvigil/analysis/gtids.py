"""Positions in a stream of transactions, as both flavours write them, and what one has that another lacks. Pure.

MySQL writes sets, "uuid:1-5:7,uuid:tag:1-3"; MariaDB one transaction a domain, "0-1-17,5-2-3", which stands for all before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

Intervals = tuple[tuple[int, int], ...]
Set = Mapping[tuple[str, str], Intervals]


class BadPosition(ValueError):
    """A text that is no position."""


@lru_cache(maxsize=512)
def mysql_set(text: str) -> Set:
    """Intervals of transaction numbers, in order and apart, by server UUID and tag. Raises `BadPosition`."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for part in "".join(text.split()).split(","):
        if not part:
            continue
        uuid, *fields = part.lower().split(":")
        if len(uuid) != 36 or not fields or not fields[-1][:1].isdigit():
            raise BadPosition(f"no set of GTIDs: {part[:80]}")
        tag = ""
        for field in fields:
            if not field[:1].isdigit():
                tag = field
                continue
            first, _, last = field.partition("-")
            try:
                interval = (int(first), int(last or first))
            except ValueError:
                raise BadPosition(f"no interval of GTIDs: {field[:80]}") from None
            found.setdefault((uuid, tag), []).append(interval)
    return {key: _merged(intervals) for key, intervals in found.items()}


@lru_cache(maxsize=512)
def mariadb_position(text: str) -> Mapping[int, tuple[int, int]]:
    """Server id and sequence number by domain; of several in one domain the furthest. Raises `BadPosition`."""
    found: dict[int, tuple[int, int]] = {}
    for part in "".join(text.split()).split(","):
        if not part:
            continue
        try:
            domain, server, sequence = (int(field) for field in part.split("-"))
        except ValueError:
            raise BadPosition(f"no GTID: {part[:80]}") from None
        if domain not in found or sequence > found[domain][1]:
            found[domain] = (server, sequence)
    return found


def subtract(left: str, right: str) -> str:
    """MySQL: what the set `left` has and `right` has not; "" where that is nothing. Raises `BadPosition`."""
    other, parts = mysql_set(right), []
    for (uuid, tag), intervals in sorted(mysql_set(left).items()):
        rest = _without(intervals, other.get((uuid, tag), ()))
        if rest:
            name = f"{uuid}:{tag}" if tag else uuid
            parts.append(":".join([name, *(f"{a}-{b}" if b > a else str(a) for a, b in rest)]))
    return ",".join(parts)


def covers(position: str, other: str, *, mariadb: bool) -> bool:
    """Whether who stands at `position` has all that `other` has. Raises `BadPosition`."""
    if position == other:
        return True
    if not mariadb:
        return not subtract(other, position)
    own = mariadb_position(position)
    return all(
        domain in own and own[domain][1] >= sequence
        for domain, (_, sequence) in mariadb_position(other).items()
    )


def stands_between(position: str, earlier: str, later: str) -> bool:
    """MariaDB: whether who stands at `position` was sent what a server wrote between `earlier` and `later`, its places at two looks.

    In each of the later one's domains by the server that stands in it, no later, and no earlier than the earlier one; whatever it has
    of other domains, for what a replica of several sources has received names those of all of them. Raises `BadPosition`.
    """
    here, first, last = (mariadb_position(text) for text in (position, earlier, later))
    return bool(last) and all(
        domain in here
        and here[domain][0] == server
        and first.get(domain, (server, 0))[1] <= here[domain][1] <= sequence
        for domain, (server, sequence) in last.items()
    )


def count(text: str) -> int:
    """MySQL: how many transactions a set has. Raises `BadPosition`."""
    return sum(last - first + 1 for intervals in mysql_set(text).values() for first, last in intervals)


def _merged(intervals: list[tuple[int, int]]) -> Intervals:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)


def _without(intervals: Intervals, others: Intervals) -> Intervals:
    rest: list[tuple[int, int]] = []
    for interval in intervals:
        first, last = interval
        for start, end in others:
            if end < first:
                continue
            if start > last:
                break
            if start > first:
                rest.append((first, start - 1))
            first = end + 1
        if first <= last:
            rest.append((first, last))
    return tuple(rest)
