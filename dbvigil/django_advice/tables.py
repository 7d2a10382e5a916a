"""Which model has which table: installed apps' models, the tables that Django makes for many-to-many fields among them."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db.models import Field, Model

# Django takes a db_table that is quoted already as it is: the known way to a table of another schema.
_QUOTED = re.compile(r"""(?P<q>[`"])(?:(?P<schema>[^`"]+)(?P=q)\.(?P=q))?(?P<table>[^`"]+)(?P=q)""")


class NoDjangoCode(Exception):
    """Something cannot be said as models and migrations; the message is the reason, a clause without a full stop."""


@dataclass(frozen=True, slots=True)
class ModelTable:
    """A model and the table that it has of its own: the parents' columns of multi-table inheritance are in the parents' tables.

    `schema` is "" where the model names none. `fields`: by column in lower case.
    """

    model: type[Model]
    schema: str
    table: str
    fields: Mapping[str, Field[Any, Any]]

    @property
    def name(self) -> str:
        return self.model.__name__

    @property
    def label(self) -> str:
        return self.model._meta.app_label

    @property
    def managed(self) -> bool:
        return bool(self.model._meta.managed)

    @property
    def auto_created(self) -> type[Model] | None:
        """The model whose many-to-many field made this one."""
        made = self.model._meta.auto_created
        return made if isinstance(made, type) and issubclass(made, Model) else None


_lock = threading.Lock()
_last: tuple[tuple[type[Model], ...], Mapping[str, tuple[ModelTable, ...]]] | None = None


def models_by_table() -> Mapping[str, tuple[ModelTable, ...]]:
    """The models of each table, by its name in lower case: those that Django manages first, then in the order of INSTALLED_APPS.

    Without proxies, and without models that another one is swapped in for. Kept until the installed models change.
    """
    global _last  # noqa: PLW0603 - one map a process
    # Django keeps this list itself, and forgets it when apps change.
    present = tuple(apps.get_models(include_auto_created=True))
    known = _last
    if known is not None and known[0] == present:
        return known[1]
    found = table_map(present)
    with _lock:
        _last = (present, found)
    return found


def table_map(models: tuple[type[Model], ...]) -> Mapping[str, tuple[ModelTable, ...]]:
    """The same for `models` alone."""
    found: dict[str, list[ModelTable]] = {}
    for model in models:
        if not model._meta.proxy and not model._meta.swapped:
            one = _table_of(model)
            found.setdefault(one.table.lower(), []).append(one)
    return {table: tuple(sorted(ones, key=lambda one: not one.managed)) for table, ones in found.items()}


def _table_of(model: type[Model]) -> ModelTable:
    written = model._meta.db_table
    quoted = _QUOTED.fullmatch(written)
    schema, table = (quoted["schema"] or "", quoted["table"]) if quoted else ("", written)
    fields = {field.column.lower(): field for field in model._meta.local_concrete_fields if field.column}
    return ModelTable(model, schema, table, fields)
