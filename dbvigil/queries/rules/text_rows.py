"""Rules on which rows a SELECT gives, and in which order."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.names import blocks, conjuncts

_DEEP = 1_000
_MANY_ROWS = 10_000


def _number(node: object) -> int | None:
    value = node.expression if isinstance(node, exp.Limit | exp.Offset) else None
    return int(value.name) if isinstance(value, exp.Literal) and value.name.isdigit() else None


@rule("SELECT *", "text", "rewrite", 1)
def select_star(subject: Subject) -> Iterable[Finding]:
    """Columns that nobody needs are read, sorted and sent, an index can no longer cover the query, and a new column changes what programs
    get. Name the columns.

    Example: SELECT * FROM orders WHERE id = 5
    """
    for block in blocks(subject):
        if block.select.find_ancestor(exp.Exists) or not block.sources:
            continue
        for item in block.select.expressions:
            star = item.unalias()
            if isinstance(star, exp.Star) or (
                isinstance(star, exp.Column) and isinstance(star.this, exp.Star)
            ):
                yield Finding(f"all columns of {', '.join(block.sources)} are selected")
                break


@rule("ORDER BY RAND()", "text", "rewrite", 3)
def order_by_random(subject: Subject) -> Iterable[Finding]:
    """A number is drawn for every row, and all of them are sorted, to give a few. Draw keys instead: a random id and the next that there
    is, or a table of samples.

    Example: SELECT id FROM product ORDER BY RAND() LIMIT 5
    """
    for block in blocks(subject):
        order = block.select.args.get("order")
        if isinstance(order, exp.Order) and any(isinstance(one.this, exp.Rand) for one in order.expressions):
            yield Finding("every row is given a random number and sorted by it")


@rule("LIMIT without ORDER BY", "text", "rewrite", 1)
def limit_without_order(subject: Subject) -> Iterable[Finding]:
    """Which rows come first is the server's choice, and changes with the plan: the pages of a list overlap or miss rows. Order by
    something unique.

    Example: SELECT id FROM orders WHERE status = 1 LIMIT 20
    """
    for block in blocks(subject):
        select = block.select
        size = _number(select.args.get("limit"))
        if size is None or size <= 1 or select.args.get("order") or not block.sources:
            continue
        if isinstance(select.parent, exp.Subquery | exp.Union) or select.find(exp.AggFunc):
            continue
        yield Finding(f"which {size} rows it gives is left to chance")


@rule("A deep OFFSET", "text", "rewrite", 2)
def deep_offset(subject: Subject) -> Iterable[Finding]:
    """All rows before the page are read and thrown away: page 1,000 costs a thousand times page 1. Go on from the last row that was
    shown: WHERE (sort column, id) > (…) ORDER BY … LIMIT n.

    Example: SELECT id FROM orders ORDER BY id LIMIT 20 OFFSET 100000
    """
    for block in blocks(subject):
        offset = _number(block.select.args.get("offset"))
        if offset is not None and offset >= _DEEP:
            yield Finding(f"{offset} rows are read and thrown away before the first one is given")


@rule("A whole large table", "text", "application", 2)
def whole_table(subject: Subject) -> Iterable[Finding]:
    """Without WHERE and LIMIT every row goes over the network, and into the program's memory. Ask for what is needed, or go in steps by
    the primary key.

    Example: SELECT id, note FROM orders
    """
    tree = subject.tree
    if not isinstance(tree, exp.Select) or any(
        tree.args.get(part) for part in ("where", "limit", "group", "distinct", "joins")
    ):
        return
    if tree.find(exp.AggFunc):
        return
    for block in blocks(subject):
        if block.select is not tree or len(block.sources) != 1:
            continue
        (table,) = block.sources.values()
        rows = table.rows if table is not None else None
        if rows is not None and rows >= _MANY_ROWS:
            yield Finding(f"all of about {rows} rows of {table.name} are sent" if table else "")


@rule("SQL_CALC_FOUND_ROWS", "text", "rewrite", 2)
def calc_found_rows(subject: Subject) -> Iterable[Finding]:
    """It makes LIMIT read everything to count it, and is deprecated. Count by a statement of its own, and only where somebody looks at
    the number.

    Example: SELECT SQL_CALC_FOUND_ROWS id FROM orders ORDER BY id LIMIT 20
    """
    if subject.tree is not None and any(
        "SQL_CALC_FOUND_ROWS" in str(one).upper()
        for select in subject.tree.find_all(exp.Select)
        for one in select.args.get("operation_modifiers") or []
    ):
        yield Finding("SQL_CALC_FOUND_ROWS reads every row behind the LIMIT to count it")


@rule("HAVING that could be WHERE", "text", "rewrite", 2)
def having_as_where(subject: Subject) -> Iterable[Finding]:
    """HAVING is judged after grouping: rows that it drops were read, grouped and counted in vain. What does not speak of a group's
    figures belongs into WHERE.

    Example: SELECT status, COUNT(*) FROM orders GROUP BY status HAVING status > 1
    """
    for block in blocks(subject):
        having = block.select.args.get("having")
        group = block.select.args.get("group")
        if not isinstance(having, exp.Having) or group is None:
            continue
        grouped = {one.sql("mysql") for one in group.expressions if isinstance(one, exp.Column)}
        for one in conjuncts(having.this):
            columns = {column.sql("mysql") for column in one.find_all(exp.Column)}
            if columns and columns <= grouped and not one.find(exp.AggFunc, exp.Query):
                yield Finding(f"{one.sql('mysql')} speaks of no group's figures: it belongs into WHERE")


@rule("DISTINCT with GROUP BY", "text", "rewrite", 1)
def distinct_with_group(subject: Subject) -> Iterable[Finding]:
    """Where the grouped columns are selected, no two rows are alike; DISTINCT makes the server look again. Leave it out.

    Example: SELECT DISTINCT status, COUNT(*) FROM orders GROUP BY status
    """
    for block in blocks(subject):
        group = block.select.args.get("group")
        if (
            block.select.args.get("distinct")
            and isinstance(group, exp.Group)
            and group.expressions
            and not group.args.get("rollup")
        ):
            given = {item.unalias().sql("mysql") for item in block.select.expressions}
            if {one.sql("mysql") for one in group.expressions} <= given:
                yield Finding("the selected rows are distinct by their grouping")


@rule("Sorting by position", "text", "rewrite", 1)
def ordinals(subject: Subject) -> Iterable[Finding]:
    """ORDER BY 2 means whatever stands second: a column that is put in between sorts by something else. Name the column.

    Example: SELECT id, placed FROM orders ORDER BY 2
    """
    for block in blocks(subject):
        order = block.select.args.get("order")
        sorted_by = [one.this for one in order.expressions] if isinstance(order, exp.Order) else []
        if any(isinstance(one, exp.Literal) and not one.is_string for one in sorted_by):
            yield Finding("it is sorted by the position of a column")


@rule("ORDER BY that is thrown away", "text", "rewrite", 2)
def order_in_subquery(subject: Subject) -> Iterable[Finding]:
    """The rows of a subquery have no order for the statement around it; without LIMIT sorting them is in vain. Leave it out, or order the
    outer statement.

    Example: SELECT id FROM (SELECT id FROM orders ORDER BY placed) AS o
    """
    for block in blocks(subject):
        select = block.select
        inside = isinstance(select.parent, exp.Subquery | exp.In | exp.Exists)
        if inside and select.args.get("order") and not select.args.get("limit"):
            yield Finding("a subquery is sorted, and its order is lost")


RULES = (
    order_by_random, deep_offset, whole_table, calc_found_rows, having_as_where, order_in_subquery, select_star, limit_without_order,
    distinct_with_group, ordinals,
)  # fmt: skip
