"""A backup is taken back: into a server that may be written to, or as plain SQL."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dbvigil.backups import jobs
from dbvigil.backups.errors import BackupError, UnknownBackup
from dbvigil.backups.files import is_physical
from dbvigil.backups.packing import check_whole, unpacked
from dbvigil.backups.preparing import fresh, prepare
from dbvigil.backups.programs import Stop, flavor_of
from dbvigil.backups.restoring import check_place, restore
from dbvigil.backups.running import Place, server_of
from dbvigil.errors import ConfigurationError
from dbvigil.models import Backup, TargetState
from dbvigil.targets import Target, parse_url


def contents(number: int, place: Place) -> Iterator[bytes]:
    """Backup `number` as its tool wrote it: plain SQL, or the stream of a copy of files.

    Raises `BackupError` where there is none, or it is not what was written.
    """
    return unpacked(_whole(_there(number), place), place.settings.keys)


def put_back(
    number: int,
    url: str,
    place: Place,
    *,
    force: bool,
    confirm: Callable[[str], bool],
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Restores backup `number` into the server at `url`; what was done, JSON-ready.

    A monitored server is written over only with `force` and where `confirm`, given its alias, says yes; databases that are there only
    with `force`. The file is looked at as a whole before anything is written. Raises `BackupError`, `ConfigurationError`, ServerError.
    """
    row = _there(number)
    if is_physical(row.file):
        raise BackupError(
            f"backup {number} is a copy of a server's files, which no running server takes: "
            "unpack it with --to FOLDER, and start a server on that"
        )
    target = _target(url)
    written = place.folder.manifest(row.file)
    path, databases = _whole(row, place), list(written["databases"])
    flavor, monitored = flavor_of(server_of(written)), list(place.targets.values())
    elsewhere = dict(TargetState.objects.filter(active=True).values_list("address", "alias"))
    looked = asyncio.run(check_place(target, flavor, databases, monitored, elsewhere, force=force))
    if looked.alias is not None and not confirm(looked.alias):
        raise BackupError(
            f"nothing was restored: {looked.alias} is monitored, and its name was not confirmed"
        )
    restore(
        target,
        flavor,
        unpacked(path, place.settings.keys),
        Stop(),
        encrypted=looked.encrypted,
        progress=progress,
    )
    return {
        "id": row.pk,
        "database": row.database,
        "into": target.address,
        "databases": databases,
        "plain_bytes": row.plain_bytes,
    }


def unpack(
    number: int, to: Path, place: Place, *, progress: Callable[[int], None] = lambda done: None
) -> dict[str, Any]:
    """Unpacks backup `number`, a copy of files, into `to` so that a server can be started on it; what was done, JSON-ready.

    `to` is new or empty, and is so again where it comes to nothing. Raises `BackupError`.
    """
    row = _there(number)
    if not is_physical(row.file):
        raise BackupError(
            f"backup {number} is a dump, which is restored into a server that runs: --into URL, not --to FOLDER"
        )
    written = place.folder.manifest(row.file)
    path, info = _whole(row, place), server_of(written)
    folder = to.absolute()
    with fresh(folder):
        prepare(info, unpacked(path, place.settings.keys), folder, Stop(), progress)
    return {
        "id": row.pk,
        "database": row.database,
        "to": str(folder),
        "server_version": info.version_text,
        "plain_bytes": row.plain_bytes,
    }


def _there(number: int) -> Backup:
    """Raises `UnknownBackup` unless the backup has a file."""
    row = jobs.get(number)
    if row.removed_at is not None:
        raise UnknownBackup(
            f"backup {number} was removed at {row.removed_at:%Y-%m-%d %H:%M} UTC: {row.removed_why}"
        )
    if row.status not in ("done", "verifying"):
        raise UnknownBackup(f"backup {number} is {row.status}: it has no file")
    return row


def _whole(row: Backup, place: Place) -> Path:
    """The backup's file, which is what was written. Raises `DamagedBackup`."""
    path = place.folder.place(row.file)
    check_whole(path, row.sha256)
    return path


def _target(url: str) -> Target:
    try:
        return parse_url("restore", url)
    except ConfigurationError as error:
        raise ConfigurationError("--into", error.given, error.allowed) from None
