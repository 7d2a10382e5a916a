"""Rules on conditions: those that no index can serve, and those that mean something else than they seem to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sqlglot import exp

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.names import Block, blocks, conjuncts, constant, family

_LONG_LIST = 1_000
_COMPARISONS = (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def _conditions(subject: Subject) -> Iterator[exp.Expression]:
    """Every condition of WHERE and ON that must hold, of the statement and of its subqueries."""
    for block in blocks(subject):
        yield from block.conditions
    if isinstance(subject.tree, exp.Update | exp.Delete):
        where = subject.tree.args.get("where")
        if isinstance(where, exp.Where):
            yield from conjuncts(where.this)


def _bare(node: exp.Expression | None) -> exp.Expression | None:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def _text(node: exp.Expression | None) -> str | None:
    return node.name if isinstance(node, exp.Literal) and node.is_string else None


@rule("LIKE that begins with a wildcard", "text", "schema", 2)
def leading_wildcard(subject: Subject) -> Iterable[Finding]:
    """An index is ordered by how values begin; a pattern that begins with % or _ can only be tried on every row. Search words with a
    FULLTEXT index, ends of values with an index on REVERSE(column).

    Example: SELECT id FROM customer WHERE name LIKE '%smith'
    """
    for one in _conditions(subject):
        like = one if isinstance(one, exp.Like) else None
        pattern = _text(like.expression) if like is not None else None
        if (
            like is not None
            and pattern
            and pattern[0] in "%_"
            and pattern.strip("%")
            and isinstance(like.this, exp.Column)
        ):
            yield Finding(f"the pattern for {like.this.sql('mysql')} begins with a wildcard")


@rule("LIKE without a wildcard", "text", "rewrite", 1)
def like_without_wildcard(subject: Subject) -> Iterable[Finding]:
    """It asks for one value, and says so in a way that makes the reader look for a pattern. Write =; mind that = ignores spaces at the
    end in most collations, and LIKE does not.

    Example: SELECT id FROM customer WHERE name LIKE 'smith'
    """
    for one in _conditions(subject):
        if isinstance(one, exp.Like):
            pattern = _text(one.expression)
            if pattern and not any(mark in pattern for mark in "%_\\") and isinstance(one.this, exp.Column):
                yield Finding(f"the pattern for {one.this.sql('mysql')} has no wildcard: = means the same")


@rule("A function around the column", "text", "rewrite", 2)
def function_on_column(subject: Subject) -> Iterable[Finding]:
    """An index on a column knows nothing of what a function makes of it: each row is read and converted. Ask for a range of the column
    itself, or index the expression.

    Example: SELECT id FROM orders WHERE YEAR(placed) = 2024
    """
    for block in blocks(subject):
        for one in block.conditions:
            if not isinstance(one, _COMPARISONS):
                continue
            for side, other in ((one.this, one.expression), (one.expression, one.this)):
                column = _wrapped(side)
                if column is not None and constant(other):
                    better = (
                        _range(block, one, side, other) if side is one.this and not subject.redacted else ""
                    )
                    words = f": write {better}" if better else ""
                    yield Finding(f"{side.sql('mysql')} hides {column.sql('mysql')} from its index{words}")


def _wrapped(node: exp.Expression) -> exp.Column | None:
    """The column inside a function of it alone."""
    if not isinstance(node, exp.Func) or isinstance(
        node, exp.AggFunc | exp.JSONExtract | exp.JSONExtractScalar | exp.Coalesce
    ):
        return None
    columns = list(node.find_all(exp.Column))
    if len(columns) != 1 or node.find(exp.AggFunc, exp.Query):
        return None
    return columns[0]


def _range(block: Block, comparison: exp.Expression, side: exp.Expression, other: exp.Expression) -> str:
    """The same condition as a range of the column, where the schema says that it holds times."""
    if not isinstance(comparison, exp.EQ):
        return ""
    column = _wrapped(side)
    bound = block.bound(column)
    if (
        bound is None
        or column is None
        or family(bound.column) != "time"
        or not isinstance(other, exp.Literal)
    ):
        return ""
    name = column.sql("mysql")
    if isinstance(side, exp.Year) and not other.is_string and re.fullmatch(r"[12]\d{3}", other.name):
        year = int(other.name)
        return f"{name} >= '{year}-01-01' AND {name} < '{year + 1}-01-01'"
    if isinstance(side, exp.Date | exp.TsOrDsToDate) and other.is_string and _DATE.fullmatch(other.name):
        return f"{name} >= '{other.name}' AND {name} < '{other.name}' + INTERVAL 1 DAY"
    return ""


@rule("Arithmetic on the column", "text", "rewrite", 2)
def arithmetic_on_column(subject: Subject) -> Iterable[Finding]:
    """`column + 1 = 5` is worked out for each row; `column = 4` is looked up. Bring what is constant to the other side.

    Example: SELECT id FROM item WHERE quantity * 2 > 10
    """
    for one in _conditions(subject):
        if isinstance(one, _COMPARISONS):
            for side, other in ((one.this, one.expression), (one.expression, one.this)):
                sum_ = _bare(side)
                if isinstance(sum_, exp.Add | exp.Sub | exp.Mul | exp.Div) and constant(other):
                    parts = (_bare(sum_.this), _bare(sum_.expression))
                    columns = [part for part in parts if isinstance(part, exp.Column)]
                    if len(columns) == 1 and any(part is not None and constant(part) for part in parts):
                        yield Finding(
                            f"{side.sql('mysql')} is worked out for each row; leave {columns[0].sql('mysql')} alone on its side"
                        )


@rule("Comparing with NULL", "text", "rewrite", 3)
def equals_null(subject: Subject) -> Iterable[Finding]:
    """Nothing is equal to NULL, and nothing is different from it: the condition holds for no row. Write IS NULL or IS NOT NULL.

    Example: SELECT id FROM customer WHERE referrer_id = NULL
    """
    for one in _conditions(subject):
        if isinstance(one, exp.EQ | exp.NEQ) and isinstance(_bare(one.expression), exp.Null):
            word = "IS NULL" if isinstance(one, exp.EQ) else "IS NOT NULL"
            yield Finding(f"{one.sql('mysql')} holds for no row; write {word}")


@rule("NOT IN a list with NULL", "text", "rewrite", 3)
def not_in_null(subject: Subject) -> Iterable[Finding]:
    """Whether a value is different from NULL is unknown, so NOT IN with a NULL in its list holds for no row. Leave the NULL out, and ask
    for IS NOT NULL by itself.

    Example: SELECT id FROM customer WHERE referrer_id NOT IN (1, NULL)
    """
    for one in _conditions(subject):
        inner = one.this if isinstance(one, exp.Not) else None
        if isinstance(inner, exp.In) and any(isinstance(item, exp.Null) for item in inner.expressions):
            yield Finding(f"NOT IN over {inner.this.sql('mysql')} has NULL in its list: it holds for no row")


@rule("One column, many ORs", "text", "rewrite", 1)
def or_same_column(subject: Subject) -> Iterable[Finding]:
    """`a = 1 OR a = 2 OR a = 3` is `a IN (1, 2, 3)`: shorter, and one range for the optimizer.

    Example: SELECT id FROM orders WHERE status = 1 OR status = 2 OR status = 3
    """
    for one in _conditions(subject):
        sides = _alternatives(one)
        columns = {
            side.this.sql("mysql")
            for side in sides
            if isinstance(side, exp.EQ) and isinstance(side.this, exp.Column)
        }
        whole = all(isinstance(side, exp.EQ) and constant(side.expression) for side in sides)
        if len(sides) >= 3 and whole and len(columns) == 1:
            values = ", ".join(side.expression.sql("mysql") for side in sides)
            yield Finding(f"write {columns.pop()} IN ({values})")


@rule("OR over different columns", "text", "rewrite", 2)
def or_over_columns(subject: Subject) -> Iterable[Finding]:
    """One index serves one column; with OR between columns the server reads several indexes and merges, or every row. A UNION of one
    SELECT for each side uses an index for each.

    Example: SELECT id FROM customer WHERE email = 'a' OR phone = 'b'
    """
    for one in _conditions(subject):
        sides = _alternatives(one)
        columns = {
            side.this.name.lower()
            for side in sides
            if isinstance(side, exp.EQ | exp.In) and isinstance(side.this, exp.Column)
        }
        if len(sides) >= 2 and len(columns) == len(sides):
            yield Finding(f"OR over {', '.join(sorted(columns))}: no single index serves it")


def _alternatives(node: exp.Expression | None) -> list[exp.Expression]:
    """The sides of an OR; empty where it is none."""
    found = _bare(node)
    if not isinstance(found, exp.Or):
        return []
    sides: list[exp.Expression] = []
    for side in (found.this, found.expression):
        sides += _alternatives(side) or [_bare(side) or side]
    return sides


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
            yield Finding(f"{len(one.expressions)} values in one IN list over {one.this.sql('mysql')}")


@rule("BETWEEN with its bounds reversed", "text", "rewrite", 3)
def reversed_between(subject: Subject) -> Iterable[Finding]:
    """BETWEEN takes the lower bound first; the other way round it holds for no row.

    Example: SELECT id FROM orders WHERE id BETWEEN 20 AND 10
    """
    for one in _conditions(subject):
        if isinstance(one, exp.Between) and not subject.redacted:
            low, high = one.args.get("low"), one.args.get("high")
            numbers = [
                float(side.name)
                for side in (low, high)
                if isinstance(side, exp.Literal) and not side.is_string
            ]
            dates = [name for side in (low, high) if (name := _text(side)) and _DATE.match(name)]
            for pair in (numbers, dates):
                if len(pair) == 2 and pair[0] > pair[1]:  # type: ignore[operator]
                    yield Finding(f"{one.sql('mysql')} holds for no row: the lower bound comes first")


@rule("A regular expression as condition", "text", "schema", 1)
def regular_expression(subject: Subject) -> Iterable[Finding]:
    """REGEXP is tried on every row, and costs more than LIKE. Where it only asks how a value begins, LIKE 'x%' uses an index; words are
    found by a FULLTEXT index.

    Example: SELECT id FROM customer WHERE name REGEXP '^smith'
    """
    for one in _conditions(subject):
        if isinstance(one, exp.RegexpLike) and isinstance(one.this, exp.Column):
            pattern = _text(one.expression)
            plain = pattern is not None and re.fullmatch(r"\^[A-Za-z0-9 ]+", pattern)
            words = f": LIKE '{pattern[1:]}%' asks the same" if plain and pattern else ""
            yield Finding(f"{one.this.sql('mysql')} is matched by a regular expression on each row{words}")


@rule("A condition inside JSON", "text", "schema", 2)
def json_in_where(subject: Subject) -> Iterable[Finding]:
    """A document is read and parsed for each row. Make what is asked for a generated column and index it.

    Example: SELECT id FROM event WHERE data->>'$.kind' = 'login'
    """
    for one in _conditions(subject):
        if isinstance(one, (*_COMPARISONS, exp.In)):
            inner = one.this
            found = (
                inner
                if isinstance(inner, exp.JSONExtract | exp.JSONExtractScalar)
                else inner.find(exp.JSONExtract, exp.JSONExtractScalar)
            )
            column = found.find(exp.Column) if found is not None else None
            if column is not None and not isinstance(inner, exp.Column):
                yield Finding(f"{column.sql('mysql')} is parsed for each row to compare a part of it")


@rule("A date without quotes", "text", "rewrite", 3)
def unquoted_date(subject: Subject) -> Iterable[Finding]:
    """2024-01-31 without quotes is a subtraction: 1992. Quote it.

    Example: SELECT id FROM orders WHERE placed > 2024-01-31
    """
    if subject.tree is None or subject.redacted:
        return
    for one in subject.tree.find_all(exp.Sub):
        inner = one.this
        if isinstance(inner, exp.Sub):
            parts = [inner.this, inner.expression, one.expression]
            if all(isinstance(part, exp.Literal) and not part.is_string for part in parts):
                year, month, day = (part.name for part in parts)
                if (
                    re.fullmatch(r"(19|20)\d\d", year)
                    and re.fullmatch(r"[01]?\d", month)
                    and re.fullmatch(r"[0-3]?\d", day)
                ):
                    yield Finding(
                        f"{year}-{month}-{day} is worked out to {int(year) - int(month) - int(day)}; write it in quotes"
                    )


RULES = (
    equals_null, not_in_null, reversed_between, unquoted_date, leading_wildcard, function_on_column, arithmetic_on_column, or_over_columns,
    long_in_list, json_in_where, like_without_wildcard, or_same_column, regular_expression,
)  # fmt: skip
