"""What bounds an action whatever it finds: a cool-down, so many attempts an hour, so many databases an hour.

Counted from the rows of live attempts while the action's own row is held, so that two processes that begin at once count each other.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, QuerySet

from dbvigil.conf.recovery import ActionSettings
from dbvigil.errors import RecoveryRefused
from dbvigil.models import RecoveryAttempt, RecoveryGuard

_HOUR = timedelta(hours=1)
_LONGEST = timedelta(minutes=2)
"""No attempt takes so long: one that began earlier and says nothing was killed."""


def hold(action: str) -> None:
    """Holds the action's row for the rest of the transaction; whoever else begins waits."""
    rows = RecoveryGuard.objects.filter(pk=action)
    if not rows.update(begun=F("begun") + 1):
        RecoveryGuard.objects.bulk_create([RecoveryGuard(action=action)], ignore_conflicts=True)
        rows.update(begun=F("begun") + 1)


def check(settings: ActionSettings, database: str, now: datetime) -> None:
    """Raises `RecoveryRefused` where a live attempt must not begin now. Only within `hold` is that certain."""
    # A clock that was set back must not open a bound: what lies ahead counts as of now.
    lately = _counted(settings.name).filter(started_at__gt=now - _HOUR)
    rows = list(lately.order_by("started_at").values_list("database", "started_at", "ended_at", "outcome"))
    here = [(started, ended, outcome) for alias, started, ended, outcome in rows if alias == database]
    if any(outcome == "running" and began > now - _LONGEST for began, _, outcome in here):
        raise RecoveryRefused(f"{settings.name} is acting on {database} already", 5.0)
    if here:
        began, ended, _ = here[-1]
        left = ((ended or began) + timedelta(seconds=settings["cool_down_seconds"]) - now).total_seconds()
        left = min(left, settings["cool_down_seconds"])
        if left > 0:
            raise RecoveryRefused(
                f"{settings.name} on {database} is cooling down for another {left:.0f} s", left
            )
    else:
        left = _longer_ago(settings, database, now)
        if left > 0:
            raise RecoveryRefused(
                f"{settings.name} on {database} is cooling down for another {left:.0f} s", left
            )
    if len(here) >= settings["per_hour"]:
        left = (here[0][0] + _HOUR - now).total_seconds()
        raise RecoveryRefused(
            f"{settings.name} has acted on {database} {len(here)} times within the hour, its limit; again in {left:.0f} s",
            left,
        )
    others = {alias: started for alias, started, _, _ in rows if alias != database}
    if len(others) >= settings["databases_per_hour"]:
        left = (min(others.values()) + _HOUR - now).total_seconds()
        raise RecoveryRefused(
            f"{settings.name} has acted on {len(others)} other databases within the hour, its limit; again in {left:.0f} s",
            left,
        )


def _longer_ago(settings: ActionSettings, database: str, now: datetime) -> float:
    """Seconds that a cool-down of more than an hour goes on."""
    last = (
        _counted(settings.name)
        .filter(database=database)
        .order_by("-started_at")
        .values_list("started_at", "ended_at")
        .first()
    )
    if last is None:
        return 0.0
    over = (last[1] or last[0]) + timedelta(seconds=settings["cool_down_seconds"])
    return min((over - now).total_seconds(), float(settings["cool_down_seconds"]))


def _counted(action: str) -> QuerySet[RecoveryAttempt]:
    """Live attempts that found something to do."""
    return RecoveryAttempt.objects.filter(action=action, mode="live").exclude(outcome="nothing")
