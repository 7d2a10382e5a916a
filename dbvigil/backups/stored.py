"""Backups as the service knows them: for whoever asks, and as what rules judge. No monitored server and no file is asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from dbvigil.backups.due import next_due
from dbvigil.backups.files import is_physical
from dbvigil.backups.judging import COMPARED, NAMES, Standing, figures
from dbvigil.backups.sealing import key_id
from dbvigil.conf.backups import BackupSettings
from dbvigil.models import Backup, BackupPlan
from dbvigil.types import iso_utc

_GOOD = ("done", "verifying")


def standings(settings: BackupSettings, databases: Collection[str]) -> dict[str, Standing]:
    """What is known of the backups of `databases` that have a schedule; none where the scheduler is off."""
    if not settings.enabled:
        return {}
    found = {}
    for plan in BackupPlan.objects.filter(database__in=list(databases)):
        schedule = settings.schedules.get(plan.database)
        if schedule is not None:
            found[plan.database] = _standing(plan, schedule.cron, wanted=schedule.verify)
    return found


def _standing(plan: BackupPlan, cron: str, *, wanted: bool) -> Standing:
    rows = Backup.objects.filter(database=plan.database)
    newest = rows.filter(status__in=(*_GOOD, "failed")).order_by("-asked_at", "-pk").first()
    good = rows.filter(status__in=_GOOD).order_by("-started_at")
    judged = (
        good.filter(verification__in=("verified", "failed")).values_list("verification", flat=True).first()
    )
    return Standing(
        cron,
        plan.since,
        None if newest is None else newest.status == "failed",
        good.values_list("started_at", flat=True).first(),
        None if judged is None or not wanted else judged == "verified",
        _sizes(good.values_list("file", "plain_bytes")[: COMPARED + 1]),
        {} if newest is None else _told(newest),
    )


def _told(row: Backup) -> dict[str, Any]:
    """What an alert shows of a backup: no more than a message has room for."""
    told = {
        "backup": row.pk,
        "began": _moment(row.started_at or row.asked_at),
        "read_from": row.source,
        "error": row.error,
        "restore": (row.report or {}).get("summary", ""),
    }
    return {name: value for name, value in told.items() if value}


def backups(
    settings: BackupSettings, databases: Sequence[str], now: datetime, *, limit: int
) -> dict[str, Any]:
    """The body of GET backups/: the newest `limit` of all `databases` together, and how each database stands."""
    rows = Backup.objects.filter(database__in=list(databases)).order_by("-asked_at", "-pk")[:limit]
    known = standings(settings, databases)
    return {
        "scheduler": settings.enabled,
        "encrypted": settings.seals,
        "key": key_id(settings.keys[0]) if settings.seals else None,
        "databases": {alias: _database(alias, settings, known.get(alias), now) for alias in databases},
        "count": len(rows),
        "results": [shown(row) for row in rows],
    }


def _database(
    alias: str, settings: BackupSettings, standing: Standing | None, now: datetime
) -> dict[str, Any]:
    schedule = settings.schedules.get(alias)
    due = next_due(schedule.cron, now) if schedule is not None and settings.enabled else None
    good = Backup.objects.filter(database=alias, status__in=_GOOD).order_by("-started_at")
    verified = good.filter(verification="verified").values_list("started_at", flat=True).first()
    under_way = Backup.objects.filter(active=alias).values_list("pk", flat=True).first()
    judged: Mapping[str, Any] = figures(standing, now)
    return {
        "schedule": None if schedule is None else schedule.to_dict(),
        "next_due": due and iso_utc(due),
        "last_good": _moment(good.values_list("started_at", flat=True).first()),
        "last_verified": _moment(verified),
        "under_way": under_way,
        **{name: judged[name] for name in NAMES},
    }


def shown(row: Backup) -> dict[str, Any]:
    """One backup, JSON-ready."""
    facts: Mapping[str, Any] = row.facts or {}
    return {
        "id": row.pk,
        "database": row.database,
        "status": row.status,
        "scheduled_for": _moment(row.slot),
        "asked_at": iso_utc(row.asked_at),
        "asked_by": row.asked_by or None,
        "started_at": _moment(row.started_at),
        "finished_at": _moment(row.finished_at),
        "seconds": _seconds(row),
        "source": row.source or None,
        "chosen": facts.get("chosen"),
        "file": row.file or None,
        "size_bytes": row.size_bytes,
        "plain_bytes": row.plain_bytes,
        "sha256": row.sha256 or None,
        "key": row.key_id or None,
        "error": row.error or None,
        "server_version": facts.get("server_version"),
        "tool": facts.get("tool"),
        "databases": facts.get("databases"),
        "tables": facts.get("tables"),
        "position": facts.get("position"),
        "warnings": facts.get("warnings") or [],
        "verification": row.verification or None,
        "verified_at": _moment(row.verified_at),
        "report": row.report,
        "removed_at": _moment(row.removed_at),
        "removed_why": row.removed_why or None,
    }


def _sizes(newest: Iterable[tuple[str, int | None]]) -> list[int]:
    """Those of backups of the newest one's kind: a copy of files and a dump of one server are of no common size."""
    rows = list(newest)
    return [size for file, size in rows if size is not None and is_physical(file) == is_physical(rows[0][0])]


def _seconds(row: Backup) -> float | None:
    if row.started_at is None or row.finished_at is None:
        return None
    return round(max(0.0, (row.finished_at - row.started_at).total_seconds()), 3)


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else iso_utc(moment)
