"""Turns what the engine found into episodes, audit events and orders for the outbox, in the caller's one transaction."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dbvigil.alert import Alert
from dbvigil.alerting.episodes import OpenEpisode, open_key
from dbvigil.alerting.ledger import Ledger
from dbvigil.alerting.plan import Plan
from dbvigil.alerting.telling import Telling
from dbvigil.alerts.states import Active, Step, Transition
from dbvigil.channels.base import NoticeType
from dbvigil.types import Json

logger = logging.getLogger("dbvigil.alerts")

SAMPLES = "samples"
"""The origin of an episode that the engine found."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One evaluation of one database at `at`. `evidence` is what was seen then, by metric.

    `first`: the first one of this monitor on this database, after which episodes that the engine knows nothing of are closed.
    """

    database: str
    at: datetime
    step: Step
    evidence: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    first: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing is to be written."""
        return not (self.step.transitions or self.step.active or self.first)


def record(evaluations: Iterable[Evaluated], plan: Plan, now: datetime) -> list[Alert]:
    """Writes evaluations in the order they were made; the alerts that changed. Within `transaction.atomic`."""
    wanted = [evaluation for evaluation in evaluations if not evaluation.empty]
    if not wanted:
        return []
    recorder = Recorder(plan, {evaluation.database for evaluation in wanted}, now)
    for evaluation in wanted:
        recorder.apply(evaluation)
    return recorder.write()


