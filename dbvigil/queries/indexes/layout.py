"""Columns of an index in order, as they are and as InnoDB keeps them, and whether they give what is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from dbvigil.queries.rules.asks import Ask
from dbvigil.queries.schema import Index, Table

Parts = tuple[tuple[str, bool], ...]
"""Columns in lower case, each with whether it is descending."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What an index must be to serve an ask in one way: `equal` in any order, then `tail` in this one, and `rest` anywhere behind.

    `drivers`: the partners of joins whose values are known when the table is read.
    """

    ask: Ask
    drivers: frozenset[str]
    equal: tuple[str, ...]
    tail: Parts = ()
    rest: tuple[str, ...] = ()


def innodb(table: Table) -> bool:
    return table.engine.lower() == "innodb"


def own_parts(index: Index) -> Parts | None:
    """The columns of an index that stands for whole values; None for one of prefixes, expressions, or another kind."""
    if (
        index.kind != "btree"
        or not index.parts
        or any(part.expression or part.prefix for part in index.parts)
    ):
        return None
    return tuple((part.column.lower(), part.descending) for part in index.parts)


def full_parts(table: Table, parts: Parts) -> Parts:
    """With the primary key behind, as InnoDB keeps every secondary index."""
    key = table.primary_key
    names = {name for name, _ in parts}
    if key is None or not innodb(table) or any(part.prefix for part in key.parts):
        return parts
    own = tuple((part.column.lower(), part.descending) for part in key.parts)
    return (*parts, *((name, down) for name, down in own if name not in names))


def trimmed(table: Table, parts: Parts) -> Parts:
    """Without the end that InnoDB appends anyway."""
    for length in range(1, len(parts)):
        if full_parts(table, parts[:length])[: len(parts)] == parts:
            return parts[:length]
    return parts


def starts(parts: Parts, other: Parts) -> bool:
    """Whether `other` begins as `parts` does, read forwards or backwards."""
    return len(parts) <= len(other) and same_order(other[: len(parts)], parts)


def same_order(parts: Parts, others: Parts) -> bool:
    """The same columns in the same order; read backwards, every direction is turned."""
    if [name for name, _ in parts] != [name for name, _ in others]:
        return False
    return len({down == other for (_, down), (_, other) in zip(parts, others, strict=True)}) <= 1


def serves(parts: Parts, shape: Shape) -> bool:
    """`parts`: all that the index holds, the primary key behind included."""
    count = len(shape.equal)
    # Most indexes serve most shapes not: the first column tells.
    if count and parts[0][0] not in shape.equal:
        return False
    if {name for name, _ in parts[:count]} != set(shape.equal):
        return False
    if not same_order(parts[count : count + len(shape.tail)], shape.tail):
        return False
    return set(shape.rest) <= {name for name, _ in parts[count + len(shape.tail) :]}
