"""Reads and writes many rows with one prepared statement: in a storm the ORM's own way would take ten times as long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

from django.db import connection, models
from django.db.models.constants import OnConflict

_BATCH = 1_000


def insert(
    model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]], *, once: bool = False
) -> None:
    """Adds rows whose values stand in the order of the fields `names`; with `once` those that are there already stay as they are."""
    fields = [model._meta.get_field(name) for name in names]
    quote = connection.ops.quote_name
    conflict = OnConflict.IGNORE if once else None
    columns = ", ".join(quote(str(field.column)) for field in fields)  # type: ignore[union-attr]
    places = ", ".join(["%s"] * len(fields))
    statement = (
        f"{connection.ops.insert_statement(on_conflict=conflict)} {quote(model._meta.db_table)} ({columns}) VALUES ({places})"
        f" {connection.ops.on_conflict_suffix_sql(fields, conflict, [], [])}"
    )
    adapters = _adapters(fields)
    _run(statement, (_adapted(list(row), adapters) for row in rows))


def update(model: type[models.Model], names: Sequence[str], rows: Iterable[Any]) -> None:
    """Writes the fields `names` of rows that are there, found by their `id`; `rows` have them as attributes."""
    fields = [model._meta.get_field(name) for name in names]
    quote = connection.ops.quote_name
    assignments = ", ".join(f"{quote(str(field.column))} = %s" for field in fields)  # type: ignore[union-attr]
    key = quote(str(model._meta.pk.column))
    statement = f"UPDATE {quote(model._meta.db_table)} SET {assignments} WHERE {key} = %s"  # noqa: S608 - of our own names
    adapters = _adapters(fields)
    values = attrgetter(*(str(field.attname) for field in fields), "id")  # type: ignore[union-attr]
    _run(statement, (_adapted(list(values(row)), adapters) for row in rows))


def select(
    model: type[models.Model], names: Sequence[str], column: str, values: Sequence[Any], only: str = ""
) -> list[list[Any]]:
    """The fields `names` of rows whose `column` is one of `values`; `only` is one more condition, in SQL. JSON comes as text."""
    fields = [model._meta.get_field(name) for name in names]
    quote = connection.ops.quote_name
    table = model._meta.db_table
    columns = ", ".join(quote(str(field.column)) for field in fields)  # type: ignore[union-attr]
    places = ", ".join(["%s"] * len(values))
    statement = f"SELECT {columns} FROM {quote(table)} WHERE {quote(column)} IN ({places}) {only}"  # noqa: S608 - of our own names
    readers = [
        (place, _remembering_each(partial(_read, converters, field.get_col(table))))  # type: ignore[union-attr]
        for place, field in enumerate(fields)
        if (converters := connection.ops.get_db_converters(field.get_col(table)))  # type: ignore[union-attr]
        and not isinstance(field, models.JSONField)
    ]
    with connection.cursor() as cursor:
        cursor.execute(statement, list(values))
        return [_adapted(list(row), readers) for row in cursor.fetchall()]


def _read(converters: Sequence[Callable[..., Any]], column: Any, value: Any) -> Any:
    for convert in converters:
        value = convert(value, column, connection)
    return value


def _run(statement: str, rows: Iterable[list[Any]]) -> None:
    held = list(rows)
    with connection.cursor() as cursor:
        for start in range(0, len(held), _BATCH):
            cursor.executemany(statement, held[start : start + _BATCH])


Adapter = Callable[[Any], Any]


def _adapters(fields: Sequence[Any]) -> list[tuple[int, Adapter]]:
    """What makes values fit for the database's driver, by the place of their field; the rest are fit as they are."""
    found: list[tuple[int, Adapter]] = []
    for place, field in enumerate(fields):
        if isinstance(field, models.DateTimeField):
            found.append((place, _remembering_each(connection.ops.adapt_datetimefield_value)))
        elif isinstance(field, models.JSONField):
            found.append((place, _remembering(partial(field.get_db_prep_save, connection=connection))))
    return found


def _adapted(row: list[Any], adapters: Sequence[tuple[int, Adapter]]) -> list[Any]:
    for place, adapt in adapters:
        if row[place] is not None:
            row[place] = adapt(row[place])
    return row


def _remembering_each(adapt: Adapter) -> Adapter:
    """In a storm a column has the same few moments again and again."""
    made: dict[Any, Any] = {}

    def once(value: Any) -> Any:
        found = made.get(value)
        if found is None:
            found = made[value] = adapt(value)
        return found

    return once


def _remembering(adapt: Adapter) -> Adapter:
    """In a storm row after row has the same object in a column: the advice, the escalation."""
    last: Any = None
    made: Any = None

    def once(value: Any) -> Any:
        nonlocal last, made
        if value is not last:
            last, made = value, adapt(value)
        return made

    return once
