"""What decides who is told: channels, escalation and quiet times, as they stand when they are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dbvigil.alert import DEFAULT_ESCALATION, EscalationStep
from dbvigil.alerts.routing import GROUP_WAIT, REPEAT_AFTER

QuietUntil = Callable[[str, str, datetime], datetime | None]


def never_quiet(database: str, metric: str, now: datetime) -> None:
    """No suppression at all."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The names of the channels there are, the escalation of new episodes, and `quiet_until(database, metric, now)`:
    when the suppression that holds at `now` ends, None where none does.
    """

    channels: Sequence[str] = ()
    escalation: Sequence[EscalationStep] = field(default=DEFAULT_ESCALATION)
    quiet_until: QuietUntil = never_quiet
    group_wait: float = GROUP_WAIT
    repeat_after: float = REPEAT_AFTER
