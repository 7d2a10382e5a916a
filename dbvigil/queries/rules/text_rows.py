"""Rules on which rows a SELECT gives, and in which order."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.names import Block, blocks
from dbvigil.queries.rules.rewrite import rewritten
from dbvigil.queries.rules.text_conditions import by_program, perhaps_cut

_DEEP = 10_000
_GET = 21
"""The LIMIT by which Django sees that there is more than one row where it asked for one."""
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
        stars = [item.unalias() for item in block.select.expressions if item.is_star]
        if not any(isinstance(star, exp.Star | exp.Column) for star in stars):
            continue
        tables = _tables(subject, block)
        if tables and not block.select.find_ancestor(exp.Exists):
            yield Finding(f"all columns of {', '.join(tables)} are selected")


def _tables(subject: Subject, block: Block) -> list[str]:
    """The tables that a SELECT reads itself. Derived ones have only the columns that somebody named."""
    named = subject.tree.find_all(exp.CTE) if subject.tree is not None else ()
    derived = {one.alias_or_name.lower() for one in named}
    start = block.select.args.get("from_") or block.select.args.get("from")
    found = [item.this for item in (start, *block.joins) if isinstance(item, exp.From | exp.Join)]
    return [
        one.alias_or_name for one in found if isinstance(one, exp.Table) and one.name.lower() not in derived
    ]


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
        if not select.args.get("limit") or select.args.get("order") or not block.sources:
            continue
        if isinstance(select.parent, exp.Subquery | exp.SetOperation) or select.find(exp.AggFunc):
            continue
        # Who takes any rows that nobody has locked wants just that.
        if select.args.get("locks"):
            continue
        size, offset = _number(select.args.get("limit")), _number(select.args.get("offset"))
        if select.args.get("offset") and offset != 0:
            yield Finding("pages without an order overlap and miss rows")
        elif size is not None and size > 1 and not (size == _GET and by_program(subject)):
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
    if (
        not isinstance(tree, exp.Select)
        or perhaps_cut(subject)
        or any(tree.args.get(part) for part in ("where", "limit", "group", "distinct", "joins"))
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
    """It makes LIMIT read everything to count it, and MySQL has deprecated it. Count by a statement of its own, and only where somebody
    looks at the number.

    Example: SELECT SQL_CALC_FOUND_ROWS id FROM orders ORDER BY id LIMIT 20
    """
    if subject.tree is not None and any(
        "SQL_CALC_FOUND_ROWS" in str(one).upper()
        for select in subject.tree.find_all(exp.Select)
        for one in select.args.get("operation_modifiers") or []
    ):
        yield Finding("SQL_CALC_FOUND_ROWS reads every row behind the LIMIT to count it")


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
                yield Finding(
                    "the selected rows are distinct by their grouping",
                    rewritten(subject, (block.select.args["distinct"], None)),
                )


@rule("Sorting by position", "text", "rewrite", 1)
def ordinals(subject: Subject) -> Iterable[Finding]:
    """ORDER BY 2 means whatever stands second: a column that is put in between sorts by something else. Name the column. (What programs
    write keeps its own count.)

    Example: SELECT id, placed FROM orders ORDER BY 2
    """
    for block in () if by_program(subject) else blocks(subject):
        order = block.select.args.get("order")
        sorted_by = [one.this for one in order.expressions] if isinstance(order, exp.Order) else []
        if any(isinstance(one, exp.Literal) and not one.is_string for one in sorted_by):
            yield Finding("it is sorted by the position of a column")


@rule("A page sorted by several tables", "text", "schema", 2)
def sort_over_tables(subject: Subject) -> Iterable[Finding]:
    """No index holds columns of two tables: all rows are joined and sorted before the first page can be given. Sort by columns of one, or
    keep what is sorted by in the table that is paged through.

    Example: SELECT o.id FROM orders o JOIN item i ON i.order_id = o.id ORDER BY o.placed, i.quantity LIMIT 20
    """
    for block in blocks(subject):
        order, limit = block.select.args.get("order"), block.select.args.get("limit")
        if not isinstance(order, exp.Order) or not limit or block.select.args.get("group"):
            continue
        bounds = [block.bound(one.this) for one in order.expressions]
        found = {bound.alias: bound.table for bound in bounds if bound is not None}
        sizes = [table.rows or 0 for table in found.values()]
        # What WHERE leaves of small tables is sorted in no time.
        if len(found) > 1 and min(sizes) >= _MANY_ROWS and not any(block.one_row(alias) for alias in found):
            names = ", ".join(table.name for table in found.values())
            yield Finding(f"it is sorted by columns of {names} together, which no index is")


RULES = (
    order_by_random, deep_offset, whole_table, calc_found_rows, sort_over_tables, select_star, limit_without_order,
    distinct_with_group, ordinals,
)  # fmt: skip
