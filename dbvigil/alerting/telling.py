"""Who is told of an episode and when: its first message, its escalation, its repetition, and the clocks of both."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from dbvigil.alert import EscalationStep
from dbvigil.alerting.episodes import OpenEpisode
from dbvigil.alerting.ledger import Ledger
from dbvigil.alerting.plan import Plan
from dbvigil.alerts import routing
from dbvigil.channels.base import NoticeType


class Telling:
    """Orders messages about the episodes of a ledger, by a plan."""

    def __init__(self, ledger: Ledger, plan: Plan) -> None:
        self._ledger = ledger
        self._plan = plan
        self._told_critical: dict[str, set[int]] = {}
        self._policies: dict[int, tuple[Any, list[EscalationStep]]] = {}
        for row in ledger.open.values():
            if row.told and row.severity == "critical":
                self._told_critical.setdefault(row.database, set()).add(row.id)

    def in_company(self, database: str) -> bool:
        """Whether people were told of something critical on `database` that is still open."""
        return bool(self._told_critical.get(database))

    def first(
        self, episode: OpenEpisode, event: int, kind: NoticeType, at: datetime, in_company: bool = False
    ) -> None:
        """The first messages about an episode, or about a graver one; its clocks start."""
        policy = self._policy(episode)
        channels = policy[0].reaches(episode.severity, self._plan.channels) if policy else ()
        due = routing.first_due(episode.severity, in_company, at, self._plan.group_wait)
        episode.told = True
        if episode.severity == "critical":
            self._told_critical.setdefault(episode.database, set()).add(episode.id)
        episode.escalation_level = 0
        self.start_clocks(episode, at)
        self._ledger.order(event, episode, kind, channels, due)

    def over(self, episode: OpenEpisode) -> None:
        """It is no longer what others on its database come beside."""
        self._told_critical.get(episode.database, set()).discard(episode.id)
        episode.next_step_at = episode.next_repeat_at = episode.quiet_since = None

    def start_clocks(self, episode: OpenEpisode, at: datetime) -> None:
        """Escalation and repetition count from `at`; nobody escalates what somebody took up."""
        coming = routing.next_step(self._policy(episode), episode.escalation_level, at, episode.severity)
        episode.next_step_at = coming[1] if coming and episode.acknowledged_at is None else None
        episode.next_repeat_at = at + timedelta(seconds=self._plan.repeat_after)

    def unquiet(self, episode: OpenEpisode, at: datetime) -> None:
        """Its clocks go on where they stood; where nobody was told that it fired, they are told now."""
        since, episode.quiet_since = episode.quiet_since, None
        self._ledger.changed(episode)
        if not episode.told:
            event = self._ledger.event(episode, "fired", at, {"late": True})
            self.first(episode, event, "alert.fired", at)
            return
        # A clock that was set back meanwhile must not take from the time that is left.
        stood = max(at - since, timedelta()) if since else timedelta()
        if episode.next_step_at is not None:
            episode.next_step_at += stood
        if episode.next_repeat_at is not None:
            episode.next_repeat_at += stood

    def escalate(self, episode: OpenEpisode, at: datetime) -> None:
        """The next step of an episode that nobody took up, where it is due."""
        if episode.next_step_at is None or episode.next_step_at > at:
            return
        policy = self._policy(episode)
        due, episode.next_step_at = episode.next_step_at, None
        self._ledger.changed(episode)
        coming = routing.next_step(policy, episode.escalation_level, due, episode.severity)
        if coming is None:
            return
        level, _ = coming
        episode.escalation_level, episode.escalated_at = level, at
        after = routing.next_step(policy, level, due, episode.severity)
        if after is not None:
            # Relative to the step that was due, whose clock may have stood.
            episode.next_step_at = after[1] - timedelta(seconds=policy[level].after)
        event = self._ledger.event(episode, "escalated", at, {"level": level})
        channels = policy[level].reaches(episode.severity, self._plan.channels)
        self._ledger.order(event, episode, "alert.escalated", channels, at, tier=level)

    def repeat(self, episode: OpenEpisode, at: datetime) -> None:
        """Says again that an episode goes on; of one that was acknowledged, as a reminder."""
        if episode.next_repeat_at is None or episode.next_repeat_at > at:
            return
        episode.next_repeat_at = at + timedelta(seconds=self._plan.repeat_after)
        self._ledger.changed(episode)
        acknowledged = episode.acknowledged_at is not None
        event = self._ledger.event(episode, "reminded", at, {"acknowledged": acknowledged})
        self._ledger.order(event, episode, "alert.fired", self._ledger.channels_told(episode), at)

    def _policy(self, episode: OpenEpisode) -> list[EscalationStep]:
        """An episode's steps; read once where many share the same."""
        known = self._policies.get(id(episode.policy))
        if known is None:
            # The policy is kept beside its steps: its identity is nobody else's meanwhile.
            known = episode.policy, [EscalationStep.from_dict(step) for step in episode.policy]
            self._policies[id(episode.policy)] = known
        return known[1]
