"""The ways in which an index could serve an ask: by which joins the table is reached, and whether a range or the sort follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dbvigil.queries.indexes.estimate import most_selective
from dbvigil.queries.indexes.layout import Parts, Shape, full_parts
from dbvigil.queries.rules.asks import Ask
from dbvigil.queries.rules.comparisons import OUTSIDE
from dbvigil.queries.rules.names import unique_keys, width
from dbvigil.queries.schema import Table
from dbvigil.types import Flavor

MOST_COLUMNS, MOST_MORE = 4, 4
"""Columns that rows are found or sorted by, and those that are only read from the index."""
_MOST_BYTES, _MOST_MORE_BYTES = 767, 96
"""Of a whole key, and of the columns that are only read from it."""
_MOST_RANGES, _MOST_DRIVERS = 2, 3


def shapes(ask: Ask, flavor: Flavor, version: tuple[int, int, int]) -> Iterator[Shape]:
    """Each way, first as it finds rows and then, where little more makes it so, covering.

    None where a unique key finds the row already.
    """
    for drivers in _drivers(ask):
        known = dict.fromkeys(one.column for one in ask.joined if one.partner in drivers)
        fixed = tuple(dict.fromkeys((*known, *ask.equal)))
        if any(set(key) <= set(fixed) for key in unique_keys(ask.table)):
            continue
        for equal, tail, lasting in _ways(ask, fixed, drivers, flavor, version):
            plain = Shape(ask, drivers, equal, tail)
            if not equal and not tail:
                continue
            if _bytes(ask.table, (*equal, *(name for name, _ in tail))) > _MOST_BYTES:
                continue
            covered = _covering(plain)
            if lasting or covered == plain:
                yield plain
            if covered is not None and covered != plain:
                yield covered


def _drivers(ask: Ask) -> Iterator[frozenset[str]]:
    """The partners that may have been read before: none, what is around it, one of the others, or all."""
    yield frozenset()
    around = frozenset(one.partner for one in ask.joined if one.partner == OUTSIDE)
    partners = list(dict.fromkeys(one.partner for one in ask.joined if one.partner != OUTSIDE))
    if around:
        yield around
    for partner in partners[:_MOST_DRIVERS]:
        yield around | {partner}
    if len(partners) > 1:
        yield around | set(partners)


def _ways(
    ask: Ask, fixed: tuple[str, ...], drivers: frozenset[str], flavor: Flavor, version: tuple[int, int, int]
) -> Iterator[tuple[tuple[str, ...], Parts, bool]]:
    """Equal columns, what follows them, and whether such an index is worth having though rows must be fetched by it."""
    every = _chosen(ask.table, (*fixed, *ask.several), MOST_COLUMNS)
    ranges = sorted((one for one in ask.ranges if one.column not in fixed), key=lambda one: one.share)
    for one in ranges[:_MOST_RANGES]:
        yield _chosen(ask.table, every, MOST_COLUMNS - 1), ((one.column, False),), True
    if every and not ranges:
        yield every, (), True
    sort = tuple((name, down) for name, down in ask.sort if name not in fixed)
    if not sort or drivers - {OUTSIDE} or len(sort) > MOST_COLUMNS or not sortable(sort, flavor, version):
        return
    first = _chosen(ask.table, fixed, MOST_COLUMNS - len(sort))
    yield first, _upwards(sort), bool(first) or ask.limited


def sortable(sort: Parts, flavor: Flavor, version: tuple[int, int, int]) -> bool:
    """Whether an index can have these directions: mixed ones only where the server keeps them."""
    if len({down for _, down in sort}) < 2:
        return True
    return version >= ((10, 8, 0) if flavor == "mariadb" else (8, 0, 0))


def _upwards(sort: Parts) -> Parts:
    """An index of one direction is read backwards as well."""
    return tuple((name, False) for name, _ in sort) if len({down for _, down in sort}) == 1 else sort


def _chosen(table: Table, names: Iterable[str], most: int) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(names))
    if len(found) <= most:
        return found
    kept = set(most_selective(table, found)[:most])
    return tuple(name for name in found if name in kept)


def _covering(plain: Shape) -> Shape | None:
    """The same with all that is read; None where that is too much, or not known."""
    ask = plain.ask
    if ask.reads is None:
        return None
    own: Parts = (*((name, False) for name in plain.equal), *plain.tail)
    held = {name for name, _ in full_parts(ask.table, own)}
    rest = tuple(name for name in ask.reads if name not in held)
    if len(rest) > MOST_MORE or _bytes(ask.table, rest) > _MOST_MORE_BYTES:
        return None
    return Shape(ask, plain.drivers, plain.equal, plain.tail, rest)


def _bytes(table: Table, names: Iterable[str]) -> int:
    found = [width(column) for name in names if (column := table.column(name)) is not None]
    return sum(8 if one is None else one for one in found)


def layouts(shape: Shape, firsts: Iterable[Parts]) -> Iterator[Parts]:
    """Orders of the equal columns that are worth trying: by selectivity, join columns first, and as other indexes begin (`firsts`)."""
    table = shape.ask.table
    joined = tuple(one.column for one in shape.ask.joined if one.column in shape.equal)
    selective = most_selective(table, shape.equal)
    orders = [selective, (*joined, *(name for name in selective if name not in joined))]
    behind = (*shape.tail, *((name, False) for name in shape.rest))
    for first in firsts:
        names = tuple(name for name, _ in first)
        if names and set(names) < set(shape.equal) and not any(down for _, down in first):
            orders.append((*names, *(name for name in selective if name not in names)))
    for order in dict.fromkeys(tuple(dict.fromkeys(order)) for order in orders):
        yield (*((name, False) for name in order), *behind)
