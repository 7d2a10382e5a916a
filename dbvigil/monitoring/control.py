"""Wishes said in one process and obeyed in another.

One row that every monitor reads several times a second.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from dbvigil.models import MonitorControl, TargetState


@dataclass(frozen=True, slots=True)
class Wishes:
    """The row's counters and the interval override (seconds, None: the setting holds)."""

    stops: int = 0
    restarts: int = 0
    collects: int = 0
    changes: int = 0
    interval: float | None = None


def read() -> Wishes:
    """What has been said so far; one short query."""
    row = (
        MonitorControl.objects.filter(pk=1)
        .values("stops", "restarts", "collects", "changes", "interval")
        .first()
    )
    return Wishes(**row) if row else Wishes()


def ask_stop() -> None:
    """Every monitor that runs now is to stop."""
    _count_up("stops")


def ask_restart() -> None:
    """Every monitor that runs now is to drop its connections, read its settings again and go on."""
    _count_up("restarts")


def ask_collect(aliases: Iterable[str]) -> None:
    """The monitor that holds `aliases` is to sample them now, outside the schedule."""
    with transaction.atomic():
        TargetState.objects.filter(alias__in=list(aliases)).update(asked=F("asked") + 1)
        _count_up("collects")


def tell_change() -> None:
    """Thresholds have changed: every monitor is to read them again."""
    _count_up("changes")


def set_interval(seconds: float | None) -> None:
    """Overrides the interval setting for every monitor, now and later; None takes the override back."""
    with transaction.atomic():
        _count_up("changes")
        MonitorControl.objects.filter(pk=1).update(interval=seconds)


def asked(aliases: Iterable[str]) -> dict[str, int]:
    """How many samples outside the schedule have been asked for, by alias."""
    return dict(TargetState.objects.filter(alias__in=list(aliases)).values_list("alias", "asked"))


def _count_up(name: str) -> None:
    with transaction.atomic():
        MonitorControl.objects.get_or_create(pk=1)
        MonitorControl.objects.filter(pk=1).update(**{name: F(name) + 1})
