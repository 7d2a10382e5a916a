"""Rules on OR and IN."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.names import constant, leads
from dbvigil.queries.rules.rewrite import rewritten
from dbvigil.queries.rules.text_conditions import Condition, alternatives, conditions, shown

_LONG_LIST = 1_000


@rule("One column, many ORs", "text", "rewrite", 1)
def or_same_column(subject: Subject) -> Iterable[Finding]:
    """`a = 1 OR a = 2 OR a = 3` is `a IN (1, 2, 3)`: shorter, and one range for the optimizer.

    Example: SELECT id FROM orders WHERE status = 1 OR status = 2 OR status = 3
    """
    for one in conditions(subject):
        found = alternatives(one.node)
        columns = {
            shown(side.this)
            for side in found
            if isinstance(side, exp.EQ) and isinstance(side.this, exp.Column)
        }
        whole = all(isinstance(side, exp.EQ) and constant(side.expression) for side in found)
        if len(found) < 3 or not whole or len(columns) != 1:
            continue
        values = [side.expression for side in found]
        better = exp.In(this=found[0].this.copy(), expressions=[value.copy() for value in values])
        # Numbers and texts in one list are compared otherwise than each by itself.
        alike = len({value.is_string for value in values if isinstance(value, exp.Literal)}) == 1
        safe = alike and all(isinstance(value, exp.Literal) for value in values)
        text = ", ".join(shown(value) for value in values[:5]) + (", …" if len(values) > 5 else "")
        yield Finding(
            f"write {columns.pop()} IN ({text})", rewritten(subject, (one.node, better)) if safe else ""
        )


@rule("OR over different columns", "text", "rewrite", 2)
def or_over_columns(subject: Subject) -> Iterable[Finding]:
    """One index serves one column; with OR between columns the server reads several indexes and merges, or every row. A UNION of one
    SELECT for each side uses an index for each.

    Example: SELECT id FROM customer WHERE email = 'a' OR name = 'b'
    """
    for one in conditions(subject):
        found = alternatives(one.node)
        columns = {
            shown(side.this).lower(): side.this
            for side in found
            if isinstance(side, exp.EQ | exp.In)
            and isinstance(side.this, exp.Column)
            and (side.expressions or constant(side.expression))
        }
        if len(columns) < 2 or len(columns) < len(found) or _narrowed(one) or _merged(one, columns.values()):
            continue
        yield Finding(f"OR over {', '.join(sorted(columns))}: no single index serves it")


def _narrowed(one: Condition) -> bool:
    """Whether another condition asks for one value of a column, by which the rows may be found as well."""
    return any(
        isinstance(other, exp.EQ) and constant(other.expression)
        for other in one.block.filters
        if other is not one.node
    )


def _merged(one: Condition, columns: Iterable[exp.Expression]) -> bool:
    """Whether every column leads an index of the same table: the server merges what they find."""
    bounds = [one.bound(column) for column in columns]
    tables = {bound.alias for bound in bounds if bound is not None}
    return len(tables) == 1 and all(
        bound is not None and leads(bound.table, bound.column.name) for bound in bounds
    )


@rule("A very long IN list", "text", "rewrite", 2)
def long_in_list(subject: Subject) -> Iterable[Finding]:
    """Past `range_optimizer_max_mem_size` and `eq_range_index_dive_limit` the server stops looking each value up for its estimate, or
    reads the whole table. Put the values into a temporary table and join it, or ask in parts.

    Example: a SELECT with a thousand values in IN (…)
    """
    if subject.tree is None:
        return
    for one in subject.tree.find_all(exp.In):
        if len(one.expressions) >= _LONG_LIST:
            yield Finding(f"{len(one.expressions)} values in one IN list over {shown(one.this)}")


RULES = (or_over_columns, long_in_list, or_same_column)
