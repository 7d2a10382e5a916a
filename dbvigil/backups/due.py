"""When a backup is due, by its schedule. Pure; cron is read in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cronsim import CronSim

_MINUTE = timedelta(minutes=1)


def last_due(cron: str, now: datetime) -> datetime | None:
    """The latest time at or before `now` that the schedule names."""
    # Backwards from the next minute on: this very minute counts.
    times = CronSim(cron, now.astimezone(UTC) + _MINUTE, reverse=True)
    return next((found for found in times if found <= now), None)


def next_due(cron: str, now: datetime) -> datetime | None:
    """The first time after `now` that the schedule names."""
    return next(CronSim(cron, now.astimezone(UTC)), None)


def slot(cron: str, since: datetime, served: datetime | None, now: datetime) -> datetime | None:
    """The scheduled time that wants a backup now; None where none does.

    `since` is when the schedule was first seen, `served` the newest scheduled time that had its backup, good or failed. However many
    were missed while no monitor ran, one backup makes up for all.
    """
    due = last_due(cron, now)
    if due is None or due <= since or (served is not None and due <= served):
        return None
    return due


def overdue(cron: str, since: datetime, good: datetime | None, now: datetime) -> float:
    """Seconds since a backup became due that there is not: from the first scheduled time after `good`, when the newest good backup
    began, or after `since` where there is none. 0 while nothing is due."""
    waited = next_due(cron, max(since, good) if good is not None else since)
    return 0.0 if waited is None else max(0.0, (now - waited).total_seconds())
