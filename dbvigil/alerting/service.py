"""DatabaseAlerting: what users call, from any process, and what the monitor hands its evaluations to."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from dbvigil import conf
from dbvigil.alert import Alert
from dbvigil.alerting import audit, backtest, bodies, counts, links, quieting, windows, words
from dbvigil.alerting.counts import OpenAlerts
from dbvigil.alerting.delivery import Deliverer, Delivering
from dbvigil.alerting.links import UsedLink
from dbvigil.alerting.plan import Plan
from dbvigil.alerting.record import Evaluated, Recorder, record
from dbvigil.alerting.selfwatch import SelfWatch
from dbvigil.alerting.switchboard import Switchboard
from dbvigil.alerting.windows import Values
from dbvigil.alerts.states import Transition
from dbvigil.channels.base import Channel
from dbvigil.errors import AlertError, UnknownAlert
from dbvigil.history.django_db import DjangoHistory
from dbvigil.models import Episode

logger = logging.getLogger("dbvigil.alerts")

AlertCallback = Callable[[Alert], None]

LONGEST_SUPPRESSION_MINUTES = 30 * 24 * 60
LONGEST_HOURS = 400 * 24


class DatabaseAlerting:
    """Alerting as seen from one process. Thread-safe; everything it shows comes from the service's database."""

    def __init__(self) -> None:
        self.switchboard = Switchboard()
        self._deliverer: Deliverer | None = None

    # sending

    def send_alert(self, alert: Alert) -> None:
        """Sees to it that `alert` is delivered; what a monitor calls with every alert that changes.

        One that is on record is in the outbox already: sending it again does nothing but wake the delivery. One that a program
        made itself (`id` 0) becomes an alert like any other, and stays open until `resolve_alert`.
        """
        if alert.id == 0:
            self._raise(alert)
        self.wake()

    def resolve_alert(self, alert_id: int, message: str = "") -> Alert:
        """Ends an alert that a program raised itself. Raises `AlertError` where there is none that is open."""
        now = datetime.now(UTC)
        episode = Episode.objects.filter(pk=alert_id, resolved_at=None).first()
        if episode is None:
            raise AlertError("alert_id", f"there is no open alert {alert_id}")
        with transaction.atomic():
            recorder = Recorder(self.plan(now), [episode.database], now)
            recorder.resolve(str(episode.open_key), now, episode.value, message)
            recorder.write()
        self.wake()
        return bodies.alerts([Episode.objects.get(pk=alert_id)], now)[0]

    def record(self, evaluations: Iterable[Evaluated], plan: Plan, now: datetime) -> list[Alert]:
        """Writes evaluations down, within the caller's transaction; the alerts that changed."""
        return record(evaluations, plan, now)

    def wake(self) -> None:
        """There may be something to deliver: the delivery of this process looks at once."""
        if self._deliverer is not None:
            self._deliverer.wake()

    # what people do

    def acknowledge_alert(self, alert_id: int, user: str, note: str = "") -> Alert:
        """`user` takes an alert up: it is escalated no further. Raises `UnknownAlert`, or `AlertError` where it is over."""
        now = datetime.now(UTC)
        found = quieting.acknowledge(alert_id, user, note, self.plan(now), now)
        self.wake()
        return found

    def acknowledge_by_link(self, token: str, user: str, note: str = "") -> Alert:
        """The same by a signed link of a message, which works once."""
        now, signed = datetime.now(UTC), links.read(token)
        found = quieting.acknowledge(signed.alert, user, note, self.plan(now), now, signed.generation)
        self.wake()
        return found

    def suppress_alert(
        self, database: str, metric: str, duration_minutes: float, reason: str = "", user: str = "dbvigil"
    ) -> dict[str, Any]:
        """Nothing is sent about `metric` of `database` for so long (each "" for any); the body of POST alerts/suppress/."""
        if isinstance(duration_minutes, bool) or not 0 < duration_minutes <= LONGEST_SUPPRESSION_MINUTES:
            raise AlertError(
                "duration_minutes",
                f"{duration_minutes} is not allowed; allowed: more than 0, at most {LONGEST_SUPPRESSION_MINUTES}",
            )
        now = datetime.now(UTC)
        return quieting.suppress(database, metric, duration_minutes, reason, user, now).to_dict()

    def end_suppression(self, suppression_id: int, user: str) -> dict[str, Any]:
        """Ends a suppression before its time. Raises `UnknownSuppression`, or `AlertError` where it is over."""
        now = datetime.now(UTC)
        ended = quieting.end_suppression(suppression_id, user, now)
        self._follow_quiet(now)
        return ended.to_dict()

    def add_window(self, values: Values, databases: Sequence[str], user: str) -> dict[str, Any]:
        """A new maintenance window, which acts at once where it is open; the body of POST alerts/windows/.

        `databases` are the monitored ones. Raises `AlertError` naming the value at fault, or `UnknownDatabase`.
        """
        now = datetime.now(UTC)
        made = windows.add(values, databases, user, now)
        self._follow_quiet(now)
        return made

    def change_window(
        self, window_id: int, values: Values, databases: Sequence[str], user: str
    ) -> dict[str, Any]:
        """Changes those values of a window that are given; raises `UnknownWindow` besides what `add_window` raises."""
        now = datetime.now(UTC)
        changed = windows.change(window_id, values, databases, user, now)
        self._follow_quiet(now)
        return changed

    def remove_window(self, window_id: int, user: str) -> dict[str, Any]:
        """Removes a window: what it kept quiet is heard. As it was; raises `UnknownWindow`."""
        now = datetime.now(UTC)
        removed = windows.remove(window_id, user, now)
        self._follow_quiet(now)
        return removed

    # reading

    def get_windows(self) -> list[dict[str, Any]]:
        """Every maintenance window by name, whether it is open now, and when it begins next."""
        return windows.listed(datetime.now(UTC))

    def get_suppressions(self) -> list[dict[str, Any]]:
        """The suppressions that hold now, the one that ends first at the top."""
        return [made.told_in_full() for made in quieting.held_suppressions(datetime.now(UTC))]

    def get_suppression(self, suppression_id: int) -> dict[str, Any]:
        """One suppression, over or not. Raises `UnknownSuppression`."""
        return quieting.find_suppression(suppression_id).told_in_full()

    def count_open_alerts(self) -> OpenAlerts:
        """How many alerts are not resolved, in all and by database."""
        return counts.count_open()

    def get_active_alerts(
        self, database: str | None = None, severity: str | None = None, status: str | None = None
    ) -> list[Alert]:
        """Every alert that is not resolved, the gravest and newest first."""
        found = _narrowed(Episode.objects.filter(resolved_at=None), database, severity)
        rows = sorted(found, key=lambda row: (row.severity != "critical", -row.started_at.timestamp()))
        alerts = bodies.alerts(rows, datetime.now(UTC))
        return [alert for alert in alerts if status is None or alert.status == status]

    def get_alert(self, alert_id: int) -> Alert | None:
        """One alert with its events, open or not."""
        rows = list(Episode.objects.filter(pk=alert_id))
        found = bodies.alerts(rows, datetime.now(UTC), with_events=True)
        return found[0] if found else None

    def get_alert_by_link(self, token: str) -> Alert:
        """The alert that a signed link is about, while the link is good or the alert is over.

        Raises `ExpiredLink`, `UsedLink`, `UnknownAlert`, or `AlertError` for a link that was not made here.
        """
        signed = links.read(token)
        alert = self.get_alert(signed.alert)
        if alert is None:
            raise UnknownAlert(signed.alert)
        if alert.resolved_at is None and alert.acknowledgements != signed.generation:
            raise UsedLink(alert.acknowledged_by)
        return alert

    def get_alert_history(
        self, hours: float = 24, database: str | None = None, offset: int = 0, limit: int | None = None
    ) -> list[Alert]:
        """Alerts that were open at any time in the last `hours`, with their events, newest first."""
        rows = self._history(hours, database).order_by("-started_at", "-id")
        page = rows[offset : None if limit is None else offset + limit]
        return bodies.alerts(list(page), datetime.now(UTC), with_events=True)

    def count_alert_history(self, hours: float = 24, database: str | None = None) -> int:
        """How many alerts `get_alert_history` has in all."""
        return self._history(hours, database).count()

    def backtest(
        self, database: str, metric: str, warning: float | None, critical: float | None, hours: float = 168
    ) -> dict[str, Any]:
        """How often, when and how long a threshold would have fired on recorded history (see `backtest.backtest`)."""
        return backtest.backtest(
            DjangoHistory(), database, metric, warning, critical, hours, datetime.now(UTC)
        )

    def verify_audit(self) -> audit.Verdict:
        """Reads the whole audit trail and says whether it is whole."""
        return audit.verify()

    # channels

    def channels(self) -> dict[str, Channel]:
        """The channels there are, by name."""
        return self.switchboard.channels()

    def preview(self, part: str, template: str | None = None, alert_id: int | None = None) -> str:
        """What a message says in `part` (subject, text, html), by `template` or as it is configured; of a sample where no alert is named.

        Raises `AlertError` naming what is wrong.
        """
        return words.preview(part, template, alert_id, datetime.now(UTC))

    # running

    def deliverer(self, on_alerts: Callable[[list[Alert]], None] | None = None) -> Deliverer:
        """What delivers in this process; not started yet."""
        settings = conf.load().alerts
        watch = SelfWatch(self, settings.heartbeat_url)
        made = Deliverer(
            Delivering(self.channels, settings.fallback, settings.base_url, self.plan, settings.runbook_url),
            on_alerts=on_alerts,
            also=watch.look,
        )
        self._deliverer = made
        return made

    def plan(self, now: datetime) -> Plan:
        """Who is told and when, as it stands at `now`."""
        settings = conf.load().alerts
        return Plan(tuple(self.channels()), settings.escalation, quieting.quiet_times(now))

    # within

    def _follow_quiet(self, now: datetime) -> None:
        """What is quiet has changed: it shows at once, not in the next round."""
        quieting.follow_quiet(self.plan(now), now)
        self.wake()

    def _raise(self, alert: Alert) -> None:
        now = datetime.now(UTC)
        found = Transition(
            kind="fired", rule=None, metric=alert.metric, severity=alert.severity, previous=None, value=alert.value,
            threshold=alert.threshold, at=now, message=alert.message, no_data=alert.no_data, flapping=False,
        )  # fmt: skip
        self.raise_own(alert.database, found, alert.evidence, alert.recommendations, origin="program")

    def raise_own(
        self,
        database: str,
        found: Transition,
        evidence: Mapping[str, Any],
        actions: Sequence[str] = (),
        origin: str = "dbvigil",
    ) -> None:
        """An alert that no sample found; nothing where it is open already."""
        with transaction.atomic():
            recorder = Recorder(self.plan(found.at), [database], found.at)
            recorder.fire(database, found, evidence, actions, origin)
            recorder.write()

    def _history(self, hours: float, database: str | None) -> QuerySet[Episode]:
        if isinstance(hours, bool) or not 0 < hours <= LONGEST_HOURS:
            raise AlertError(
                "hours", f"{hours} is not allowed; allowed: more than 0, at most {LONGEST_HOURS}"
            )
        since = datetime.now(UTC) - timedelta(hours=hours)
        rows = Episode.objects.exclude(resolved_at__lt=since)
        return _narrowed(rows, database, None)


def _narrowed(rows: QuerySet[Episode], database: str | None, severity: str | None) -> QuerySet[Episode]:
    if database is not None:
        rows = rows.filter(database=database)
    return rows if severity is None else rows.filter(severity=severity)


_services: dict[int, DatabaseAlerting] = {}
_services_lock = threading.Lock()


def get_database_alerting() -> DatabaseAlerting:
    """This process's alerting object; a forked process gets its own."""
    with _services_lock:
        return _services.setdefault(os.getpid(), DatabaseAlerting())
