"""Rules on columns that are compared with what they are not."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from dbvigil.queries.rules.base import Finding, Subject, rule
from dbvigil.queries.rules.ddl import add_index, quoted
from dbvigil.queries.rules.names import Block, Bound, big, blocks, constant, family, leads

_COMPARED = (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NEQ)


def _name(bound: Bound) -> str:
    return f"{bound.table.name}.{bound.column.name}"


@rule("A text column is compared with a number", "schema", "rewrite", 3, "estimated")
def implicit_conversion(subject: Subject) -> Iterable[Finding]:
    """`phone = 4930123` on a VARCHAR makes the server turn every row's text into a number: no index on the column is used, and
    '4930123x' is found too. Write the value as text, `phone = '4930123'`, or make the column a number.

    Example: SELECT id FROM customer WHERE phone = 4930123
    """
    for block in blocks(subject):
        for one in block.conditions:
            for column, values in _against_values(one):
                bound = block.bound(column)
                if (
                    bound is None
                    or family(bound.column) != "text"
                    or bound.column.type.startswith(("enum", "set"))
                ):
                    continue
                if any(isinstance(value, exp.Literal) and not value.is_string for value in values):
                    yield Finding(
                        f"{_name(bound)} is {bound.column.type} and compared with a number, so that no index on it is used;"
                        " write the value in quotes"
                    )


def _against_values(one: exp.Expression) -> Iterable[tuple[exp.Expression, list[exp.Expression]]]:
    if isinstance(one, _COMPARED):
        yield one.this, [one.expression.unnest()]
        yield one.expression, [one.this.unnest()]
    elif isinstance(one, exp.In):
        yield one.this, list(one.expressions)


def _joined(block: Block) -> Iterable[tuple[Bound, Bound]]:
    for one in block.conditions:
        if isinstance(one, exp.EQ):
            left, right = block.bound(one.this), block.bound(one.expression)
            if left is not None and right is not None and left.alias != right.alias:
                yield left, right


@rule("A join compares columns of different types", "schema", "schema", 3, "estimated")
def join_type_mismatch(subject: Subject) -> Iterable[Finding]:
    """Where one side of a join is text and the other a number or a time, each row is converted, and the index of the text side is of no
    use. Give both columns the same type.

    Example: SELECT c.id FROM customer c JOIN import i ON i.customer_no = c.id
    """
    for block in blocks(subject):
        for left, right in _joined(block):
            kinds = {family(left.column), family(right.column)}
            if "text" in kinds and kinds & {"number", "time"}:
                yield Finding(
                    f"{_name(left)} is {left.column.type}, {_name(right)} is {right.column.type}: the text side's index cannot serve"
                    " this join; give both the same type"
                )


@rule("A join compares texts of different collations", "schema", "schema", 3, "estimated")
def collation_mismatch(subject: Subject) -> Iterable[Finding]:
    """Two columns of different character sets or collations are compared only after one is converted; its index is then of no use, and
    some pairs are refused with "Illegal mix of collations". Give both columns the same collation.

    Example: SELECT c.id FROM customer c JOIN visit v ON v.email = c.email
    """
    for block in blocks(subject):
        for left, right in _joined(block):
            one, other = left.column.collation, right.column.collation
            if one and other and one != other:
                yield Finding(
                    f"{_name(left)} is {one}, {_name(right)} is {other}: one side is converted row by row and its index not used"
                )


_FUNCTIONS = (exp.Lower, exp.Upper, exp.Year, exp.Month, exp.Day, exp.Length, exp.Abs)


def _inner(function: exp.Expression) -> exp.Expression:
    """A function's argument; the parser puts a conversion round that of YEAR and the like, which is not written."""
    argument: exp.Expression = function.this
    if isinstance(argument, exp.TsOrDsToDate):
        argument = argument.this
    return argument


@rule("A function hides an indexed column", "schema", "create_index", 2, "estimated")
def function_on_indexed_column(subject: Subject) -> Iterable[Finding]:
    """`UPPER(code) = 'A1'` cannot use the index on `code`: the index holds the column, not what the function makes of it. Compare the
    column itself, or index what is compared: an index on the expression (MySQL 8.0.13) or on a generated column (MariaDB).

    Example: SELECT id FROM customer WHERE UPPER(code) = 'A1'
    """
    for block in blocks(subject):
        for one in block.filters:
            if not isinstance(one, _COMPARED) or not constant(one.expression):
                continue
            function = one.this
            bound = block.bound(_inner(function)) if isinstance(function, _FUNCTIONS) else None
            if bound is None or not big(bound.table) or not leads(bound.table, bound.column.name):
                continue
            if any(part.expression for index in bound.table.indexes for part in index.parts):
                continue
            plain = function.copy()
            _inner(plain).replace(exp.column(bound.column.name, quoted=True))
            written = plain.sql(dialect="mysql")
            expressions = subject.flavor != "mariadb" and subject.version >= (8, 0, 13)
            yield Finding(
                f"the index on {_name(bound)} does not serve {written}; compare the column itself, or "
                + ("index the expression" if expressions else "index a generated column of this expression"),
                add_index(bound.table, (f"({written})",)) if expressions else "",
            )


@rule("LIKE '%' asks only for NOT NULL", "schema", "rewrite", 1, "estimated")
def redundant_like(subject: Subject) -> Iterable[Finding]:
    """`name LIKE '%'` is true for every text and false for NULL: it reads each row to say `name IS NOT NULL`. Where the column cannot
    be NULL it says nothing at all; usually it is left of a search form that was empty.

    Example: SELECT id FROM customer WHERE name LIKE '%'
    """
    for block in blocks(subject):
        for one in block.filters:
            if (
                isinstance(one, exp.Like)
                and isinstance(one.expression, exp.Literal)
                and one.expression.this == "%"
            ):
                bound = block.bound(one.this)
                if bound is not None and family(bound.column) == "text":
                    end = (
                        "is NULL-able: write IS NOT NULL"
                        if bound.column.nullable
                        else "is never NULL: leave the condition out"
                    )
                    yield Finding(
                        f"{quoted(bound.column.name)} LIKE '%' finds every text; {_name(bound)} {end}"
                    )


RULES = (
    implicit_conversion,
    join_type_mismatch,
    collation_mismatch,
    function_on_indexed_column,
    redundant_like,
)
