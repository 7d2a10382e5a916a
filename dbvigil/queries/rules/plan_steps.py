"""Rules on what a plan does with rows once it has them: sorting, grouping, keeping."""

from __future__ import annotations

from collections.abc import Iterable

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.ddl import index_for
from dbvigil.queries.rules.plan_facts import incoming, produced, reads, with_parents

MANY_ROWS = 10_000
"""Below so many rows a sort or a temporary table is done in memory, in milliseconds."""


def _lone_index(subject: Subject) -> str:
    """The index for the only table of a statement: of a join's no single one gives the order."""
    found = list(reads(subject))
    if len(found) != 1 or found[0].block is None or len(found[0].block.sources) != 1:
        return ""
    return index_for(found[0].block, found[0].node.table.lower())


@rule("Many rows are sorted", "plan", "create_index", 2, "estimated")
def large_filesort(subject: Subject) -> Iterable[Finding]:
    """The plan sorts what it found before it gives the first row, even where LIMIT wants ten. An index in the order of the sort, behind
    the columns that are set equal to a value, gives the rows sorted.

    Example: SELECT id, total FROM orders ORDER BY total LIMIT 20
    """
    if subject.plan is None:
        return
    for node, above in with_parents(subject.plan.root):
        rows = incoming(node) if node.operation == "filesort" else None
        grouped = any(
            one.operation in {"temporary", "group", "union", "window"} for one in (*above, *node.children)
        )
        if rows is not None and rows >= MANY_ROWS and not grouped:
            disk = ", on disk" if node.disk else ""
            yield Finding(f"about {rows:,.0f} rows are sorted{disk}", _lone_index(subject), rows)


@rule("Many rows go through a temporary table", "plan", "create_index", 2, "estimated")
def large_temporary_table(subject: Subject) -> Iterable[Finding]:
    """Grouping or DISTINCT without a fitting index collects its groups in a temporary table, which goes to disk when it grows. An index
    that starts with the grouped columns lets the server take group after group.

    Example: SELECT total, COUNT(*) FROM orders GROUP BY total
    """
    if subject.plan is None:
        return
    sql = _lone_index(subject)
    for node, above in with_parents(subject.plan.root):
        rows = incoming(node) if node.operation in {"temporary", "distinct"} else None
        # Window functions always need one.
        if rows is None or any(one.operation == "window" for one in above):
            continue
        if rows >= (MANY_ROWS if sql else 10 * MANY_ROWS):
            yield Finding(f"about {rows:,.0f} rows go into a temporary table", sql, rows)
            return


@rule("A derived table is big", "plan", "rewrite", 2, "estimated")
def large_derived_table(subject: Subject) -> Iterable[Finding]:
    """The subquery in FROM is worked out whole and kept before the rest begins. Put the conditions of the outer query into it, or write
    it as a join that the optimizer may merge.

    Example: SELECT t.id FROM (SELECT id, total FROM orders ORDER BY total LIMIT 100000) t WHERE t.id > 5
    """
    if subject.plan is None:
        return
    for node, above in with_parents(subject.plan.root):
        if node.operation != "derived" or any(one.operation == "derived" for one in above):
            continue
        name = above[-1].table if above and above[-1].operation == "table" else ""
        sizes = [produced(child) for child in node.children] or [node.rows]
        rows = node.rows if node.rows is not None else sizes[0]
        if rows is not None and rows >= MANY_ROWS and not name.startswith("<subquery"):
            yield Finding(
                f"the derived table {name} has about {rows:,.0f} rows before anything is done with it".replace(
                    "  ", " "
                ),
                before=rows,
            )


RULES = (large_filesort, large_temporary_table, large_derived_table)
