"""What one condition says of one table's columns: equal to a value, to another table's column, or within bounds."""

from __future__ import annotations

from typing import NamedTuple

from sqlglot import exp

from dbvigil.queries.rules.names import LONG_TYPES, Block, Bound, base_type, family
from dbvigil.queries.schema import Column, Table

OUTSIDE = ""
"""The partner of a column that is compared with a query around this one."""
_LONGEST = 255
_INEQUALITIES = (exp.GT, exp.GTE, exp.LT, exp.LTE)
_CHANGING = (exp.Rand, exp.Uuid)


class Joined(NamedTuple):
    """A column that must equal one of another table (`partner`: its alias), or of a query around (`OUTSIDE`)."""

    column: str
    partner: str


class Range(NamedTuple):
    """A column within bounds, and which part of all rows that is guessed to be, where nothing more is known."""

    column: str
    share: float


class Compared:
    """The columns of one table as they are met, each once and in its strongest part."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.equal: list[str] = []
        self.several: list[str] = []
        self.joined: list[Joined] = []
        self.ranges: dict[str, float] = {}


def indexable(table: Table, name: str) -> bool:
    """Whether a column can be a whole part of an index, and is not too long to be one."""
    column = table.column(name)
    if column is None or base_type(column) in LONG_TYPES:
        return False
    length = column.type.partition("(")[2].partition(")")[0]
    return not (
        base_type(column) in {"varchar", "char", "varbinary"} and length.isdigit() and int(length) > _LONGEST
    )


def read_condition(block: Block, alias: str, one: exp.Expression, found: Compared) -> None:
    """Adds to `found` what a condition that must hold says of the columns of `alias` (lower case) that are fit for an index."""
    if isinstance(one, exp.EQ | exp.NullSafeEQ):
        for side, other in ((one.this, one.expression), (one.expression, one.this)):
            for mine, value in _pairs(side, other):
                _equal(block, alias, mine, value, found)
    elif isinstance(one, exp.In):
        _among(block, alias, one, found)
    elif isinstance(one, exp.Is) and isinstance(one.expression, exp.Null | exp.Boolean):
        own = _own(block, alias, one.this)
        found.equal += [own] if own is not None else []
    else:
        _within(block, alias, one, found)


def _within(block: Block, alias: str, one: exp.Expression, found: Compared) -> None:
    if isinstance(one, exp.Not) and isinstance(one.this, exp.Is):
        _bounded(_own(block, alias, one.this.this), 0.5, found)
    elif isinstance(one, exp.Between):
        if _fixed(block, one.args.get("low")) and _fixed(block, one.args.get("high")):
            _bounded(_own(block, alias, one.this), 0.1, found)
    elif isinstance(one, _INEQUALITIES):
        for side, other in ((one.this, one.expression), (one.expression, one.this)):
            for mine, value in _pairs(side, other)[:1]:
                if _fixed(block, value) and _fits(block, mine, value):
                    _bounded(_own(block, alias, mine), 0.3, found)
    elif isinstance(one, exp.Like) and _open(one.expression):
        _bounded(_own(block, alias, one.this), 0.2, found)


def _pairs(
    side: exp.Expression | None, other: exp.Expression | None
) -> list[tuple[exp.Expression | None, exp.Expression | None]]:
    """(a, b) = (1, 2) as a = 1 and b = 2."""
    if isinstance(side, exp.Tuple) and isinstance(other, exp.Tuple):
        return list(zip(side.expressions, other.expressions, strict=False))
    return [(side, other)]


def _equal(
    block: Block, alias: str, side: exp.Expression | None, other: exp.Expression | None, found: Compared
) -> None:
    own = _own(block, alias, side)
    if own is None:
        return
    opposite = block.bound(other)
    if opposite is not None:
        if opposite.alias != alias and _comparable(found.table.column(own), opposite.column):
            found.joined.append(Joined(own, opposite.alias))
    elif _outside(block, other):
        found.joined.append(Joined(own, OUTSIDE))
    elif _fixed(block, other) and _fits(block, side, other):
        found.equal.append(own)


def _among(block: Block, alias: str, one: exp.In, found: Compared) -> None:
    query = one.args.get("query")
    sides = one.this.expressions if isinstance(one.this, exp.Tuple) else [one.this]
    for side in sides:
        own = _own(block, alias, side)
        if own is None:
            continue
        if query is not None:
            found.joined.append(Joined(own, f"#{id(query)}"))
        elif one.expressions and all(_fixed(block, value) for value in one.expressions):
            if len(one.expressions) > 1 or isinstance(one.expressions[0], exp.Placeholder | exp.Tuple):
                found.several.append(own)
            elif _fits(block, side, one.expressions[0]):
                found.equal.append(own)


def _bounded(own: str | None, share: float, found: Compared) -> None:
    if own is not None:
        # Two bounds keep less than one.
        found.ranges[own] = min(share, 0.1) if own in found.ranges else share


def _own(block: Block, alias: str, node: exp.Expression | None) -> str | None:
    bound = block.bound(node)
    if bound is None or bound.alias != alias or not indexable(bound.table, bound.column.name):
        return None
    return bound.column.name.lower()


def _outside(block: Block, node: exp.Expression | None) -> bool:
    """A column of a query around this one: a value, for the time that this one runs."""
    if not isinstance(node, exp.Column):
        return False
    if node.table:
        return node.table.lower() not in block.sources
    known = [table for table in block.sources.values() if table is not None]
    return (
        block.select.parent is not None
        and len(known) == len(block.sources)
        and all(table.column(node.name) is None for table in known)
    )


def _fixed(block: Block, node: exp.Expression | None) -> bool:
    """Whether a value is the same for all rows of the block's tables: none of their columns in it, and no chance."""
    if node is None or isinstance(node, exp.Null):
        return False
    return not any(
        isinstance(one, _CHANGING) or (isinstance(one, exp.Column) and _of_block(block, one))
        for one in node.walk()
    )


def _of_block(block: Block, column: exp.Column) -> bool:
    """Whether a column belongs to a table of the block; in a subquery, only if that has not one of the name itself."""
    if column.table:
        return column.table.lower() in block.sources
    inner = column.find_ancestor(exp.Select)
    if inner is None or inner is block.select:
        return True
    nearer = {table.name.lower() for table in inner.find_all(exp.Table)}
    holders = [
        table
        for table in block.sources.values()
        if table is not None and table.column(column.name) is not None
    ]
    return bool(holders) and not any(table.name.lower() in nearer for table in holders)


def _fits(block: Block, side: exp.Expression | None, value: exp.Expression | None) -> bool:
    """Not where text is compared with a number: each value is then converted, and no index helps."""
    bound: Bound | None = block.bound(side)
    number = isinstance(value, exp.Literal) and not value.is_string
    return bound is None or not (number and family(bound.column) == "text")


def _comparable(own: Column | None, other: Column) -> bool:
    """Whether an index on `own` can be entered with values of `other`."""
    if own is None:
        return False
    if family(own) == "text" and family(other) == "text" and own.charset and other.charset:
        # Only the wider character set takes the other's values as they are.
        return own.charset in (other.charset, "utf8mb4")
    return not (family(own) == "text" and family(other) != "text")


def _open(pattern: exp.Expression | None) -> bool:
    """Whether a LIKE pattern may begin with something to look for; of a placeholder nothing is known."""
    if isinstance(pattern, exp.Literal):
        return pattern.is_string and bool(pattern.this) and pattern.this[0] not in "%_"
    return isinstance(pattern, exp.Placeholder | exp.Parameter)
