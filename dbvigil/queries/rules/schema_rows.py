"""Rules on what rows a statement gives, where keys and NULLs decide."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.names import (
    LONG_TYPES,
    Block,
    base_type,
    big,
    blocks,
    conjuncts,
    constant,
    unique_keys,
)
from dbvigil.queries.schema import Table


def _selected(block: Block, alias: str, table: Table) -> set[str]:
    """The columns of `alias` that the select list gives as they are."""
    found: set[str] = set()
    for item in block.select.expressions:
        node = item.unalias()
        if isinstance(node, exp.Star) or (
            isinstance(node, exp.Column) and isinstance(node.this, exp.Star) and node.table.lower() == alias
        ):
            return {column.name.lower() for column in table.columns}
        bound = block.bound(node)
        if bound is not None and bound.alias == alias:
            found.add(bound.column.name.lower())
    return found


@rule("DISTINCT over rows that are distinct anyway", "schema", "rewrite", 2, "estimated")
def needless_distinct(subject: Subject) -> Iterable[Finding]:
    """Rows of one table that contain a unique key cannot be doubled; DISTINCT only makes the server sort or hash them all. Leave it
    out.

    Example: SELECT DISTINCT id, name FROM customer
    """
    for block in blocks(subject):
        distinct = block.select.args.get("distinct")
        if not distinct or len(block.sources) != 1:
            continue
        ((alias, table),) = block.sources.items()
        if table is None or table.view:
            continue
        given = _selected(block, alias, table)
        key = next((names for names in unique_keys(table) if set(names) <= given), None)
        if key is not None:
            yield Finding(
                f"the selected columns contain the unique key ({', '.join(key)}) of {table.name}: no two rows are alike",
                _without_distinct(subject, block),
            )


def _without_distinct(subject: Subject, block: Block) -> str:
    if subject.tree is not block.select:
        return ""
    plain = block.select.copy()
    plain.set("distinct", None)
    return plain.sql(dialect="mysql")


@rule("DISTINCT takes back the rows that a join made", "schema", "rewrite", 2, "estimated")
def distinct_hides_fanout(subject: Subject) -> Iterable[Finding]:
    """Joining a table only to ask whether it has a row gives one row a match, and DISTINCT then throws most of them away again. Ask
    with `WHERE EXISTS (SELECT 1 …)`: it stops at the first match.

    Example: SELECT DISTINCT c.id, c.name FROM customer c JOIN orders o ON o.customer_id = c.id
    """
    for block in blocks(subject):
        if not block.select.args.get("distinct") or None in block.sources.values():
            continue
        read = {bound.alias for item in block.select.expressions if (bound := block.bound(item.unalias()))}
        plain = all(block.bound(item.unalias()) for item in block.select.expressions)
        for join in block.joins if plain else []:
            alias = join.this.alias_or_name.lower()
            table = block.sources.get(alias)
            if alias in read or table is None or join.side or not big(table):
                continue
            joined = {
                bound.column.name.lower()
                for one in conjuncts(join.args.get("on"))
                if isinstance(one, exp.EQ)
                for side in (one.this, one.expression)
                if (bound := block.bound(side)) is not None and bound.alias == alias
            }
            if joined and not any(set(names) <= joined for names in unique_keys(table)):
                yield Finding(
                    f"nothing of {table.name} is selected, and its rows only multiply the answer; ask for them with EXISTS"
                )


_NULL_REJECTING = (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NEQ)


@rule("WHERE turns an outer join into an inner one", "schema", "rewrite", 2, "estimated")
def outer_join_defeated(subject: Subject) -> Iterable[Finding]:
    """A condition in WHERE on the table of a LEFT JOIN drops the very rows without a match for which the join was an outer one. Either
    an inner join is meant, and says so, or the condition belongs into ON.

    Example: SELECT c.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id WHERE o.status = 2
    """
    for block in blocks(subject):
        for place, join in enumerate(block.joins):
            alias = join.this.alias_or_name.lower()
            if (
                (join.side or "").upper() != "LEFT"
                or join.args.get("using")
                or block.sources.get(alias) is None
            ):
                continue
            rejecting = next((one for one in block.filters if _rejects_null(block, one, alias)), None)
            if rejecting is None:
                continue
            rewritten = ""
            if subject.tree is block.select and len(block.joins) == 1:
                copy = block.select.copy()
                copy.args["joins"][place].set("side", None)
                rewritten = copy.sql(dialect="mysql")
            yield Finding(
                f"{rejecting.sql(dialect='mysql')} is never true for a row that the LEFT JOIN of {join.this.alias_or_name}"
                f" filled with NULL",
                rewritten,
            )


def _rejects_null(block: Block, one: exp.Expression, alias: str) -> bool:
    if isinstance(one, _NULL_REJECTING):
        pairs = ((one.this, one.expression), (one.expression, one.this))
    elif isinstance(one, exp.In | exp.Between | exp.Like):
        values = one.expressions if isinstance(one, exp.In) else [one.args.get("low") or one.expression]
        pairs = ((one.this, value) for value in values[:1])  # type: ignore[assignment]
    else:
        return False
    return any(
        (bound := block.bound(side)) is not None and bound.alias == alias and constant(other)
        for side, other in pairs
    )


@rule("The same row is joined twice", "schema", "rewrite", 2, "estimated")
def same_table_twice(subject: Subject) -> Iterable[Finding]:
    """Two joins of one table on the same unique key and the same value find the same row twice. One join serves both.

    Example: SELECT a.name, b.email FROM orders o JOIN customer a ON a.id = o.customer_id JOIN customer b ON b.id = o.customer_id
    """
    for block in blocks(subject):
        seen: dict[tuple[str, str, str, tuple[str, str]], str] = {}
        for join in block.joins:
            alias = join.this.alias_or_name.lower()
            table = block.sources.get(alias)
            parts = conjuncts(join.args.get("on"))
            if table is None or len(parts) != 1 or not isinstance(parts[0], exp.EQ):
                continue
            left, right = block.bound(parts[0].this), block.bound(parts[0].expression)
            if left is None or right is None or left.alias == right.alias:
                continue
            own, other = (left, right) if left.alias == alias else (right, left)
            if (own.column.name.lower(),) not in unique_keys(table):
                continue
            key = (table.schema, table.name, own.column.name.lower(), other.key)
            if key in seen:
                yield Finding(f"{seen[key]} and {alias} are the same row of {table.name}; join it once")
            seen.setdefault(key, alias)


@rule("NOT IN over a column that may be NULL", "schema", "rewrite", 3, "estimated")
def not_in_nullable(subject: Subject) -> Iterable[Finding]:
    """As soon as the subquery of NOT IN gives one NULL, the whole condition is never true and the statement gives no rows. Write NOT
    EXISTS, or leave the NULLs out in the subquery.

    Example: SELECT id FROM customer WHERE id NOT IN (SELECT referrer_id FROM customer)
    """
    if subject.tree is None:
        return
    inner = {id(block.select): block for block in blocks(subject)}
    for negation in subject.tree.find_all(exp.Not):
        inside = negation.this.unnest()
        query = inside.args.get("query") if isinstance(inside, exp.In) else None
        select = query.unnest() if isinstance(query, exp.Expression) else None
        block = inner.get(id(select))
        if block is None or len(block.select.expressions) != 1 or len(block.sources) != 1:
            continue
        bound = block.bound(block.select.expressions[0].unalias())
        if bound is None or not bound.column.nullable:
            continue
        if not any(_mentions(block, one, bound.key) for one in block.filters):
            yield Finding(
                f"{bound.table.name}.{bound.column.name} may be NULL; one NULL in it and this NOT IN gives no rows at all: write NOT EXISTS"
            )


def _mentions(block: Block, condition: exp.Expression, key: tuple[str, str]) -> bool:
    return any(
        (bound := block.bound(node)) is not None and bound.key == key
        for node in condition.find_all(exp.Column)
    )


@rule("GROUP BY leaves a column to chance", "schema", "rewrite", 3, "estimated")
def nondeterministic_group_by(subject: Subject) -> Iterable[Finding]:
    """A selected column that is neither grouped by, nor aggregated, nor determined by what is grouped by, comes from any row of the
    group: which one may change with the plan. Group by it too, or say which one is meant: MIN, MAX, or ANY_VALUE where it does not
    matter.

    Example: SELECT customer_id, status, COUNT(*) FROM orders GROUP BY customer_id
    """
    for block in blocks(subject):
        group = block.select.args.get("group")
        if not isinstance(group, exp.Group) or not group.expressions or None in block.sources.values():
            continue
        if any(group.args.get(word) for word in ("rollup", "cube", "grouping_sets", "totals")):
            continue
        known = _determined(block, group)
        for item in block.select.expressions if known is not None else []:
            bound = block.bound(item.unalias())
            if known is not None and bound is not None and bound.key not in known:
                yield Finding(
                    f"{bound.table.name}.{bound.column.name} is not determined by GROUP BY"
                    f" {', '.join(one.sql(dialect='mysql') for one in group.expressions)}: which of a group's values is"
                    f" shown is left to chance"
                )


def _determined(block: Block, group: exp.Group) -> set[tuple[str, str]] | None:
    """The columns that have one value a group; None where the grouping is not understood."""
    known: set[tuple[str, str]] = set()
    given = {item.alias.lower(): item.unalias() for item in block.select.expressions if item.alias}
    for one in group.expressions:
        node = one
        if isinstance(one, exp.Literal) and one.is_int:
            place = int(one.this) - 1
            node = (
                block.select.expressions[place].unalias()
                if 0 <= place < len(block.select.expressions)
                else one
            )
        bound = block.bound(node) or block.bound(given.get(node.name.lower()))
        if bound is None:
            return None
        known.add(bound.key)
    for alias in block.sources:
        known |= {(alias, name) for name in block.equal_to_constant(alias)}
    equal = [
        (left.key, right.key)
        for one in block.conditions
        if isinstance(one, exp.EQ)
        and (left := block.bound(one.this)) is not None
        and (right := block.bound(one.expression)) is not None
    ]
    while True:
        before = len(known)
        for one, other in equal:
            known |= {one, other} if known & {one, other} else set()
        for alias, table in block.sources.items():
            if table is not None and any(
                all((alias, name) in known for name in key) for key in unique_keys(table)
            ):
                known |= {(alias, column.name.lower()) for column in table.columns}
        if len(known) == before:
            return known


@rule("SELECT * fetches long texts", "schema", "rewrite", 2, "estimated")
def long_columns_in_star(subject: Subject) -> Iterable[Finding]:
    """TEXT, BLOB and JSON columns are stored apart from the row where they are long, and sorts and temporary tables that hold them are
    big. Name the columns that are used; a list rarely shows the long ones.

    Example: SELECT * FROM orders WHERE status = 2
    """
    for block in blocks(subject):
        star = any(isinstance(item, exp.Star) for item in block.select.expressions)
        for alias, table in block.sources.items() if star else ():
            if table is None or not big(table) or block.one_row(alias) or block.select.args.get("limit"):
                continue
            long = [column.name for column in table.columns if base_type(column) in LONG_TYPES]
            if long:
                yield Finding(
                    f"* fetches {', '.join(long)} of {table.name} ({len(table.columns)} columns); name those that are used"
                )


RULES = (
    needless_distinct, distinct_hides_fanout, outer_join_defeated, same_table_twice, not_in_nullable, nondeterministic_group_by,
    long_columns_in_star,
)  # fmt: skip
