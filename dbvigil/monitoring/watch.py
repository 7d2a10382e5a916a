"""One target as its monitor watches it: sampled on its schedule over one connection, each sample judged as it comes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from dbvigil.alerting.record import Evaluated
from dbvigil.alerts import engine
from dbvigil.alerts.restarts import unrestarted
from dbvigil.alerts.rule import Rule
from dbvigil.alerts.states import RuleState, Step
from dbvigil.analysis import rates
from dbvigil.analysis.health import assess
from dbvigil.analysis.interval import restarted
from dbvigil.collectors.runner import Sampler, monotonic
from dbvigil.collectors.witness import gather_after
from dbvigil.connections.storing import Seen as SeenConnections
from dbvigil.errors import ServerError
from dbvigil.keeping import Newest
from dbvigil.locks.waiting import Waiting as WaitingLocks
from dbvigil.monitoring.connections import ConnectionVisits
from dbvigil.monitoring.locks import LockVisits
from dbvigil.monitoring.replication import ReplicationVisits
from dbvigil.monitoring.state import stale_after
from dbvigil.monitoring.statements import Visits
from dbvigil.monitoring.store import Remembered, Result
from dbvigil.replication.courses import Courses
from dbvigil.replication.standing import Standing
from dbvigil.replication.storing import Seen as SeenReplication
from dbvigil.slow_queries.waiting import Waiting
from dbvigil.targets import Target
from dbvigil.types import DatabaseMetrics, Snapshot, Threshold

logger = logging.getLogger("dbvigil.monitor")

_MOST_FOR_ONE_SAMPLE = 10.0
# A server that needs a second for its answers is busy: whoever samples it each second is not to be told that it is down.
_LEAST_FOR_ONE_SAMPLE = 5.0
_FIRST_RATES_AFTER = 2.0
_BACKUP = "backup"
"""The kind of evidence that the monitor has itself."""
_EVIDENCE_SECONDS = 2.0
# That a server is back should not wait a whole interval either.
_LOOK_AGAIN_AFTER = 5.0
# A server or a proxy that goes on ending its connections is not stormed.
_HEED_A_LOSS_EVERY = 1.0


class House(Protocol):
    """What a watch has of the loop that it runs in."""

    @property
    def clock(self) -> str:
        """This host's boot, from which the moments of raw counters count."""

    @property
    def interval(self) -> float:
        """Seconds between samples, as they are set now."""

    def thresholds_of(self, alias: str) -> Mapping[str, Threshold]:
        """The thresholds that hold for a database now."""

    def rules_of(self, alias: str) -> Sequence[Rule]:
        """The rules of a database under these thresholds."""

    def backups_of(self, alias: str, now: datetime) -> Mapping[str, Any]:
        """The figures of a database's backups at `now`."""

    def backup_evidence(self, alias: str) -> Mapping[str, Any]:
        """What an alert shows of a database's backups."""

    async def recall(self, alias: str) -> Remembered:
        """What was stored of a target; waits until that can be read."""

    def keep(self, result: Result, snapshot: Snapshot | None) -> None:
        """Takes a sample to be written; never waits."""

    @property
    def statements(self) -> Waiting:
        """Takes what was found about statements; never waits."""

    @property
    def locks(self) -> WaitingLocks:
        """Takes what was found about locks; never waits."""

    @property
    def connections(self) -> Newest[SeenConnections]:
        """Takes who holds connections; never waits."""

    @property
    def replication(self) -> Newest[SeenReplication]:
        """Takes what servers tell of their replication; never waits."""

    @property
    def courses(self) -> Courses:
        """Where the servers stand that are sampled here."""

    @property
    def standing(self) -> Standing:
        """How they stand to each other."""


