"""Rules on UNION and on subqueries: what is worked out, and then thrown away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlglot import exp

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.names import Block, blocks, unique_keys
from dbvigil.queries.rules.rewrite import rewritten
from dbvigil.queries.rules.text_conditions import shown, sides

_NONE_LEFT = ("group", "having", "limit", "offset", "distinct", "order")


def _arms(node: exp.Expression) -> Iterator[exp.Expression]:
    """The SELECTs of a UNION, from left to right."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, exp.SetOperation):
            waiting += [one.expression, one.this]
        elif isinstance(one, exp.Subquery) and not one.alias:
            waiting.append(one.this)
        else:
            yield one


def _unions(subject: Subject) -> Iterator[exp.Union]:
    """Every outermost UNION."""
    if subject.tree is not None:
        for union in subject.tree.find_all(exp.Union):
            above = union.parent
            if not isinstance(above, exp.SetOperation) and not (
                isinstance(above, exp.Subquery) and isinstance(above.parent, exp.SetOperation)
            ):
                yield union


@rule("UNION of rows that cannot be alike", "text", "rewrite", 2)
def union_of_distinct(subject: Subject) -> Iterable[Finding]:
    """UNION compares all rows with each other to leave out doubles. Where each side gives another constant in the same place no row of one
    is like a row of the other: UNION ALL gives them without comparing, if no side repeats itself.

    Example: SELECT 'open' AS kind, id FROM orders UNION SELECT 'item', order_id FROM item
    """
    for union in _unions(subject):
        arms = [arm for arm in _arms(union) if isinstance(arm, exp.Select)]
        if subject.redacted or not union.args.get("distinct") or len(arms) != 2:
            continue
        if isinstance(union.this, exp.SetOperation) or not _apart(arms[0], arms[1]):
            continue
        single = [block for block in blocks(subject) if block.select in arms and _once(block)]
        better = ""
        if len(single) == 2:
            everything = union.copy()
            everything.set("distinct", False)
            better = _replaced(subject, union, everything)
        yield Finding(
            "a constant tells the sides of the UNION apart: no row of one is like one of the other", better
        )


def _apart(left: exp.Select, right: exp.Select) -> bool:
    """Whether both have a constant in one place, and not the same one."""
    pairs = zip(left.expressions, right.expressions, strict=False)
    values = [(one.unalias(), other.unalias()) for one, other in pairs]
    return any(
        isinstance(one, exp.Literal)
        and isinstance(other, exp.Literal)
        and one.is_string == other.is_string
        and one.name.isalnum()
        and other.name.isalnum()
        and one.name.isascii()
        and other.name.isascii()
        and one.name.lower().lstrip("0") != other.name.lower().lstrip("0")
        for one, other in values
    )


def _once(block: Block) -> bool:
    """Whether no two rows of one SELECT can be alike: it gives a whole key of its only table."""
    if len(block.sources) != 1 or any(block.select.args.get(part) for part in ("group", "joins")):
        return False
    ((alias, table),) = block.sources.items()
    if table is None or table.view:
        return False
    given = {
        bound.column.name.lower()
        for item in block.select.expressions
        if (bound := block.bound(item.unalias())) is not None and bound.alias == alias
    }
    return any(set(key) <= given for key in unique_keys(table))


def _replaced(subject: Subject, union: exp.Union, other: exp.Union) -> str:
    if union is not subject.tree:
        return rewritten(subject, (union, other))
    return shown(other) if rewritten(subject) else ""


@rule("A page of a UNION that is worked out whole", "text", "rewrite", 2)
def union_without_inner_limit(subject: Subject) -> Iterable[Finding]:
    """The LIMIT behind a UNION ALL is applied when every side has given all its rows. Give each side the same ORDER BY and LIMIT (with
    the OFFSET added) in parentheses, so that each stops early.

    Example: SELECT id, placed FROM orders UNION ALL SELECT id, created FROM customer ORDER BY placed DESC LIMIT 20
    """
    for union in _unions(subject):
        limit = union.args.get("limit")
        if not limit or union.args.get("distinct"):
            continue
        whole = [
            arm
            for arm in _arms(union)
            if isinstance(arm, exp.Select)
            and (arm.args.get("from_") or arm.args.get("from"))
            and not any(arm.args.get(part) for part in ("limit", "group", "distinct"))
            and not arm.find(exp.AggFunc)
        ]
        if len(whole) > 1:
            sort = " and ORDER BY" if union.args.get("order") else ""
            yield Finding(
                f"{len(whole)} sides are read whole for one page; repeat LIMIT{sort} in each of them"
            )


