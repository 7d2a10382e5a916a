"""What a clock that was ahead has left behind: once it is set back, nothing may wait for the hour that comes a second time.

No row says what clock it was written by. What betrays it is a moment that cannot be: something made in the future, a lease longer than a
lease, an escalation further away than its step allows. Each is drawn near. A clock that is set forward needs nothing of the kind:
what waits is due at once.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db import transaction

from dbvigil.alert import EscalationStep
from dbvigil.alerting.audit import Trail
from dbvigil.alerting.outbox import LEASE_SECONDS
from dbvigil.alerting.plan import Plan
from dbvigil.alerts import routing
from dbvigil.models import Delivery, Episode, Suppression

logger = logging.getLogger("dbvigil.alerts")

SKEW = timedelta(minutes=1)
"""By so much the clocks of hosts that share a service may differ without anything being drawn near."""

_AT_ONCE = 500


def follow(plan: Plan, now: datetime) -> int:
    """Draws near what waits for a time that `now` is far before; how many rows. Any number of processes may do it at the same time."""
    drawn = (
        _deliveries(now) + _claims(now) + _suppressions(now) + _escalations(plan, now) + _repeats(plan, now)
    )
    if drawn:
        logger.warning(
            "the clock was set back, or two hosts' clocks differ: %d things that waited for a later time are due sooner",
            drawn,
        )
    return drawn


def _deliveries(now: datetime) -> int:
    """Messages that were made in the future."""
    ahead = Delivery.objects.filter(status__in=("pending", "sending"), created_at__gt=now + SKEW)
    drawn = 0
    for row in ahead.only("id", "created_at", "due_at")[:_AT_ONCE]:
        same = ahead.filter(pk=row.pk, due_at=row.due_at)
        drawn += same.update(created_at=now, due_at=row.due_at - (row.created_at - now))
    return drawn


def _claims(now: datetime) -> int:
    """Messages whose worker may have died under the other clock."""
    lease = timedelta(seconds=LEASE_SECONDS)
    held = Delivery.objects.filter(status="sending", claim_until__gt=now + lease + SKEW)
    return held.update(claim_until=now + lease)


def _suppressions(now: datetime) -> int:
    """Suppressions begin when they are made: one that begins later lasts as long as it was to, from now on."""
    drawn = 0
    for row in Suppression.objects.filter(created_at__gt=now + SKEW, until__gt=now)[:_AT_ONCE]:
        ahead = row.created_at - now
        drawn += Suppression.objects.filter(pk=row.pk, until=row.until, created_at=row.created_at).update(
            created_at=now, starts_at=row.starts_at - ahead, until=row.until - ahead
        )
    return drawn


def _escalations(plan: Plan, now: datetime) -> int:
    """Steps that are further away than they would be if their clock had only now started."""
    # Those of this plan are by far the most: only what it cannot explain is looked at by its own policy.
    longest = timedelta(seconds=max((step.after for step in plan.escalation), default=0.0))
    ahead = Episode.objects.filter(resolved_at=None, quiet_since=None, next_step_at__gt=now + longest + SKEW)
    if not ahead.exists():
        return 0
    drawn = 0
    with transaction.atomic():
        Trail().hold()
        for row in ahead[:_AT_ONCE]:
            policy = [EscalationStep.from_dict(step) for step in row.policy]
            coming = routing.next_step(policy, row.escalation_level, now, row.severity)
            if coming is not None:
                late = Episode.objects.filter(pk=row.pk, next_step_at__gt=coming[1] + SKEW)
                drawn += late.update(next_step_at=coming[1])
    return drawn


def _repeats(plan: Plan, now: datetime) -> int:
    latest = now + timedelta(seconds=plan.repeat_after)
    ahead = Episode.objects.filter(resolved_at=None, quiet_since=None, next_repeat_at__gt=latest + SKEW)
    if not ahead.exists():
        return 0
    with transaction.atomic():
        Trail().hold()
        return ahead.update(next_repeat_at=latest)
