"""What one block of a statement asks of one of its tables: which columns it compares with what, sorts by and reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from sqlglot import exp

from dbvigil.queries.rules.base import Subject
from dbvigil.queries.rules.comparisons import Compared, Joined, Range, indexable, read_condition
from dbvigil.queries.rules.names import Block, block_of, blocks, conjuncts
from dbvigil.queries.rules.sorting import reads, sort_of
from dbvigil.queries.schema import Table

_MOST_ARMS = 4


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


def _conditions(block: Block, ask: Ask, conditions: list[exp.Expression]) -> Ask:
    found = Compared(ask.table)
    for one in conditions:
        read_condition(block, ask.alias, one, found)
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
