"""What one block of a statement asks of one of its tables: which columns it compares with what, sorts by and reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlglot import exp

from dbvigil.queries.rules.base import Subject
from dbvigil.queries.rules.names import (
    LONG_TYPES,
    Block,
    Bound,
    base_type,
    block_of,
    blocks,
    conjuncts,
    family,
)
from dbvigil.queries.rules.sorting import reads, sort_of
from dbvigil.queries.schema import Column, Table

OUTSIDE = ""
"""The partner of a column that is compared with a query around this one."""
_MOST_ARMS = 4
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


@dataclass(frozen=True, slots=True)
class Ask:
    """All column names in lower case, each once, and fit for an index.

    `equal`: one value; `several`: an IN list. `sort`: with whether descending; only where one table can give the order. `reads`: every
    column that the block reads of the table, None where that is not known or too long for an index. `limited`: it stops at some row.
    """

    alias: str
    table: Table
    equal: tuple[str, ...] = ()
    several: tuple[str, ...] = ()
    joined: tuple[Joined, ...] = ()
    ranges: tuple[Range, ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    reads: tuple[str, ...] | None = None
    limited: bool = False


def statement_asks(subject: Subject) -> Iterator[tuple[Block, tuple[Ask, ...]]]:
    """What every block of a statement asks of each of its tables; of an UPDATE or DELETE too. An OR asks once for each of its arms."""
    changed = _changing(subject.tree)
    found = [block_of(changed, subject)] if changed is not None else []
    for block in (*found, *blocks(subject)):
        asks: list[Ask] = []
        for alias in block.sources:
            ask = ask_of(block, alias)
            if ask is not None:
                whole = ask if changed is None or block.select is not changed else replace(ask, reads=None)
                asks += [whole, *_arms(block, whole)]
        yield block, tuple(asks)


def ask_of(block: Block, alias: str) -> Ask | None:
    """What a block asks of its table `alias` (lower case); None for what is no known base table."""
    table = block.sources.get(alias)
    if table is None or table.view:
        return None
    ask = _conditions(block, Ask(alias, table), _holding(block, alias))
    limited = bool(block.select.args.get("limit"))
    sort, stops = sort_of(block, alias)
    return replace(
        ask,
        sort=sort if all(indexable(table, name) for name, _ in sort) else (),
        reads=_short(table, reads(block, alias)),
        limited=limited or stops,
    )


def indexable(table: Table, name: str) -> bool:
    """Whether a column can be a whole part of an index, and is not too long to be one."""
    column = table.column(name)
    if column is None or base_type(column) in LONG_TYPES:
        return False
    length = column.type.partition("(")[2].partition(")")[0]
    return not (
        base_type(column) in {"varchar", "char", "varbinary"} and length.isdigit() and int(length) > _LONGEST
    )


def _short(table: Table, names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return names if names is not None and all(indexable(table, name) for name in names) else None


def _changing(tree: exp.Expression | None) -> exp.Select | None:
    """An UPDATE or DELETE as the SELECT that finds its rows."""
    if not isinstance(tree, exp.Update | exp.Delete):
        return None
    copy = tree.copy()
    using = copy.args.get("using")
    source = using[0] if isinstance(using, list) and using else copy.this
    if not isinstance(source, exp.Expression):
        return None
    joins = source.args.get("joins")
    source.set("joins", None)
    parts = {part: copy.args.get(part) for part in ("where", "order", "limit")}
    return exp.Select(expressions=[], from_=exp.From(this=source), joins=joins, **parts)


def _holding(block: Block, alias: str) -> list[exp.Expression]:
    """The conditions that rows of `alias` must meet: not those of an outer join that keeps them in any case."""
    found = list(block.filters)
    before = True
    for join in block.joins:
        side, name = (join.side or "").upper(), join.alias_or_name.lower()
        before = before and name != alias
        kept = (side == "LEFT" and name != alias) or (side == "RIGHT" and not before) or side == "FULL"
        if not kept:
            found += conjuncts(join.args.get("on"))
            found += _using(block, join, alias)
    return found + _membership(block, alias)


def _using(block: Block, join: exp.Join, alias: str) -> list[exp.Expression]:
    """USING (a) as the comparison that it is, with each other table that has the column."""
    found: list[exp.Expression] = []
    for item in join.args.get("using") or []:
        for other, table in block.sources.items():
            if other != alias and table is not None and table.column(item.name) is not None:
                own, theirs = exp.column(item.name, alias), exp.column(item.name, other)
                found.append(exp.EQ(this=own, expression=theirs))
    return found


def _membership(block: Block, alias: str) -> list[exp.Expression]:
    """`x IN (SELECT y …)` compares y with a value from outside, and the optimizer may look for it in this table."""
    above = block.select.parent
    if isinstance(above, exp.Subquery):
        above = above.parent
    if not isinstance(above, exp.In) or len(block.select.expressions) != 1 or block.select.args.get("group"):
        return []
    own = block.bound(block.select.expressions[0].unalias())
    if own is None or own.alias != alias:
        return []
    theirs = exp.column(above.this.name or "value", "outside of it")
    return [exp.EQ(this=exp.column(own.column.name, alias), expression=theirs)]


class _Found:
    """The columns of one table as they are met, each once and in its strongest part."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.equal: list[str] = []
        self.several: list[str] = []
        self.joined: list[Joined] = []
        self.ranges: dict[str, float] = {}


