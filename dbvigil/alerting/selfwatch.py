"""Alerting's watch over the house itself: a monitor that vanished, targets nobody samples, a delivery that stands still, a channel that
keeps failing. While all is well a heartbeat is sent, so that somebody elsewhere notices when nobody here can.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from django.db import transaction

from dbvigil import conf
from dbvigil.alert import Severity
from dbvigil.alerting.episodes import open_key
from dbvigil.alerting.plan import Plan
from dbvigil.alerting.record import Recorder
from dbvigil.alerts.states import Transition
from dbvigil.channels.transport import Undelivered, post
from dbvigil.models import ChannelState, Delivery, Episode, MonitorControl, MonitorProcess, TargetState

logger = logging.getLogger("dbvigil.alerts")

OWN = "dbvigil"
"""The database that alerts about dbvigil itself carry."""

_VANISHED_AFTER = timedelta(seconds=15)
_FORGOTTEN_AFTER = timedelta(minutes=10)
_STUCK_AFTER = timedelta(minutes=2)
_FAILING_AFTER = timedelta(minutes=10)
_LOOK_EVERY = timedelta(seconds=5)
_LEAP = timedelta(seconds=60)
_HEARTBEAT_EVERY = timedelta(seconds=60)
_HEARTBEAT_SECONDS = 5.0
_MOST_NAMED = 10


class Alerting(Protocol):
    """What the watch needs of the alerting it belongs to."""

    def plan(self, now: datetime) -> Plan: ...
    def wake(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong with dbvigil: a name that stays the same while it lasts, and what to say and do."""

    metric: str
    severity: Severity
    message: str
    action: str


class SelfWatch:
    """Looks every few seconds; raises what is wrong and resolves what is over."""

    def __init__(self, alerting: Alerting, heartbeat_url: str) -> None:
        self._alerting = alerting
        self._heartbeat_url = heartbeat_url
        self._looked_at: datetime | None = None
        self._patient_until: datetime | None = None
        self._beaten_at: datetime | None = None
        self._beat_failed = False

    def look(self, now: datetime) -> None:
        """One look, where the last one was long enough ago."""
        since = None if self._looked_at is None else now - self._looked_at
        if since is not None and timedelta() <= since < _LOOK_EVERY:
            return
        self._looked_at = now
        if since is not None and abs(since) > _LEAP:
            self._patient_until = now + _late_after()
        if self._patient(now):
            well = not self._held()
        else:
            found = {trouble.metric: trouble for trouble in troubles(now, self._alerting.plan(now).channels)}
            if self._settle(found, now):
                self._alerting.wake()
            well = not found
        if well and self._heartbeat_url:
            self._beat(now)

    def _patient(self, now: datetime) -> bool:
        """Whether the clock was moved, or this process stood still: the ages of rows say nothing until everyone has had a turn."""
        if self._patient_until is not None and not timedelta() <= self._patient_until - now <= _late_after():
            self._patient_until = None
        return self._patient_until is not None

    def _held(self) -> set[str]:
        """The troubles of the house that are on record as open."""
        rows = Episode.objects.filter(resolved_at=None, database=OWN, origin=OWN)
        return set(rows.values_list("metric", flat=True))

    def _settle(self, found: Mapping[str, Trouble], now: datetime) -> bool:
        """Raises and resolves; whether anything changed."""
        held = self._held()
        if held == set(found):
            return False
        with transaction.atomic():
            recorder = Recorder(self._alerting.plan(now), [OWN], now)
            for trouble in found.values():
                if trouble.metric not in held:
                    recorder.fire(OWN, _transition(trouble, now), {}, (trouble.action,), OWN)
            for metric in held - set(found):
                recorder.resolve(open_key(OWN, metric), now, None, "it is over")
            recorder.write()
        return True

    def _beat(self, now: datetime) -> None:
        if self._beaten_at is not None and timedelta() <= now - self._beaten_at < _HEARTBEAT_EVERY:
            return
        self._beaten_at = now
        try:
            # The operator's own setting, which may lie anywhere; of the answer only the status counts.
            status = post(self._heartbeat_url, b"", {}, total_seconds=_HEARTBEAT_SECONDS).status
            problem = "" if status < 400 else f"it answered {status}"
        except Undelivered as trouble:
            problem = str(trouble)
        if problem and not self._beat_failed:
            logger.error("the heartbeat cannot be delivered: %s", problem)
        elif self._beat_failed and not problem:
            logger.info("the heartbeat is delivered again")
        self._beat_failed = bool(problem)