class Recorder:
    """One transaction's changes to the episodes of some databases."""

    def __init__(self, plan: Plan, databases: Iterable[str], now: datetime) -> None:
        self._plan = plan
        self._now = now
        self._ledger = Ledger(databases)
        self._telling = Telling(self._ledger, plan)
        # Of each kind of trouble there is one policy, and one text of it.
        self._policy = [step.to_dict() for step in plan.escalation]

    def apply(self, evaluation: Evaluated) -> None:
        """One evaluation: its transitions, then what it says of episodes that go on."""
        database = evaluation.database
        active = {open_key(database, item.metric, item.no_data): item for item in evaluation.step.active}
        for transition in evaluation.step.transitions:
            key = open_key(database, transition.metric, transition.no_data)
            match transition.kind:
                case "fired":
                    self._fire(evaluation, key, transition, active.get(key))
                case "severity_changed":
                    self._change(evaluation, key, transition)
                case "flapping":
                    self._flap(key, transition)
                case "resolved":
                    self.resolve(key, transition.at, transition.value, transition.message)
        for key, item in active.items():
            self._go_on(evaluation, key, item)
        if evaluation.first:
            self._close_strays(evaluation, active)

    def fire(
        self,
        database: str,
        found: Transition,
        evidence: Mapping[str, Any],
        actions: Sequence[str],
        origin: str,
    ) -> None:
        """An episode that no evaluation found: alerting's own troubles, and what a program raises. Nothing where it is open."""
        key = open_key(database, found.metric, found.no_data)
        if key not in self._ledger.open:
            seen = Evaluated(database, found.at, Step({}, (), ()), {found.metric: evidence})
            self._fire(seen, key, found, None, actions, origin)

    def resolve(self, key: str, at: datetime, value: Json, message: str) -> None:
        """Ends an open episode. Whoever was told that it fired is told that it is over, and nobody else."""
        episode = self._ledger.open.pop(key, None)
        if episode is None:
            logger.warning("%s is resolved and was not open", key.replace("\n", " "))
            return
        self._telling.over(episode)
        episode.resolved_at, episode.open_key = at, None
        episode.value, episode.message = value, message or episode.message
        episode.suppressed_until, episode.inhibited_by = None, ""
        self._ledger.changed(episode)
        self._ledger.ended(episode, self._ledger.event(episode, "resolved", at), at)

    def escalate(self, key: str, at: datetime) -> None:
        """The next step of an episode that nobody took up, where it is due."""
        if (episode := self._ledger.open.get(key)) is not None:
            self._telling.escalate(episode, at)

    def repeat(self, key: str, at: datetime) -> None:
        """Says again that an episode goes on, where that is due."""
        if (episode := self._ledger.open.get(key)) is not None:
            self._telling.repeat(episode, at)

    def set_quiet(self, key: str, until: datetime | None, at: datetime) -> None:
        """The suppression of an open episode now ends at `until`; None: it has ended."""
        episode = self._ledger.open.get(key)
        if episode is None:
            return
        episode.suppressed_until = until
        self._ledger.changed(episode)
        if until is None:
            self._ledger.event(episode, "unsuppressed", at)
            if not episode.inhibited_by:
                self._telling.unquiet(episode, at)

    def write(self) -> list[Alert]:
        """Writes everything; the alerts that something happened to."""
        return self._ledger.write(self._now)

    # one kind of transition each

    def _fire(
        self,
        evaluation: Evaluated,
        key: str,
        found: Transition,
        active: Active | None,
        actions: Sequence[str] = (),
        origin: str = SAMPLES,
    ) -> None:
        if key in self._ledger.open:
            # The engine's memory was lost, the episode was not: it goes on.
            logger.warning("%s fires and is open already", key.replace("\n", " "))
            return
        at, database = found.at, evaluation.database
        in_company = self._telling.in_company(database)
        until = self._plan.quiet_until(database, found.metric, at)
        inhibited_by = active.inhibited_by if active else ""
        episode = OpenEpisode(
            id=self._ledger.new_id(),
            open_key=key,
            database=database,
            metric=found.metric,
            origin=origin,
            severity=found.severity,
            no_data=found.no_data,
            flapping=found.flapping,
            value=found.value,
            threshold=found.threshold,
            message=found.message,
            recommendations=found.rule.actions if found.rule else actions,
            evidence=dict(evaluation.evidence.get(found.metric, {})),
            started_at=at,
            last_seen_at=at,
            policy=self._policy,
            inhibited_by=inhibited_by,
            suppressed_until=until,
            quiet_since=at if until is not None or inhibited_by else None,
        )
        self._ledger.add(episode)
        event = self._ledger.event(episode, "fired", at)
        if until is not None:
            self._ledger.event(episode, "suppressed", at, {"until": until.isoformat()})
        if episode.quiet_since is None:
            self._telling.first(episode, event, "alert.fired", at, in_company)

    def _change(self, evaluation: Evaluated, key: str, found: Transition) -> None:
        episode = self._ledger.open.get(key)
        if episode is None:
            logger.warning("%s changes and was not open", key.replace("\n", " "))
            return
        worse = found.severity == "critical"
        detail = {"from": episode.severity, "to": found.severity}
        episode.severity, episode.value = found.severity, found.value
        episode.threshold, episode.message = found.threshold, found.message
        if worse:
            # A graver trouble than the one that was taken up.
            episode.acknowledged_at, episode.acknowledged_by = None, ""
            episode.evidence = dict(evaluation.evidence.get(found.metric, {})) or episode.evidence
        self._ledger.changed(episode)
        event = self._ledger.event(episode, "severity_changed", found.at, detail)
        if worse and episode.quiet_since is None:
            kind: NoticeType = "alert.severity_changed" if episode.told else "alert.fired"
            self._telling.first(episode, event, kind, found.at)

    def _flap(self, key: str, found: Transition) -> None:
        episode = self._ledger.open.get(key)
        if episode is None:
            return
        episode.flapping, episode.message = True, found.message
        # Quiet until it is stable: neither repeated nor escalated.
        episode.next_step_at = episode.next_repeat_at = None
        self._ledger.changed(episode)
        event = self._ledger.event(episode, "flapping", found.at)
        if episode.told:
            channels = self._ledger.channels_told(episode)
            self._ledger.order(event, episode, "alert.severity_changed", channels, found.at)

    def _go_on(self, evaluation: Evaluated, key: str, item: Active) -> None:
        episode = self._ledger.open.get(key)
        if episode is None:
            # The engine remembers what the rows do not: a database that was put back from a backup.
            lost = Transition(
                kind="fired", rule=None, metric=item.metric, severity=item.severity, previous=None, value=item.value,
                threshold=item.threshold, at=evaluation.at, message=item.message, no_data=item.no_data, flapping=False,
            )  # fmt: skip
            self._fire(evaluation, key, lost, item)
            return
        self._ledger.changed(episode)
        if item.inhibited_by and not episode.inhibited_by and episode.quiet_since is None:
            episode.quiet_since = evaluation.at
        freed = bool(episode.inhibited_by) and not item.inhibited_by
        episode.inhibited_by = item.inhibited_by
        # Not "earlier": the clock may have been set back. The evaluation that it fired in has counted already.
        if episode.last_seen_at != evaluation.at and not item.inhibited_by:
            episode.last_seen_at = evaluation.at
            episode.occurrences += 1
            episode.value = item.value
            if not episode.flapping:
                episode.message = item.message
        if episode.flapping and not item.flapping:
            episode.flapping = False
            self._telling.start_clocks(episode, evaluation.at)
        if freed and episode.suppressed_until is None:
            self._telling.unquiet(episode, evaluation.at)

    def _close_strays(self, evaluation: Evaluated, active: Mapping[str, Active]) -> None:
        """What was found by samples, and the first evaluation of this monitor knows nothing of."""
        strays = [
            (key, episode)
            for key, episode in self._ledger.open.items()
            if episode.database == evaluation.database and episode.origin == SAMPLES and key not in active
        ]
        for key, episode in strays:
            self.resolve(key, evaluation.at, episode.value, "it was over when it was looked at again")
