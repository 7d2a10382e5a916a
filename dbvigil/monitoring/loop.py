"""The loop that samples: one asyncio loop, one task and one connection a target (see `watch`), and seven house tasks.

    _hold_leases        renews and claims; starts and ends the targets' tasks
    _obey               reads what has been said (stop, restart, collect, changes) four times a second
    _write              empties the store
    _write_findings     writes what was found about statements, locks, connections and replication
    _analyse            looks closely at the statements that cost most
    _back_up            starts backups that are due, and settles those that have ended
    _tidy               lets the history pack and prune

A house task that fails says so once and tries again; a target's task that fails touches no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from django.db import DatabaseError, InterfaceError

from dbvigil import conf
from dbvigil.alert import Alert
from dbvigil.alerting import DatabaseAlerting
from dbvigil.alerts.rule import Rule
from dbvigil.alerts.rules import for_database
from dbvigil.backups import jobs as backup_jobs
from dbvigil.backups import judging
from dbvigil.collectors.runner import boot_clock
from dbvigil.connections import storing as connection_storing
from dbvigil.history.base import History
from dbvigil.keeping import Newest
from dbvigil.locks import storing as lock_storing
from dbvigil.locks.waiting import Waiting as WaitingLocks
from dbvigil.monitoring import control, store
from dbvigil.monitoring.backups import END_SECONDS as _END_BACKUPS_SECONDS
from dbvigil.monitoring.backups import EVERY_SECONDS as _BACK_UP_EVERY
from dbvigil.monitoring.backups import Backups
from dbvigil.monitoring.closely import Closely
from dbvigil.monitoring.database_thread import DatabaseThread
from dbvigil.monitoring.leases import LEASE_SECONDS, Leases
from dbvigil.monitoring.steps import Steps
from dbvigil.monitoring.thresholds import Thresholds
from dbvigil.monitoring.watch import Watch
from dbvigil.recovery.keeper import Keeper
from dbvigil.replication import storing as replication_storing
from dbvigil.replication.courses import Courses
from dbvigil.replication.standing import Standing
from dbvigil.slow_queries import storing
from dbvigil.slow_queries.waiting import Waiting
from dbvigil.types import Snapshot, Threshold

logger = logging.getLogger("dbvigil.monitor")

_OBEY_EVERY = 0.25
_WRITE_EVERY = 0.1
_WRITE_FINDINGS_EVERY = 0.5
_ANALYSE_EVERY = 5.0
_TIDY_EVERY = 60.0
_FIRST_SAMPLES_A_SECOND = 100
_LEAVE_SECONDS = 6.0


class _Found(Protocol):
    """What was found about targets, and waits to be written."""

    def __len__(self) -> int: ...

    def flush(self) -> None:
        """Raises `DatabaseError`; what is not written stays."""


class MonitorLoop:
    """Samples every target whose lease it holds until it is told to stop.

    `run` blocks; the rest may be called from any thread. `on_alerts` is told of alerts that changed, once that is written; it
    is called in the thread that writes, and has to be quick. `recovers`: it acts on alerts too, as the settings allow.
    """

    def __init__(
        self,
        history: History,
        alerting: DatabaseAlerting,
        on_alerts: Callable[[Sequence[Alert]], None] | None = None,
        *,
        recovers: bool = False,
    ) -> None:
        self.started_at = datetime.now(UTC)
        self.identity = f"{socket.gethostname()}:{os.getpid()}:{self.started_at.timestamp():.3f}"
        self._history = history
        self._store = store.Store(self.identity, history, alerting)
        self.statements = Waiting(self.identity)
        self.locks = WaitingLocks(self.identity)
        self.connections = Newest(self.identity, connection_storing.save)
        self.replication = Newest(self.identity, replication_storing.save)
        self._findings: Sequence[tuple[str, _Found]] = (
            ("write what it knows of statements", self.statements),
            ("write what it knows of locks", self.locks),
            ("write who holds connections", self.connections),
            ("write what it knows of replication", self.replication),
        )
        self.courses = Courses()
        self.standing = Standing()
        self._closely = Closely(self.statements)
        self._backups = Backups()
        self._on_alerts = on_alerts
        self._rules: dict[str, tuple[Rule, ...]] = {}
        self._news = asyncio.Event()
        self._leases = Leases(self.identity, self.started_at)
        self.clock = boot_clock()
        self._watches: dict[str, Watch] = {}
        self._obeyed = control.Wishes()
        self._step = Steps()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._stop_early = False
        self._keeper: Keeper | None = None
        if recovers:
            self._keeper = Keeper(self.identity, lambda: self._configuration, self._reset)

    def run(self) -> None:
        """Samples until `request_stop` or a stop that is said through the database."""
        asyncio.run(self._main())

    def request_stop(self) -> None:
        """Ends `run` soon: connections are closed, samples written, leases given back."""
        self._stop_early = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._stop_early:
            return
        self._database = DatabaseThread(self._loop)
        house = [
            asyncio.create_task(task())
            for task in (
                self._begin,
                self._write,
                self._write_findings,
                self._analyse,
                self._back_up,
                self._tidy,
            )
        ]
        try:
            await self._stop.wait()
        finally:
            await self._end_recovery()
            for task in house:
                task.cancel()
            await asyncio.gather(*house, return_exceptions=True)
            await self._end_watches(list(self._watches))
            await self._hand_over()
            self._database.close()

    async def _begin(self) -> None:
        """Reads settings and wishes, then lives by them.

        Until the service's database answers, nothing is sampled.
        """
        while not await self._step("read its settings", self._first_look):
            await asyncio.sleep(1)
        if self._keeper is not None:
            self._keeper.start()
        await asyncio.gather(self._hold_leases(), self._obey())

    async def _first_look(self) -> None:
        self._obeyed = await self._database.call(control.read)
        await self._configure()
        settings = self._configuration.backups
        await self._database.call(self._backups.recall, settings, list(self._configuration.targets))

    async def _configure(self) -> None:
        """The settings as they are now; wrong ones leave the last good ones in force."""
        self._configuration = conf.load()
        self.connections.wanted = self._configuration.connection_monitoring
        self._interval = self._obeyed.interval or self._configuration.interval
        self._thresholds = await self._database.call(Thresholds, self._configuration.thresholds)
        self._rules = {}

    # house tasks

    async def _hold_leases(self) -> None:
        while True:
            await self._step("renew its leases", self._lease_round)
            await asyncio.sleep(LEASE_SECONDS / 3)

    async def _lease_round(self) -> None:
        wanted = self._configuration.targets
        held = await self._database.call(self._leases.round, wanted, datetime.now(UTC))
        changed = [
            alias
            for alias, watch in self._watches.items()
            if held.get(alias) != watch.token
            or wanted[alias].fingerprint != watch.target.fingerprint
            or (watch.task is not None and watch.task.done())
        ]
        await self._end_watches(changed)
        new = [alias for alias in held if alias not in self._watches]
        if not new:
            return
        asked = await self._database.call(control.asked, new)
        for place, alias in enumerate(new):
            watch = Watch(wanted[alias], held[alias], asked.get(alias, 0), self)
            watch.task = asyncio.create_task(
                watch.run(place / _FIRST_SAMPLES_A_SECOND), name=f"sample {alias}"
            )
            self._watches[alias] = watch

    async def _obey(self) -> None:
        while True:
            await self._step("read what was asked of it", self._obey_wishes)
            await asyncio.sleep(_OBEY_EVERY)

    async def _obey_wishes(self) -> None:
        wishes, before = await self._database.call(control.read), self._obeyed
        if wishes == before:
            return
        if wishes.stops > before.stops:
            self._stop.set()
            return
        if wishes.collects > before.collects:
            await self._collect_asked()
        self._obeyed = wishes
        if wishes.changes > before.changes or wishes.restarts > before.restarts:
            await self._configure()
        if wishes.restarts > before.restarts:
            logger.info("restarting: connections are closed and settings read again")
            await self._end_watches(list(self._watches))
            await self._lease_round()
        for watch in self._watches.values():
            watch.wake.set()

    async def _collect_asked(self) -> None:
        asked = await self._database.call(control.asked, list(self._watches))
        for alias, count in asked.items():
            watch = self._watches.get(alias)
            if watch is not None and watch.asked != count:
                watch.asked, watch.collect = count, True

    async def _write(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                # An alert does not wait for the next round.
                await asyncio.wait_for(self._news.wait(), _WRITE_EVERY)
            self._news.clear()
            if len(self._store) and not await self._step("write its samples", self._flush):
                await asyncio.sleep(1)

    async def _write_findings(self) -> None:
        while True:
            await asyncio.sleep(_WRITE_FINDINGS_EVERY)
            for purpose, waiting in self._findings:
                if len(waiting):
                    await self._step(purpose, partial(self._database.call, waiting.flush))

    async def _analyse(self) -> None:
        while True:
            await asyncio.sleep(_ANALYSE_EVERY)
            await self._step("look at the statements that cost most", self._analyse_once)

    async def _analyse_once(self) -> None:
        targets = [watch.target for watch in self._watches.values()]
        await self._closely.look(targets, self._database, explain=self._configuration.query_explain)

    async def _flush(self) -> None:
        flushed = await self._database.call(self._flush_and_tell)
        if flushed.lost:
            logger.warning("another monitor has taken over %s", ", ".join(sorted(flushed.lost)))
            await self._end_watches([alias for alias in flushed.lost if alias in self._watches])

    def _flush_and_tell(self) -> store.Flushed:
        """In the thread of the database: nobody is told of what is not committed."""
        flushed = self._store.flush()
        if flushed.alerts and self._on_alerts is not None:
            self._on_alerts(flushed.alerts)
        return flushed

    async def _back_up(self) -> None:
        while True:
            await asyncio.sleep(_BACK_UP_EVERY)
            await self._step("look after backups", self._back_up_once)

    async def _back_up_once(self) -> None:
        if self._watches:
            settings = self._configuration.backups
            await self._database.call(self._backups.look, settings, list(self._watches), datetime.now(UTC))

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(_TIDY_EVERY)
            await self._step("tidy the history", self._tidy_once)

    async def _tidy_once(self) -> None:
        while await self._database.call(self._history.maintain, datetime.now(UTC)):
            # Samples and leases go first: upkeep takes its turn between them.
            await asyncio.sleep(_WRITE_EVERY)
        days = self._configuration.retention_days
        for maintain in (
            storing.maintain,
            lock_storing.maintain,
            replication_storing.maintain,
            backup_jobs.maintain,
        ):
            while await self._database.call(maintain, datetime.now(UTC), days):
                await asyncio.sleep(_WRITE_EVERY)

    # what the watches have of it

    @property
    def interval(self) -> float:
        """Seconds between samples, as they are set now."""
        return self._interval

    def thresholds_of(self, alias: str) -> Mapping[str, Threshold]:
        """The thresholds that hold for one database now."""
        return self._thresholds.of(alias)

    def rules_of(self, alias: str) -> Sequence[Rule]:
        """The rules of one database under these thresholds."""
        if alias not in self._rules:
            self._rules[alias] = for_database(self._thresholds.of(alias), self._configuration.alerts.rules)
        return self._rules[alias]

    def backups_of(self, alias: str, now: datetime) -> Mapping[str, Any]:
        """The figures of one database's backups at `now`."""
        return judging.figures(self._backups.standings.get(alias), now)

    def backup_evidence(self, alias: str) -> Mapping[str, Any]:
        """What an alert shows of one database's backups."""
        standing = self._backups.standings.get(alias)
        return {} if standing is None else standing.newest

    async def recall(self, alias: str) -> store.Remembered:
        """What was stored of a target; waits until that can be read, since without it open alerts would be taken for over."""
        found: list[store.Remembered] = []

        async def read() -> None:
            found.append(await self._database.call(store.load, alias))

        while not await self._step(f"read what is known of {alias}", read):
            await asyncio.sleep(1)
        return found[0]

    def keep(self, result: store.Result, snapshot: Snapshot | None) -> None:
        """Queues a sample; one that changes an alert is written at once."""
        self._store.put(result, snapshot)
        if result.evaluated is not None and result.evaluated.step.transitions:
            self._news.set()

    # ending

    async def _end_watches(self, aliases: list[str]) -> None:
        tasks = [watch.task for alias in aliases if (watch := self._watches.pop(alias, None)) and watch.task]
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                logger.error("a target's task had failed", exc_info=outcome)

    def _reset(self, alias: str) -> None:
        """From any thread: a target is sampled over a new connection, now."""

        def reset() -> None:
            watch = self._watches.get(alias)
            if watch is not None:
                watch.connect_anew = watch.collect = True
                watch.wake.set()

        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(reset)

    async def _end_recovery(self) -> None:
        """While the leases are still held, what recovery has changed is put back."""
        keeper = self._keeper
        if keeper is None or not keeper.is_alive:
            return
        keeper.ask_stop()
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                while keeper.is_alive:
                    await asyncio.sleep(_WRITE_EVERY)
        except TimeoutError:
            logger.error(
                "stopping while recovery still puts something back; the next monitor goes on with it"
            )

    async def _hand_over(self) -> None:
        """Writes what is left and gives the leases back, within a few seconds even where the database does
        not answer.
        """
        try:
            async with asyncio.timeout(5):
                while len(self._store):
                    await self._database.call(self._flush_and_tell)
                for _, waiting in self._findings:
                    await self._database.call(waiting.flush)
                await self._database.call(self._leases.release)
            async with asyncio.timeout(_END_BACKUPS_SECONDS + 2):
                await self._database.call(self._backups.end, datetime.now(UTC))
        except (DatabaseError, InterfaceError, TimeoutError) as error:
            logger.error(
                "stopping with %d samples unwritten: %s",
                len(self._store),
                error or "no answer from the database",
            )