@rule("Counting to know whether there is one", "text", "rewrite", 2)
def count_for_existence(subject: Subject) -> Iterable[Finding]:
    """`(SELECT COUNT(*) …) > 0` counts every match; EXISTS stops at the first.

    Example: SELECT c.id FROM customer c WHERE (SELECT COUNT(*) FROM orders o WHERE o.customer_id = c.id) > 0
    """
    if subject.tree is None or subject.redacted:
        return
    for one in subject.tree.find_all(exp.Expression):
        if not isinstance(one, exp.GT | exp.GTE | exp.EQ | exp.NEQ | exp.LT | exp.LTE):
            continue
        for side, other in sides(one):
            query = side.this if isinstance(side, exp.Subquery) and not side.alias else None
            if (
                not isinstance(query, exp.Select)
                or not _counts_rows(query)
                or not isinstance(other, exp.Literal)
            ):
                continue
            asked = _ASKED.get((type(one), side is one.this, other.name)) if not other.is_string else None
            if asked is not None:
                inner = query.copy()
                inner.set("expressions", [exp.Literal.number(1)])
                exists: exp.Expression = exp.Exists(this=inner)
                better = exists if asked else exp.Not(this=exists)
                names = ", ".join(table.name for table in query.find_all(exp.Table))
                word = "EXISTS" if asked else "NOT EXISTS"
                yield Finding(
                    f"all matches in {names} are counted where {word} would do",
                    rewritten(subject, (one, better)),
                )


# Comparison, whether the count stands left of it, and the number: whether that asks for one or for none.
_ASKED: dict[tuple[type[exp.Expression], bool, str], bool] = {
    (exp.GT, True, "0"): True, (exp.GTE, True, "1"): True, (exp.NEQ, True, "0"): True, (exp.LT, False, "0"): True,
    (exp.LTE, False, "1"): True, (exp.NEQ, False, "0"): True, (exp.EQ, True, "0"): False, (exp.LT, True, "1"): False,
    (exp.EQ, False, "0"): False, (exp.GT, False, "1"): False,
}  # fmt: skip


def _counts_rows(query: exp.Select) -> bool:
    counted = query.expressions[0].unalias() if len(query.expressions) == 1 else None
    return (
        isinstance(counted, exp.Count)
        and isinstance(counted.this, exp.Star | exp.Literal)
        and not counted.expressions
        and bool(query.args.get("from_") or query.args.get("from"))
        and not any(query.args.get(part) for part in _NONE_LEFT)
    )


@rule("ORDER BY that is thrown away", "text", "rewrite", 2)
def order_in_subquery(subject: Subject) -> Iterable[Finding]:
    """The rows of a subquery have no order for the statement around it; without LIMIT sorting them is in vain. Leave it out, or order the
    outer statement.

    Example: SELECT id FROM customer WHERE id IN (SELECT customer_id FROM orders ORDER BY placed)
    """
    for block in blocks(subject):
        order, above = block.select.args.get("order"), block.select.parent
        if (
            not order
            or block.select.args.get("limit")
            or not isinstance(above, exp.Subquery | exp.In | exp.Exists)
        ):
            continue
        if isinstance(above, exp.Subquery) and _handed_on(above):
            continue
        yield Finding("a subquery is sorted, and its order is lost", rewritten(subject, (order, None)))


def _handed_on(derived: exp.Subquery) -> bool:
    """Whether MySQL sorts the outer rows as a derived table says that is all there is to read, or a program may rely on it."""
    outer = derived.parent_select
    source = (outer.args.get("from_") or outer.args.get("from")) if outer is not None else None
    return outer is None or (
        isinstance(source, exp.From) and source.this is derived and not outer.args.get("joins")
    )


RULES = (count_for_existence, union_of_distinct, union_without_inner_limit, order_in_subquery)
