"""One backup from its row to its end: made, kept, verified, and what has had its time removed. It runs in a process of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbvigil.backups import jobs
from dbvigil.backups.choosing import Chosen, choose
from dbvigil.backups.errors import BackupError, Ended
from dbvigil.backups.files import Folder, is_physical, name_of
from dbvigil.backups.guarding import beating, bounded, persist
from dbvigil.backups.making import Made, Order, Progress, make, manifest
from dbvigil.backups.nearby import is_near
from dbvigil.backups.programs import Stop
from dbvigil.backups.retention import Kept, outlived
from dbvigil.backups.sealing import key_id
from dbvigil.backups.verifying import Held, verify
from dbvigil.conf.backups import AUTO, PHYSICAL, BackupSchedule, BackupSettings
from dbvigil.errors import ConfigurationError, DbvigilError
from dbvigil.history.django_db import DjangoHistory
from dbvigil.models import Backup, TargetState
from dbvigil.replication.stored import replication
from dbvigil.targets import Target
from dbvigil.types import DatabaseMetrics, ServerInfo

logger = logging.getLogger("dbvigil.backups")


@dataclass(frozen=True, slots=True)
class Place:
    """Whose backups these are: the settings and the monitored servers."""

    settings: BackupSettings
    targets: Mapping[str, Target]

    @property
    def folder(self) -> Folder:
        if not self.settings.folder:
            raise ConfigurationError("DB_BACKUP_FOLDER", "", "allowed here: the absolute path of a folder")
        return Folder(Path(self.settings.folder))

    def schedule(self, database: str) -> BackupSchedule:
        """The schedule of `database`; what one says that does not name a time, where it has none."""
        return self.settings.schedules.get(database) or BackupSchedule("")

    def target(self, alias: str, database: str) -> Target:
        """The server `alias`, as whom its backups are made: an account of its own, or that of the database which it stands for."""
        account = self.settings.accounts.get(alias) or self.settings.accounts.get(database)
        target = self.targets[alias]
        return target if account is None else replace(target, user=account.user, password=account.password)


def run(number: int, place: Place, stop: Stop, progress: Progress | None = None) -> Backup:
    """Makes backup `number`, which waits, and verifies it where that is wanted; the row as it then is.

    What goes wrong is on record, and raised as `BackupError` only where the backup is somebody else's.
    """
    runner, progress = jobs.me(), progress or Progress()
    if not jobs.claim(number, runner, datetime.now(UTC)):
        raise BackupError(f"backup {number} does not wait to be made: another process has it, or it is over")
    row = jobs.get(number)
    schedule = place.schedule(row.database)
    with beating(number, runner, progress, stop):
        try:
            made = _made(row, runner, place, schedule, stop, progress)
        except BaseException as error:
            why = _told(error, stop)
            _cleared(place, number)
            persist(lambda: jobs.fail(number, runner, why, datetime.now(UTC)))
            if not isinstance(error, Exception):
                raise
            return jobs.get(number)
        if schedule.verify:
            _prove(jobs.get(number), runner, place, made.held, made.info, stop)
    tidy(row.database, place, datetime.now(UTC))
    return jobs.get(number)


def prove(number: int, place: Place, stop: Stop) -> Backup:
    """Verifies a backup that is there, whatever was said of it before; the row as it then is. Raises `BackupError`."""
    runner = jobs.me()
    jobs.bury(jobs.get(number).database, datetime.now(UTC))
    row = jobs.get(number)
    if row.removed_at is not None or row.status not in ("done", "verifying"):
        raise BackupError(
            f"backup {number} has no file that could be verified: {row.removed_why or row.status}"
        )
    written = place.folder.manifest(row.file)
    if not jobs.claim_proof(number, runner):
        raise BackupError(f"{row.database} is being backed up or verified just now; try again afterwards")
    with beating(number, runner, Progress(), stop):
        _prove(jobs.get(number), runner, place, Held.from_dict(written["held"]), server_of(written), stop)
    return jobs.get(number)


def server_of(written: Mapping[str, Any]) -> ServerInfo:
    """The server that a manifest tells of."""
    server = written["server"]
    return ServerInfo(
        server["flavor"], tuple(server["version"]), server["version_text"], performance_schema=False
    )


def tidy(database: str, place: Place, now: datetime) -> list[int]:
    """Removes the files of backups that have had their time by their schedule; their numbers. Raises OSError."""
    schedule = place.settings.schedules.get(database)
    if schedule is None:
        # Nobody said for how long.
        return []
    rows = Backup.objects.filter(database=database, status="done", removed_at=None).exclude(file="")
    kept = [Kept(row.pk, row.started_at or row.asked_at, row.verification == "verified") for row in rows]
    files = {row.pk: row.file for row in rows}
    removed = []
    for number, why in outlived(kept, now, schedule.keep_days, schedule.keep_weeks):
        place.folder.remove(files[number])
        Backup.objects.filter(pk=number, status="done").update(removed_at=now, removed_why=why)
        logger.info("backup %d of %s is removed: %s", number, database, why)
        removed.append(number)
    return removed


def source_of(
    database: str, wanted: str, now: datetime, near: Callable[[str], bool] = lambda replica: True
) -> Chosen:
    """The server that is read for `database`, by what is known of replication now. Raises `BackupError`.

    "auto" passes over replicas that are not `near`.
    """
    stored = TargetState.objects.filter(active=True).exclude(metrics=None).values_list("alias", "metrics")
    metrics = {alias: DatabaseMetrics.from_dict(figures) for alias, figures in stored if figures}
    edges = replication(metrics, DjangoHistory(), now).to_dict()["topology"]["edges"]
    up = {alias: one.up for alias, one in metrics.items()}
    replicas = {edge["replica"] for edge in edges if edge["source"] == database and up.get(edge["replica"])}
    far = [one for one in replicas if not near(one)] if wanted == AUTO else []
    return choose(database, wanted, edges, up, far)


def _made(
    row: Backup, runner: str, place: Place, schedule: BackupSchedule, stop: Stop, progress: Progress
) -> Made:
    """The dump, at its place in the folder and on record as kept."""
    physical = schedule.tool == PHYSICAL

    def near(replica: str) -> bool:
        if not physical or replica not in place.targets:
            return not physical
        return asyncio.run(is_near(place.target(replica, row.database)))

    chosen = source_of(row.database, schedule.source, datetime.now(UTC), near)
    if chosen.alias not in place.targets:
        # Monitored by another process's settings: an account for it is not known here.
        if schedule.source != AUTO:
            raise BackupError(f"{chosen.alias} is not among this process's targets")
        chosen = Chosen(row.database, f"the replica {chosen.alias} is not among this process's targets")
    jobs.change(row.pk, runner, source=chosen.alias)
    folder = place.folder
    folder.prepare()
    key = place.settings.keys[0] if place.settings.seals else ""
    work = folder.work(row.pk)
    order = Order(
        place.target(chosen.alias, row.database),
        work / "dump",
        schedule.databases,
        key,
        schedule.compare_seconds,
        schedule.megabytes_per_second * 1e6,
        physical,
    )
    made = bounded(make(order, stop, progress), schedule.most_hours * 3600, stop)
    relative = name_of(row.database, row.pk, made.started_at, sealed=bool(key), physical=physical)
    name = key_id(key) if key else ""
    folder.keep(
        order.path,
        relative,
        manifest(made, number=row.pk, database=row.database, source=chosen.alias, key=name),
    )
    values: dict[str, Any] = {
        "status": "verifying" if schedule.verify else "done",
        "active": row.database if schedule.verify else None,
        "verification": "" if schedule.verify else "skipped",
        "started_at": made.started_at,
        "finished_at": datetime.now(UTC),
        "file": relative,
        "size_bytes": made.size,
        "plain_bytes": made.plain,
        "sha256": made.sha256,
        "key_id": name,
        "facts": {**made.facts, "chosen": chosen.why},
    }
    recorded = False
    try:
        recorded = persist(lambda: jobs.change(row.pk, runner, **values))
    finally:
        if not recorded:
            # A file of which no row tells would be kept for ever.
            folder.remove(relative)
    if not recorded:
        raise Ended("another process has given this backup up")
    folder.clear(row.pk)
    return made


def _prove(row: Backup, runner: str, place: Place, held: Held, info: ServerInfo, stop: Stop) -> None:
    folder = place.folder
    try:
        proof = bounded(
            verify(
                folder.place(row.file),
                row.sha256,
                place.settings.keys,
                held,
                info,
                folder.work(row.pk),
                stop,
                physical=is_physical(row.file),
            ),
            place.schedule(row.database).most_hours * 3600,
            stop,
        )
        outcome, report = "verified" if proof.comparison.verified else "failed", proof.to_dict()
    except BaseException as error:
        told = {"summary": _told(error, stop)}
        persist(lambda: jobs.end_proof(row.pk, runner, "failed", told, datetime.now(UTC)))
        if not isinstance(error, Exception):
            raise
        return
    finally:
        folder.clear(row.pk)
    persist(lambda: jobs.end_proof(row.pk, runner, outcome, report, datetime.now(UTC)))


def _told(error: BaseException, stop: Stop) -> str:
    """Why a backup came to nothing, in one line."""
    if isinstance(error, DbvigilError):
        return str(error)
    if isinstance(error, OSError):
        return f"the backup's file cannot be written: {error.strerror or error}"
    if not isinstance(error, Exception):
        return stop.reason or "it was interrupted"
    logger.exception("a backup failed", exc_info=error)
    return f"a fault of the service ({type(error).__name__}); its log has the details"


def _cleared(place: Place, number: int) -> None:
    if place.settings.folder:
        place.folder.clear(number)
