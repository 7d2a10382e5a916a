"""Rules on indexes that a statement misses, as the schema tells."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.ddl import add_index, index_for, quoted
from dbvigil.queries.rules.names import Block, big, blocks, leads, usable
from dbvigil.queries.schema import Index, Table


@rule("A join column has no index", "schema", "create_index", 3, "estimated")
def join_column_unindexed(subject: Subject) -> Iterable[Finding]:
    """Where neither side of a join's condition has an index, each row of the one table is compared with all of the other, or both are
    read whole into a hash. Index the column on the side with more rows.

    Example: SELECT c.id FROM customer c JOIN visit v ON v.visitor = c.nickname
    """
    for block in blocks(subject):
        for one in block.conditions:
            if not isinstance(one, exp.EQ):
                continue
            left, right = block.bound(one.this), block.bound(one.expression)
            if left is None or right is None or left.alias == right.alias:
                continue
            if any(_reached(block, side.alias) for side in (left, right)):
                continue
            larger = left if (left.table.rows or 0) >= (right.table.rows or 0) else right
            if big(larger.table):
                yield Finding(
                    f"neither {left.table.name}.{left.column.name} nor {right.table.name}.{right.column.name} starts an index",
                    index_for(block, larger.alias),
                )


def _reached(block: Block, alias: str) -> bool:
    """Whether some condition on a table, a join's or WHERE's, has an index."""
    table = block.sources.get(alias)
    if table is None:
        return True
    for one in block.conditions:
        for node in (one.this, one.expression) if isinstance(one, exp.EQ) else (one.this,):
            bound = block.bound(node)
            if bound is not None and bound.alias == alias and leads(table, bound.column.name):
                return True
    return False


@rule("An index cannot be used without its first column", "schema", "create_index", 2, "estimated")
def leading_column_unused(subject: Subject) -> Iterable[Finding]:
    """An index on (a, b) is sorted by a: a condition on b alone does not find its rows in it. Put the column first in an index of its
    own, or change the order of the columns where every statement on the table allows it.

    Example: SELECT note FROM composite WHERE b = 7
    """
    for block in blocks(subject):
        for alias, table in block.sources.items():
            if table is None or not big(table) or _reached(block, alias):
                continue
            for name in block.equal_to_constant(alias):
                index = _second(table, name)
                if index is not None:
                    yield Finding(
                        f"{index.name} ({', '.join(index.columns)}) of {table.name} cannot be entered at {name} without {index.columns[0]}",
                        index_for(block, alias),
                    )
                    break


def _second(table: Table, name: str) -> Index | None:
    return next(
        (index for index in usable(table) if name in [part.column.lower() for part in index.parts[1:]]), None
    )


@rule("A sort mixes directions that no index has", "schema", "create_index", 2, "estimated")
def mixed_sort_directions(subject: Subject) -> Iterable[Finding]:
    """`ORDER BY a DESC, b` cannot be read off an index on (a, b), forwards or backwards. An index with the same directions, `(a DESC,
    b)`, can: in MySQL since 8.0, in MariaDB since 10.8. Without it the rows are sorted, however few are wanted.

    Example: SELECT id FROM composite ORDER BY a DESC, b LIMIT 10
    """
    needed = (10, 8, 0) if subject.flavor == "mariadb" else (8, 0, 0)
    for block in blocks(subject):
        order = block.select.args.get("order")
        if not isinstance(order, exp.Order) or not block.select.args.get("limit") or subject.version < needed:
            continue
        bounds = [block.bound(key.this) for key in order.expressions]
        directions = [bool(key.args.get("desc")) for key in order.expressions]
        if len(set(directions)) < 2 or any(
            one is None or one.alias != (bounds[0] and bounds[0].alias) for one in bounds
        ):
            continue
        first = bounds[0]
        if first is None or not big(first.table):
            continue
        names = [one.column.name for one in bounds if one is not None]
        same = [
            index
            for index in usable(first.table)
            if [n.lower() for n in index.columns[: len(names)]] == [n.lower() for n in names]
        ]
        fits = any(
            [part.descending ^ turned for part in index.parts[: len(names)]] == directions
            for index in same
            for turned in (False, True)
        )
        if same and not fits:
            parts = tuple(
                f"{quoted(name)} DESC" if down else quoted(name)
                for name, down in zip(names, directions, strict=True)
            )
            yield Finding(
                f"{same[0].name} of {first.table.name} has these columns, but not these directions",
                add_index(first.table, parts),
            )


RULES = (join_column_unindexed, leading_column_unused, mixed_sort_directions)
