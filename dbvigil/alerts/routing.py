"""Who is told, when, and how often: escalation, grouping, retries, bundling. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dbvigil.alert import EscalationStep

GROUP_WAIT = 10.0
"""Seconds that a warning, and whatever follows on a database that has an alert already, waits for company."""

REPEAT_AFTER = 4 * 3600.0
"""Seconds after which an unacknowledged alert is told again, and a firing one that was acknowledged is called to mind."""

GIVE_UP_AFTER = 24 * 3600.0
"""Seconds after which a message that could not be delivered is kept as failed."""

_WAITS = (0.0, 5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)
_LONGEST_RETRY_AFTER = 6 * 3600.0


def next_step(
    policy: Sequence[EscalationStep], level: int, since: datetime, severity: str
) -> tuple[int, datetime] | None:
    """The step after `level` that applies to `severity`, and when it is due; None where there is none.

    `since` is when the clock started; steps are in the order of `after`.
    """
    for number, step in enumerate(policy[level + 1 :], level + 1):
        if severity in step.severities:
            return number, since + timedelta(seconds=step.after)
    return None


def first_due(severity: str, others_open: bool, at: datetime, group_wait: float = GROUP_WAIT) -> datetime:
    """When the first message about a new alert is due: a database's first critical one at once, the rest with company."""
    if severity == "critical" and not others_open:
        return at
    return at + timedelta(seconds=group_wait)


def retry_wait(attempts: int, retry_after: float | None, jitter: float) -> float:
    """Seconds until the next attempt after `attempts` (1 or more) have failed. `jitter` is a number from 0 to 1.

    What the receiver asked for is the least; waits grow to an hour, give or take a tenth.
    """
    wait = _WAITS[min(attempts, len(_WAITS) - 1)] * (0.9 + 0.2 * jitter)
    return max(wait, min(retry_after or 0.0, _LONGEST_RETRY_AFTER))


def gives_up(created_at: datetime, now: datetime) -> bool:
    """Whether a message has been tried for long enough."""
    return (now - created_at).total_seconds() >= GIVE_UP_AFTER


def refill(tokens: float, since: datetime | None, now: datetime, rate: float, burst: float) -> float:
    """Messages that a channel may be sent now: `rate` a minute, saved up to `burst`."""
    if since is None:
        return burst
    minutes = max(0.0, (now - since).total_seconds()) / 60
    return min(burst, tokens + minutes * rate)
