"""A copy of a server's files: `mariadb-backup`, which is of the server's own release, read to its end."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from dbvigil.backups import plugins
from dbvigil.backups.dumping import Dumped, Pace
from dbvigil.backups.errors import BackupError
from dbvigil.backups.packing import Packer
from dbvigil.backups.programs import Program, Stop, Tool, version_of
from dbvigil.targets import Target
from dbvigil.types import ServerInfo

NAMES = ("mariadb-backup", "mariabackup")
STREAMER = "mbstream"
# It tells every file that it copies, and an account's grants with its password's hash where one is missing.
TELLING = re.compile(r"(?i)^(?!.*\b(?:GRANT|IDENTIFIED)\b).*(?:error|fail|denied|corrupt|can ?not|can't)")

_READ = 256 * 1024
_TAIL = 64 * 1024
_END = b"completed OK!"
_LOCKS = b"BACKUP STAGE FLUSH"
_RELEASE = re.compile(r"\b(\d+)\.(\d+)\.(\d+)-MariaDB")
_POSITION = re.compile(
    rb"binlog position: filename '([^']+)', position '(\d+)'(?:, GTID of the last change '([^']*)')?"
)


def backup_program(info: ServerInfo) -> Program:
    """mariadb-backup of the release of the server of `info`. Raises `BackupError`, which says what was found."""
    if not info.is_mariadb:
        raise BackupError(
            f'physical backups are made of MariaDB alone, and this is MySQL {info.version_text}: set "tool" to "dump"'
        )
    wanted = release_of(info)
    for name in NAMES:
        path = shutil.which(name)
        if path is None:
            continue
        version = version_of([path]) or ""
        release = _RELEASE.search(version)
        if release is None:
            raise BackupError(f"{path} does not tell its version; install mariadb-backup {wanted}")
        if f"{release[1]}.{release[2]}" != wanted:
            raise BackupError(
                f"{path} is of MariaDB {release[1]}.{release[2]}, and the server of {wanted}: "
                f"install mariadb-backup {wanted} on this machine"
            )
        return Program("mariadb", (path,), version.replace(path, NAMES[0], 1), NAMES[0])
    raise BackupError(
        f"{NAMES[0]} is not on PATH: install mariadb-backup {wanted} on this machine, the server's own release"
    )


def stream_program() -> Program:
    """What unpacks mariadb-backup's streams. Raises `BackupError`."""
    path = shutil.which(STREAMER)
    if path is None:
        raise BackupError(f"{STREAMER} is not on PATH: it is in the package mariadb-backup")
    return Program("mariadb", (path,), "", STREAMER)


def copy(
    program: Program,
    target: Target,
    datadir: Path,
    scratch: Path,
    packer: Packer,
    stop: Stop,
    *,
    begun: Callable[[], None],
    pace: Pace,
    encrypted: bool = True,
) -> Dumped:
    """Copies the files in `datadir` as a stream into `packer`, in `scratch` what it writes besides. Blocks.

    The copy is of the moment of its end: `begun` is called when that has passed. Raises `BackupError` where it does not end well, whose
    text says why; OSError where the file cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".copy-", dir=scratch) as own:
            options = (
                "--backup",
                "--stream=mbstream",
                f"--datadir={datadir}",
                f"--target-dir={own}",
                f"--tmpdir={own}",
                # It does not read this from its option file.
                f"--plugin-dir={plugins.safe()}",
            )
            tool = Tool(program, target, options, stop, encrypted=encrypted, telling=TELLING)
            _read(tool, packer, pace)
    finally:
        begun()
    # Before what it said is let go of.
    tail = tool.heard(-_TAIL)
    failure = tool.failure()
    if failure:
        raise BackupError(failure)
    if not tail.rstrip().endswith(_END):
        raise BackupError(f"{program.name} did not say {_END.decode()!r} at its end: the copy is not whole")
    place = _POSITION.search(tail)
    if place is None:
        return Dumped()
    gtids = place[3].decode(errors="replace") if place[3] else None
    return Dumped(place[1].decode(errors="replace"), int(place[2]), gtids)


def _read(tool: Tool, packer: Packer, pace: Pace) -> None:
    heard, locks = 0, False
    with tool.running() as process:
        output = process.stdout
        assert output is not None  # noqa: S101 - for the type checker; it is a pipe
        while data := output.read1(_READ):  # type: ignore[attr-defined]  # a pipe's end that Popen buffers
            packer.write(data)
            if not locks:
                said = tool.heard(max(0, heard - len(_LOCKS)))
                heard, locks = max(0, heard - len(_LOCKS)) + len(said), _LOCKS in said
            if not locks:
                # While it holds locks, everybody else waits for whoever reads slowly.
                pace.after(len(data))


def release_of(info: ServerInfo) -> str:
    """The release that whatever opens the copy has to be of, such as 10.11."""
    return ".".join(map(str, info.version[:2]))
