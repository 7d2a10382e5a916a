"""Rules on what a statement cost, as its figures tell."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from dbvigil.queries.figures import Figures
from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.names import FEW_ROWS, tables

ENOUGH = 10
"""Executions; fewer say little about the next."""


def _enough(subject: Subject) -> Figures | None:
    figures = subject.figures
    return figures if figures is not None and figures.count >= ENOUGH else None


def _share(part: float | None, whole: float | None) -> float | None:
    """Percent."""
    return None if part is None or not whole else part / whole * 100


@rule("Many rows are read for each one sent", "statistics", "create_index", 3, "estimated")
def many_rows_read(subject: Subject) -> Iterable[Finding]:
    """The server reads hundreds of rows for one that it sends or changes: the conditions are checked after the reading. An index on
    their columns reads what is wanted. A statement that sums up many rows reads them rightly, and is not meant.

    Example: SELECT id FROM orders WHERE total = 5
    """
    figures = _enough(subject)
    ratio = figures.examined_per_sent if figures is not None else None
    if figures is None or ratio is None or subject.tree is None or figures.rows_examined is None:
        return
    if subject.tree.find(exp.AggFunc, exp.Group) or figures.rows_examined / figures.count < FEW_ROWS:
        return
    if ratio >= 100:
        yield Finding(f"{ratio:,.0f} rows are read for each row sent or changed", before=round(ratio, 1))


@rule("Temporary tables go to disk", "statistics", "rewrite", 2, "estimated")
def disk_temporary_tables(subject: Subject) -> Iterable[Finding]:
    """A temporary table that is too big for memory is written to disk. Select fewer and shorter columns (no TEXT or BLOB), group by an
    index, or give temporary tables more memory where it is there (temptable_max_ram, tmp_table_size).

    Example: SELECT total, COUNT(*) FROM orders GROUP BY total
    """
    figures = _enough(subject)
    share = _share(figures.tmp_disk_tables, figures.tmp_tables) if figures is not None else None
    if figures is not None and share is not None and share >= 25 and (figures.tmp_disk_tables or 0) >= ENOUGH:
        yield Finding(
            f"{share:.0f} % of its temporary tables went to disk ({figures.tmp_disk_tables:,})",
            before=round(share, 1),
        )


@rule("Sorts need several passes", "statistics", "create_index", 2, "estimated")
def sort_merge_passes(subject: Subject) -> Iterable[Finding]:
    """A sort that does not fit into sort_buffer_size is done in parts that are merged from disk. Sort fewer rows or columns, or let an
    index give the order; a bigger sort buffer for all sessions is the last resort.

    Example: SELECT id, note FROM orders ORDER BY note
    """
    figures = _enough(subject)
    if (
        figures is not None
        and figures.sort_merge_passes is not None
        and figures.sort_merge_passes >= figures.count
    ):
        each = figures.sort_merge_passes / figures.count
        yield Finding(f"each execution merges its sort {each:,.1f} times from disk", before=round(each, 2))


@rule("Much of its time is waiting for locks", "statistics", "application", 3, "estimated")
def lock_share(subject: Subject) -> Iterable[Finding]:
    """A statement that mostly waits for locks is not made faster by an index. Keep transactions short, change rows always in the same
    order, and look for the session that holds the lock.

    Example: UPDATE orders SET status = 2 WHERE id = 7
    """
    figures = _enough(subject)
    share = _share(figures.lock_time, figures.total_time) if figures is not None else None
    if (
        figures is not None
        and share is not None
        and share >= 30
        and (figures.lock_time or 0) / figures.count >= 0.01
    ):
        yield Finding(
            f"{min(share, 100):.0f} % of its time is waiting for locks", before=round(min(share, 100), 1)
        )


@rule("Many executions fail", "statistics", "application", 2, "estimated")
def errors_share(subject: Subject) -> Iterable[Finding]:
    """Executions that end with an error are work for nothing, and mostly repeated: a duplicate key, a deadlock, a lock wait that ran
    out. The application's log says which.

    Example: INSERT INTO customer (email) VALUES ('ada@example.net')
    """
    figures = _enough(subject)
    share = _share(figures.errors, figures.count) if figures is not None else None
    if figures is not None and share is not None and share >= 5:
        yield Finding(
            f"{share:.0f} % of its executions end with an error ({figures.errors:,} of {figures.count:,})",
            before=round(share, 1),
        )


@rule("It mostly runs without an index", "statistics", "create_index", 2, "estimated")
def no_index_share(subject: Subject) -> Iterable[Finding]:
    """The server counted that most executions used no index, and each read many rows. EXPLAIN says which table it is.

    Example: SELECT id FROM orders WHERE total = 5
    """
    figures = _enough(subject)
    share = _share(figures.no_index_used, figures.count) if figures is not None else None
    if figures is None or share is None or figures.rows_examined is None or subject.tree is None:
        return
    # Without a condition there is nothing that an index could find.
    if (
        share >= 50
        and figures.rows_examined / figures.count >= FEW_ROWS
        and subject.tree.find(exp.Where, exp.Join)
    ):
        yield Finding(
            f"{min(share, 100):.0f} % of its executions used no index", before=round(min(share, 100), 1)
        )


@rule("A join scans a table again and again", "statistics", "create_index", 3, "estimated")
def full_joins(subject: Subject) -> Iterable[Finding]:
    """The server counted joins that read a table whole because no index fits the join's condition. Index the column by which it is
    joined.

    Example: SELECT a.sku FROM item a JOIN item b ON a.sku = b.sku
    """
    figures = _enough(subject)
    share = _share(figures.full_joins, figures.count) if figures is not None else None
    if figures is None or share is None or figures.rows_examined is None:
        return
    if share >= 50 and figures.rows_examined / figures.count >= FEW_ROWS:
        yield Finding(
            f"{min(share, 100):.0f} % of its executions joined a table without an index",
            before=round(min(share, 100), 1),
        )


@rule("Rows are inserted one by one", "statistics", "application", 2, "estimated")
def single_row_inserts(subject: Subject) -> Iterable[Finding]:
    """Each INSERT is a journey to the server, and with autocommit a flush of its log. Insert hundreds of rows in one statement, or many
    statements in one transaction.

    Example: INSERT INTO item (order_id, line) VALUES (1, 2)
    """
    figures, tree = _enough(subject), subject.tree
    if figures is None or not figures.seconds or not isinstance(tree, exp.Insert):
        return
    values = tree.expression
    if (
        isinstance(values, exp.Values)
        and len(values.expressions) == 1
        and figures.count / figures.seconds >= 50
    ):
        rate = figures.count / figures.seconds
        yield Finding(
            f"{rate:,.0f} single rows a second are inserted; put them into statements of some hundred rows",
            before=round(rate, 1),
        )


@rule("A table has many indexes for its writes", "statistics", "schema", 2, "estimated")
def too_many_indexes(subject: Subject) -> Iterable[Finding]:
    """Each INSERT writes every index, each UPDATE those of the columns it changes. Find the ones that no statement uses, hide them for
    a while (INVISIBLE, IGNORED), then drop them.

    Example: INSERT INTO busy (a) VALUES (1)
    """
    figures, tree = _enough(subject), subject.tree
    if figures is None or not figures.seconds or not isinstance(tree, exp.Insert | exp.Delete):
        return
    rate = figures.count / figures.seconds
    for table in tables(subject)[:1]:
        others = [index for index in table.indexes if not index.primary]
        if len(others) >= 8 and rate >= 10:
            yield Finding(
                f"{table.name} has {len(others)} indexes beside its primary key, all written {rate:,.0f} times a second",
                before=len(others),
            )


RULES = (
    many_rows_read, no_index_share, full_joins, disk_temporary_tables, sort_merge_passes, lock_share, errors_share, single_row_inserts,
    too_many_indexes,
)  # fmt: skip
