"""Turns what the engine found into rows: episodes, audit events and orders for the outbox, in the caller's one transaction."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dbvigil.alert import Alert, EscalationStep, EventName
from dbvigil.alerting import bodies, bulk, outbox
from dbvigil.alerting.audit import SYSTEM, Trail
from dbvigil.alerting.outbox import Order
from dbvigil.alerting.plan import Plan
from dbvigil.alerts import routing
from dbvigil.alerts.engine import Active, Step, Transition
from dbvigil.channels.base import NoticeType
from dbvigil.models import Delivery, Episode

logger = logging.getLogger("dbvigil.alerts")

SAMPLES = "samples"
"""The origin of an episode that the engine found."""

_BATCH = 400
_COLUMNS = tuple(field.attname for field in Episode._meta.concrete_fields)
_CHANGING = tuple(
    name
    for name in _COLUMNS
    if name not in ("id", "origin", "database", "metric", "no_data", "started_at", "policy")
)
_TOLD: Sequence[NoticeType] = ("alert.fired", "alert.severity_changed", "alert.escalated")


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
    """Writes evaluations in the order they were made; the alerts that changed, as they stand now. Within `transaction.atomic`."""
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
        self._trail = Trail()
        self._open: dict[str, Episode] = {}
        self._new: dict[int, Episode] = {}
        self._changed: dict[int, Episode] = {}
        self._touched: dict[int, Episode] = {}
        self._orders: list[Order] = []
        self._resolved: list[tuple[Episode, int, datetime]] = []
        self._told_critical: dict[str, set[int]] = {}
        # Held before anything is read: an acknowledgement that comes meanwhile waits, and is not written over.
        self._trail.hold()
        names = sorted(databases)
        for start in range(0, len(names), _BATCH):
            found = Episode.objects.filter(database__in=names[start : start + _BATCH], resolved_at=None)
            self._open.update({str(row.open_key): row for row in found})
        for row in self._open.values():
            if row.told and row.severity == "critical":
                self._told_critical.setdefault(row.database, set()).add(row.id)

    @property
    def open(self) -> list[Episode]:
        """The open episodes as they stand after what was applied so far."""
        return list(self._open.values())

    def apply(self, evaluation: Evaluated) -> None:
        """One evaluation: its transitions, then what it says of episodes that go on."""
        active = {
            _key(evaluation.database, item.metric, item.no_data): item for item in evaluation.step.active
        }
        for transition in evaluation.step.transitions:
            key = _key(evaluation.database, transition.metric, transition.no_data)
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
            known = set(active)
            stray = [
                row
                for row in self._open.values()
                if row.database == evaluation.database and row.origin == SAMPLES
            ]
            for episode in stray:
                if episode.open_key not in known:
                    self.resolve(
                        str(episode.open_key),
                        evaluation.at,
                        episode.value,
                        "it was over when it was looked at again",
                    )

    def fire(
        self,
        database: str,
        found: Transition,
        evidence: Mapping[str, Any],
        actions: Sequence[str],
        origin: str,
    ) -> None:
        """An episode that no evaluation found: alerting's own troubles, and what a program raises. Nothing where it is open."""
        key = _key(database, found.metric, found.no_data)
        if key not in self._open:
            seen = Evaluated(database, found.at, Step({}, (), ()), {found.metric: evidence})
            self._fire(seen, key, found, None, actions, origin)

    def resolve(self, key: str, at: datetime, value: Any, message: str) -> None:
        """Ends an open episode. Whoever was told that it fired is told that it is over, and nobody else."""
        episode = self._open.pop(key, None)
        if episode is None:
            logger.warning("%s is resolved and was not open", key.replace("\n", " "))
            return
        episode.resolved_at, episode.open_key = at, None
        self._told_critical.get(episode.database, set()).discard(episode.id)
        episode.value, episode.message = value, message or episode.message
        episode.next_step_at = episode.next_repeat_at = episode.quiet_since = None
        episode.suppressed_until, episode.inhibited_by = None, ""
        self._mark(episode)
        event = self._event(episode, "resolved", at)
        self._resolved.append((episode, event, at))

    def _settle_resolved(self) -> None:
        """Of every episode that ended: what still waits for company is told by nobody; what was due is told, and then that it is over."""
        if not self._resolved:
            return
        ends = {episode.id: at for episode, _, at in self._resolved}
        self._orders = [
            order
            for order in self._orders
            if order.episode not in ends or order.due_at <= ends[order.episode]
        ]
        told: dict[int, list[str]] = {}
        for order in self._orders:
            if order.episode in ends:
                told.setdefault(order.episode, []).append(order.channel)
        earlier = [number for number in ends if number not in self._new]
        for at in set(ends.values()):
            outbox.cancel_unsent(
                [number for number in earlier if ends[number] == at],
                _TOLD,
                "over before it was sent",
                due_after=at,
            )
        for number, channel in self._told(earlier):
            told.setdefault(number, []).append(channel)
        for episode, event, at in self._resolved:
            self._order(event, episode, "alert.resolved", dict.fromkeys(told.get(episode.id, ())), at)

    def write(self) -> list[Alert]:
        """Writes everything; the alerts that something happened to."""
        self._settle_resolved()
        bulk.insert(
            Episode, _COLUMNS, ([getattr(row, name) for name in _COLUMNS] for row in self._new.values())
        )
        changed = [row for number, row in self._changed.items() if number not in self._new]
        bulk.update(Episode, _CHANGING, changed)
        self._trail.write()
        outbox.put(self._orders, self._now)
        return [bodies.alert(episode, self._now) for episode in self._touched.values()]

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
        if key in self._open:
            # The engine's memory was lost, the episode was not: it goes on.
            logger.warning("%s fires and is open already", key.replace("\n", " "))
            return
        at, plan = found.at, self._plan
        others = bool(self._told_critical.get(evaluation.database))
        until = plan.quiet_until(evaluation.database, found.metric, at)
        episode = Episode(
            id=self._trail.new_episode(),
            open_key=key,
            database=evaluation.database,
            metric=found.metric,
            origin=origin,
            severity=found.severity,
            no_data=found.no_data,
            flapping=found.flapping,
            value=found.value,
            threshold=found.threshold,
            message=found.message,
            recommendations=list(found.rule.actions if found.rule else actions),
            evidence=dict(evaluation.evidence.get(found.metric, {})),
            started_at=at,
            last_seen_at=at,
            policy=[step.to_dict() for step in plan.escalation],
            inhibited_by=active.inhibited_by if active else "",
            suppressed_until=until,
        )
        self._open[key] = self._new[episode.id] = episode
        if until is not None or episode.inhibited_by:
            episode.quiet_since = at
        event = self._event(episode, "fired", at)
        if until is not None:
            self._event(episode, "suppressed", at, {"until": until.isoformat()})
        if episode.quiet_since is None:
            self.tell(episode, event, "alert.fired", at, others)

    def _change(self, evaluation: Evaluated, key: str, found: Transition) -> None:
        episode = self._open.get(key)
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
        self._mark(episode)
        event = self._event(episode, "severity_changed", found.at, detail)
        if worse and episode.quiet_since is None:
            self.tell(episode, event, "alert.severity_changed" if episode.told else "alert.fired", found.at)

    def _flap(self, key: str, found: Transition) -> None:
        episode = self._open.get(key)
        if episode is None:
            return
        episode.flapping, episode.message = True, found.message
        # Quiet until it is stable: neither repeated nor escalated.
        episode.next_step_at = episode.next_repeat_at = None
        self._mark(episode)
        event = self._event(episode, "flapping", found.at)
        if episode.told:
            channels = self._channels_told(episode)
            self._order(event, episode, "alert.severity_changed", channels, found.at)

    def _go_on(self, evaluation: Evaluated, key: str, item: Active) -> None:
        episode = self._open.get(key)
        if episode is None:
            # The engine remembers what the rows do not: a database that was put back from a backup.
            lost = Transition(
                kind="fired", rule=None, metric=item.metric, severity=item.severity, previous=None, value=item.value,
                threshold=item.threshold, at=evaluation.at, message=item.message, no_data=item.no_data, flapping=False,
            )  # fmt: skip
            self._fire(evaluation, key, lost, item)
            return
        self._changed[episode.id] = episode
        if item.inhibited_by and not episode.inhibited_by and episode.quiet_since is None:
            episode.quiet_since = evaluation.at
        freed = bool(episode.inhibited_by) and not item.inhibited_by
        episode.inhibited_by = item.inhibited_by
        if episode.last_seen_at < evaluation.at and not item.inhibited_by:
            episode.last_seen_at = evaluation.at
            episode.occurrences += 1
            episode.value = item.value
            if not episode.flapping:
                episode.message = item.message
        if episode.flapping and not item.flapping:
            episode.flapping = False
            self._start_clocks(episode, evaluation.at)
        if freed and episode.suppressed_until is None:
            self.unquiet(episode, evaluation.at)

    # what the steps share

    def tell(
        self, episode: Episode, event: int, kind: NoticeType, at: datetime, others: bool = False
    ) -> None:
        """Orders the first messages about an episode, or about a graver one, and starts its clocks."""
        policy = [EscalationStep.from_dict(step) for step in episode.policy]
        channels = policy[0].reaches(episode.severity, self._plan.channels) if policy else ()
        due = routing.first_due(episode.severity, others, at, self._plan.group_wait)
        episode.told = True
        if episode.severity == "critical":
            self._told_critical.setdefault(episode.database, set()).add(episode.id)
        episode.escalation_level = 0
        self._start_clocks(episode, at)
        self._order(event, episode, kind, channels, due)

    def unquiet(self, episode: Episode, at: datetime) -> None:
        """Its clocks go on where they stood; where nobody was told that it fired, they are told now."""
        since, episode.quiet_since = episode.quiet_since, None
        self._mark(episode)
        if not episode.told:
            event = self._event(episode, "fired", at, {"late": True})
            self.tell(episode, event, "alert.fired", at)
            return
        stood = at - since if since else timedelta()
        if episode.next_step_at is not None:
            episode.next_step_at += stood
        if episode.next_repeat_at is not None:
            episode.next_repeat_at += stood

    def escalate(self, key: str, at: datetime) -> None:
        """The next step of an episode that nobody took up, where it is due."""
        episode = self._open.get(key)
        if episode is None or episode.next_step_at is None or episode.next_step_at > at:
            return
        policy = [EscalationStep.from_dict(step) for step in episode.policy]
        due, episode.next_step_at = episode.next_step_at, None
        self._mark(episode)
        coming = routing.next_step(policy, episode.escalation_level, due, episode.severity)
        if coming is None:
            return
        level, _ = coming
        episode.escalation_level, episode.escalated_at = level, at
        after = routing.next_step(policy, level, due, episode.severity)
        if after is not None:
            # Relative to the step that was due, whose clock may have stood.
            episode.next_step_at = after[1] - timedelta(seconds=policy[level].after)
        event = self._event(episode, "escalated", at, {"level": level})
        channels = policy[level].reaches(episode.severity, self._plan.channels)
        self._order(event, episode, "alert.escalated", channels, at, tier=level)

    def repeat(self, key: str, at: datetime) -> None:
        """Says again that an episode goes on; of one that was acknowledged, as a reminder."""
        episode = self._open.get(key)
        if episode is None or episode.next_repeat_at is None or episode.next_repeat_at > at:
            return
        episode.next_repeat_at = at + timedelta(seconds=self._plan.repeat_after)
        self._mark(episode)
        event = self._event(episode, "reminded", at, {"acknowledged": episode.acknowledged_at is not None})
        self._order(event, episode, "alert.fired", self._channels_told(episode), at)

    def set_quiet(self, key: str, until: datetime | None, at: datetime) -> None:
        """The suppression of an open episode now ends at `until`; None: it has ended."""
        episode = self._open.get(key)
        if episode is None:
            return
        episode.suppressed_until = until
        self._mark(episode)
        if until is None:
            self._event(episode, "unsuppressed", at)
            if not episode.inhibited_by:
                self.unquiet(episode, at)

    def _start_clocks(self, episode: Episode, at: datetime) -> None:
        policy = [EscalationStep.from_dict(step) for step in episode.policy]
        coming = routing.next_step(policy, episode.escalation_level, at, episode.severity)
        episode.next_step_at = coming[1] if coming and episode.acknowledged_at is None else None
        episode.next_repeat_at = at + timedelta(seconds=self._plan.repeat_after)

    def _event(
        self,
        episode: Episode,
        name: EventName,
        at: datetime,
        detail: Mapping[str, Any] | None = None,
        actor: str = SYSTEM,
    ) -> int:
        self._touched[episode.id] = episode
        body = bodies.alert(episode, at).to_dict()
        return self._trail.add(episode.id, name, at, actor, detail, body)

    def _order(
        self,
        event: int,
        episode: Episode,
        kind: NoticeType,
        channels: Iterable[str],
        due: datetime,
        tier: int = 0,
    ) -> None:
        self._orders += [
            Order(event, episode.id, episode.database, kind, channel, due, tier) for channel in channels
        ]

    def _told(self, episodes: Sequence[int]) -> list[tuple[int, str]]:
        """Episodes with the channels that were sent something about them, or are about to be."""
        found: list[tuple[int, str]] = []
        for start in range(0, len(episodes), _BATCH):
            sent = Delivery.objects.filter(episode__in=episodes[start : start + _BATCH], type__in=_TOLD)
            found += sent.exclude(status="cancelled").order_by("id").values_list("episode_id", "channel")
        return found

    def _channels_told(self, episode: Episode) -> dict[str, None]:
        return dict.fromkeys(channel for _, channel in self._told([episode.id]))

    def _mark(self, episode: Episode) -> None:
        self._changed[episode.id] = episode


def open_key(database: str, metric: str, no_data: bool = False) -> str:
    """What is unique about an open episode."""
    return _key(database, metric, no_data)


def _key(database: str, metric: str, no_data: bool) -> str:
    return f"{database}\n{metric}\nno data" if no_data else f"{database}\n{metric}"
