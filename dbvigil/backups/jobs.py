"""What is done to backups and by whom, as rows: every step names who it is, so that one who was given up changes nothing any more."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psutil
from django.db import IntegrityError, transaction
from django.db.models import F, Q

from dbvigil.backups.errors import BackupError, UnknownBackup
from dbvigil.keeping import fit
from dbvigil.models import Backup

ACTIVE = ("waiting", "running", "verifying")
BEAT_SECONDS = 2.0
STILL_SECONDS = 20.0
"""One whose beat has stood still for so long is given up."""
KILLED = "its process has ended in the middle: it was killed, or its host went down"
FORGOTTEN_AFTER = timedelta(days=400)
"""Backups that failed, or whose files were removed, stay on record for so long."""

_LONGEST_ERROR = 2000
_PATIENCE = timedelta(minutes=1)


def me() -> str:
    """This process: its host, number and start, so that a number that was given again is not taken for it."""
    return _identity(psutil.Process())


def _identity(process: psutil.Process) -> str:
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.2f}"


def get(number: int) -> Backup:
    """Raises `UnknownBackup`."""
    found = Backup.objects.filter(pk=number).first()
    if found is None:
        raise UnknownBackup(f"there is no backup {number}")
    return found


def ask(database: str, by: str, now: datetime, *, slot: datetime | None = None, runner: str = "") -> Backup:
    """A backup of `database` that waits for somebody to make it, or is `runner`'s from the beginning.

    Raises `BackupError` where one is under way.
    """
    begun = {"status": "running", "runner": runner, "started_at": now} if runner else {}
    try:
        with transaction.atomic():
            return Backup.objects.create(
                database=database, active=database, asked_at=now, asked_by=fit(by)[:150], slot=slot, **begun
            )
    except IntegrityError:
        under_way = Backup.objects.filter(active=database).values_list("pk", "status").first()
        told = (
            f"backup {under_way[0]} is {under_way[1]}"
            if under_way
            else "another was asked for at the same time"
        )
        raise BackupError(f"{database} is being backed up already: {told}") from None


def take(database: str, by: str, now: datetime) -> Backup:
    """A backup of `database` to be made by this process: a new one, or one that has waited a minute for a monitor that does not come.

    One whose process was killed on this host is given up first. Raises `BackupError`.
    """
    bury(database, now)
    waiting = Backup.objects.filter(active=database, status="waiting", asked_at__lt=now - _PATIENCE).first()
    return waiting or ask(database, by, now, runner=me())


def bury(database: str, now: datetime) -> None:
    """Gives up what was under way of `database` in a process of this host that is gone."""
    for row in Backup.objects.filter(active=database, status__in=("running", "verifying")):
        if gone(row.runner):
            give_up(row, KILLED, now)


def claim(number: int, runner: str, now: datetime) -> bool:
    """Whether the backup is `runner`'s to make from now on."""
    waiting = Backup.objects.filter(Q(status="waiting") | Q(status="running", runner=runner), pk=number)
    return bool(waiting.update(status="running", runner=runner, started_at=now, beat=F("beat") + 1))


def claim_proof(number: int, runner: str) -> bool:
    """Whether a backup that is done is `runner`'s to verify from now on."""
    try:
        with transaction.atomic():
            done = Backup.objects.filter(pk=number, status="done", active=None, removed_at=None)
            return bool(
                done.update(status="verifying", active=F("database"), runner=runner, beat=F("beat") + 1)
            )
    except IntegrityError:
        return False


def change(number: int, runner: str, **values: Any) -> bool:
    """Writes what has become of it; false where it is no longer `runner`'s. Each change is a beat."""
    mine = Backup.objects.filter(pk=number, runner=runner, status__in=("running", "verifying"))
    fitting = {name: fit(value) for name, value in values.items()}
    return bool(mine.update(**fitting, beat=F("beat") + 1))


def fail(number: int, runner: str, error: str, now: datetime) -> bool:
    """It has come to nothing, and why."""
    mine = Backup.objects.filter(pk=number, runner=runner, status__in=("waiting", "running"))
    return bool(mine.update(**_failed(fit(error)), active=None, finished_at=now))


def _failed(error: str) -> dict[str, Any]:
    """A backup that has come to nothing has no size either."""
    return {"status": "failed", "error": error[:_LONGEST_ERROR], "size_bytes": None, "plain_bytes": None}


def end_proof(number: int, runner: str, verification: str, report: Mapping[str, Any], now: datetime) -> bool:
    """The file stays; `verification` is what the restore has said of it."""
    mine = Backup.objects.filter(pk=number, runner=runner, status="verifying")
    proved = {"verified_at": now} if verification == "verified" else {}
    return bool(
        mine.update(
            status="done",
            active=None,
            verification=verification,
            report=fit(dict(report)),
            finished_at=now,
            **proved,
        )
    )


def give_up(row: Backup, why: str, now: datetime) -> bool:
    """Ends a backup whose process is gone; false where it has moved meanwhile."""
    same = Backup.objects.filter(pk=row.pk, runner=row.runner, beat=row.beat, status=row.status)
    ended: dict[str, Any]
    if row.status == "verifying":
        report = {"summary": f"the verification did not come to its end: {why}"}
        ended = {"status": "done", "verification": "failed", "report": report}
    else:
        ended = _failed(why)
    # Without its runner it is nobody's: who comes back finds that.
    return bool(same.update(**ended, active=None, runner="", finished_at=now))


def maintain(now: datetime, retention_days: float) -> bool:
    """Forgets what is long over; `retention_days`, which is of samples, says nothing about backups. True where there is more to do."""
    old = Backup.objects.filter(active=None, asked_at__lt=now - FORGOTTEN_AFTER)
    old.filter(Q(status="failed") | ~Q(removed_at=None)).delete()
    return False


@dataclass(frozen=True, slots=True)
class _Seen:
    beat: int
    since: float


class Deathwatch:
    """Finds backups whose process is gone: on this host by its number, on others by a beat that stands still under our own eyes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[int, _Seen] = {}

    def dead(self) -> list[Backup]:
        """Those that nobody works on any more."""
        rows = list(Backup.objects.filter(status__in=("running", "verifying")))
        self._seen = {row.pk: self._look(row) for row in rows}
        now = self._clock()
        return [row for row in rows if now - self._seen[row.pk].since >= STILL_SECONDS or gone(row.runner)]

    def _look(self, row: Backup) -> _Seen:
        before = self._seen.get(row.pk)
        return before if before is not None and before.beat == row.beat else _Seen(row.beat, self._clock())


def is_of(runner: str, process: int) -> bool:
    """Whether `runner` is the process of this number on this host."""
    return runner.startswith(f"{socket.gethostname()}:{process}:")


def gone(runner: str) -> bool:
    """Whether `runner` was a process of this host, and is none any more."""
    host, _, rest = runner.rpartition(":")[0].rpartition(":") if runner else ("", "", "")
    if host != socket.gethostname() or not rest.isdigit() or int(rest) == os.getpid():
        return False
    try:
        process = psutil.Process(int(rest))
        return _identity(process) != runner or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
