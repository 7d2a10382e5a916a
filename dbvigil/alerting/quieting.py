"""What people do about alerts: take one up, keep something quiet, end the quiet. Each is one transaction, and on record."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from dbvigil.alert import Alert
from dbvigil.alerting import bodies, outbox
from dbvigil.alerting.audit import SYSTEM, Trail
from dbvigil.alerting.links import UsedLink
from dbvigil.alerting.outbox import Order
from dbvigil.alerting.plan import Plan, QuietUntil, never_quiet
from dbvigil.alerting.record import Recorder
from dbvigil.alerts import quiet
from dbvigil.errors import AlertError, ConfigurationError, UnknownAlert, UnknownSuppression
from dbvigil.models import Delivery, Episode, MaintenanceWindow, Suppression
from dbvigil.types import iso_utc

logger = logging.getLogger("dbvigil.alerts")

LONGEST_NOTE = 2_000

_unusable: set[str] = set()
"""Windows that the log has told of."""


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
            raise UsedLink(episode.acknowledged_by)
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
    """A suppression: `until` is when it ends, or has ended."""

    suppression_id: int
    database: str
    metric: str
    until: datetime
    created_by: str
    reason: str
    starts_at: datetime

    @classmethod
    def of(cls, row: Suppression) -> Made:
        return cls(
            row.id, row.database, row.metric, row.until, row.created_by, row.reason, starts_at=row.starts_at
        )

    def to_dict(self) -> dict[str, Any]:
        """The body of POST alerts/suppress/."""
        return {
            "suppression_id": self.suppression_id,
            "database": self.database,
            "metric": self.metric,
            "until": iso_utc(self.until),
            "created_by": self.created_by,
        }

    def told_in_full(self) -> dict[str, Any]:
        """One of the results of GET alerts/suppressions/."""
        return {**self.to_dict(), "reason": self.reason, "starts_at": iso_utc(self.starts_at)}


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
            detail = {"suppression": row.id, "until": until.isoformat(), "reason": row.reason}
            _hush(trail, episode, until, now, user, detail)
        if not trail.used:
            detail = {
                "suppression": row.id,
                "database": database,
                "metric": metric,
                "until": row.until.isoformat(),
            }
            trail.add(None, "suppressed", now, user, {**detail, "reason": row.reason})
        trail.write()
    return Made.of(row)


def find_suppression(number: int) -> Made:
    """One suppression, over or not. Raises `UnknownSuppression`."""
    row = Suppression.objects.filter(pk=number).first()
    if row is None:
        raise UnknownSuppression(number)
    return Made.of(row)


def held_suppressions(now: datetime) -> list[Made]:
    """The suppressions that hold at `now`, the one that ends first at the top."""
    rows = Suppression.objects.filter(starts_at__lte=now, until__gt=now).order_by("until", "id")
    return [Made.of(row) for row in rows]


def end_suppression(number: int, user: str, now: datetime) -> Made:
    """Ends a suppression before its time; what still fires and was told to nobody is told at once."""
    with transaction.atomic():
        trail = Trail()
        row = Suppression.objects.filter(pk=number).first()
        if row is None:
            raise UnknownSuppression(number)
        if row.ended_at is not None or row.until <= now:
            raise AlertError("suppression_id", f"suppression {number} is over already")
        row.ended_at, row.ended_by, row.until = now, user, now
        row.save()
        trail.add(None, "unsuppressed", now, user, {"suppression": row.id})
        trail.write()
    return Made.of(row)


def follow_quiet(plan: Plan, now: datetime) -> list[Alert]:
    """Lets every open episode be as quiet at `now` as suppressions and windows have it; the alerts for which that changed."""
    return [*begin_quiet(plan, now), *end_quiet(plan, now)]


def begin_quiet(plan: Plan, now: datetime) -> list[Alert]:
    """Holds back episodes that were heard when a window opened over them."""
    if plan.quiet_until is never_quiet:
        return []
    heard = Episode.objects.filter(resolved_at=None, suppressed_until=None)
    due = [
        number
        for number, database, metric in heard.values_list("id", "database", "metric")
        if plan.quiet_until(database, metric, now) is not None
    ]
    if not due:
        return []
    with transaction.atomic():
        trail = Trail()
        trail.hold()
        # Read again under the lock: one may be over by now, or another process may have been faster.
        hushed = list(heard.filter(pk__in=due))
        for episode in hushed:
            until = plan.quiet_until(episode.database, episode.metric, now)
            if until is not None:
                _hush(trail, episode, until, now, SYSTEM, {"until": until.isoformat()})
        trail.write()
    return bodies.alerts(hushed, now)


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
    """The suppressions and maintenance windows as they stand now; `never_quiet` where there are none."""
    suppressions = [
        quiet.Suppression(row.id, row.database, row.metric, row.starts_at, row.until)
        for row in Suppression.objects.filter(until__gt=now)
    ]
    rows = MaintenanceWindow.objects.filter(active=True)
    windows = [window for row in rows if (window := as_window(row)) is not None]
    if not suppressions and not windows:
        return never_quiet

    def until(database: str, metric: str, at: datetime) -> datetime | None:
        return quiet.until(database, metric, suppressions, windows, at)

    return until


def as_window(row: MaintenanceWindow) -> quiet.Window | None:
    """The row as the rules about quiet know it; None for one that cannot be used here, as where this host lacks its time zone."""
    try:
        quiet.check_window(row.schedule, row.time_zone, row.minutes)
    except ConfigurationError as error:
        # Every round comes by here: alerts are told, and the log says why once.
        if row.name not in _unusable:
            _unusable.add(row.name)
            logger.error("maintenance window %r keeps nothing quiet: %s", row.name, error)
        return None
    _unusable.discard(row.name)
    return quiet.Window(row.name, row.schedule, row.time_zone, row.minutes, row.database, row.metric)


def _hush(
    trail: Trail, episode: Episode, until: datetime, now: datetime, user: str, detail: Mapping[str, Any]
) -> None:
    """Keeps an open episode quiet until `until`; its clocks stand, and what was not sent yet is held back."""
    episode.suppressed_until = until
    episode.quiet_since = episode.quiet_since or now
    unsent = outbox.cancel_unsent(
        [episode.id],
        ("alert.fired", "alert.severity_changed", "alert.escalated"),
        "suppressed before it was sent",
    )
    if unsent and not Delivery.objects.filter(episode=episode.id).exclude(status="cancelled").exists():
        episode.told = False
    episode.save()
    trail.add(episode.id, "suppressed", now, user, detail, bodies.alert(episode, now).to_dict())


def _about(database: str, metric: str) -> Iterable[Episode]:
    found: QuerySet[Episode] = Episode.objects.filter(resolved_at=None)
    wanted = Q()
    if database:
        wanted &= Q(database=database)
    if metric:
        wanted &= Q(metric=metric)
    return list(found.filter(wanted))
