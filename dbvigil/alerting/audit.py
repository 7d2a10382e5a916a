"""The audit trail: events numbered without a gap, each carrying the hash of the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from django.db.models import F

from dbvigil.alert import EventName
from dbvigil.alerting import bulk
from dbvigil.models import AuditEvent, AuditHead

SYSTEM = "dbvigil"
"""Who acts where nobody asked."""

HouseEvent = Literal["window_added", "window_changed", "window_removed"]
"""What happens to alerting itself, and to no alert."""

_BATCH = 500
_COLUMNS = ("id", "episode", "at", "event", "actor", "detail", "alert", "previous", "hash")


class Trail:
    """What one transaction adds to the trail. Only within `transaction.atomic`, and `write` comes before its end.

    The first number that is taken locks the trail's head until the transaction ends: numbers and hashes are then this one's to give.
    """

    def __init__(self) -> None:
        self._head: AuditHead | None = None
        self._events: list[tuple[Any, ...]] = []

    def add(
        self,
        episode: int | None,
        event: EventName | HouseEvent,
        at: datetime,
        actor: str = SYSTEM,
        detail: Mapping[str, Any] | None = None,
        alert: Mapping[str, Any] | None = None,
    ) -> int:
        """Adds one event; its number."""
        head = self._locked()
        head.events += 1
        row = (
            head.events,
            episode,
            at,
            event,
            actor,
            _text(detail or {}),
            "" if alert is None else _text(alert),
            head.hash,
        )
        head.hash = _hash(*row)
        self._events.append((*row, head.hash))
        return head.events

    @property
    def used(self) -> bool:
        """Whether anything was added."""
        return bool(self._events)

    def hold(self) -> None:
        """Takes the head's lock now, so that what is read next is not changed by anyone else who writes events."""
        self._locked()

    def new_episode(self) -> int:
        """The number of a new episode."""
        head = self._locked()
        head.episodes += 1
        return head.episodes

    def write(self) -> None:
        """Writes what was added. Episodes that the events are about are written before."""
        if self._head is None:
            return
        bulk.insert(AuditEvent, _COLUMNS, self._events)
        self._events = []
        AuditHead.objects.filter(pk=1).update(
            events=self._head.events, episodes=self._head.episodes, hash=self._head.hash
        )

    def _locked(self) -> AuditHead:
        if self._head is None:
            # An update takes the row's lock on every database, SQLite's write lock included.
            if not AuditHead.objects.filter(pk=1).update(events=F("events")):
                AuditHead.objects.get_or_create(pk=1)
                AuditHead.objects.filter(pk=1).update(events=F("events"))
            self._head = AuditHead.objects.get(pk=1)
        return self._head


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the trail is whole: how many events were read, and the first faults found (one line each)."""

    events: int
    faults: list[str] = field(default_factory=list)


def verify(most_faults: int = 20) -> Verdict:
    """Reads the whole trail and checks numbers, hashes, and that its end is where the head says."""
    head = AuditHead.objects.filter(pk=1).first() or AuditHead()
    faults: list[str] = []
    previous, number = "", 0
    for row in AuditEvent.objects.filter(id__lte=head.events).order_by("id").iterator(_BATCH):
        if row.id != number + 1:
            faults.append(f"events {number + 1} to {row.id - 1} are missing")
        elif row.previous != previous:
            faults.append(f"event {row.id} does not follow from the one before it")
        if row.hash != _hash(
            row.id, row.episode_id, row.at, row.event, row.actor, row.detail, row.alert, row.previous
        ):
            faults.append(f"event {row.id} was changed after it was written")
        previous, number = row.hash, row.id
        if len(faults) >= most_faults:
            return Verdict(number, faults)
    if number != head.events:
        faults.append(f"events {number + 1} to {head.events} are missing at the end")
    elif previous != head.hash:
        faults.append("the last event is not the one that was written last")
    return Verdict(number, faults)


def _hash(
    number: int,
    episode: int | None,
    at: datetime,
    event: str,
    actor: str,
    detail: str,
    alert: str,
    previous: str,
) -> str:
    moment = at.astimezone(UTC).isoformat(timespec="microseconds")
    fields = [number, episode, moment, event, actor, detail, alert, previous]
    return hashlib.sha256(_text(fields).encode()).hexdigest()


_text = json.JSONEncoder(separators=(",", ":")).encode
