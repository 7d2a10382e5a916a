"""Which backups have had their time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Kept:
    """One good backup whose file is there: when it began, and whether a restore has proved it."""

    id: int
    at: datetime
    verified: bool


def outlived(
    backups: Sequence[Kept], now: datetime, keep_days: float, keep_weeks: float
) -> list[tuple[int, str]]:
    """(id, why) of those of one database that may go, the oldest first.

    Stay: all of the last `keep_days`; of each of the last `keep_weeks` the first one, a verified one where there is any; and, however old
    they are, the newest of all and the newest verified one.
    """
    newest_first = sorted(backups, key=lambda one: one.at, reverse=True)
    stay = {one.id for one in newest_first[:1]}
    stay |= {one.id for one in newest_first if one.verified and one.id == _newest_verified(newest_first)}
    stay |= {one.id for one in newest_first if one.at > now - timedelta(days=keep_days)}
    weeks: dict[tuple[int, int], Kept] = {}
    for one in newest_first:
        if one.at > now - timedelta(weeks=keep_weeks):
            week = one.at.isocalendar()[:2]
            before = weeks.get(week)
            # Newest first: an earlier one of the same week takes its place, unless it proves less.
            if before is None or one.verified or not before.verified:
                weeks[week] = one
    stay |= {one.id for one in weeks.values()}
    why = (
        f"older than {keep_days:g} days, and not the one of its week"
        if keep_weeks
        else f"older than {keep_days:g} days"
    )
    return [(one.id, why) for one in reversed(newest_first) if one.id not in stay]


def _newest_verified(newest_first: Sequence[Kept]) -> int | None:
    return next((one.id for one in newest_first if one.verified), None)