class Watch:
    """One target under one lease; `task` is where `run` runs.

    `asked` is how many samples people had asked for when that was looked at last. Setting `collect`, and then `wake`, takes one now;
    with `connect_anew` over a new connection.
    """

    def __init__(self, target: Target, token: int, asked: int, house: House) -> None:
        self.target = target
        self.token = token
        self.asked = asked
        self.collect = False
        self.connect_anew = False
        self.wake = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
        self._house = house
        self._heed_loss_from = 0.0

    async def run(self, delay: float) -> None:
        """Samples on its schedule, forever. `delay` spreads the first samples of many targets."""
        house, alias = self._house, self.target.alias
        remembered = await house.recall(alias)
        previous, earlier = remembered.snapshot, remembered.metrics
        states, first_look = _states(remembered.alert_states), True
        sampler = Sampler(self.target, clock=house.clock)
        first = previous is None
        loop = asyncio.get_running_loop()
        visits = Visits(alias, self.token, house.statements, remembered.statements, remembered.kinds)
        locks = LockVisits(alias, self.token, house.locks)
        held = ConnectionVisits(alias, self.token, house.connections)
        replication = ReplicationVisits(self.target, self.token, house.replication, house.standing)
        slot = loop.time() + delay
        try:
            while True:
                slot = await self._until(slot, sampler.lost)
                self.collect = False
                if self.connect_anew:
                    self.connect_anew = False
                    await sampler.close()
                metrics, snapshot = await self._sample(sampler, previous, earlier)
                _log_change(earlier, metrics)
                again = snapshot is not None and bool(restarted(snapshot, previous))
                house.standing.sampled(metrics)
                found = self._judge(metrics, again, states)
                if "replication" in _kinds(found).values():
                    # What is wrong is evidence too.
                    snapshot = await replication.after(
                        sampler.server, snapshot, house.courses, house.interval, loop.time()
                    )
                seen, snapshot = await _evidence(
                    sampler, visits, locks, house.standing, _kinds(found), metrics.timestamp, snapshot
                )
                previous, earlier = snapshot or previous, metrics
                evaluated = Evaluated(
                    alias,
                    metrics.timestamp,
                    found,
                    {**seen, **self._of_backups(found)},
                    first=first_look and metrics.up is not None,
                )
                first_look = first_look and metrics.up is None
                snapshot = await locks.after(sampler.server, snapshot, loop.time())
                snapshot = await replication.after(
                    sampler.server, snapshot, house.courses, house.interval, loop.time()
                )
                snapshot = await held.after(sampler.server, snapshot, loop.time())
                snapshot = await visits.after(sampler.server, snapshot, loop.time())
                changed = None if found.states == states else _stored(found.states)
                states = found.states
                house.keep(Result(self.token, metrics, evaluated, changed), snapshot)
                slot = self._next(slot, loop.time(), first=first and snapshot is not None, up=metrics.up)
                first = first and snapshot is None
        finally:
            house.courses.forget(alias)
            house.standing.forget(alias)
            await sampler.close()

    def _next(self, slot: float, now: float, *, first: bool, up: bool | None) -> float:
        """The slot after `slot`, which the sample that has ended `now` was in; `first`: it was the first of all."""
        if now >= slot:
            slot += ((now - slot) // self._house.interval + 1) * self._house.interval
        if first:
            # Nobody wants to wait a whole interval for the first rates.
            slot = min(slot, now + _FIRST_RATES_AFTER)
        return min(slot, now + _LOOK_AGAIN_AFTER) if up is False else slot

    async def _until(self, slot: float, lost: asyncio.Event) -> float:
        """Returns when `slot` has come, a sample is asked for, or the server has ended the connection.

        The slot, which a change of the interval has moved.
        """
        loop = asyncio.get_running_loop()
        interval = self._house.interval
        while not self.collect:
            if self._house.interval != interval:
                slot, interval = slot - interval + self._house.interval, self._house.interval
            if lost.is_set():
                slot = min(slot, max(loop.time(), self._heed_loss_from))
            wait = slot - loop.time()
            if wait <= 0:
                break
            self.wake.clear()
            await _any_of([self.wake] if lost.is_set() else [self.wake, lost], wait)
        if lost.is_set():
            self._heed_loss_from = loop.time() + _HEED_A_LOSS_EVERY
        return slot

    async def _sample(
        self, sampler: Sampler, previous: Snapshot | None, earlier: DatabaseMetrics | None
    ) -> tuple[DatabaseMetrics, Snapshot | None]:
        alias, interval = self.target.alias, self._house.interval
        now = datetime.now(UTC)
        started = monotonic()
        snapshot: Snapshot | None = None
        try:
            snapshot = await sampler.snapshot(now, started, limit=sample_limit(interval))
            self._house.courses.add(self.target, snapshot)
            behind = self._house.courses.applied(snapshot, interval)
            metrics = rates.metrics(snapshot, previous, earlier, behind)
        except ServerError as error:
            metrics = rates.down(alias, now, error, earlier, (monotonic() - started) * 1000)
        except Exception as error:
            # A fault of ours while reading one target must not stop its samples, nor any other's.
            logger.exception("%s: the sample failed", alias)
            metrics = replace(
                DatabaseMetrics(database=alias, timestamp=now, up=None),
                error=f"the monitor failed while sampling ({type(error).__name__}); its log has the details",
            )
        metrics = replace(metrics, **self._house.backups_of(alias, now))
        health = assess(metrics, self._house.thresholds_of(alias), now, stale_after(interval))
        return replace(metrics, health_score=health.score, status=health.status), snapshot

    def _judge(self, metrics: DatabaseMetrics, again: bool, states: Mapping[str, RuleState]) -> Step:
        """What the rules make of a sample; `again` says that the server was seen to have restarted."""
        rules = self._house.rules_of(self.target.alias)
        judged = metrics if again else unrestarted(metrics, rules, states)
        return engine.step(rules, judged, states, metrics.timestamp)

    def _of_backups(self, found: Step) -> dict[str, Mapping[str, Any]]:
        """The evidence that no server is asked for."""
        told = self._house.backup_evidence(self.target.alias)
        return {metric: {_BACKUP: told} for metric, kind in _kinds(found).items() if kind == _BACKUP and told}


def sample_limit(interval: float) -> float:
    """Seconds that a sample may take at most; after these the server is down. One that takes longer than `interval` delays the next."""
    return min(_MOST_FOR_ONE_SAMPLE, max(_LEAST_FOR_ONE_SAMPLE, 0.9 * interval))


def _kinds(found: Step) -> dict[str, str]:
    """Which kind of evidence is wanted for each alert that fires or gets worse, by its metric."""
    return {
        one.metric: one.rule.evidence
        for one in found.transitions
        if one.rule is not None
        and one.rule.evidence
        and one.kind in ("fired", "severity_changed")
        and not one.no_data
    }


async def _evidence(
    sampler: Sampler,
    visits: Visits,
    locks: LockVisits,
    standing: Standing,
    wanted: Mapping[str, str],
    now: datetime,
    snapshot: Snapshot | None,
) -> tuple[dict[str, Mapping[str, Any]], Snapshot | None]:
    """What was going on, of the kinds that are `wanted`, asked once a kind; and the snapshot with what asking has cost."""
    kinds = set(wanted.values()) - {_BACKUP}
    if snapshot is None or not kinds:
        return {}, snapshot
    seen, snapshot = await gather_after(
        sampler.server, snapshot, sorted(kinds - {"deadlocks"}), _EVIDENCE_SECONDS
    )
    if "deadlocks" in kinds:
        moment = asyncio.get_running_loop().time()
        seen["deadlocks"], snapshot = await locks.evidence(sampler.server, snapshot, moment)
    if "statements" in seen:
        # What took the time just now tells more than what did since the server's counters began.
        rows, snapshot = await visits.evidence(sampler.server, snapshot, asyncio.get_running_loop().time())
        if rows:
            seen["statements"] = rows
    told: dict[str, Mapping[str, Any]] = {kind: {kind: found} for kind, found in seen.items()}
    if isinstance(channels := seen.get("replication"), list):
        try:
            told["replication"] = standing.evidence(sampler.target.alias, channels, now)
        except Exception:
            # An alert must not be lost for the sake of its evidence; the log has the place.
            logger.exception(
                "%s: what is wrong with its replication was not understood", sampler.target.alias
            )
    return {metric: told[kind] for metric, kind in wanted.items() if kind in told}, snapshot


async def _any_of(events: list[asyncio.Event], seconds: float) -> None:
    """Returns when one of `events` is set or `seconds` have passed."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()


def _states(stored: Mapping[str, Any]) -> Mapping[str, RuleState]:
    """What the engine remembers of one target; what another version of dbvigil wrote and this one cannot read starts afresh."""
    try:
        return {name: RuleState.from_dict(state) for name, state in stored.items()}
    except (KeyError, TypeError, ValueError) as error:
        logger.warning("what the alert engine remembers cannot be read, it starts afresh: %s", error)
        return {}


def _stored(states: Mapping[str, RuleState]) -> dict[str, Any]:
    return {name: state.to_dict() for name, state in states.items()}


def _log_change(before: DatabaseMetrics | None, after: DatabaseMetrics) -> None:
    if after.up is not True and (before is None or before.up is not after.up or before.error != after.error):
        logger.warning(
            "%s is %s: %s", after.database, "down" if after.up is False else "unknown", after.error
        )
    elif after.up and before is not None and before.up is not True:
        logger.info("%s is up again", after.database)
