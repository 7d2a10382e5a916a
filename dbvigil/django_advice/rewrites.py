"""What the rules say about a statement, as a query set of which they would not say it, mostly in the statement's own fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.db.models import BinaryField, JSONField, TextField
from sqlglot import exp

from dbvigil.django_advice.statements import Asked

Phrase = Callable[[Asked], str]


def _only(one: Asked) -> str:
    return f'{one.filtered}.only("{one.main.model._meta.pk.name}", ...)  # the fields that are read, or .values(...)'


def _defer(one: Asked) -> str:
    long = [
        field.name
        for field in one.main.fields.values()
        if isinstance(field, TextField | JSONField | BinaryField)
    ]
    names = ", ".join(f'"{name}"' for name in long)
    return f"{one.filtered}.defer({names})" if long else _only(one)


def _exists(one: Asked) -> str:
    return f"{one.filtered}.exists()  # instead of count() or len()"


def _keyset(one: Asked) -> str:
    """The next page begins where the last one ended, which an index finds."""
    order = one.order
    if order is None or len(order) > 1:
        return ""
    key = one.main.model._meta.pk.name
    name = order[0] if order else key
    down, name = name.startswith("-"), name.lstrip("-")
    beyond = "lt" if down else "gt"
    sign = "-" if down else ""
    if name in {"pk", key}:
        return f'{one.filtered}.filter(pk__{beyond}=last.pk).order_by("{sign}pk")[:n]  # last: the last row of the page before'
    return (
        f"{one.filtered}.filter(Q({name}__{beyond}=last.{name}) | Q({name}=last.{name}, pk__{beyond}=last.pk))"
        f'.order_by("{sign}{name}", "{sign}pk")[:n]  # last: the last row of the page before'
    )


def _random(one: Asked) -> str:
    source = one.filtered
    return (
        f'top = {source}.aggregate(top=Max("pk"))["top"]\n'
        f'{source}.filter(pk__gte=random.randint(1, top)).order_by("pk").first()  # numbers as keys; rows behind gaps come more often'
    )


def _bulk(one: Asked) -> str:
    return f"{one.manager}.bulk_create(rows, batch_size=500)"


def _not_exists(one: Asked) -> str:
    """exclude(pk__in=…) over a column that may be NULL keeps no row at all."""
    for condition in one.tree.find_all(exp.Not):
        inner = condition.this
        if not isinstance(inner, exp.In) or not inner.args.get("query"):
            continue
        name = one.field(inner.this)
        if name is not None:
            return f'{one.manager}.filter(~Exists(Other.objects.filter(field=OuterRef("{name}"))))  # Other.field: what NOT IN selects'
    return ""


def _either(one: Asked) -> str:
    """The two sides of an OR as two query sets, each of which has its index."""
    where = one.tree.args.get("where")
    found = where.this if isinstance(where, exp.Where) else None
    if not isinstance(found, exp.Or):
        return ""
    sides = [one.lookup(side) for side in found.flatten() if isinstance(side, exp.Expression)]
    told = [side for side in sides if side is not None]
    if len(told) != len(sides) or len(told) > 3:
        return ""
    first, *others = (f"{one.manager}.filter({side})" for side in told)
    return f"{first}.union({', '.join(others)})"


def _many(one: Asked) -> str:
    where = one.tree.args.get("where")
    found = where.this if isinstance(where, exp.Where) else None
    names = set()
    for side in found.flatten() if isinstance(found, exp.Or) else ():
        names.add(one.field(side.this, value=True) if isinstance(side, exp.EQ) else None)
    return f"{one.manager}.filter({names.pop()}__in=[...])" if len(names) == 1 and None not in names else ""


def _iterate(one: Asked) -> str:
    return f"for row in {one.manager}.iterator(chunk_size=2000): ..."


def _ordered(one: Asked) -> str:
    return f'{one.filtered}.order_by("pk")[:n]'


def _paginated(one: Asked) -> str:
    return f'Paginator({one.filtered}.order_by("pk"), per_page=50)  # counts by a statement of its own'


def _plain_field(node: exp.Expression, one: Asked) -> str | None:
    """The only field of the main table that stands inside an expression."""
    names = {one.field(column) for column in node.find_all(exp.Column)}
    return names.pop() if len(names) == 1 else None


def _bounds(one: Asked) -> str:
    """A date or a year as the moments between which it is: a lookup such as __date or __year on another time zone hides the column."""
    where = one.tree.args.get("where")
    for condition in (
        where.this.find_all(exp.Date, exp.Year, exp.TsOrDsToDate) if isinstance(where, exp.Where) else ()
    ):
        name = _plain_field(condition, one)
        if name is not None:
            return f"{one.manager}.filter({name}__gte=start, {name}__lt=end)  # instead of {name}__date or {name}__year"
    return ""


def _begins(one: Asked) -> str:
    where = one.tree.args.get("where")
    for condition in where.this.find_all(exp.Like) if isinstance(where, exp.Where) else ():
        name = one.field(condition.this)
        if name is not None:
            return f"{one.manager}.filter({name}__startswith=...)  # where that is enough: __contains and __endswith read every row"
    return ""


def _is_null(one: Asked) -> str:
    where = one.tree.args.get("where")
    for condition in where.this.find_all(exp.EQ, exp.NEQ) if isinstance(where, exp.Where) else ():
        name = one.field(condition.this)
        if name is not None and isinstance(condition.expression, exp.Null):
            return f"{one.manager}.filter({name}__isnull={isinstance(condition, exp.EQ)})"
    return ""


def _union_all(_one: Asked) -> str:
    return "first.union(second, all=True)"


def _big_key(one: Asked) -> str:
    key = one.main.model._meta.pk
    if key.get_internal_type() not in {"AutoField", "SmallAutoField"}:
        return ""
    return f"{key.name} = models.BigAutoField(primary_key=True)  # in {one.main.name}; makemigrations changes the keys to it as well"


PHRASES: Mapping[str, Phrase] = {
    "select_star": _only,
    "long_columns_in_star": _defer,
    "count_for_existence": _exists,
    "deep_offset": _keyset,
    "order_by_random": _random,
    "single_row_inserts": _bulk,
    "not_in_nullable": _not_exists,
    "or_over_columns": _either,
    "or_same_column": _many,
    "whole_table": _iterate,
    "limit_without_order": _ordered,
    "calc_found_rows": _paginated,
    "function_on_column": _bounds,
    "function_on_indexed_column": _bounds,
    "leading_wildcard": _begins,
    "equals_null": _is_null,
    "union_of_distinct": _union_all,
    "small_auto_increment": _big_key,
}
