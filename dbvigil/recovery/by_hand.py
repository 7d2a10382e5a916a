"""Recovery as people ask for it: what there is, what was done, and one action now. The same plans, policy and bounds as by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from dbvigil import conf
from dbvigil.alerting import recovering
from dbvigil.conf.recovery import shown_actions
from dbvigil.errors import RecoveryError, RecoveryRefused
from dbvigil.models import MonitorControl, RecoveryAttempt, TargetState
from dbvigil.recovery import guards, records
from dbvigil.recovery.catalogue import actions, find
from dbvigil.recovery.perform import Attempt
from dbvigil.targets import Target

SECONDS = 10.0
"""What an attempt by hand may take; putting back what it could not finish comes on top."""
LONGEST_REASON = 1_000
MOST = 50
_ALIVE = timedelta(seconds=10)


def recover(action: str, database: str, reason: str, actor: str, *, live: bool = False) -> dict[str, Any]:
    """One attempt now, a dry run unless it is to be `live`; the body of POST recovery/.

    Raises `RecoveryError` naming what cannot be used, `RecoveryRefused` where it must not act now, `UnknownDatabase` never: who asks
    has looked.
    """
    configuration = conf.load()
    found = find(configuration.recovery, action)
    settings = configuration.recovery.actions[action]
    reason = _reason(reason)
    target = configuration.targets.get(database)
    if target is None:
        raise RecoveryError("database", f"how {database!r} is reached is not configured in this process")
    if settings.mode == "off":
        raise RecoveryRefused(f"{action} is switched off in DB_RECOVERY_ACTIONS")
    now = datetime.now(UTC)
    if live:
        guards.check(settings, database, now)
    asked = records.Asked(
        settings,
        database,
        "live" if live else "dry_run",
        actor,
        reason,
        recovering.open_episode(database, found.metrics),
    )
    attempt = Attempt(
        found,
        asked,
        target,
        SECONDS,
        lambda: _ask_for_sample(database),
        look_after=lambda: _monitor_of(target),
    ).run()
    assert attempt is not None  # noqa: S101 - for the type checker: only what nobody asked for is not put on record
    return records.told(attempt)


def overview(database: str | None = None) -> dict[str, Any]:
    """The body of GET recovery/: the actions with their modes and options, and the newest attempts."""
    settings = conf.load().recovery
    shown = shown_actions(settings.actions)
    rows = RecoveryAttempt.objects.order_by("-id").prefetch_related("changes")
    if database is not None:
        rows = rows.filter(database=database)
    return {
        "enabled": settings.enabled,
        "actions": [
            {
                "action": name,
                "help": action.help,
                "metrics": list(action.metrics),
                "mode": settings.actions[name].mode,
                "automatic": settings.automatic(name),
                "options": {option: value for option, value in shown[name].items() if option != "mode"},
            }
            for name, action in actions(settings).items()
        ],
        "attempts": [records.told(row) for row in rows[:MOST]],
    }


def _reason(reason: str) -> str:
    said = " ".join(reason.split())
    if not said or len(said) > LONGEST_REASON:
        raise RecoveryError("reason", f"allowed: why, in 1 to {LONGEST_REASON} characters")
    try:
        said.encode()
    except UnicodeEncodeError:
        # What a shell hands over need not be UTF-8.
        raise RecoveryError("reason", "it has bytes that are no text; allowed: UTF-8") from None
    return said


def _monitor_of(target: Target) -> str:
    """The monitor that will put back what is changed on `target`. Raises `RecoveryRefused` where none runs."""
    row = (
        TargetState.objects.filter(alias=target.alias)
        .exclude(holder="")
        .values_list("holder", "renewed_at")
        .first()
    )
    if row is None or row[1] is None or row[1] < datetime.now(UTC) - _ALIVE:
        raise RecoveryRefused(
            "no monitor watches this database, and nobody would put the settings back: start one first"
        )
    return row[0]


def _ask_for_sample(database: str) -> None:
    """The monitor, wherever it runs, connects anew where its connection is broken, and takes a sample now."""
    with transaction.atomic():
        TargetState.objects.filter(alias=database).update(asked=F("asked") + 1)
        MonitorControl.objects.get_or_create(pk=1)
        MonitorControl.objects.filter(pk=1).update(collects=F("collects") + 1)
