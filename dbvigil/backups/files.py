"""The folder of backups: names, the manifest beside each file, and how a file comes to be whole there or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dbvigil.backups.errors import BackupError, DamagedBackup
from dbvigil.backups.sealing import SUFFIX

_WORK = ".work-"
MANIFEST = ".json"
SQL, STREAM = ".sql.gz", ".mbstream.gz"


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder at `path`. What is under way has a folder of its own in it, so that it can be removed whole."""

    path: Path

    def prepare(self) -> None:
        """Makes it, its owner's alone. Raises `BackupError` where it cannot be used."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.path.stat().st_mode & 0o022:
                raise BackupError(
                    f"DB_BACKUP_FOLDER {self.path} may be written by others; run: chmod go-w {self.path}"
                )
        except OSError as error:
            raise _unusable(self.path, error) from None

    def work(self, number: int) -> Path:
        """A new folder for backup `number`; one that a dead process left there is removed first."""
        folder = self.path / f"{_WORK}{number}"
        self.clear(number)
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise _unusable(folder, error) from None
        return folder

    def log(self, number: int) -> Path:
        """Where the process of backup `number` writes what it says."""
        return self.path / f".log-{number}"

    def clear(self, number: int) -> None:
        """Removes what is under way of backup `number`."""
        shutil.rmtree(self.path / f"{_WORK}{number}", ignore_errors=True)

    def place(self, relative: str) -> Path:
        """Where a backup's file is; `relative` is what its row says."""
        path = self.path / relative
        if ".." in Path(relative).parts or not relative:
            raise BackupError("the backup's row names no file of this folder")
        return path

    def keep(self, file: Path, relative: str, manifest: Mapping[str, Any]) -> None:
        """Moves a whole file to its place, after its manifest: what has a file has a manifest. Raises OSError."""
        place = self.place(relative)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = file.with_name("manifest")
        with open(draft, "x", encoding="utf-8", opener=_for_its_owner) as written:
            json.dump(manifest, written, indent=1)
            written.flush()
            os.fsync(written.fileno())
        try:
            draft.rename(place.with_name(place.name + MANIFEST))
            file.rename(place)
            _sync(place.parent)
        except OSError:
            self.remove(relative)
            raise

    def manifest(self, relative: str) -> dict[str, Any]:
        """What was written down beside a file. Raises `DamagedBackup`."""
        path = self.place(relative)
        path = path.with_name(path.name + MANIFEST)
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DamagedBackup(f"{path}: the manifest cannot be read ({error})") from None
        return found

    def remove(self, relative: str) -> None:
        """Removes a file and its manifest; neither need be there. Raises OSError."""
        place = self.place(relative)
        place.unlink(missing_ok=True)
        place.with_name(place.name + MANIFEST).unlink(missing_ok=True)

    def holds(self, relative: str) -> bool:
        return bool(relative) and self.place(relative).is_file()


def name_of(database: str, number: int, at: datetime, *, sealed: bool, physical: bool = False) -> str:
    """The path of a new backup below the folder: `shop/shop-20260131T031500Z-7.sql.gz`."""
    kind = STREAM if physical else SQL
    safe = (
        "".join(letter if letter.isalnum() or letter in "_.-" else "_" for letter in database).lstrip(".")
        or "_"
    )
    return f"{safe}/{safe}-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{number}{kind}{SUFFIX if sealed else ''}"


def is_physical(relative: str) -> bool:
    """Whether a backup's file is a copy of a server's files, by its name."""
    return relative.removesuffix(SUFFIX).endswith(STREAM)


def _unusable(path: Path, error: OSError) -> BackupError:
    return BackupError(f"DB_BACKUP_FOLDER cannot be used: {path}: {error.strerror or error}")


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(folder: Path) -> None:
    """A rename is on the disk once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
