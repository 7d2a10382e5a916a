"""Writes many rows with one prepared statement each: in a storm the ORM's own way would take ten times as long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
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
    adapt = [_adapter(field) for field in fields]
    _run(statement, ([one(value) for one, value in zip(adapt, row, strict=True)] for row in rows))


def update(model: type[models.Model], names: Sequence[str], rows: Iterable[models.Model]) -> None:
    """Writes the fields `names` of rows that are there, found by their primary key."""
    fields = [model._meta.get_field(name) for name in names]
    quote = connection.ops.quote_name
    assignments = ", ".join(f"{quote(str(field.column))} = %s" for field in fields)  # type: ignore[union-attr]
    key = quote(str(model._meta.pk.column))
    statement = f"UPDATE {quote(model._meta.db_table)} SET {assignments} WHERE {key} = %s"  # noqa: S608 - of our own names
    adapt = [(str(field.attname), _adapter(field)) for field in fields]  # type: ignore[union-attr]
    _run(statement, ([*(one(getattr(row, name)) for name, one in adapt), row.pk] for row in rows))


def _run(statement: str, rows: Iterable[list[Any]]) -> None:
    held = list(rows)
    with connection.cursor() as cursor:
        for start in range(0, len(held), _BATCH):
            cursor.executemany(statement, held[start : start + _BATCH])


def _adapter(field: Any) -> Callable[[Any], Any]:
    """What makes a value of `field` fit for the database's driver."""
    if isinstance(field, models.DateTimeField):
        # Asked once: which connection a thread has is looked up each time.
        vendor = connection.vendor
        return lambda value: None if value is None else _adapted(vendor, value)
    if isinstance(field, models.JSONField):
        return lambda value: field.get_db_prep_save(value, connection)
    return _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


@lru_cache(maxsize=1_024)
def _adapted(vendor: str, value: datetime) -> Any:
    """In a storm it is the same few moments again and again."""
    return connection.ops.adapt_datetimefield_value(value)
