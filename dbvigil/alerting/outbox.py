"""The outbox: what is to be sent, claimed by one worker at a time, and what became of it.

A delivery is claimed by compare-and-set and held under a lease; a worker that dies is followed by another one that sends the same message
under the same id. On one channel the deliveries of an episode go out in the order of its events.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, Q

from dbvigil.alerting import bulk
from dbvigil.alerting.audit import Trail
from dbvigil.alerts import routing
from dbvigil.channels.base import Channel, NoticeType, Outcome
from dbvigil.models import ChannelState, Delivery

LEASE_SECONDS = 30.0
"""A worker that has not said what became of a message for this long is followed by another; no attempt takes as long."""

_MOST_IN_ONE = 250
_OPEN = ("pending", "sending")
_COLUMNS = (
    "event", "episode", "database", "type", "tier", "channel",
    "status", "message_id", "attempts", "created_at", "due_at", "claimed_by", "error",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claim:
    """Deliveries that go out as one message: its id and type, when the first event happened, and the alerts' bodies."""

    message_id: str
    channel: str
    type: NoticeType
    at: datetime
    deliveries: tuple[int, ...]
    alerts: tuple[Mapping[str, Any], ...]
    attempt: int


class Order(NamedTuple):
    """One event for one channel, to be put in the outbox."""

    event: int
    episode: int | None
    database: str
    type: NoticeType
    channel: str
    due_at: datetime
    tier: int = 0


def put(orders: Iterable[Order], now: datetime) -> None:
    """Adds to the outbox, within the caller's transaction. What is there already stays as it is."""
    bulk.insert(
        Delivery,
        _COLUMNS,
        (
            (
                order.event, order.episode, order.database, order.type, order.tier, order.channel,
                "pending", "", 0, now, order.due_at, "", "",
            )
            for order in orders
        ),
        once=True,
    )  # fmt: skip


def cancel_unsent(
    episodes: Sequence[int], types: Sequence[NoticeType], reason: str, due_after: datetime | None = None
) -> int:
    """Cancels what nobody has tried to send yet, or of it what is due after a moment only; how many."""
    waiting = Delivery.objects.filter(episode__in=episodes, status="pending", attempts=0, type__in=types)
    if due_after is not None:
        waiting = waiting.filter(due_at__gt=due_after)
    return waiting.update(status="cancelled", error=reason)


def release_abandoned(now: datetime) -> int:
    """Gives back what a worker claimed and did not settle within its lease; how many deliveries."""
    abandoned = Delivery.objects.filter(status="sending", claim_until__lte=now)
    return abandoned.update(status="pending", claimed_by="", claim_until=None)


def claim(channel: Channel, worker: str, now: datetime, burst: float) -> Claim | None:
    """The next message for `channel`, now `worker`'s to send within the lease; None where there is none.

    Before anything is sent, what is no longer wanted is cancelled: an escalation of what was acknowledged meanwhile.
    """
    if not Delivery.objects.filter(channel=channel.name, status="pending", due_at__lte=now).exists():
        return None
    with transaction.atomic():
        state = _locked(channel, now, burst)
        if state.disabled_at is not None:
            return None
        _cancel_unwanted(channel.name)
        rows = _candidates(channel.name, now)
        if not rows:
            return None
        chosen = _message(rows, channel, state.tokens)
        if not chosen:
            return None
        first = chosen[0]
        if not first.message_id:
            ChannelState.objects.filter(pk=channel.name).update(tokens=F("tokens") - 1)
        message_id = first.message_id or f"msg_{secrets.token_urlsafe(20)}"
        numbers = [row.id for row in chosen]
        taken = Delivery.objects.filter(pk__in=numbers, status="pending").update(
            status="sending",
            message_id=message_id,
            attempts=F("attempts") + 1,
            claimed_by=worker,
            claim_until=now + timedelta(seconds=LEASE_SECONDS),
        )
        if taken != len(chosen):
            # Somebody else was faster with a part of them: theirs is the message.
            transaction.set_rollback(True)
            return None
    return Claim(
        message_id=message_id,
        channel=channel.name,
        type=cast(NoticeType, first.type),
        at=min(row.event.at for row in chosen),
        deliveries=tuple(numbers),
        alerts=tuple(json.loads(row.event.alert) for row in chosen),
        attempt=first.attempts + 1,
    )


def settle(
    claimed: Claim, outcome: Outcome, worker: str, now: datetime, jitter: float, fallback: str | None
) -> bool:
    """Writes down what became of a claimed message; false where it is no longer this worker's to say.

    A failure is tried again later, or given up: then `fallback`, another channel, is to tell it.
    """
    with transaction.atomic():
        mine = Delivery.objects.filter(
            pk__in=claimed.deliveries, status="sending", claimed_by=worker, message_id=claimed.message_id
        )
        rows = list(mine.select_related("event"))
        if not rows:
            return False
        state = ChannelState.objects.filter(pk=claimed.channel)
        if outcome.ok:
            mine.update(status="sent", sent_at=now, error="", claim_until=None)
            state.update(failing_since=None, last_error=outcome.trouble, last_sent_at=now)
            _record(rows, "notified", {"attempts": claimed.attempt, "detail": outcome.detail}, now)
            return True
        state.update(last_error=outcome.detail)
        state.filter(failing_since=None).update(failing_since=now)
        if outcome.disable:
            state.update(disabled_at=now)
        if outcome.permanent or outcome.disable or routing.gives_up(rows[0].created_at, now):
            give_up(rows, outcome.detail, now, fallback)
        else:
            wait = routing.retry_wait(claimed.attempt, outcome.retry_after, jitter)
            mine.update(
                status="pending",
                due_at=now + timedelta(seconds=wait),
                error=outcome.detail,
                claimed_by="",
                claim_until=None,
            )
    return True


