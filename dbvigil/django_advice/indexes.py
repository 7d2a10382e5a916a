"""An index as a line of a model's Meta."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

from django.db import models

from dbvigil.django_advice.tables import ModelTable, NoDjangoCode, models_by_table

LONGEST_NAME = models.Index.max_name_length


def django_index(table: ModelTable, columns: Sequence[tuple[str, bool]] | None, name: str) -> models.Index:
    """The index over `columns` (each with whether it is descending), by the names of the model's fields.

    Raises `NoDjangoCode` where Django has no index of a model for it: no migration changes the table, a column is no field of the
    model, or the index is over expressions or beginnings (`columns` is None).
    """
    if table.auto_created is not None:
        raise NoDjangoCode(
            f"{table.table} belongs to a many-to-many field of {table.auto_created.__name__}, which has no Meta.indexes"
        )
    if not table.managed:
        raise NoDjangoCode(f"{table.name} has managed = False, so that no migration changes its table")
    if not columns:
        raise NoDjangoCode("models.Index has no expressions for MariaDB, and no beginnings of columns")
    fields: list[str] = []
    for column, down in columns:
        field = table.fields.get(column.lower())
        if field is None:
            raise NoDjangoCode(f"no field of {table.name} has the column {column}")
        fields.append(f"-{field.name}" if down else field.name)
    return models.Index(fields=fields, name=usable_name(table, name))


def usable_name(table: ModelTable, name: str) -> str:
    """`name` where Django takes it: at most 30 characters, a letter first, and no other model's; else one like it."""
    taken = _names(
        one.model for ones in models_by_table().values() for one in ones if one.model is not table.model
    )
    if len(name) <= LONGEST_NAME and name[:1].isalpha() and name not in taken:
        return name
    mark = hashlib.sha256(f"{table.table}.{name}".encode()).hexdigest()[:6]
    start = name if name[:1].isalpha() else f"ix_{name.lstrip('_')}"
    return f"{start[: LONGEST_NAME - 7]}_{mark}"


def _names(every: Iterable[type[models.Model]]) -> set[str]:
    return {index.name for model in every for index in model._meta.indexes}


def line(index: models.Index) -> str:
    """As it stands in Meta.indexes."""
    fields = ", ".join(json.dumps(name, ensure_ascii=False) for name in index.fields)
    return f"models.Index(fields=[{fields}], name={json.dumps(index.name, ensure_ascii=False)})"


def same_index(table: ModelTable, index: models.Index) -> models.Index | None:
    """The one of the model's Meta with the same fields in the same order."""
    return next((one for one in table.model._meta.indexes if list(one.fields) == list(index.fields)), None)
