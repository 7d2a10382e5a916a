"""In which order a block wants the rows of one of its tables, and which columns it reads of it."""

from __future__ import annotations

from sqlglot import exp

from dbvigil.queries.rules.names import Block

Sort = tuple[tuple[str, bool], ...]


def sort_of(block: Block, alias: str) -> tuple[Sort, bool]:
    """The columns of GROUP BY, DISTINCT or ORDER BY (lower case, whether descending) where one index of `alias` can give their order,
    and whether that alone lets the block stop early, as for MIN and MAX."""
    group = block.select.args.get("group")
    order = _keys(block, block.select.args.get("order"), alias)
    if isinstance(group, exp.Group):
        if any(group.args.get(word) for word in ("rollup", "cube", "grouping_sets", "totals")):
            return (), False
        keys = _keys(block, group, alias)
        names = {name for name, _ in keys}
        if order and {name for name, _ in order} == names:
            keys = order
        extreme = _extreme(block, alias)
        return (*keys, *((extreme, False) for _ in "1" if keys and extreme and extreme not in names)), False
    if block.select.args.get("distinct"):
        bounds = [block.bound(item.unalias()) for item in block.select.expressions]
        names_only = [one.column.name.lower() for one in bounds if one is not None and one.alias == alias]
        if bounds and len(names_only) == len(bounds):
            inside = {name for name, _ in order} <= set(names_only)
            rest = [name for name in dict.fromkeys(names_only) if name not in {key for key, _ in order}]
            return ((*order, *((name, False) for name in rest)) if inside else ()), False
        return (), False
    extreme = _extreme(block, alias)
    if extreme and len(block.sources) == 1 and all(_is_extreme(one) for one in block.select.expressions):
        return ((extreme, False),), True
    aggregated = any(one.find(exp.AggFunc) for one in block.select.expressions)
    return (() if aggregated else order), False


def reads(block: Block, alias: str) -> tuple[str, ...] | None:
    """The columns of `alias` that the block reads, in lower case; None where that is not known."""
    table = block.sources.get(alias)
    if table is None or any(not isinstance(star.parent, exp.Count) for star in block.own(exp.Star)):
        return None
    found: dict[str, None] = {}
    given = {item.alias.lower() for item in block.select.expressions if item.alias}
    for node in block.own(exp.Column):
        bound = block.bound(node)
        if bound is None and not _elsewhere(block, node, given):
            return None
        if bound is not None and bound.alias == alias:
            found[bound.column.name.lower()] = None
    key = {name.lower() for name in table.primary_key.columns} if table.primary_key else set()
    for node in _below(block):
        if node.table.lower() == alias and table.column(node.name) is not None:
            found[node.name.lower()] = None
        elif not node.table and table.column(node.name) is not None and node.name.lower() not in key:
            return None
    if any(join.args.get("using") or (join.method or "").upper() == "NATURAL" for join in block.joins):
        return None
    return tuple(found)


def _elsewhere(block: Block, node: exp.Expression, given: set[str]) -> bool:
    """Whether it is a column of a query around this one, or the name of something that this one selects."""
    if not isinstance(node, exp.Column):
        return False
    return node.table.lower() not in block.sources if node.table else node.name.lower() in given


def _below(block: Block) -> list[exp.Column]:
    """The columns that the block's subqueries name: some may be its own."""
    inner = [query for query in block.select.find_all(exp.Query) if query is not block.select]
    return [column for query in inner for column in query.find_all(exp.Column)]


def _keys(block: Block, clause: object, alias: str) -> Sort:
    """The keys of a clause; nothing where one is not a column of `alias`."""
    if not isinstance(clause, exp.Group | exp.Order):
        return ()
    given = {item.alias.lower(): item.unalias() for item in block.select.expressions if item.alias}
    found: dict[str, bool] = {}
    for key in clause.expressions:
        descending = isinstance(key, exp.Ordered) and bool(key.args.get("desc"))
        node = key.this if isinstance(key, exp.Ordered) else key
        if isinstance(node, exp.Literal) and node.is_int:
            place = int(node.this) - 1
            if not 0 <= place < len(block.select.expressions):
                return ()
            node = block.select.expressions[place].unalias()
        elif isinstance(node, exp.Column) and not node.table and node.name.lower() in given:
            node = given[node.name.lower()]
        bound = block.bound(node)
        if bound is None or bound.alias != alias:
            return ()
        found.setdefault(bound.column.name.lower(), descending)
    return tuple(found.items())


def _is_extreme(node: exp.Expression) -> bool:
    return isinstance(node.unalias(), exp.Min | exp.Max)


def _extreme(block: Block, alias: str) -> str:
    """The one column of which MIN or MAX is asked; "" where there is none, or more."""
    bounds = [block.bound(one.unalias().this) for one in block.select.expressions if _is_extreme(one)]
    names = {one.column.name.lower() for one in bounds if one is not None and one.alias == alias}
    return names.pop() if len(names) == 1 and None not in bounds else ""
