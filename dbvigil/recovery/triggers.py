"""Which actions the open alerts ask for: of alerts that nobody has taken up and that are not kept quiet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dbvigil.alerting.quieting import quiet_times
from dbvigil.conf.recovery import RecoverySettings
from dbvigil.errors import RecoveryRefused
from dbvigil.models import Episode, RecoveryAttempt
from dbvigil.recovery import guards
from dbvigil.recovery.catalogue import actions

DOWN = "up"
"""While a server is down nothing is tried but what mends our own side."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One action for one alert. `looked_before` says that it is on record already that there was nothing to do."""

    action: str
    episode: int
    mode: Literal["dry_run", "live"]
    reason: str
    looked_before: bool = False


def wishes(settings: RecoverySettings, databases: Sequence[str], now: datetime) -> dict[str, list[Wish]]:
    """By database what is asked for at `now`. Each dry run is asked for once an alert; a live one again, as its bounds allow."""
    known = actions(settings)
    metrics = {
        metric
        for name, action in known.items()
        for metric in action.metrics
        if settings.automatic(name) != "off"
    }
    rows = Episode.objects.filter(resolved_at=None, no_data=False, metric__in=metrics, database__in=databases)
    open_ones = list(rows.order_by("id"))
    if not open_ones:
        return {}
    down = {row.database for row in open_ones if row.metric == DOWN}
    quiet_until = quiet_times(now)
    heard = [
        row
        for row in open_ones
        if row.acknowledged_at is None
        and row.suppressed_until is None
        and row.quiet_since is None
        and not row.flapping
        and quiet_until(row.database, row.metric, now) is None
        and (row.database not in down or row.metric == DOWN)
    ]
    tried = RecoveryAttempt.objects.filter(episode__in=[row.id for row in heard])
    before: dict[tuple[int | None, str, str], set[str]] = {}
    for episode, action_name, mode, outcome in tried.values_list("episode_id", "action", "mode", "outcome"):
        before.setdefault((episode, action_name, mode), set()).add(outcome)
    found: dict[str, list[Wish]] = {}
    for row in heard:
        for name, action in known.items():
            mode = settings.automatic(name)
            if row.metric not in action.metrics or mode == "off":
                continue
            options = settings.actions[name]
            if options["severity"] == "critical" and row.severity != "critical":
                continue
            outcomes = before.get((row.id, name, mode), set())
            # That there was nothing to do when it fired need not be so a minute later.
            if (mode == "dry_run" and outcomes - {"nothing"}) or (
                mode == "live" and _bounded(settings, name, row.database, now)
            ):
                continue
            found.setdefault(row.database, []).append(Wish(name, row.id, mode, row.message, bool(outcomes)))
    return found


def _bounded(settings: RecoverySettings, action: str, database: str, now: datetime) -> bool:
    """Whether a live attempt would be refused anyway, so that nothing need be read for it."""
    try:
        guards.check(settings.actions[action], database, now)
    except RecoveryRefused:
        return True
    return False