def troubles(now: datetime, channels: Sequence[str]) -> list[Trouble]:
    """What is wrong with dbvigil at `now`, from the rows that its processes keep; `channels` are those that are configured."""
    return [*_monitor(now), *_delivery(now), *_channels(now, channels), *_names(channels)]


def _monitor(now: datetime) -> list[Trouble]:
    seen = list(MonitorProcess.objects.values_list("seen_at", flat=True))
    recent = [moment for moment in seen if moment > now - _FORGOTTEN_AFTER]
    if recent and max(recent) <= now - _VANISHED_AFTER:
        # One that was told to stop has taken its row away.
        return [
            Trouble(
                "monitor_running",
                "critical",
                f"the monitor vanished at {max(recent):%H:%M:%S} UTC without being told to stop: nothing is sampled",
                "start it again and read the end of its log",
            )
        ]
    if not recent:
        return []
    rows = TargetState.objects.filter(active=True, sampled_at__lte=now - _late_after()).order_by("alias")
    names = list(rows.values_list("alias", flat=True)[: _MOST_NAMED + 1])
    if not names:
        return []
    shown = ", ".join(names[:_MOST_NAMED]) + (" and more" if len(names) > _MOST_NAMED else "")
    return [
        Trouble(
            "sampling",
            "critical",
            f"a monitor runs, and yet there are no new samples of {shown}",
            "read the monitor's log: its database may be locked or full",
        )
    ]


def _late_after() -> timedelta:
    """How old the newest sample of a target may be."""
    interval = MonitorControl.objects.filter(pk=1).values_list("interval", flat=True).first()
    return timedelta(seconds=3 * (interval or conf.load().interval) + 20)


def _delivery(now: datetime) -> list[Trouble]:
    disabled = ChannelState.objects.exclude(disabled_at=None).values("name")
    stuck = Delivery.objects.filter(status="pending", attempts=0, due_at__lte=now - _STUCK_AFTER)
    names = sorted(set(stuck.exclude(channel__in=disabled).values_list("channel", flat=True)))
    if not names:
        return []
    return [
        Trouble(
            "delivery_running",
            "critical",
            f"messages have waited for more than two minutes and nobody tries to send them: {', '.join(names)}",
            "look whether a process that delivers runs (`database_monitor deliver`), and at its log",
        )
    ]


def _channels(now: datetime, channels: Sequence[str]) -> list[Trouble]:
    found = []
    for row in ChannelState.objects.filter(name__in=channels).order_by("name"):
        if row.disabled_at is not None:
            what = "is disabled: its receiver wants nothing more"
        elif row.failing_since is not None and row.failing_since <= now - _FAILING_AFTER:
            what = f"has failed since {row.failing_since:%H:%M} UTC"
        else:
            continue
        found.append(
            Trouble(
                f"channel_{row.name}",
                "warning",
                f"channel {row.name} {what} ({row.last_error})",
                "mend it or its setting, then try `database_monitor test-alerts`",
            )
        )
    return found


def _names(channels: Sequence[str]) -> list[Trouble]:
    """Channels that the settings name and that there are not: made in the service they may come and go."""
    settings = conf.load().alerts
    named = {name for step in settings.escalation for name in step.channels}
    if settings.fallback:
        named.add(settings.fallback)
    missing = sorted(named - set(channels))
    if not missing:
        return []
    return [
        Trouble(
            "channels",
            "warning",
            f"the settings name channels that there are not: {', '.join(missing)}; nobody is told on them",
            "set the channel up, or take its name out of DB_ALERT_ESCALATION and DB_ALERT_FALLBACK_CHANNEL",
        )
    ]


def _transition(trouble: Trouble, now: datetime) -> Transition:
    return Transition(
        kind="fired", rule=None, metric=trouble.metric, severity=trouble.severity, previous=None, value=None,
        threshold=None, at=now, message=trouble.message, no_data=False, flapping=False,
    )  # fmt: skip
