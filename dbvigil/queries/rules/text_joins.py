"""Rules on how tables are joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlglot import exp

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.names import Block, blocks
from dbvigil.queries.rules.text_conditions import one_row, perhaps_cut

_MOST_JOINS = 10


def _from(select: exp.Select) -> exp.Expression | None:
    found = select.args.get("from_") or select.args.get("from")
    return found.this if isinstance(found, exp.From) else None


def _comma(join: exp.Join) -> bool:
    """Whether it was written as a comma: it has no word of its own, and no condition."""
    return not any(join.args.get(part) for part in ("on", "using", "kind", "side", "method"))


@rule("Commas and JOIN in one FROM", "text", "rewrite", 2)
def mixed_joins(subject: Subject) -> Iterable[Finding]:
    """JOIN binds more tightly than a comma: a condition in ON cannot see a table before the comma, and whoever reads it guesses. Write
    JOIN throughout.

    Example: SELECT a.id FROM a, b JOIN c ON c.b_id = b.id WHERE a.id = b.a_id
    """
    for block in blocks(subject):
        if any(_comma(join) for join in block.joins) and any(
            join.args.get("on") or join.args.get("using") for join in block.joins
        ):
            yield Finding("it joins with commas and with JOIN; write JOIN … ON for all of them")


@rule("Every row with every row", "text", "rewrite", 3)
def cross_join(subject: Subject) -> Iterable[Finding]:
    """Tables that no condition ties to the others multiply: a thousand rows with a thousand rows are a million. Nearly always a condition
    was forgotten. Where every pair is wanted, write CROSS JOIN, which says so.

    Example: SELECT a.id FROM a, b WHERE a.id = 5
    """
    for block in () if perhaps_cut(subject) else blocks(subject):
        lonely = sorted(_untied(block))
        if lonely:
            yield Finding(
                f"nothing ties {', '.join(lonely)} to the other tables: each of its rows is paired with each of theirs"
            )


def _untied(block: Block) -> set[str]:
    """Tables that are reached from the first one by no condition. Names without a table could be anybody's: then nothing is said."""
    select = block.select
    first = _from(select)
    if not isinstance(first, exp.Table) or first.args.get("joins") or len(block.sources) < 2:
        return set()
    for join in block.joins:
        plain = isinstance(join.this, exp.Table) and not join.this.args.get("joins")
        if not plain or join.args.get("using") or join.args.get("kind") == "CROSS" or join.args.get("method"):
            return set()
    if select.args.get("laterals"):
        return set()
    names = set(block.sources)
    ties: list[set[str]] = []
    for one in block.conditions:
        columns = list(one.find_all(exp.Column))
        if not columns:
            # ON 1 = 1: every pair is wanted, and somebody says so.
            return set()
        if any(not column.table for column in columns):
            return set()
        ties.append({column.table.lower() for column in columns} & names)
    reached = {first.alias_or_name.lower()}
    grown = True
    while grown:
        grown = False
        for tie in ties:
            if tie & reached and not tie <= reached:
                reached |= tie
                grown = True
    # A table that a value holds to a few rows multiplies little, and is often meant so.
    return {name for name in names - reached if not any(tie == {name} for tie in ties)}


@rule("Very many joins", "text", "rewrite", 2)
def many_joins(subject: Subject) -> Iterable[Finding]:
    """The number of orders in which tables can be joined explodes; past a dozen the optimizer stops looking, and one wrong estimate is
    multiplied by every step after it. Split the question, or keep what always goes together in one table.

    Example: a SELECT with eleven joins
    """
    for block in blocks(subject):
        if len(block.joins) > _MOST_JOINS:
            yield Finding(
                f"it joins {len(block.joins) + 1} tables; the optimizer cannot weigh all orders of so many"
            )


@rule("The plan is dictated", "text", "rewrite", 1)
def index_hint(subject: Subject) -> Iterable[Finding]:
    """FORCE INDEX and STRAIGHT_JOIN stay when data, indexes and versions change, and an index that is dropped breaks the statement. Find
    out why the optimizer chose otherwise: old statistics, a missing histogram, a missing column in an index.

    Example: SELECT id FROM orders FORCE INDEX (status) WHERE status = 1
    """
    if subject.tree is None:
        return
    for table in subject.tree.find_all(exp.Table):
        for hint in table.args.get("hints") or []:
            if isinstance(hint, exp.IndexTableHint) and str(hint.this).upper() in ("FORCE", "USE"):
                yield Finding(f"{str(hint.this).upper()} INDEX on {table.name}")
                return
    for join in subject.tree.find_all(exp.Join):
        if "STRAIGHT_JOIN" in (join.args.get("kind"), join.args.get("method")):
            yield Finding("STRAIGHT_JOIN fixes the order of the tables")
            return


@rule("A subquery for each row of the result", "text", "rewrite", 2)
def subquery_in_select_list(subject: Subject) -> Iterable[Finding]:
    """A subquery among the selected columns that names the outer row is run once for every row. Join the table, or a derived table that
    is grouped by the key.

    Example: SELECT c.id, (SELECT COUNT(*) FROM orders o WHERE o.customer_id = c.id) FROM customer c
    """
    for block in blocks(subject):
        if block.select.args.get("limit") or not block.sources:
            # Of a page of rows a few dozen lookups are often the better plan.
            continue
        if one_row(block):
            continue
        for item in block.select.expressions:
            for inner in _scalar(item):
                names = {one.alias_or_name.lower() for one in inner.find_all(exp.Table)}
                outer = {
                    column.table.lower() for column in inner.find_all(exp.Column) if column.table
                } - names
                if outer & set(block.sources):
                    yield Finding(
                        f"the subquery on {', '.join(sorted(names))} runs once for each row of the result"
                    )


def _scalar(item: exp.Expression) -> Iterator[exp.Expression]:
    for found in item.find_all(exp.Subquery):
        if isinstance(found.this, exp.Select) and not found.find_ancestor(exp.Exists):
            yield found.this


RULES = (cross_join, mixed_joins, subquery_in_select_list, many_joins, index_hint)
