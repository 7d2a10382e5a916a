"""The same lookup again and again, with another value each time: which relation of which model it follows, and how to follow it at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db.models import Field, ForeignKey, ForeignObjectRel, ManyToManyField, Model
from sqlglot import exp

from dbvigil.django_advice.statements import Asked, Find
from dbvigil.django_advice.tables import ModelTable
from dbvigil.queries.rules.names import conjuncts, constant


def followed(one: Asked, find: Find, schema: str, openers: Collection[type[Model]] = ()) -> str:
    """`Customer.objects.prefetch_related("orders")` for `WHERE customer_id = ?` on orders; "" where it is not certain which it is.

    `openers` are the models that the statement before asked for: by them one of several foreign keys to the same table is known.
    """
    found = _looked_up(one, find, schema)
    if found is None:
        return ""
    table, field = found
    if table.auto_created is not None:
        return _many_to_many(table, field)
    if isinstance(field, ForeignKey):
        back = _back(field)
        if back:
            return back
    return _forward(table, field, openers)


def _looked_up(one: Asked, find: Find, schema: str) -> tuple[ModelTable, Field[Any, Any]] | None:
    """The only column that WHERE sets equal to one value."""
    where = one.tree.args.get("where")
    if not isinstance(one.tree, exp.Select) or not isinstance(where, exp.Where):
        return None
    found: list[tuple[ModelTable, Field[Any, Any]]] = []
    for condition in conjuncts(where.this):
        if not isinstance(condition, exp.EQ) or not constant(condition.expression):
            return None
        column = condition.this
        if not isinstance(column, exp.Column):
            return None
        table = _table(one, column, find, schema)
        field = None if table is None else table.fields.get(column.name.lower())
        if table is None or field is None:
            return None
        found.append((table, field))
    return found[0] if len(found) == 1 else None


def _table(one: Asked, column: exp.Column, find: Find, schema: str) -> ModelTable | None:
    if not column.table:
        return one.main if len(one.tables) == 1 else None
    for source in one.tree.find_all(exp.Table):
        if source.alias_or_name.lower() == column.table.lower():
            return find(source.name, source.db or schema)
    return None


def _back(field: ForeignKey[Any, Any]) -> str:
    """From a row to those that point to it."""
    relation = field.remote_field
    name = relation.get_accessor_name()
    if not name or name.endswith("+") or not isinstance(field.related_model, type):
        return ""
    how = "prefetch_related" if relation.multiple else "select_related"
    return f'{field.related_model.__name__}.objects.{how}("{name}")'


def _forward(table: ModelTable, field: Field[Any, Any], openers: Collection[type[Model]]) -> str:
    """To the row that others point to: by the only foreign key there is to this column, or the only one of `openers`."""
    keys = []
    for relation in table.model._meta.get_fields(include_hidden=True):
        key = relation.field if isinstance(relation, ForeignObjectRel) else None
        if not isinstance(key, ForeignKey) or key.model._meta.auto_created or key.remote_field.parent_link:
            continue
        if key.target_field == field:
            keys.append(key)
    if openers:
        keys = [key for key in keys if key.model in openers]
    return f'{keys[0].model.__name__}.objects.select_related("{keys[0].name}")' if len(keys) == 1 else ""


def _many_to_many(table: ModelTable, field: Field[Any, Any]) -> str:
    """The rows on the other side of a table that a many-to-many field made."""
    owner = table.auto_created
    if owner is None:
        return ""
    for made in owner._meta.local_many_to_many:
        if not isinstance(made, ManyToManyField) or made.remote_field.through is not table.model:
            continue
        if field.column == made.m2m_column_name():
            return f'{owner.__name__}.objects.prefetch_related("{made.name}")'
        name = made.remote_field.get_accessor_name()
        if field.column == made.m2m_reverse_name() and name and not name.endswith("+"):
            other = made.related_model
            return f'{other.__name__}.objects.prefetch_related("{name}")' if isinstance(other, type) else ""
    return ""
