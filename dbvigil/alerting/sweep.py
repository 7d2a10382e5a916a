"""What comes due by time alone: escalation, repetition, quiet that begins or ends, and databases that are monitored no more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from dbvigil.alert import Alert
from dbvigil.alerting.plan import Plan
from dbvigil.alerting.quieting import follow_quiet
from dbvigil.alerting.record import Recorder
from dbvigil.models import Episode, MonitorProcess, TargetState


def sweep(plan: Plan, now: datetime) -> list[Alert]:
    """One round; the alerts that something happened to. Any number of processes may do it at the same time."""
    return [
        *follow_quiet(plan, now),
        *_forget_unmonitored(plan, now),
        *_steps(plan, now),
        *_repeats(plan, now),
    ]


def _steps(plan: Plan, now: datetime) -> list[Alert]:
    due = Episode.objects.filter(resolved_at=None, quiet_since=None, next_step_at__lte=now)
    return _each(due, plan, now, Recorder.escalate)


def _repeats(plan: Plan, now: datetime) -> list[Alert]:
    due = Episode.objects.filter(resolved_at=None, quiet_since=None, next_repeat_at__lte=now)
    return _each(due, plan, now, Recorder.repeat)


def _each(
    due: QuerySet[Episode], plan: Plan, now: datetime, what: Callable[[Recorder, str, datetime], None]
) -> list[Alert]:
    rows = list(due.values_list("open_key", "database"))
    waiting = _not_looked_at(now) if rows else set()
    rows = [row for row in rows if row[1] not in waiting]
    if not rows:
        return []
    with transaction.atomic():
        recorder = Recorder(plan, {database for _, database in rows}, now)
        for key, _ in rows:
            what(recorder, str(key), now)
        return recorder.write()


def _not_looked_at(now: datetime) -> set[str]:
    """Databases that their monitor has not evaluated since it started: what the rows say of them may be over."""
    # One that started in the future ran before the clock was set back; its samples bear earlier moments, and are newer.
    running = MonitorProcess.objects.filter(started_at__lte=now)
    started = dict(running.values_list("identity", "started_at"))
    held = TargetState.objects.filter(active=True, holder__in=started).values_list(
        "alias", "holder", "sampled_at"
    )
    return {alias for alias, holder, sampled_at in held if sampled_at is None or sampled_at < started[holder]}


def _forget_unmonitored(plan: Plan, now: datetime) -> list[Alert]:
    gone = TargetState.objects.filter(active=False).values("alias")
    rows = list(
        Episode.objects.filter(resolved_at=None, database__in=gone).values_list(
            "open_key", "database", "value"
        )
    )
    if not rows:
        return []
    with transaction.atomic():
        recorder = Recorder(plan, {database for _, database, _ in rows}, now)
        for key, _, value in rows:
            recorder.resolve(str(key), now, value, "the database is monitored no more")
        return recorder.write()
