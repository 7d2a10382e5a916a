"""Indexes of a table that another index of it makes needless."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from dbvigil.queries.rules.names import usable
from dbvigil.queries.schema import Index, Table

Kind = Literal["duplicate", "prefix", "primary_key"]


@dataclass(frozen=True, slots=True)
class Needless:
    """`kept` does all that `index` does: it has the same columns, begins with them, or lacks only a primary key at their end."""

    index: Index
    kept: Index
    kind: Kind


def needless(table: Table) -> list[Needless]:
    """At most one finding a kind and index. A unique index is never among them: it is a promise, too."""
    return [*_duplicates(table), *_prefixes(table), *_suffixed(table)]


def twins(table: Table) -> list[Needless]:
    """Unique indexes that make the promise of another one, over the same columns."""
    unique = [index for index in _plain(table) if index.unique]
    return [
        Needless(index, other, "duplicate")
        for place, other in enumerate(unique)
        for index in unique[place + 1 :]
        if _names(index) == _names(other) and not index.primary
    ]


def _duplicates(table: Table) -> Iterator[Needless]:
    said: set[str] = set()
    for index, other in _pairs(table):
        if len(index.parts) == len(other.parts) and not said & {other.name, index.name}:
            said.add(index.name)
            yield Needless(index, other, "duplicate")


def _prefixes(table: Table) -> Iterator[Needless]:
    said: set[str] = set()
    for index, other in _pairs(table):
        rest = _names(other)[len(index.parts) :]
        # The primary key is the table itself: a small index beside it is cheaper to read. One that only adds the primary key is the
        # needless one of the two.
        if rest and not other.primary and rest != _key(table) and index.name not in said:
            said.add(index.name)
            yield Needless(index, other, "prefix")


def _suffixed(table: Table) -> Iterator[Needless]:
    key = _key(table)
    if not key or table.engine.lower() != "innodb":
        return
    plain = _plain(table)
    for index in plain:
        names = _names(index)
        if index.unique or len(names) <= len(key) or names[-len(key) :] != key:
            continue
        twin = next((one for one in plain if _names(one) == names[: -len(key)]), None)
        if twin is not None and not twin.primary:
            yield Needless(index, twin, "primary_key")


def _pairs(table: Table) -> Iterator[tuple[Index, Index]]:
    """An index, and another that begins as it does."""
    plain = _plain(table)
    for index in plain:
        for other in plain if not index.unique else ():
            if other is not index and _names(other)[: len(index.parts)] == _names(index):
                yield index, other


def _plain(table: Table) -> list[Index]:
    """Indexes that can stand in for each other: of whole columns, in one direction, used by the optimizer."""
    return [
        index
        for index in usable(table)
        if not any(part.prefix or part.expression or part.descending for part in index.parts)
    ]


def _names(index: Index) -> tuple[str, ...]:
    return tuple(name.lower() for name in index.columns)


def _key(table: Table) -> tuple[str, ...]:
    return _names(table.primary_key) if table.primary_key else ()
