"""Alerts and their events as everyone sees them, from the rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

from dbvigil.alert import Alert, AlertEvent, AlertStatus, DeliveryStatus, EventName, Notification, Severity
from dbvigil.alerting.episodes import OpenEpisode
from dbvigil.models import AuditEvent, Delivery, Episode


def status(episode: Episode | OpenEpisode) -> AlertStatus:
    """One word for how an episode stands. One that follows from another is firing, and merely not told of."""
    if episode.resolved_at is not None:
        return "resolved"
    if episode.suppressed_until is not None:
        return "suppressed"
    return "firing" if episode.acknowledged_at is None else "acknowledged"


def alert(
    episode: Episode | OpenEpisode,
    now: datetime,
    notifications: Iterable[Notification] = (),
    events: Sequence[AlertEvent] | None = None,
) -> Alert:
    """The episode as it stands at `now`."""
    end = episode.resolved_at or now
    return Alert(
        id=episode.id,
        database=episode.database,
        metric=episode.metric,
        severity=cast(Severity, episode.severity),
        status=status(episode),
        value=episode.value,
        threshold=episode.threshold,
        message=episode.message,
        recommendations=tuple(episode.recommendations),
        evidence=episode.evidence,
        started_at=episode.started_at,
        last_seen_at=episode.last_seen_at,
        occurrences=episode.occurrences,
        no_data=episode.no_data,
        flapping=episode.flapping,
        acknowledged_at=episode.acknowledged_at,
        acknowledged_by=episode.acknowledged_by,
        acknowledgements=episode.acknowledgements,
        note=episode.note,
        escalation_level=episode.escalation_level,
        escalated_at=episode.escalated_at,
        suppressed_until=episode.suppressed_until,
        resolved_at=episode.resolved_at,
        duration_seconds=round(max(0.0, (end - episode.started_at).total_seconds()), 3),
        notifications=tuple(notifications),
        events=None if events is None else tuple(events),
    )


def alerts(episodes: Sequence[Episode], now: datetime, *, with_events: bool = False) -> list[Alert]:
    """Many episodes with what was sent about them, and their events where asked for: two queries in all."""
    numbers = [episode.id for episode in episodes]
    sent: dict[int, list[Notification]] = {}
    deliveries = Delivery.objects.filter(episode__in=numbers).select_related("event").order_by("id")
    for row in deliveries:
        sent.setdefault(cast(int, row.episode_id), []).append(notification(row))
    told: dict[int, list[AlertEvent]] = {number: [] for number in numbers}
    if with_events:
        for happened in AuditEvent.objects.filter(episode__in=numbers).order_by("id"):
            told[cast(int, happened.episode_id)].append(event(happened))
    return [
        alert(episode, now, sent.get(episode.id, ()), told[episode.id] if with_events else None)
        for episode in episodes
    ]


def notification(row: Delivery) -> Notification:
    return Notification(
        channel=row.channel,
        event=row.event.event,
        status=cast(DeliveryStatus, row.status),
        attempts=row.attempts,
        sent_at=row.sent_at,
        error=row.error,
    )


def event(row: AuditEvent) -> AlertEvent:
    detail: dict[str, Any] = json.loads(row.detail)
    return AlertEvent(row.at, cast(EventName, row.event), row.actor, detail)