def _conditions(block: Block, ask: Ask, conditions: list[exp.Expression]) -> Ask:
    found = _Found(ask.table)
    for one in conditions:
        _read(block, ask.alias, one, found)
    equal = tuple(dict.fromkeys((*ask.equal, *found.equal)))
    several = tuple(dict.fromkeys(name for name in (*ask.several, *found.several) if name not in equal))
    ranges = {one.column: one.share for one in ask.ranges} | found.ranges
    return replace(
        ask,
        equal=equal,
        several=several,
        joined=tuple(dict.fromkeys(one for one in (*ask.joined, *found.joined) if one.column not in equal)),
        ranges=tuple(Range(name, share) for name, share in ranges.items() if name not in (*equal, *several)),
    )


def _arms(block: Block, ask: Ask) -> Iterator[Ask]:
    """For each OR whose every arm narrows this table: one ask an arm, as the server reads an index for each and unites the rows."""
    for one in block.filters:
        arms = _alternatives(one)
        if not 2 <= len(arms) <= _MOST_ARMS:
            continue
        bare = Ask(ask.alias, ask.table)
        each = [_conditions(block, bare, conjuncts(arm)) for arm in arms]
        if all(arm.equal or arm.several or arm.ranges for arm in each):
            for arm in arms:
                yield replace(_conditions(block, ask, conjuncts(arm)), sort=(), reads=None, limited=False)


def _alternatives(node: exp.Expression) -> list[exp.Expression]:
    found: list[exp.Expression] = []
    waiting: list[object] = [node]
    while waiting and len(found) <= _MOST_ARMS:
        one = waiting.pop()
        while isinstance(one, exp.Paren):
            one = one.this
        if isinstance(one, exp.Or):
            waiting += [one.expression, one.this]
        elif isinstance(one, exp.Expression):
            found.append(one)
    return found


def _read(block: Block, alias: str, one: exp.Expression, found: _Found) -> None:
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


def _within(block: Block, alias: str, one: exp.Expression, found: _Found) -> None:
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
    block: Block, alias: str, side: exp.Expression | None, other: exp.Expression | None, found: _Found
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


def _among(block: Block, alias: str, one: exp.In, found: _Found) -> None:
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


def _bounded(own: str | None, share: float, found: _Found) -> None:
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
    """Whether a value is the same for all rows of the table: no column of this block in it, and no chance."""
    if node is None or isinstance(node, exp.Null):
        return False
    for one in node.walk():
        if isinstance(one, _CHANGING):
            return False
        if isinstance(one, exp.Column) and (not one.table or one.table.lower() in block.sources):
            inner = one.find_ancestor(exp.Select)
            if inner is None or inner is block.select or one.table:
                return False
    return True


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
