"""When nothing is to be sent: suppressions that somebody made, and maintenance windows that come back. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from dbvigil.errors import ConfigurationError

LONGEST_WINDOW_MINUTES = 7 * 24 * 60
_CRON_FIELDS = 5
_CRON = "allowed: a cron expression such as 0 3 * * 0"


@dataclass(frozen=True, slots=True)
class Suppression:
    """Quiet from `starts_at` until `until` about `metric` of `database`; each "" for any."""

    id: int
    database: str
    metric: str
    starts_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """Quiet that comes back: for `minutes` from each moment of the cron expression `schedule`, read in `time_zone`.

    A start that a change to summer time skips comes at the changed clock's next moment; one that the change back brings twice
    counts once.
    """

    name: str
    schedule: str
    time_zone: str
    minutes: int
    database: str = ""
    metric: str = ""

    def around(self, now: datetime) -> tuple[datetime, datetime] | None:
        """The window that holds at `now`, as (start, end): the latest that began; None where none holds."""
        begun = _last_start(self.schedule, self.time_zone, now)
        if begun is None:
            return None
        # In UTC: an hour is an hour, whatever the clocks do in it.
        end = begun + timedelta(minutes=self.minutes)
        return (begun, end) if end > now else None

    def next_start(self, now: datetime) -> datetime | None:
        """When it begins next after `now`; None where it never does again."""
        local = now.astimezone(ZoneInfo(self.time_zone))
        start = next(CronSim(self.schedule, local), None)
        return None if start is None else start.astimezone(UTC)


@lru_cache(maxsize=256)
def _last_start(schedule: str, time_zone: str, now: datetime) -> datetime | None:
    """The latest start at or before `now`. Kept for a while: all alerts of one round ask about the same moment."""
    # Backwards from the next minute on: a start at this very moment counts.
    local = now.astimezone(ZoneInfo(time_zone)) + timedelta(minutes=1)
    start = next((found for found in CronSim(schedule, local, reverse=True) if found <= now), None)
    return None if start is None else start.astimezone(UTC)


def check_window(schedule: str, time_zone: str, minutes: int) -> None:
    """Raises `ConfigurationError` naming what is wrong with a window."""
    check_minutes(minutes)
    check_time_zone(time_zone)
    check_schedule(schedule)


def check_minutes(minutes: int) -> None:
    """Raises `ConfigurationError` unless a window may last so long."""
    if isinstance(minutes, bool) or not 1 <= minutes <= LONGEST_WINDOW_MINUTES:
        raise ConfigurationError("minutes", minutes, f"allowed: from 1 to {LONGEST_WINDOW_MINUTES}")


def check_time_zone(time_zone: str) -> None:
    """Raises `ConfigurationError` unless there is such a time zone."""
    try:
        ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError):
        raise ConfigurationError("time_zone", time_zone, "allowed: a name such as Europe/Berlin") from None


@lru_cache(maxsize=256)
def check_schedule(schedule: str) -> None:
    """Raises `ConfigurationError` unless it is a cron expression of five fields that comes about.

    Good ones are remembered: each round of the sweep asks about every window.
    """
    if len(schedule.split()) != _CRON_FIELDS:
        raise ConfigurationError("schedule", schedule, f"{_CRON}: minute, hour, day, month and weekday")
    try:
        start = next(CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC)), None)
    except CronSimError as error:
        raise ConfigurationError("schedule", schedule, f"{_CRON} ({error})") from None
    if start is None:
        raise ConfigurationError("schedule", schedule, f"{_CRON} (it never comes about)")


def until(
    database: str,
    metric: str,
    suppressions: Iterable[Suppression],
    windows: Iterable[Window],
    now: datetime,
) -> datetime | None:
    """When the quiet about `metric` of `database` that holds at `now` ends; None where none holds.

    Where one begins before another ends, it is one quiet.
    """
    applying = [one for one in suppressions if _about(one, database, metric)]
    recurring = [one for one in windows if _about(one, database, metric)]
    end: datetime | None = None
    moment = now
    while True:
        ends = [one.until for one in applying if one.starts_at <= moment < one.until]
        ends += [found[1] for one in recurring if (found := one.around(moment)) is not None]
        latest = max(ends, default=None)
        if latest is None or (end is not None and latest <= end):
            return end
        moment = end = latest
        if latest - now > timedelta(minutes=LONGEST_WINDOW_MINUTES):
            # Windows without a gap between them have no end; this one is far enough.
            return end


def _about(one: Suppression | Window, database: str, metric: str) -> bool:
    return one.database in ("", database) and one.metric in ("", metric)
