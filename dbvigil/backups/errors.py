"""What keeps a backup from being made, verified or restored."""

from __future__ import annotations

from dbvigil.errors import DbvigilError


class BackupError(DbvigilError):
    """A cause and a remedy in one line, never with a secret or a row's value in it."""


class DamagedBackup(BackupError):
    """The file is not what was written: changed, cut off, or sealed under another key."""


class UnknownBackup(BackupError):
    """A backup that there is not, or whose file was removed."""


class Ended(BackupError):
    """It was ended from outside: its time was up, the monitor stopped, or somebody else has given it up."""
