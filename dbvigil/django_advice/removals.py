"""What made an index that nobody needs, and what to change in the models so that it goes and stays away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.migrations.operations import AlterField, RemoveIndex
from django.db.migrations.operations.base import Operation
from django.db.models import Field, ForeignKey, UniqueConstraint

from dbvigil.django_advice.tables import ModelTable
from dbvigil.queries.schema import Index


@dataclass(frozen=True, slots=True)
class Removal:
    """`said`: what to change in the models, a sentence a line. `operations`: those of the migration, none where Django writes it better."""

    said: tuple[str, ...]
    operations: tuple[Operation, ...] = ()


def removal(table: ModelTable, name: str, index: Index | None) -> Removal | None:
    """How an index goes. `index` is what the server tells of it, if that is known. None where no model asks for it."""
    meta, model = table.model._meta, table.name
    if any(one.name == name for one in meta.indexes):
        operation = RemoveIndex(model_name=meta.model_name or "", name=name)
        return Removal((f"Take the index {name} out of Meta.indexes of {model}.",), (operation,))
    if any(isinstance(one, UniqueConstraint) and one.name == name for one in meta.constraints):
        return Removal(
            (
                f"{name} is a UniqueConstraint in Meta.constraints of {model}: it promises that values are there once.",
                "Take it out only where another one promises the same; makemigrations then writes the RemoveConstraint.",
            )
        )
    if index is None:
        return None
    columns = tuple(column.lower() for column in index.columns)
    if index.unique:
        return _promise(table, columns)
    field = table.fields.get(columns[0]) if len(columns) == 1 else None
    if field is not None and getattr(field, "db_index", False):
        return _of_field(table, field)
    return None


def _promise(table: ModelTable, columns: Sequence[str]) -> Removal | None:
    fields = [table.fields.get(column) for column in columns]
    names = tuple(field.name for field in fields if field is not None)
    only = (
        "Do that only where another unique index promises the same; makemigrations then writes the migration."
    )
    if len(names) != len(columns):
        return None
    if len(fields) == 1 and fields[0] is not None and fields[0].unique:
        return Removal((f"It is there for unique=True of {table.name}.{names[0]}: take that away.", only))
    if names in {tuple(one) for one in table.model._meta.unique_together}:
        return Removal((f"It is there for unique_together of {table.name}: take {names} out of it.", only))
    return None


def _of_field(table: ModelTable, field: Field[Any, Any]) -> Removal:
    changed: Any = field.clone()
    changed.db_index = False
    said = [f"It is there for the field {table.name}.{field.name}: give that db_index=False."]
    if isinstance(field, ForeignKey):
        said.append(
            "InnoDB needs an index that begins with a foreign key's column: another one must be there first."
            " Django makes the key anew with it, which reads the whole table."
        )
    else:
        said[0] = f"It is there for db_index=True of {table.name}.{field.name}: take that away."
    return Removal(
        tuple(said),
        (AlterField(model_name=table.model._meta.model_name or "", name=field.name, field=changed),),
    )
