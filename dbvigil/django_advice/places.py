"""Whether a monitored database is one of Django's: then its tables are the models'."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import router

from dbvigil import conf
from dbvigil.django_advice.tables import ModelTable, models_by_table
from dbvigil.queries.schema import Schema
from dbvigil.targets import Target, from_databases


@dataclass(frozen=True, slots=True)
class Place:
    """A monitored database. `alias` and `name` are those of DATABASES; `alias` is None where it is none of them."""

    database: str
    alias: str | None = None
    name: str = ""

    def model(self, table: str, schema: str, known: Schema) -> ModelTable | None:
        """The model that has this table here.

        In one of DATABASES the routers say so. Elsewhere, and where two models have the table, it is one whose columns the table has,
        all of them: `known` is what was read of the server. None where that leaves none, or several that Django manages.
        """
        there = [one for one in models_by_table().get(table.lower(), ()) if self._reaches(one, schema)]
        seen = known.table(table, schema)
        if seen is not None and (self.alias is None or len(there) > 1):
            there = [one for one in there if all(seen.column(name) is not None for name in one.fields)]
        elif self.alias is None:
            return None
        managed = [one for one in there if one.managed]
        chosen = managed or there
        return chosen[0] if len(chosen) == 1 or (chosen and not managed) else None

    def _reaches(self, one: ModelTable, schema: str) -> bool:
        if one.schema and schema and one.schema.lower() != schema.lower():
            return False
        if self.alias is None:
            return True
        if not one.schema and schema and self.name and schema.lower() != self.name.lower():
            return False
        return router.allow_migrate_model(self.alias, one.model)


def place_of(database: str) -> Place:
    """Raises `ConfigurationError` where the settings are wrong."""
    return place_in(database, conf.load().targets, settings.DATABASES)


def place_in(database: str, targets: Mapping[str, Target], databases: Mapping[str, Any]) -> Place:
    """`database` among `databases`: by its alias, or, where a URL names it, by the same server and schema."""
    own = from_databases(databases)
    target = targets.get(database)
    if database in own and (target is None or target.source == "DATABASES"):
        return Place(database, database, own[database].schema)
    for alias, one in own.items():
        if target is not None and target.schema and _same(one, target):
            return Place(database, alias, one.schema)
    return Place(database)


def _same(one: Target, other: Target) -> bool:
    return (one.schema.lower(), _way(one)) == (other.schema.lower(), _way(other))


def _way(target: Target) -> tuple[str, int] | str:
    local = {"localhost", "127.0.0.1", "::1"}
    return target.socket or ("" if target.host.lower() in local else target.host.lower(), target.port)
