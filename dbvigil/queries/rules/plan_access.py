"""Rules on how a plan reaches its tables."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.names import FEW_ROWS
from dbvigil.queries.rules.plan_facts import Read, reads, visits, with_parents

_SELECTIVE = 30.0
"""Percent of a table: where more of its rows are wanted, reading all of it is right."""


def _keeps_few(read: Read) -> bool:
    """Whether the condition keeps few of the rows.

    Where the server does not know (MariaDB then says 100 %), equality with a value is taken for it.
    """
    share = read.node.filtered
    if share is not None and share < 100:
        return share <= _SELECTIVE
    return read.block is not None and bool(read.block.equal_to_constant(read.node.table.lower()))


def _whole(read: Read, access: str) -> bool:
    node = read.node
    return node.access == access and node.rows is not None and node.rows >= FEW_ROWS


@rule("A big table is read whole", "plan", "create_index", 3, "estimated")
def full_table_scan(subject: Subject) -> Iterable[Finding]:
    """The plan reads every row of a table to keep a few. An index on the columns of the condition finds them at once.

    Example: SELECT id FROM orders WHERE total = 600
    """
    for read in reads(subject):
        if (
            not _whole(read, "ALL")
            or read.node.possible_keys
            or read.node.join_buffer
            or not _keeps_few(read)
        ):
            continue
        sql = read.index()
        if sql:
            yield Finding(
                f"the plan reads about {read.node.rows:,.0f} rows of {read.name}, all there are",
                sql,
                read.node.rows,
            )


@rule("A big index is read whole", "plan", "create_index", 2, "estimated")
def full_index_scan(subject: Subject) -> Iterable[Finding]:
    """The plan reads an index from end to end and checks each entry: no condition enters it at its first column. An index that begins
    with the columns of the condition is entered where they match.

    Example: SELECT a FROM composite WHERE b = 7
    """
    for read in reads(subject):
        if _whole(read, "index") and _keeps_few(read) and not read.node.possible_keys:
            sql = read.index()
            if sql:
                yield Finding(
                    f"the plan reads all {read.node.rows:,.0f} entries of {read.node.key or 'an index'} of {read.name}",
                    sql,
                    read.node.rows,
                )


@rule("No index is used though one exists", "plan", "rewrite", 2, "estimated")
def index_not_used(subject: Subject) -> Iterable[Finding]:
    """The optimizer knows an index that could serve and still reads the whole table: it expects too many rows, or the condition hides
    the column. Refresh the statistics with ANALYZE TABLE; where the estimate stays wrong, a histogram (MySQL) or a better index helps
    more than FORCE INDEX.

    Example: SELECT note FROM orders WHERE status = 2
    """
    for read in reads(subject):
        node = read.node
        if not _whole(read, "ALL") or not node.possible_keys or node.key or not node.condition:
            continue
        # A condition that keeps most of a table is better off without an index.
        if node.filtered is not None and node.filtered <= 10:
            yield Finding(
                f"{', '.join(node.possible_keys)} of {read.name} could serve, but all of its {node.rows:,.0f} rows are read",
                sql=read.index(),
                before=node.rows,
            )


@rule("A join without an index", "plan", "create_index", 3, "estimated")
def join_without_index(subject: Subject) -> Iterable[Finding]:
    """The plan keeps rows of one table in a buffer and compares the other, whole, with them. With an index on the join's column each
    row finds its partners at once.

    Example: SELECT a.sku FROM item a JOIN item b ON a.sku = b.sku
    """
    for read in reads(subject):
        node = read.node
        if (
            node.join_buffer
            and node.access in {"ALL", "index"}
            and node.rows is not None
            and node.rows >= FEW_ROWS
        ):
            sql = read.index()
            if sql:
                yield Finding(
                    f"{read.name} is joined through a buffer: about {node.rows:,.0f} rows without an index",
                    sql,
                    node.rows,
                )


@rule("Two tables are multiplied", "plan", "rewrite", 3, "estimated")
def cartesian_join(subject: Subject) -> Iterable[Finding]:
    """A join without any condition between two tables pairs every row with every row. Mostly a condition was forgotten.

    Example: SELECT COUNT(*) FROM item a, item b
    """
    for read in reads(subject):
        node, block = read.node, read.block
        if (
            block is None
            or node.access not in {"ALL", "index"}
            or node.rows is None
            or len(block.sources) < 2
        ):
            continue
        alias = node.table.lower()
        unqualified = any(
            not column.table for column in block.own(exp.Column) if isinstance(column, exp.Column)
        )
        using = any(
            join.args.get("using") or (join.method or "").upper() == "NATURAL" for join in block.joins
        )
        if using or (unqualified and None in block.sources.values()):
            continue
        linked = any(_links(block, condition, alias) for condition in block.conditions)
        others = [
            one
            for one in reads(subject)
            if one.block is not None and one.block.select is block.select and one.node is not node
        ]
        if (
            not linked
            and others
            and node.rows >= FEW_ROWS
            and max(other.node.rows or 0 for other in others) >= 2
        ):
            yield Finding(
                f"no condition joins {read.name} to the other tables: every row is paired with each of its {node.rows:,.0f}"
            )
            return


def _links(block: object, condition: exp.Expression, alias: str) -> bool:
    """Whether a condition speaks of `alias` and of another table; what is not understood counts as one."""
    names = {column.table.lower() for column in condition.find_all(exp.Column)}
    if "" in names:
        return True
    return alias in names and len(names) > 1


@rule("Two indexes are intersected", "plan", "create_index", 2, "estimated")
def index_merge_intersection(subject: Subject) -> Iterable[Finding]:
    """The server reads two indexes and keeps what is in both: a sign that one index over both columns is missing.

    Example: SELECT note FROM orders WHERE status = 2 AND customer_id = 51
    """
    for read in reads(subject):
        node = read.node
        big = read.table is not None and read.table.rows is not None and read.table.rows >= FEW_ROWS
        if node.access == "index_merge" and (node.key or "").startswith("intersect") and big:
            yield Finding(
                f"{read.name} is read by {node.key}; one index over these columns finds the rows at once",
                read.index(),
            )


@rule("An index is chosen anew for each row", "plan", "create_index", 2, "estimated")
def range_checked_for_each_record(subject: Subject) -> Iterable[Finding]:
    """For each row of the outer table the optimizer looks again whether some index may serve the inner one, and mostly reads all of it.
    Write the condition so that it compares columns for equality, or index the column that it compares.

    Example: SELECT c.id FROM customer c JOIN orders o ON o.id > c.id AND o.customer_id < c.id
    """
    for read in reads(subject):
        node = read.node
        checked = any(mark.startswith(("range checked", "index map")) for mark in node.extra)
        if checked and node.rows is not None and node.rows * visits(node) >= FEW_ROWS:
            yield Finding(
                f"for each outer row an index of {read.name} is looked for anew; no equality joins it"
            )


@rule("A condition keeps few rows of an index that finds many", "plan", "create_index", 2, "estimated")
def low_selectivity_index(subject: Subject) -> Iterable[Finding]:
    """The index that is used has few different values, so it finds a large part of the table, row by row, and the other conditions then
    throw most of it away. An index over all columns of the condition finds what is wanted.

    Example: SELECT id FROM orders WHERE status = 1 AND total = 5
    """
    for read in reads(subject):
        node, table = read.node, read.table
        if (
            table is None
            or table.rows is None
            or table.rows < FEW_ROWS
            or node.access != "ref"
            or node.rows is None
        ):
            continue
        if (
            node.covering
            or node.rows < max(FEW_ROWS, 0.1 * table.rows)
            or node.filtered is None
            or node.filtered > 20
        ):
            continue
        yield Finding(
            f"{node.key} of {read.name} finds about {node.rows:,.0f} of {table.rows:,} rows, {node.filtered:g} % of which are kept",
            read.index(),
            node.rows,
        )


@rule("The estimate is far from what was read", "plan", "schema", 2, "estimated")
def estimate_far_off(subject: Subject) -> Iterable[Finding]:
    """The optimizer expected ten times more or fewer rows than it met, and chose its plan by that. Refresh the table's statistics with
    ANALYZE TABLE; where values are unevenly spread and no index has the column, a histogram tells the optimizer.

    Example: SELECT id FROM orders WHERE status = 2
    """
    if subject.plan is None or not subject.plan.analyzed:
        return
    limited = any(node.operation == "limit" for node in subject.plan.root.walk()) or (
        subject.tree is not None and subject.tree.find(exp.Limit) is not None
    )
    for read in reads(subject):
        node = read.node
        if node.rows is None or node.actual_rows is None or (limited and node.actual_rows < node.rows):
            continue
        low, high = sorted((max(node.rows, 1.0), max(node.actual_rows, 1.0)))
        if high / low >= 10 and high * visits(node) >= FEW_ROWS:
            name = f"`{read.table.name}`" if read.table is not None else ""
            yield Finding(
                f"{node.rows:,.0f} rows a visit of {read.name} were expected, {node.actual_rows:,.0f} were met",
                f"ANALYZE TABLE {name}" if name else "",
                node.rows,
                node.actual_rows,
            )


@rule("A subquery runs for each row", "plan", "rewrite", 3, "estimated")
def dependent_subquery(subject: Subject) -> Iterable[Finding]:
    """A subquery that depends on the outer row is run again for each. Where it reads much each time, join a grouped subquery instead,
    or give its table an index on the column by which it depends.

    Example: SELECT id, (SELECT COUNT(*) FROM item i WHERE i.product_id = p.id) FROM product p
    """
    if subject.plan is None:
        return
    by_node = {id(read.node): read for read in reads(subject)}
    for node, _ in with_parents(subject.plan.root):
        if not node.dependent:
            continue
        for inner in node.walk():
            read = by_node.get(id(inner))
            if read is not None and inner.access in {"ALL", "index"} and (inner.rows or 0) >= FEW_ROWS:
                yield Finding(
                    f"a subquery reads all of {read.name}, about {inner.rows:,.0f} rows, for each row outside",
                    _subquery_index(read),
                )
                break


def _subquery_index(read: Read) -> str:
    """The condition that ties a subquery to the outside compares with a column that is unknown inside; it counts as a value."""
    block, alias = read.block, read.node.table.lower()
    if block is None or read.table is None:
        return ""
    inside = block.select.copy()
    for column in list(inside.find_all(exp.Column)):
        if column.table and column.table.lower() not in block.sources:
            column.replace(exp.Placeholder())
    return (
        Read(read.node, read.table, type(block)(inside, block.sources)).index()
        if alias in block.sources
        else ""
    )


RULES = (
    full_table_scan, full_index_scan, index_not_used, join_without_index, cartesian_join, dependent_subquery, index_merge_intersection,
    range_checked_for_each_record, low_selectivity_index, estimate_far_off,
)  # fmt: skip
