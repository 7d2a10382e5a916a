"""What recovery does, on the record of the alert it belongs to, and told to whoever was told of the alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dbvigil.alert import EventName
from dbvigil.alerting import bodies, outbox
from dbvigil.alerting.audit import Trail
from dbvigil.alerting.ledger import TOLD
from dbvigil.alerting.outbox import Order
from dbvigil.channels.base import NoticeType
from dbvigil.models import Delivery, Episode


def open_episode(database: str, metrics: Sequence[str]) -> int | None:
    """The newest open alert of a database on one of these metrics."""
    rows = Episode.objects.filter(resolved_at=None, database=database, metric__in=metrics, no_data=False)
    return rows.order_by("-started_at", "-id").values_list("id", flat=True).first()


def note(
    episode: int | None,
    event: EventName,
    at: datetime,
    actor: str,
    detail: Mapping[str, Any],
    told: NoticeType | None = None,
) -> None:
    """Writes one event to the trail, within the caller's transaction; `told` says as what it is told as well, on the channels that told of
    the alert. Without an alert it is on record and told to nobody.
    """
    trail = Trail()
    trail.hold()
    row = None if episode is None else Episode.objects.filter(pk=episode).first()
    body = None if row is None else {**bodies.alert(row, at).to_dict(), "recovery": dict(detail)}
    number = trail.add(None if row is None else row.id, event, at, actor, detail, body)
    trail.write()
    if row is None or told is None:
        return
    sent = Delivery.objects.filter(episode=row.id, type__in=TOLD).exclude(status="cancelled")
    channels = dict.fromkeys(sent.order_by("id").values_list("channel", flat=True))
    outbox.put((Order(number, row.id, row.database, told, channel, at) for channel in channels), at)
