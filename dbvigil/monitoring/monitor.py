"""DatabaseMonitor.

What users call, from any process. It reads the database, says wishes, and can run the loop in a thread.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db import close_old_connections

from dbvigil import conf
from dbvigil.alert import Alert
from dbvigil.alerting import get_database_alerting
from dbvigil.alerting.delivery import Deliverer
from dbvigil.backups import jobs
from dbvigil.backups.errors import BackupError
from dbvigil.backups.stored import backups, shown
from dbvigil.errors import ConfigurationError, MonitorError, UnknownDatabase
from dbvigil.history.base import History
from dbvigil.history.django_db import DjangoHistory
from dbvigil.models import TargetState
from dbvigil.monitoring import control, past, state, thresholds
from dbvigil.monitoring.thresholds import Thresholds
from dbvigil.replication.stored import replication
from dbvigil.types import DatabaseMetrics

if TYPE_CHECKING:
    from dbvigil.monitoring.loop import MonitorLoop

logger = logging.getLogger("dbvigil.monitor")

_POLL = 0.05
_COLLECT_TIMEOUT = 20.0
_DELIVER_TIMEOUT = 5.0

AlertCallback = Callable[[Alert], None]


class DatabaseMonitor:
    """The monitor as seen from one process.

    Thread-safe; everything it shows comes from the service's database, so every process shows the same.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: MonitorLoop | None = None
        self._thread: threading.Thread | None = None
        self._deliverer: Deliverer | None = None
        self._callbacks: list[AlertCallback] = [get_database_alerting().send_alert]

    # running

    @property
    def is_running(self) -> bool:
        """Whether a monitor runs, in this process or any other."""
        return self._state().running

    def start(self, *, standby: bool = False) -> None:
        """Starts the monitor in a thread of this process, unless one runs anywhere.

        With `standby` it starts all the same, and takes over what the other one loses.
        """
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            if not standby and self.is_running:
                return
            loop = self._new_loop(recovers=True)
            self._deliverer = get_database_alerting().deliverer(self._tell)
            self._deliverer.start()
            self._loop = loop
            self._thread = threading.Thread(target=loop.run, name="dbvigil-monitor", daemon=True)
            self._thread.start()
        atexit.register(self.stop_here)
        if not standby:
            self._wait(lambda: self.is_running or not self.runs_here, 5.0)

    def stop(self, timeout: float = 15.0) -> None:
        """Stops every monitor, wherever it runs, and waits until it has stopped.

        Raises `MonitorError` where it does not within `timeout` seconds.
        """
        control.ask_stop()
        deadline = time.monotonic() + timeout
        self.stop_here(timeout)
        if not self._wait(lambda: not self.is_running, deadline - time.monotonic()):
            raise MonitorError(
                f"the monitor was told to stop and still runs after {timeout:g} s; look at its log"
            )

    def stop_here(self, timeout: float = 10.0) -> None:
        """Ends the monitor of this process, if it runs one; others go on."""
        with self._lock:
            loop, thread = self._loop, self._thread
        if loop is not None and thread is not None:
            loop.request_stop()
            thread.join(timeout)
        if self._deliverer is not None:
            self._deliverer.stop(_DELIVER_TIMEOUT)

    def restart(self) -> None:
        """Every monitor drops its connections, reads its settings again and goes on.

        Starts one where none runs.
        """
        if self.is_running:
            control.ask_restart()
        else:
            self.start()

    @property
    def runs_here(self) -> bool:
        """Whether this process runs a monitor, sampling or standing by."""
        return self._thread is not None and self._thread.is_alive()

    # alerts

    def add_alert_callback(self, callback: AlertCallback) -> None:
        """`callback(alert)` is called with every alert that changes, in the process whose monitor found it, once that is on record.

        One that fails is logged and hinders nobody; it has to be quick. Alerting's own `send_alert` is there from the start; adding
        one twice is harmless.
        """
        if callback not in self._callbacks:
            self._callbacks.append(callback)

    def _tell(self, alerts: Sequence[Alert]) -> None:
        for alert in alerts:
            for callback in tuple(self._callbacks):
                try:
                    callback(alert)
                except Exception:
                    logger.exception("an alert callback failed")

    # sampling

    def collect_now(self, database: str) -> DatabaseMetrics:
        """One sample of `database` now, outside the schedule.

        Raises `UnknownDatabase`, or `MonitorError` where the monitor does not answer.
        """
        self.require(database)
        return self._collect([database])[database]

    def collect_all(self) -> dict[str, DatabaseMetrics]:
        """One sample of every database now."""
        return self._collect(self.databases())

    def request_collect(self) -> None:
        """Asks the running monitor for a sample of every database and does not wait.

        Where none runs, takes them here.
        """
        if self.is_running:
            control.ask_collect(self.databases())
        else:
            self.collect_all()

    def _collect(self, databases: Sequence[str]) -> dict[str, DatabaseMetrics]:
        """Asks the monitor that runs; where none does, one is run here for just these samples."""
        asked_at = datetime.now(UTC)
        before = self._sample_counts(databases)
        if self.is_running:
            control.ask_collect(databases)
            self._await_samples(databases, before, asked_at)
        elif databases:
            loop = self._new_loop()
            thread = threading.Thread(target=loop.run, name="dbvigil-collect", daemon=True)
            thread.start()
            try:
                self._await_samples(databases, before, asked_at)
            finally:
                loop.request_stop()
                thread.join()
            get_database_alerting().deliverer().drain()
        figures = state.overview(conf.load()).metrics
        return {alias: figures[alias] for alias in databases}

    def _await_samples(self, databases: Sequence[str], before: dict[str, int], asked_at: datetime) -> None:
        """Waits for samples that began after `asked_at`.

        Another host's clock may differ, so the second new sample counts in any case.
        """

        def arrived() -> bool:
            rows = TargetState.objects.filter(alias__in=databases)
            fresh = {
                alias
                for alias, count, moment in rows.values_list("alias", "samples", "sampled_at")
                if moment
                and count > before.get(alias, 0)
                and (moment >= asked_at or count > before.get(alias, 0) + 1)
            }
            return fresh >= set(databases)

        if not self._wait(arrived, _COLLECT_TIMEOUT):
            raise MonitorError(
                f"no sample of {', '.join(databases)} within {_COLLECT_TIMEOUT:g} s; look at the log"
            )

    @staticmethod
    def _sample_counts(databases: Sequence[str]) -> dict[str, int]:
        return dict(TargetState.objects.filter(alias__in=databases).values_list("alias", "samples"))

    # reading

    def databases(self) -> tuple[str, ...]:
        """The aliases that are monitored; before any monitor has run, those configured here."""
        registered = TargetState.objects.filter(active=True).values_list("alias", flat=True)
        return tuple(state.aliases(conf.load(), dict.fromkeys(registered)))

    def require(self, database: str) -> None:
        """Raises `UnknownDatabase` unless `database` is monitored."""
        known = self.databases()
        if database not in known:
            raise UnknownDatabase(database, known)

    def get_current_metrics(self) -> dict[str, DatabaseMetrics]:
        """The newest figures of every database, with the verdict that holds now. Asks no monitored server."""
        return dict(self._overview().metrics)

    def get_health_summary(self) -> dict[str, Any]:
        """The body of GET health/."""
        return state.summary(self._overview())

    def get_status(self) -> dict[str, Any]:
        """The body of POST control/: running, interval_seconds, since."""
        return self._state().to_dict()

    def get_metrics_history(
        self,
        database: str,
        hours: float = 24,
        metric: str | Iterable[str] | None = None,
        resolution: int | None = None,
    ) -> dict[str, Any]:
        """The body of GET metrics/{database}/history/: `series` maps a metric to [timestamp, avg, min, max]
        rows, oldest first.

        `metric` None is every numeric metric; `resolution` None picks a step (seconds) of at most about 500
        points.
        """
        self.require(database)
        return past.series(self._history(), database, hours, metric, resolution, datetime.now(UTC))

    def get_metrics_summary(self, database: str, hours: float) -> dict[str, dict[str, float]]:
        """Minimum, mean and maximum of every numeric metric over the last `hours`."""
        self.require(database)
        return past.summary(self._history(), database, hours, datetime.now(UTC))

    def get_dashboard(self) -> dict[str, Any]:
        """The body of GET dashboard/, as far as its parts exist."""
        overview = self._overview()
        history, now = self._history(), datetime.now(UTC)
        body = state.dashboard(overview)
        replicating = replication(overview.metrics, history, now).databases
        for alias, part in body["replication"].items():
            told = replicating.get(alias, {})
            part["findings"] = told.get("findings", [])
            part["catch_up_seconds"] = told.get("catch_up_seconds")
        return {
            **body,
            "alerts": [alert.to_dict() for alert in get_database_alerting().get_active_alerts()],
            "trends": {alias: past.trends(history, alias, now) for alias in overview.metrics},
        }

    def get_replication(self) -> dict[str, Any]:
        """The body of GET replication/. Asks no monitored server."""
        return replication(self._overview().metrics, self._history(), datetime.now(UTC)).to_dict()

    def get_backups(self, database: str | None = None, limit: int = 50) -> dict[str, Any]:
        """The body of GET backups/: the newest `limit` backups, and how each database stands. Asks no monitored server."""
        if database is not None:
            self.require(database)
        chosen = self.databases() if database is None else (database,)
        return backups(conf.load().backups, chosen, datetime.now(UTC), limit=limit)

    def request_backup(self, database: str, by: str = "") -> dict[str, Any]:
        """Asks the running monitor for a backup of `database` and does not wait; the body of POST backups/.

        Raises `UnknownDatabase`, or `BackupError` where one is under way already, or no monitor would make it.
        """
        self.require(database)
        if not conf.load().backups.enabled:
            raise BackupError("the scheduler is off (BACKUP_SCHEDULER_ENABLED): no monitor would make it")
        return shown(jobs.ask(database, by, datetime.now(UTC)))

    # configuring

    def set_interval(self, seconds: float, by: str = "") -> None:
        """Every monitor samples every `seconds` from now on.

        Kept until it is set again. Raises `ConfigurationError`.
        """
        value = conf.check_interval("interval", seconds)
        configured = conf.load().interval
        control.set_interval(None if value == configured else value)
        logger.info("interval set to %g s by %s", value, by or "this process")

    def update_threshold(
        self,
        metric: str,
        warning: float | None = None,
        critical: float | None = None,
        database: str | None = None,
        by: str = "",
    ) -> dict[str, Any]:
        """Sets the levels of one metric, for every database or one; the body of POST config/threshold/.

        Raises `UnknownMetric`, `UnknownDatabase`, or `ConfigurationError` where the levels stand the wrong
        way round.
        """
        if warning is None and critical is None:
            raise ConfigurationError("warning", None, "allowed: at least one of warning and critical")
        for name, level in (("warning", warning), ("critical", critical)):
            if level is not None:
                conf.check_level(name, level)
        if database is not None:
            self.require(database)
        result = thresholds.update(conf.load().thresholds, metric, warning, critical, database, by)
        logger.info("threshold of %s set to %s/%s by %s", metric, warning, critical, by or "this process")
        return result

    def reset_threshold(self, metric: str, database: str | None = None, by: str = "") -> dict[str, Any]:
        """Forgets the levels that were set for one metric, for every database or one: those of the settings hold again.

        Raises `UnknownMetric`, `UnknownDatabase`, or `UnknownThreshold` where none were set.
        """
        if database is not None:
            self.require(database)
        result = thresholds.reset(conf.load().thresholds, metric, database, by)
        logger.info("threshold of %s reset by %s", metric, by or "this process")
        return result

    def get_configuration(self) -> dict[str, Any]:
        """The body of GET config/: settings and thresholds, each with where it comes from; secrets masked."""
        configuration = conf.load()
        shown = {name: dict(setting) for name, setting in configuration.shown.items()}
        override = control.read().interval
        if override is not None:
            shown["DB_MONITORING_INTERVAL"] = {"value": override, "source": "stored"}
        return {
            "settings": shown,
            "thresholds": Thresholds(configuration.thresholds).rows(),
            "channels": get_database_alerting().switchboard.shown(),
        }

    # within

    def _new_loop(self, *, recovers: bool = False) -> MonitorLoop:
        from dbvigil.monitoring.loop import MonitorLoop  # noqa: PLC0415 - all that samples is loaded where something is sampled

        return MonitorLoop(self._history(), get_database_alerting(), self._tell, recovers=recovers)

    @staticmethod
    def _history() -> History:
        return DjangoHistory(raw_days=conf.load().retention_days)

    @staticmethod
    def _state() -> state.MonitorState:
        return state.monitor_state(conf.load(), datetime.now(UTC))

    @staticmethod
    def _overview() -> state.Overview:
        return state.overview(conf.load())

    @staticmethod
    def _wait(done: Callable[[], bool], seconds: float) -> bool:
        """Whether `done` became true within `seconds`."""
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL)
            close_old_connections()
        return True


_monitors: dict[int, DatabaseMonitor] = {}
_monitors_lock = threading.Lock()


def get_database_monitor() -> DatabaseMonitor:
    """This process's monitor object; a forked process gets its own."""
    with _monitors_lock:
        return _monitors.setdefault(os.getpid(), DatabaseMonitor())
