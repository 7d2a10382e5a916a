"""Maintenance windows: made, changed, removed and listed. Each change is one transaction, and on record.

What a window keeps quiet follows from it by itself: `quieting.follow_quiet` looks again in every round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict

from django.db import IntegrityError, transaction

from dbvigil.alerting import names
from dbvigil.alerting.audit import Trail
from dbvigil.alerting.quieting import LONGEST_NOTE, as_window
from dbvigil.alerts import quiet
from dbvigil.errors import AlertError, ConfigurationError, DbvigilError, UnknownWindow
from dbvigil.models import MaintenanceWindow
from dbvigil.types import iso_utc

LONGEST_NAME = 100
LONGEST_SCHEDULE = 100
LONGEST_ZONE = 64


class Values(TypedDict, total=False):
    """What somebody says of a window. `database` and `metric` are "" for every one; a new window needs the first four."""

    name: str
    schedule: str
    time_zone: str
    minutes: int
    database: str
    metric: str
    reason: str
    active: bool


NEEDED = ("name", "schedule", "time_zone", "minutes")
FIELDS = tuple(Values.__annotations__)


def faults(values: Values, monitored: Sequence[str], number: int | None = None) -> Mapping[str, DbvigilError]:
    """What is wrong with `values`, by field; the one place that knows. `number` is the window that they are to change.

    The errors are `AlertError`, and `UnknownDatabase`.
    """
    found: dict[str, DbvigilError] = {}
    checks: Mapping[str, Callable[[Any], None]] = {
        "name": lambda name: _check_name(name, number),
        "schedule": _check_cron,
        "time_zone": _check_zone,
        "minutes": quiet.check_minutes,
        "database": lambda database: names.check_database(database, monitored) if database else None,
        "metric": lambda metric: names.check_metric(metric) if metric else None,
        "reason": _check_reason,
    }
    for field, check in checks.items():
        if field in values:
            try:
                check(values[field])  # type: ignore[literal-required]  # a field of `Values`
            except ConfigurationError as error:
                found[field] = AlertError(field, f"{error.given!r} is not allowed; {error.allowed}")
            except DbvigilError as error:
                found[field] = error
    return found


def add(values: Values, monitored: Sequence[str], user: str, now: datetime) -> dict[str, Any]:
    """A new window, as `shown`. Raises `AlertError` or `UnknownDatabase` for the first value that cannot be used."""
    for field in NEEDED:
        if field not in values:
            raise AlertError(field, "it is missing")
    _check(values, monitored)
    with transaction.atomic():
        trail = Trail()
        trail.hold()
        row = MaintenanceWindow(**values, created_by=user)
        _save(row)
        trail.add(None, "window_added", now, user, {"window": row.id, **_said(row)})
        trail.write()
    return shown(row, now)


def change(number: int, values: Values, monitored: Sequence[str], user: str, now: datetime) -> dict[str, Any]:
    """The window with `values` changed, as `shown`. Raises `UnknownWindow` besides what `add` raises."""
    with transaction.atomic():
        trail = Trail()
        trail.hold()
        row = _find(number)
        _check(values, monitored, number)
        before = _said(row)
        for field, value in values.items():
            setattr(row, field, value)
        after = _said(row)
        changed = {field: [before[field], after[field]] for field in FIELDS if before[field] != after[field]}
        if changed:
            _save(row)
            trail.add(
                None, "window_changed", now, user, {"window": number, "name": row.name, "changed": changed}
            )
        trail.write()
    return shown(row, now)


def remove(number: int, user: str, now: datetime) -> dict[str, Any]:
    """Takes a window away; as it was, as `shown`. Raises `UnknownWindow`."""
    with transaction.atomic():
        trail = Trail()
        trail.hold()
        row = _find(number)
        trail.add(None, "window_removed", now, user, {"window": number, **_said(row)})
        body = shown(row, now)
        row.delete()
        trail.write()
    return body


def number_of(name: str) -> int:
    """The number of the window that is named so. Raises `UnknownWindow`."""
    row = MaintenanceWindow.objects.filter(name=name).first()
    if row is None:
        raise UnknownWindow("name", name)
    return row.id


def listed(now: datetime) -> list[dict[str, Any]]:
    """Every window as `shown`, by name."""
    return [shown(row, now) for row in MaintenanceWindow.objects.order_by("name")]


def shown(row: MaintenanceWindow, now: datetime) -> dict[str, Any]:
    """The window as the API and the command have it: its values, who made it, and how it stands at `now`.

    `open` is whether it keeps anything quiet now and `open_until` until when; `next_start` is its next beginning, None while it is
    switched off or cannot be used.
    """
    window = as_window(row) if row.active else None
    held = window.around(now) if window else None
    start = window.next_start(now) if window else None
    return {
        "window_id": row.id,
        **_said(row),
        "created_by": row.created_by,
        "open": held is not None,
        "open_until": held and iso_utc(held[1]),
        "next_start": start and iso_utc(start),
    }


def _said(row: MaintenanceWindow) -> dict[str, Any]:
    return {field: getattr(row, field) for field in FIELDS}


def _find(number: int) -> MaintenanceWindow:
    row = MaintenanceWindow.objects.filter(pk=number).first()
    if row is None:
        raise UnknownWindow("window_id", number)
    return row


def _check(values: Values, monitored: Sequence[str], number: int | None = None) -> None:
    for error in faults(values, monitored, number).values():
        raise error


def _save(row: MaintenanceWindow) -> None:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        # Somebody else was faster, or the database takes two spellings for one name.
        raise _taken(row.name) from None


def _taken(name: str) -> AlertError:
    return AlertError("name", f"there is a window named {name!r} already; allowed: a name of its own")


def _check_name(name: str, number: int | None) -> None:
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise AlertError(
            "name",
            f"{name[: LONGEST_NAME + 1]!r} is not allowed; allowed: one line of 1 to {LONGEST_NAME} characters",
        )
    named_so = MaintenanceWindow.objects.filter(name=name)
    if (named_so if number is None else named_so.exclude(pk=number)).exists():
        raise _taken(name)


def _check_cron(schedule: str) -> None:
    if len(schedule) > LONGEST_SCHEDULE:
        raise AlertError("schedule", f"allowed: at most {LONGEST_SCHEDULE} characters")
    quiet.check_schedule(schedule)


def _check_zone(zone: str) -> None:
    if len(zone) > LONGEST_ZONE:
        raise AlertError("time_zone", f"allowed: at most {LONGEST_ZONE} characters")
    quiet.check_time_zone(zone)


def _check_reason(reason: str) -> None:
    if len(reason) > LONGEST_NOTE:
        raise AlertError("reason", f"allowed: at most {LONGEST_NOTE} characters")
    try:
        reason.encode()
    except UnicodeEncodeError:
        # What a shell hands over need not be UTF-8.
        raise AlertError("reason", "it has bytes that are no text; allowed: UTF-8") from None
