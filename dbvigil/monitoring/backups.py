"""When backups are made: looked at every few seconds for the targets that this monitor holds, and made in processes of their own.

A backup disturbs no sample: its process stands last in every queue of the machine, and ends with the monitor.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings as django_settings

from dbvigil.backups import due, jobs, stored
from dbvigil.backups.errors import BackupError
from dbvigil.backups.files import Folder
from dbvigil.backups.judging import Standing
from dbvigil.conf.backups import BackupSettings
from dbvigil.models import Backup, BackupPlan
from dbvigil.sandbox import process

logger = logging.getLogger("dbvigil.backups")

EVERY_SECONDS = 3.0
END_SECONDS = 3.0
"""So long a backup has to clear up when its monitor stops."""
AT_ONCE = 2
"""Backups that are under way at a time, of all targets of this monitor: they share its disk."""
_LOG_TAIL = 600


@dataclass(slots=True)
class _Child:
    process: process.Process
    log: Path


class Backups:
    """The backups of one monitor. Synchronous: every call is a few short statements."""

    def __init__(self) -> None:
        self._children: dict[int, _Child] = {}
        self._deathwatch = jobs.Deathwatch()
        self.standings: Mapping[str, Standing] = {}
        """What rules judge, by database, as it was at the last look."""

    def look(self, settings: BackupSettings, held: Collection[str], now: datetime) -> None:
        """Starts what is due or asked for of the databases in `held`, and settles what has ended. Raises `DatabaseError`."""
        if not settings.enabled:
            self.standings = {}
            return
        self._reap(now)
        for row in self._deathwatch.dead():
            if jobs.give_up(row, jobs.KILLED, now):
                logger.warning("backup %d of %s is given up: its process is gone", row.pk, row.database)
                folder = Folder(Path(settings.folder))
                folder.clear(row.pk)
                folder.log(row.pk).unlink(missing_ok=True)
        for alias in held:
            schedule = settings.schedules.get(alias)
            if schedule is not None:
                self._plan(alias, schedule.cron, now)
        for row in Backup.objects.filter(status="waiting", active__in=list(held)).order_by("asked_at"):
            if row.pk not in self._children and len(self._children) < AT_ONCE:
                self._start(row, settings, now)
        self.standings = stored.standings(settings, held)

    def recall(self, settings: BackupSettings, databases: Collection[str]) -> None:
        """Reads how the backups stand, and does nothing about them."""
        self.standings = stored.standings(settings, databases)

    def end(self, now: datetime) -> None:
        """Ends what is under way within a few seconds: nothing outlives the monitor."""
        for child in self._children.values():
            child.process.terminate()
        deadline = time.monotonic() + END_SECONDS
        for number, child in self._children.items():
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            self._settle(number, child, now)
        self._children.clear()

    def _plan(self, alias: str, cron: str, now: datetime) -> None:
        plan, new = BackupPlan.objects.get_or_create(database=alias, defaults={"cron": cron, "since": now})
        if not new and plan.cron != cron:
            # What an earlier schedule missed is not made up under this one.
            plan.cron, plan.since = cron, now
            plan.save()
        served = (
            Backup.objects.filter(database=alias)
            .exclude(slot=None)
            .order_by("-slot")
            .values_list("slot", flat=True)
        ).first()
        slot = due.slot(cron, plan.since, served, now)
        if slot is None:
            return
        # One that was asked for is under way: this slot's turn comes after it.
        with contextlib.suppress(BackupError):
            row = jobs.ask(alias, "", now, slot=slot)
            logger.info("backup %d of %s is due since %s UTC", row.pk, alias, f"{slot:%Y-%m-%d %H:%M}")

    def _start(self, row: Backup, settings: BackupSettings, now: datetime) -> None:
        try:
            Folder(Path(settings.folder)).prepare()
            log = Folder(Path(settings.folder)).log(row.pk)
            command = [sys.executable, "-m", "dbvigil.backups.worker", str(row.pk)]
            started = process.start(command, log, _environment())
        except (BackupError, OSError) as error:
            jobs.fail(row.pk, "", str(error), now)
            logger.error("backup %d of %s cannot be started: %s", row.pk, row.database, error)
            return
        self._children[row.pk] = _Child(started, log)

    def _reap(self, now: datetime) -> None:
        for number, child in list(self._children.items()):
            if child.process.poll() is not None:
                self._settle(number, child, now)
                del self._children[number]

    def _settle(self, number: int, child: _Child, now: datetime) -> None:
        """One whose process has ended: what that left undone is a failure."""
        row = Backup.objects.filter(pk=number).first()
        said = _tail(child.log)
        child.log.unlink(missing_ok=True)
        if row is not None and row.status in jobs.ACTIVE:
            if row.runner and not jobs.is_of(row.runner, child.process.pid):
                # Another process has taken it meanwhile: it is that one's.
                return
            jobs.give_up(row, f"its process ended with code {child.process.returncode}: {said}", now)
            Folder(child.log.parent).clear(number)
            row.refresh_from_db()
        if row is not None and row.status == "failed":
            logger.error("backup %d of %s has failed: %s", number, row.database, row.error)
        elif row is not None:
            told = (row.report or {}).get("summary", "not verified")
            logger.info("backup %d of %s is done; %s: %s", number, row.database, row.verification, told)


def _environment() -> dict[str, str]:
    """What a process needs to be the same project as this one."""
    module = getattr(django_settings, "SETTINGS_MODULE", None) or os.environ.get("DJANGO_SETTINGS_MODULE")
    if not module:
        raise BackupError(
            "settings that are no module cannot be read by the process of a backup; set DJANGO_SETTINGS_MODULE"
        )
    path = os.pathsep.join(folder for folder in (str(Path.cwd()), *sys.path) if folder)
    return {**os.environ, "DJANGO_SETTINGS_MODULE": module, "PYTHONPATH": path}


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return "it wrote no log"
    return lines[-1][-_LOG_TAIL:] if lines else "it said nothing"
