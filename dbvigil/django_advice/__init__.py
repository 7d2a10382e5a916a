"""Advice as Django code: where a table is a model's, an index is a line of its Meta and a migration, and a rewrite a query set.

`tables` and `places` know which model has which table of which database, `indexes`, `migrations`, `removals` and `ddl` write what a
project changes for an index, `statements`, `rewrites` and `relations` phrase a statement; `Advisor` is what others call.
"""

from dbvigil.django_advice.advisor import Advisor
from dbvigil.django_advice.facts import facts, schema_of
from dbvigil.django_advice.indexes import django_index
from dbvigil.django_advice.migrations import MigrationFile, migration
from dbvigil.django_advice.tables import NoDjangoCode, models_by_table

__all__ = [
    "Advisor",
    "MigrationFile",
    "NoDjangoCode",
    "django_index",
    "facts",
    "migration",
    "models_by_table",
    "schema_of",
]
