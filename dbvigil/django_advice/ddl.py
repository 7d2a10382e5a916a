"""DDL for one index as what a Django project changes: a model's Meta and the text of a migration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.apps import apps
from django.db.migrations.operations import AddIndex, RunSQL
from django.db.migrations.operations.base import Operation

from dbvigil.django_advice.indexes import django_index, line, same_index
from dbvigil.django_advice.migrations import MigrationFile, migration, own_app, third_party
from dbvigil.django_advice.removals import removal
from dbvigil.django_advice.tables import ModelTable, NoDjangoCode
from dbvigil.queries.rules.ddl_reading import Change, read_ddl
from dbvigil.queries.schema import Index


@dataclass(frozen=True, slots=True)
class Code:
    """`text`: Python, and as a whole the migration's file where there is one to write. `index`: the name that the index has in it."""

    text: str
    index: str


def added(table: ModelTable, change: Change, rollback: str) -> Code:
    """An index that is to be added. `rollback` is the DDL that takes it away again."""
    owner = apps.get_app_config(table.label)
    try:
        if third_party(owner):
            raise NoDjangoCode(_foreign(table))
        if change.unique:
            raise NoDjangoCode("models.Index is never unique")
        index = django_index(table, change.columns, change.index)
    except NoDjangoCode as reason:
        return Code(_by_sql(table, change, rollback, str(reason)), change.index)
    there = same_index(table, index)
    if there is not None:
        return Code(
            f"# {table.name}.Meta.indexes has it already, as {there.name}: run its migration here.",
            there.name,
        )
    said = [
        f"{_module(table)}, in class Meta of {table.name}:",
        "    indexes = [",
        f"        {line(index)},",
        "    ]",
    ]
    operation = AddIndex(model_name=table.model._meta.model_name or "", index=index)
    return Code(_file(table.label, (operation,), index.name, said), index.name)


def removed(table: ModelTable, change: Change, index: Index | None, rollback: str, then: str = "") -> Code:
    """An index that may go. `index` is what the server tells of it; `then` drops it where `change` only hides it."""
    owner = apps.get_app_config(table.label)
    if third_party(owner):
        return Code(_by_sql(table, change, rollback, _foreign(table)), change.index)
    found = (
        None if table.auto_created is not None or not table.managed else removal(table, change.index, index)
    )
    if found is None and index is None and change.index not in _own_names(table):
        # A field's index is known by its columns only; without them this could be one.
        where = f"{change.index} is not in Meta.indexes of {table.name}: look for a field with db_index, unique or a foreign key over it."
        return Code(_comment([where]), change.index)
    if found is None:
        reason = f"no model asks for {change.index}: it was made by hand, or by a migration's SQL"
        return Code(_by_sql(table, change, rollback, reason), change.index)
    hidden = "Hide it first, by the DDL; when nothing has missed it for a while, this drops it."
    said = [*((hidden,) if change.kind == "hide" else ()), f"{_module(table)}:", *found.said]
    if not found.operations:
        return Code(_comment(said), change.index)
    return Code(_file(table.label, found.operations, f"drop_{change.index}", said), change.index)


def _own_names(table: ModelTable) -> set[str]:
    meta = table.model._meta
    return {one.name for one in (*meta.indexes, *meta.constraints)}


def _by_sql(table: ModelTable, change: Change, rollback: str, reason: str) -> str:
    """The DDL in a migration of an app of the project, for whichever schema that app's database has."""
    back = read_ddl(rollback)
    label: str | None = table.label
    if third_party(apps.get_app_config(table.label)):
        label = own_app()
    said = [f"As SQL: {reason}."]
    if label is None:
        return _comment([*said, "No app of this project has migrations; run the DDL by hand."])
    operation = RunSQL(
        sql=[change.anywhere],
        reverse_sql=[back.anywhere] if back is not None else RunSQL.noop,
    )
    after = () if label == table.label else (table.label,)
    return _file(label, (operation,), change.index, said, after)


def _foreign(table: ModelTable) -> str:
    return (
        f"{table.name} is a model of {apps.get_app_config(table.label).name}, whose code is not this project's;"
        f" a migration in its package would be lost with its next version, so this is one of an app of your own"
    )


def _file(
    app: str, operations: Sequence[Operation], about: str, said: Sequence[str], after: Sequence[str] = ()
) -> str:
    try:
        made: MigrationFile = migration(app, operations, about, after=after)
    except NoDjangoCode as reason:
        return _comment([*said, f"No migration is written here: {reason}."])
    head = [
        *said,
        f"{made.path}, instead of the DDL (where that was run already: migrate {app} {made.name[:4]} --fake):",
    ]
    return f"{_comment(head)}\n{made.text}"


def _comment(said: Sequence[str]) -> str:
    # A name with a line break in it must not leave the comment.
    return "\n".join(f"# {' '.join(one.splitlines())}".rstrip() for one in said)


def _module(table: ModelTable) -> str:
    return table.model.__module__.replace(".", "/") + ".py"
