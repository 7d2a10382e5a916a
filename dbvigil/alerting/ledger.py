"""What one transaction of alerting reads and writes: open episodes, audit events about them, and orders for the outbox."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from dbvigil.alert import Alert, EventName
from dbvigil.alerting import bodies, bulk, episodes, outbox
from dbvigil.alerting.audit import SYSTEM, Trail
from dbvigil.alerting.episodes import OpenEpisode
from dbvigil.alerting.outbox import Order
from dbvigil.channels.base import NoticeType
from dbvigil.models import Delivery

TOLD: Sequence[NoticeType] = ("alert.fired", "alert.severity_changed", "alert.escalated")
"""What tells that there is trouble."""

_BATCH = 400


class Ledger:
    """The open episodes of some databases, and what is to be written of them. Within `transaction.atomic`.

    `open` holds them by key and is changed as they are.
    """

    def __init__(self, databases: Iterable[str]) -> None:
        self._trail = Trail()
        # Held before anything is read: an acknowledgement that comes meanwhile waits, and is not written over.
        self._trail.hold()
        self.open: dict[str, OpenEpisode] = episodes.load(databases)
        self._new: dict[int, OpenEpisode] = {}
        self._changed: dict[int, OpenEpisode] = {}
        self._alerts: dict[int, Alert] = {}
        self._orders: list[Order] = []
        self._ended: list[tuple[OpenEpisode, int, datetime]] = []

    def new_id(self) -> int:
        """The number of a new episode."""
        return self._trail.new_episode()

    def add(self, episode: OpenEpisode) -> None:
        """A new episode, with its key."""
        assert episode.open_key is not None  # noqa: S101 - for the type checker: only open ones are new
        self.open[episode.open_key] = self._new[episode.id] = episode

    def changed(self, episode: OpenEpisode) -> None:
        """An episode that has to be written."""
        self._changed[episode.id] = episode

    def event(
        self,
        episode: OpenEpisode,
        name: EventName,
        at: datetime,
        detail: Mapping[str, Any] | None = None,
        actor: str = SYSTEM,
    ) -> int:
        """Something that happened to `episode`, which has changed already; the event's number."""
        alert = self._alerts[episode.id] = bodies.alert(episode, at)
        return self._trail.add(episode.id, name, at, actor, detail, alert.to_dict())

    def ended(self, episode: OpenEpisode, event: int, at: datetime) -> None:
        """An episode that is over by `event`: who is told of it is settled when everything is written."""
        self._ended.append((episode, event, at))

    def order(
        self,
        event: int,
        episode: OpenEpisode,
        kind: NoticeType,
        channels: Iterable[str],
        due: datetime,
        tier: int = 0,
    ) -> None:
        """Has `event` told on `channels`."""
        self._orders += [
            Order(event, episode.id, episode.database, kind, channel, due, tier) for channel in channels
        ]

    def channels_told(self, episode: OpenEpisode) -> Iterable[str]:
        """The channels that were sent something about it, or are about to be, by this transaction too."""
        earlier = [row.channel for row in _told([episode.id])]
        now = [order.channel for order in self._orders if order.episode == episode.id and order.type in TOLD]
        return dict.fromkeys([*earlier, *now])

    def write(self, now: datetime) -> list[Alert]:
        """Writes everything; the alerts that something happened to, as they stood after it."""
        self._settle_ended()
        # What has ended gives its key back first: the same trouble may have begun again meanwhile.
        episodes.update(row for number, row in self._changed.items() if number not in self._new)
        episodes.insert(self._new.values())
        self._trail.write()
        outbox.put(self._orders, now)
        return list(self._alerts.values())

    def _settle_ended(self) -> None:
        """Of every episode that ended: what still waits for company is told by nobody; what was due is told, and then that it is over."""
        if not self._ended:
            return
        ends = {episode.id: at for episode, _, at in self._ended}
        self._orders = [
            order
            for order in self._orders
            if order.episode not in ends or order.due_at <= ends[order.episode]
        ]
        earlier = [number for number in ends if number not in self._new]
        sent = _told(earlier)
        waiting = {row.episode for row in sent if row.waits and row.due_at > ends[row.episode]}
        for at in {ends[number] for number in waiting}:
            late = [number for number in waiting if ends[number] == at]
            outbox.cancel_unsent(late, TOLD, "over before it was sent", due_after=at)
        if waiting:
            # What was claimed in between is on its way, and not cancelled.
            sent = _told(earlier)
        told: dict[int, list[str]] = {}
        for row in sent:
            told.setdefault(row.episode, []).append(row.channel)
        for order in self._orders:
            if order.episode in ends:
                told.setdefault(order.episode, []).append(order.channel)
        for episode, event, at in self._ended:
            self.order(event, episode, "alert.resolved", dict.fromkeys(told.get(episode.id, ())), at)


class _Sent(NamedTuple):
    """A delivery that told of an episode, or is to: `waits` while nobody has tried to send it."""

    episode: int
    channel: str
    waits: bool
    due_at: datetime


def _told(numbers: Sequence[int]) -> list[_Sent]:
    """What was sent about some episodes, or is about to be, in the order of its making."""
    found: list[_Sent] = []
    for start in range(0, len(numbers), _BATCH):
        rows = bulk.select(
            Delivery,
            ("episode", "channel", "status", "attempts", "due_at", "type"),
            "episode_id",
            numbers[start : start + _BATCH],
            "AND status <> 'cancelled' ORDER BY id",
        )
        found += [
            _Sent(episode, channel, status == "pending" and attempts == 0, due_at)
            for episode, channel, status, attempts, due_at, kind in rows
            if kind in TOLD
        ]
    return found
