"""What people do about alerts: take one up, keep something quiet, end the quiet. Each is one transaction, and on record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from dbvigil.alert import Alert
from dbvigil.alerting import bodies, outbox
from dbvigil.alerting.audit import Trail
from dbvigil.alerting.outbox import Order
from dbvigil.alerting.plan import Plan, QuietUntil
from dbvigil.alerting.record import Recorder
from dbvigil.alerts import quiet
from dbvigil.errors import AlertError, UnknownAlert
from dbvigil.models import Delivery, Episode, MaintenanceWindow, Suppression

LONGEST_NOTE = 2_000


def acknowledge(
    number: int, user: str, note: str, plan: Plan, now: datetime, generation: int | None = None
) -> Alert:
    """`user` takes an alert up: no escalation from now on, a reminder where it still fires hours later.

    `generation` is how often it had been acknowledged when a signed link was made: the link is good for that once. Raises
    `UnknownAlert`, or `AlertError` where it is over or the link was used.
    """
    with transaction.atomic():
        trail = Trail()
        trail.hold()
        episode = Episode.objects.filter(pk=number).first()
        if episode is None:
            raise UnknownAlert(number)
        if episode.resolved_at is not None:
            raise AlertError(
                "alert_id", f"alert {number} is over since {episode.resolved_at:%Y-%m-%d %H:%M:%S} UTC"
            )
        if generation is not None and episode.acknowledgements != generation:
            raise AlertError("token", "this link was used before")
        episode.acknowledged_at, episode.acknowledged_by, episode.note = now, user, note[:LONGEST_NOTE]
        episode.acknowledgements += 1
        episode.next_step_at = None
        episode.next_repeat_at = now + timedelta(seconds=plan.repeat_after)
        episode.save()
        body = bodies.alert(episode, now)
        event = trail.add(episode.id, "acknowledged", now, user, {"note": episode.note}, body.to_dict())
        trail.write()
        told = Delivery.objects.filter(episode=episode.id).exclude(status="cancelled")
        channels = dict.fromkeys(told.order_by("id").values_list("channel", flat=True))
        outbox.put(
            (
                Order(event, episode.id, episode.database, "alert.acknowledged", name, now)
                for name in channels
            ),
            now,
        )
    return bodies.alerts([episode], now)[0]


@dataclass(frozen=True, slots=True)
class Made:
    """A suppression that was made: the body of POST alerts/suppress/."""

    suppression_id: int
    database: str
    metric: str
    until: datetime
    created_by: str


def suppress(database: str, metric: str, minutes: float, reason: str, user: str, now: datetime) -> Made:
    """Keeps `metric` of `database` (each "" for any) quiet for `minutes`. What was not sent yet is held back."""
    with transaction.atomic():
        trail = Trail()
        trail.hold()
        row = Suppression.objects.create(
            database=database,
            metric=metric,
            reason=reason[:LONGEST_NOTE],
            created_by=user,
            created_at=now,
            starts_at=now,
            until=now + timedelta(minutes=minutes),
        )
        for episode in _about(database, metric):
            until = max(episode.suppressed_until or row.until, row.until)
            episode.suppressed_until = until
            episode.quiet_since = episode.quiet_since or now
            unsent = outbox.cancel_unsent(
                [episode.id],
                ("alert.fired", "alert.severity_changed", "alert.escalated"),
                "suppressed before it was sent",
            )
            if (
                unsent
                and not Delivery.objects.filter(episode=episode.id).exclude(status="cancelled").exists()
            ):
                episode.told = False
            episode.save()
            detail = {"suppression": row.id, "until": until.isoformat(), "reason": row.reason}
            trail.add(episode.id, "suppressed", now, user, detail, bodies.alert(episode, now).to_dict())
        if not trail.used:
            detail = {
                "suppression": row.id,
                "database": database,
                "metric": metric,
                "until": row.until.isoformat(),
            }
            trail.add(None, "suppressed", now, user, {**detail, "reason": row.reason})
        trail.write()
    return Made(row.id, database, metric, row.until, user)


def end_suppression(number: int, user: str, now: datetime) -> Made:
    """Ends a suppression before its time; what still fires and was told to nobody is told at once."""
    with transaction.atomic():
        trail = Trail()
        row = Suppression.objects.filter(pk=number).first()
        if row is None:
            raise AlertError("suppression_id", f"there is no suppression {number}")
        if row.ended_at is not None or row.until <= now:
            raise AlertError("suppression_id", f"suppression {number} is over already")
        row.ended_at, row.ended_by, row.until = now, user, now
        row.save()
        trail.add(None, "unsuppressed", now, user, {"suppression": row.id})
        trail.write()
    return Made(row.id, row.database, row.metric, row.until, user)


def end_quiet(plan: Plan, now: datetime) -> list[Alert]:
    """Lets episodes be heard whose suppression has ended, and those whose has been prolonged know its new end."""
    with transaction.atomic():
        due = list(Episode.objects.filter(resolved_at=None).exclude(suppressed_until=None))
        changed = [
            row for row in due if plan.quiet_until(row.database, row.metric, now) != row.suppressed_until
        ]
        if not changed:
            return []
        recorder = Recorder(plan, {row.database for row in changed}, now)
        for row in changed:
            recorder.set_quiet(str(row.open_key), plan.quiet_until(row.database, row.metric, now), now)
        return recorder.write()


def quiet_times(now: datetime) -> QuietUntil:
    """The suppressions and maintenance windows as they stand now."""
    suppressions = [
        quiet.Suppression(row.id, row.database, row.metric, row.starts_at, row.until)
        for row in Suppression.objects.filter(until__gt=now)
    ]
    windows = [
        quiet.Window(row.name, row.schedule, row.time_zone, row.minutes, row.database, row.metric)
        for row in MaintenanceWindow.objects.filter(active=True)
    ]

    def until(database: str, metric: str, at: datetime) -> datetime | None:
        return quiet.until(database, metric, suppressions, windows, at)

    return until


def _about(database: str, metric: str) -> Iterable[Episode]:
    found: QuerySet[Episode] = Episode.objects.filter(resolved_at=None)
    wanted = Q()
    if database:
        wanted &= Q(database=database)
    if metric:
        wanted &= Q(metric=metric)
    return list(found.filter(wanted))