def give_up(rows: Sequence[Delivery], reason: str, now: datetime, fallback: str | None) -> None:
    """Marks deliveries as failed and hands their events to `fallback`. Within the caller's transaction."""
    Delivery.objects.filter(pk__in=[row.id for row in rows]).update(
        status="failed", error=reason, claimed_by="", claim_until=None
    )
    _record(rows, "notify_failed", {"error": reason, "fallback": fallback}, now)
    if fallback is not None:
        put(
            (
                Order(
                    row.event_id,
                    row.episode_id,
                    row.database,
                    cast(NoticeType, row.type),
                    fallback,
                    now,
                    row.tier,
                )
                for row in rows
            ),
            now,
        )


def sweep_disabled(
    channels: Callable[[], Mapping[str, Channel]], now: datetime, fallback: Callable[[str], str | None]
) -> None:
    """What waits for a channel that was disabled, or that is no longer configured, is given up; `fallback(channel)` tells it.

    `channels` says which there are now. It is asked after the outbox: a channel can be newer than what was known of them before, but not
    than what waits for it.
    """
    pending = Delivery.objects.filter(status="pending")
    newest = dict(pending.values_list("channel").annotate(Max("id")))
    if not newest:
        return
    there = channels()
    disabled = {
        row.name
        for row in ChannelState.objects.exclude(disabled_at=None)
        if row.name in there and row.fingerprint == there[row.name].fingerprint
    }
    names = [name for name in newest if name in disabled or name not in there]
    if not names:
        return
    with transaction.atomic():
        for name in names:
            waiting = pending.filter(channel=name, id__lte=newest[name])
            reason = (
                "the channel is disabled: its receiver wants nothing more"
                if name in there
                else "the channel is no longer configured"
            )
            give_up(list(waiting.select_related("event")[:_MOST_IN_ONE]), reason, now, fallback(name))


def _locked(channel: Channel, now: datetime, burst: float) -> ChannelState:
    """The channel's row, held until the transaction ends, with its tokens refilled."""
    rows = ChannelState.objects.filter(pk=channel.name)
    if not rows.update(name=channel.name):
        ChannelState.objects.bulk_create([ChannelState(name=channel.name)], ignore_conflicts=True)
        rows.update(name=channel.name)
    state = rows.get()
    if state.fingerprint != channel.fingerprint:
        # Another address, another story.
        state = ChannelState(name=channel.name, fingerprint=channel.fingerprint)
    state.tokens = routing.refill(state.tokens, state.tokens_at, now, channel.rate, burst)
    state.tokens_at = now
    state.save()
    return state


def _cancel_unwanted(channel: str) -> None:
    """An escalation or a repetition is only for what nobody has taken up yet, and for what is not kept quiet."""
    waiting = Delivery.objects.filter(channel=channel, status="pending", attempts=0)
    waiting.filter(type="alert.escalated").filter(
        ~Q(episode__acknowledged_at=None) | ~Q(episode__resolved_at=None) | ~Q(episode__quiet_since=None)
    ).update(status="cancelled", error="acknowledged, resolved or kept quiet before it was sent")


def _candidates(channel: str, now: datetime) -> list[Delivery]:
    """What is due and does not overtake an earlier event of its episode, oldest event first."""
    earlier = Delivery.objects.filter(
        episode=OuterRef("episode"),
        channel=OuterRef("channel"),
        status__in=_OPEN,
        event__lt=OuterRef("event"),
    )
    due = Delivery.objects.filter(channel=channel, status="pending", due_at__lte=now)
    ready = due.filter(~Exists(earlier)).select_related("event", "episode").order_by("event_id", "id")
    return list(ready[:_MOST_IN_ONE])


def _message(rows: Sequence[Delivery], channel: Channel, tokens: float) -> list[Delivery]:
    """Which of the due rows go out as the next message; none where the channel has to wait."""
    tried = next((row for row in rows if row.message_id), None)
    if tried is not None:
        again = Delivery.objects.filter(message_id=tried.message_id, channel=tried.channel, status="pending")
        return list(again.select_related("event", "episode").order_by("event_id"))
    if tokens < 1:
        return []
    first = rows[0]
    fresh = [row for row in rows if row.type == first.type]
    if len(fresh) > tokens:
        return fresh
    if channel.bundles:
        return [row for row in fresh if row.database == first.database]
    return [first]


def _record(rows: Sequence[Delivery], event: Any, detail: Mapping[str, Any], now: datetime) -> None:
    trail = Trail()
    for row in rows:
        what = {"channel": row.channel, "event": row.event.event, "message_id": row.message_id}
        trail.add(row.episode_id, event, now, detail={**what, **detail})
    trail.write()
