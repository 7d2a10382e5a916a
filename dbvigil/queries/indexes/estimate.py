"""How many rows an ask would read through an index, guessed from statistics: good enough to order candidates by, and for nothing else."""

from __future__ import annotations

from collections.abc import Iterable

from dbvigil.queries.indexes.layout import Parts, full_parts, own_parts
from dbvigil.queries.rules.asks import Ask
from dbvigil.queries.rules.names import base_type, unique_keys
from dbvigil.queries.schema import Table

_UNKNOWN, _FEW_VALUES = 0.02, 0.25
"""The part of the rows with one value of a column, where its cardinality is not known: of any column, and of one with few values."""
_FEW_VALUED = frozenset(("tinyint", "bool", "boolean", "bit", "enum", "set"))
_LIST = 4
"""Values in a list, where only a placeholder stands for it."""
_LOOKUP, _SORT = 2.5, 0.7
"""What fetching a row by an index entry, and sorting one, cost in rows that are read in order."""
_LIMIT = 50
"""Rows after which a statement with a LIMIT stops, whose number is not known."""
_COVERED = 0.4
"""An entry of an index against a row of the table, where the index alone is read."""


def share(table: Table, name: str) -> float:
    """The part of a table's rows that have one value of a column, on average."""
    rows, column = max(table.rows or 1, 1), table.column(name)
    if (name,) in unique_keys(table):
        return 1 / rows
    if column is not None and column.distinct:
        return 1 / min(max(column.distinct, 1), rows)
    return _FEW_VALUES if column is not None and base_type(column) in _FEW_VALUED else _UNKNOWN


def most_selective(table: Table, names: Iterable[str]) -> tuple[str, ...]:
    """By how few rows have one value, the fewest first."""
    found = tuple(names)
    return tuple(sorted(found, key=lambda name: (share(table, name), found.index(name))))


def cost(ask: Ask, known: frozenset[str], parts: Parts | None) -> float:
    """The rows' worth of work of one reading of the table, with the columns `known` by equality beside the ask's own constants.

    `parts`: all that the index holds; None reads the table from end to end.
    """
    rows = float(max(ask.table.rows or 1, 1))
    filters = _filters(ask, known)
    kept = _product(filters.values())
    matched = max(1.0, rows * kept)
    if parts is None:
        return rows + (_SORT * matched if ask.sort else 0.0)
    found, place = 1.0, 0
    fixed = set(ask.equal) | known
    used: set[str] = set()
    while place < len(parts) and parts[place][0] in filters:
        name = parts[place][0]
        found *= filters[name]
        used.add(name)
        place += 1
        if name not in fixed:
            break
    covering = ask.reads is not None and set(ask.reads) <= {name for name, _ in parts}
    entries = rows * found
    ordered = bool(ask.sort) and _ordered(ask, known, parts)
    if not used and not ordered and not covering:
        return cost(ask, known, None)
    later = _product(filters[name] for name in filters if name not in used)
    if ordered and ask.limited:
        entries = min(entries, _LIMIT / max(later, _LIMIT / rows))
    inside = _product(filters[name] for name, _ in parts if name in filters and name not in used)
    fetched = 0.0 if covering else entries * inside * _LOOKUP
    return max(entries * _COVERED, 1.0) + fetched + (0.0 if ordered or not ask.sort else _SORT * matched)


def present_cost(ask: Ask, known: frozenset[str]) -> float:
    """The cheapest way that there is now."""
    choices = [cost(ask, known, None)]
    for index in ask.table.indexes:
        parts = own_parts(index) if index.visible else None
        if parts is not None:
            choices.append(cost(ask, known, full_parts(ask.table, parts)))
    return min(choices)


def _filters(ask: Ask, known: frozenset[str]) -> dict[str, float]:
    """By column, the part of the rows that its condition keeps."""
    found = {one.column: one.share for one in ask.ranges}
    found |= {name: min(0.5, _LIST * share(ask.table, name)) for name in ask.several}
    return found | {name: share(ask.table, name) for name in (*ask.equal, *known)}


def _ordered(ask: Ask, known: frozenset[str], parts: Parts) -> bool:
    fixed = set(ask.equal) | known
    wanted = tuple((name, down) for name, down in ask.sort if name not in fixed)
    given = tuple(part for part in parts if part[0] not in fixed)
    if len(given) != len(parts) and any(name not in fixed for name, _ in parts[: len(parts) - len(given)]):
        return False
    turned = {down == other for (_, down), (_, other) in zip(wanted, given, strict=False)}
    return [name for name, _ in given[: len(wanted)]] == [name for name, _ in wanted] and len(turned) <= 1


def _product(values: Iterable[float]) -> float:
    answer = 1.0
    for value in values:
        answer *= value
    return answer
