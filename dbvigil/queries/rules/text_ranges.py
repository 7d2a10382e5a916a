"""Conditions on what a function makes of a column, as ranges of the column itself: the same rows, found by an index."""

from __future__ import annotations

import re
from datetime import date, timedelta

from sqlglot import exp

from dbvigil.queries.rules.names import Bound, base_type
from dbvigil.types import Flavor

_WHOLE = ("tinyint", "smallint", "mediumint", "int", "bigint")
_YEAR, _MONTH, _DAY = "%Y", "%Y-%m", "%Y-%m-%d"
# The comparison that means the same with its sides exchanged.
MIRRORED: dict[type[exp.Expression], type[exp.Expression]] = {
    exp.EQ: exp.EQ,
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
}


def as_range(
    bound: Bound,
    column: exp.Column,
    side: exp.Expression,
    kind: type[exp.Expression],
    other: exp.Expression,
    flavor: Flavor,
) -> exp.Expression | None:
    """The condition `side kind other` without the function, where it holds for the same values of a DATE or DATETIME; else None.

    A TIMESTAMP is left alone: where clocks are put back a local time stands for two moments. So are years and months on MariaDB, which
    takes dates without a month or day ('2024-00-00') unless it is told otherwise: they are in the year, and before its first day.
    """
    if base_type(bound.column) not in ("date", "datetime"):
        return None
    grain = _grain(side)
    if grain is None or (grain != _DAY and flavor == "mariadb"):
        return None
    if grain == _DAY and isinstance(other, exp.CurrentDate):
        start: exp.Expression = other.copy()
        end: exp.Expression = exp.Add(this=other.copy(), expression=_one_day())
        return _between(column, kind, start, end)
    days = _first_and_next(grain, other)
    if days is None:
        return None
    first, following = (exp.Literal.string(day.isoformat()) for day in days)
    return _between(column, kind, first, following)


def _one_day() -> exp.Expression:
    return exp.Interval(this=exp.Literal.string("1"), unit=exp.Var(this="DAY"))


def _between(
    column: exp.Column, kind: type[exp.Expression], start: exp.Expression, end: exp.Expression
) -> exp.Expression | None:
    """What lies from `start` to before `end`, or before or after all of it."""

    def compared(how: type[exp.Expression], value: exp.Expression) -> exp.Expression:
        return how(this=column.copy(), expression=value)

    if kind is exp.EQ:
        return exp.And(this=compared(exp.GTE, start), expression=compared(exp.LT, end))
    made: dict[type[exp.Expression], exp.Expression] = {
        exp.GTE: compared(exp.GTE, start),
        exp.LT: compared(exp.LT, start),
        exp.GT: compared(exp.GTE, end),
        exp.LTE: compared(exp.LT, end),
    }
    return made.get(kind)


def _grain(side: exp.Expression) -> str | None:
    """How finely a function cuts a time: to its year, month or day."""
    inner = side.this
    if isinstance(inner, exp.TsOrDsToDate | exp.TsOrDsToTimestamp):
        inner = inner.this
    if not isinstance(inner, exp.Column):
        return None
    if isinstance(side, exp.Year):
        return _YEAR
    if isinstance(side, exp.TsOrDsToDate) or (isinstance(side, exp.Cast) and side.to.is_type("date")):
        return _DAY
    if isinstance(side, exp.TimeToStr):
        form = side.args.get("format")
        name = form.name if isinstance(form, exp.Literal) else ""
        return name if name in (_YEAR, _MONTH, _DAY) else None
    return None


def _first_and_next(grain: str, value: exp.Expression) -> tuple[date, date] | None:
    """The first day of what a literal names, and the first day after it."""
    if not isinstance(value, exp.Literal) or not re.fullmatch(
        {_YEAR: r"\d{4}", _MONTH: r"\d{4}-\d{2}", _DAY: r"\d{4}-\d{2}-\d{2}"}[grain], value.name
    ):
        return None
    if grain != _YEAR and not value.is_string:
        return None
    try:
        first = date.fromisoformat(value.name + {_YEAR: "-01-01", _MONTH: "-01", _DAY: ""}[grain])
    except ValueError:
        return None
    # Two-digit and last years are read in ways of their own.
    if not 1000 <= first.year < 9999:
        return None
    if grain == _YEAR:
        return first, first.replace(year=first.year + 1)
    if grain == _MONTH:
        return first, (first + timedelta(days=31)).replace(day=1)
    return first, first + timedelta(days=1)


def without_sum(
    bound: Bound, column: exp.Column, side: exp.Expression, kind: type[exp.Expression], other: exp.Expression
) -> exp.Expression | None:
    """`column + 2 > 5` as `column > 3`, for whole numbers and `+`, `-`, or `*` that divides evenly; else None.

    Values for which the sum would leave its type's range make the first an error; the second has an answer for them.
    """
    if base_type(bound.column) not in _WHOLE or side.this != column:
        return None
    by, limit = _integer(side.expression), _integer(other)
    if by is None or limit is None:
        return None
    if isinstance(side, exp.Add):
        value = limit - by
    elif isinstance(side, exp.Sub):
        value = limit + by
    elif isinstance(side, exp.Mul) and by > 0 and limit % by == 0:
        value = limit // by
    else:
        return None
    number: exp.Expression = exp.Literal.number(abs(value))
    return kind(this=column.copy(), expression=exp.Neg(this=number) if value < 0 else number)


def _integer(node: exp.Expression) -> int | None:
    if isinstance(node, exp.Neg):
        inner = _integer(node.this)
        return None if inner is None else -inner
    if isinstance(node, exp.Literal) and not node.is_string and re.fullmatch(r"\d{1,15}", node.name):
        return int(node.name)
    return None
