"""Rules on conditions that do not say what was meant: they hold for no row, for every row, or compare something else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from sqlglot import exp
from sqlglot.dialects.mysql import MySQL
from sqlglot.errors import SqlglotError

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.names import blocks, conjuncts, family
from dbvigil.queries.rules.rewrite import faithful, rewritten
from dbvigil.queries.rules.text_conditions import alternatives, bare, conditions, shown, sides, text_of

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_ADDRESS = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}")
_ORDERED = (exp.GT, exp.GTE, exp.LT, exp.LTE)


@rule("Comparing with NULL", "text", "rewrite", 3)
def equals_null(subject: Subject) -> Iterable[Finding]:
    """Nothing is equal to NULL, and nothing is different from it: the condition holds for no row. Write IS NULL or IS NOT NULL.

    Example: SELECT id FROM customer WHERE referrer_id = NULL
    """
    for one in conditions(subject):
        if isinstance(one.node, exp.EQ | exp.NEQ) and any(
            isinstance(bare(side), exp.Null) for side, _ in sides(one.node)
        ):
            word = "IS NULL" if isinstance(one.node, exp.EQ) else "IS NOT NULL"
            yield Finding(f"{shown(one.node)} holds for no row; write {word}")


@rule("NOT IN a list with NULL", "text", "rewrite", 3)
def not_in_null(subject: Subject) -> Iterable[Finding]:
    """Whether a value is different from NULL is unknown, so NOT IN with a NULL in its list holds for no row. Leave the NULL out, and ask
    for IS NOT NULL by itself.

    Example: SELECT id FROM customer WHERE referrer_id NOT IN (1, NULL)
    """
    for one in conditions(subject):
        inner = one.node.this if isinstance(one.node, exp.Not) else None
        if isinstance(inner, exp.In) and any(isinstance(item, exp.Null) for item in inner.expressions):
            yield Finding(f"NOT IN over {shown(inner.this)} has NULL in its list: it holds for no row")


@rule("BETWEEN with its bounds reversed", "text", "rewrite", 3)
def reversed_between(subject: Subject) -> Iterable[Finding]:
    """BETWEEN takes the lower bound first; the other way round it holds for no row.

    Example: SELECT id FROM orders WHERE id BETWEEN 20 AND 10
    """
    for one in conditions(subject):
        if not isinstance(one.node, exp.Between) or subject.redacted:
            continue
        low, high = one.node.args.get("low"), one.node.args.get("high")
        dates = [name for side in (low, high) if (name := text_of(side)) and _DATE.match(name)]
        numbers = [
            float(side.name) for side in (low, high) if isinstance(side, exp.Literal) and not side.is_string
        ]
        if (len(dates) == 2 and dates[0] > dates[1]) or (len(numbers) == 2 and numbers[0] > numbers[1]):
            yield Finding(f"{shown(one.node)} holds for no row: the lower bound comes first")


def _numeric(node: object) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string


@rule("A date without quotes", "text", "rewrite", 3)
def unquoted_date(subject: Subject) -> Iterable[Finding]:
    """2024-01-31 without quotes is a subtraction: 1992. Quote it.

    Example: SELECT id FROM orders WHERE placed > 2024-01-31
    """
    if subject.tree is None or subject.redacted:
        return
    for one in subject.tree.find_all(exp.Sub):
        parts = [one.this.this, one.this.expression, one.expression] if isinstance(one.this, exp.Sub) else []
        if parts and all(_numeric(part) for part in parts):
            text = "-".join(part.name for part in parts)
            if re.fullmatch(r"(19|20)\d\d-(0?[1-9]|1[0-2])-(0?[1-9]|[12]\d|3[01])", text):
                year, month, day = (int(part.name) for part in parts)
                yield Finding(f"{text} is worked out to {year - month - day}; write it in quotes")


@rule("A chain of comparisons", "text", "rewrite", 3)
def chained_comparison(subject: Subject) -> Iterable[Finding]:
    """`1 < x < 9` compares the answer of `1 < x`, which is 0 or 1, with 9. Write two comparisons with AND, or BETWEEN.

    Example: SELECT id FROM product WHERE 10 < price < 20
    """
    for one in conditions(subject):
        if isinstance(one.node, (*_ORDERED, exp.EQ)) and isinstance(one.node.this, (*_ORDERED, exp.EQ)):
            yield Finding(
                f"{shown(one.node)} compares the answer of {shown(one.node.this)} (0 or 1) with {shown(one.node.expression)}"
            )


@rule("A column is compared with itself", "text", "rewrite", 3)
def self_comparison(subject: Subject) -> Iterable[Finding]:
    """A column is equal to itself unless it is NULL, and never different. In a join it is mostly the wrong alias, and every row meets
    every row.

    Example: SELECT c.id FROM customer c JOIN orders o ON o.customer_id = o.customer_id
    """
    for one in conditions(subject):
        if isinstance(one.node, (*_ORDERED, exp.EQ, exp.NEQ)):
            left, right = bare(one.node.this), bare(one.node.expression)
            if isinstance(left, exp.Column) and isinstance(right, exp.Column) and left == right:
                yield Finding(f"{shown(one.node)} compares a column with itself")


@rule("Two values at once", "text", "rewrite", 3)
def contradiction(subject: Subject) -> Iterable[Finding]:
    """A column cannot be equal to two different values in one row: the condition holds for no row. One of them is stale, or OR was
    meant.

    Example: SELECT id FROM orders WHERE status = 1 AND status = 2
    """
    if subject.redacted:
        return
    for block in {id(one.block): one.block for one in conditions(subject)}.values():
        told: dict[str, exp.Expression] = {}
        for one in block.filters:
            value = _value(one)
            if isinstance(one, exp.EQ) and value is not None:
                before = told.setdefault(shown(one.this).lower(), one)
                if _differ(_value(before), value):
                    yield Finding(f"{shown(before)} and {shown(one)} never hold in one row")


@rule("A condition that is always true", "text", "rewrite", 3)
def always_true(subject: Subject) -> Iterable[Finding]:
    """`a <> 1 OR a <> 2` holds for every value: what is 1 is not 2. AND was meant, or NOT IN.

    Example: SELECT id FROM orders WHERE status <> 1 OR status <> 2
    """
    for one in () if subject.redacted else conditions(subject):
        unequal = [side for side in alternatives(one.node) if isinstance(side, exp.NEQ)]
        for first, second in pairwise(unequal):
            if first.this == second.this and _differ(_value(first), _value(second)):
                yield Finding(
                    f"{shown(first)} OR {shown(second)} holds for every value of {shown(first.this)}"
                )


def _value(node: exp.Expression) -> exp.Literal | None:
    """The literal that a column is compared with."""
    other = node.expression
    return other if isinstance(node.this, exp.Column) and isinstance(other, exp.Literal) else None


def _differ(left: exp.Literal | None, right: exp.Literal | None) -> bool:
    """Whether no collation and no conversion can make them equal."""
    if left is None or right is None or left.is_string != right.is_string:
        return False
    if not left.is_string:
        return left.name.isdigit() and right.name.isdigit() and int(left.name) != int(right.name)
    plain = all(re.fullmatch(r"[A-Za-z]+", one.name) for one in (left, right))
    return plain and left.name.lower() != right.name.lower()


@rule("|| that joins no text", "text", "rewrite", 3)
def pipes_as_or(subject: Subject) -> Iterable[Finding]:
    """|| is OR unless sql_mode has PIPES_AS_CONCAT or ANSI: `'a' || name` is 0 or 1, and no text. Write CONCAT().

    Example: SELECT id FROM customer WHERE name = 'Ms ' || nickname
    """
    if "||" not in subject.sql or subject.redacted:
        return
    try:
        tokens = MySQL().tokenize(subject.sql)
    except SqlglotError:
        return
    for before, pipes, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if pipes.token_type.name == "DPIPE" and "STRING" in (before.token_type.name, after.token_type.name):
            yield Finding(f"{before.text} || {after.text} is a logical OR here; write CONCAT()")
            return


@rule("Addresses compared as text", "text", "schema", 3)
def address_as_text(subject: Subject) -> Iterable[Finding]:
    """As text '10.0.0.9' comes after '10.0.0.10': a range of addresses takes in wrong ones and leaves out right ones. Keep addresses as
    VARBINARY(16) by INET6_ATON(), or as MariaDB's INET4 or INET6.

    Example: SELECT id FROM visit WHERE visitor BETWEEN '10.0.0.1' AND '10.0.0.20'
    """
    for one in () if subject.redacted else conditions(subject):
        if isinstance(one.node, exp.Between):
            pairs = [(one.node.this, one.node.args.get("low")), (one.node.this, one.node.args.get("high"))]
        elif isinstance(one.node, _ORDERED):
            pairs = list(sides(one.node))
        else:
            continue
        for column, value in pairs:
            bound = one.bound(column)
            # MariaDB has types of its own for addresses, which compare rightly.
            told = family(bound.column) == "text" if bound is not None else subject.flavor != "mariadb"
            if isinstance(column, exp.Column) and told and _ADDRESS.fullmatch(text_of(value) or ""):
                yield Finding(f"{shown(one.node)} compares addresses letter by letter")
                break


@rule("HAVING that could be WHERE", "text", "rewrite", 2)
def having_as_where(subject: Subject) -> Iterable[Finding]:
    """HAVING is judged after grouping: rows that it drops were read, grouped and counted in vain. What does not speak of a group's
    figures belongs into WHERE.

    Example: SELECT status, COUNT(*) FROM orders GROUP BY status HAVING status > 1
    """
    for block in blocks(subject):
        having, group = block.select.args.get("having"), block.select.args.get("group")
        if not isinstance(having, exp.Having) or not isinstance(group, exp.Group):
            continue
        if any(group.args.get(part) for part in ("rollup", "cube", "grouping_sets")):
            # Its NULLs stand for totals, which WHERE does not see.
            continue
        # HAVING sees the names of the select list too; of those that mean something else there nothing is said.
        renamed = {
            item.alias.lower()
            for item in block.select.expressions
            if isinstance(item, exp.Alias)
            and not (isinstance(item.this, exp.Column) and item.this.name.lower() == item.alias.lower())
        }
        grouped = [one for one in group.expressions if isinstance(one, exp.Column)]
        every = conjuncts(having.this)
        moved = [one for one in every if _of_columns(one, grouped, renamed)]
        for one in moved:
            better = ""
            if len(every) == 1 and _by_value(one) and not block.select.find(exp.Window):
                where = block.select.args.get("where")
                if isinstance(where, exp.Where):
                    both = exp.Where(this=exp.and_(where.this.copy(), one.copy(), copy=False))
                    better = rewritten(subject, (having, None), (where, both))
                else:
                    better = _with_where(subject, block.select, one)
            yield Finding(f"{shown(one)} speaks of no group's figures: it belongs into WHERE", better)


def _of_columns(node: exp.Expression, grouped: list[exp.Column], renamed: set[str]) -> bool:
    columns = list(node.find_all(exp.Column))
    return (
        bool(columns)
        and all(column in grouped and column.name.lower() not in renamed for column in columns)
        and not node.find(exp.AggFunc, exp.Query, exp.Anonymous)
    )


def _by_value(node: exp.Expression) -> bool:
    """Whether all rows of a group agree: those whose values a collation takes for equal compare equal too, but are not alike for LIKE."""
    return isinstance(node, (*_ORDERED, exp.EQ, exp.NEQ)) and any(
        isinstance(side, exp.Column) and isinstance(other, exp.Literal) for side, other in sides(node)
    )


def _with_where(subject: Subject, select: exp.Select, one: exp.Expression) -> str:
    """The statement with a WHERE that it did not have."""
    if subject.tree is not select or subject.redacted or not faithful(subject):
        return ""
    moved = select.copy()
    moved.set("having", None)
    return shown(moved.where(one.copy(), copy=False))


RULES = (
    equals_null, not_in_null, contradiction, always_true, reversed_between, unquoted_date, chained_comparison, self_comparison, pipes_as_or,
    address_as_text, having_as_where,
)  # fmt: skip
