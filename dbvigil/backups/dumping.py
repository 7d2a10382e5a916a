"""One dump: the server's own tool, read to its end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dbvigil.backups.errors import BackupError
from dbvigil.backups.packing import Packer
from dbvigil.backups.programs import Program, Stop, Tool
from dbvigil.targets import Target

_READ = 256 * 1024
_TAIL = 400
_HEAD = 16 * 1024
# What the tools write last, so that a dump whose end is missing shows.
_END = re.compile(rb"-- Dump completed(?: on [\d :-]+)?\s*\Z")
_POSITION = re.compile(rb"MASTER_LOG_FILE='([^']+)', MASTER_LOG_POS=(\d+)")
_BEGUN = (b"-- Current Database:", b"CREATE DATABASE")

COMMON = (
    "--single-transaction",
    "--quick",
    "--routines",
    "--events",
    "--triggers",
    "--hex-blob",
    "--no-tablespaces",
    "--default-character-set=utf8mb4",
    "--max-allowed-packet=1G",
)
"""What both tools are told: one snapshot without locks, row by row, with all that belongs to the databases."""


@dataclass(frozen=True, slots=True)
class Dumped:
    """What the tool itself says of its place in the binary log; None where it does not."""

    log_file: str | None = None
    log_position: int | None = None
    gtids: str | None = None


def arguments(flavor: str, databases: Sequence[str], *, position: bool) -> list[str]:
    """What the tool is told; `position`: MariaDB's writes the binary log's place down, for which it needs no lock.

    MySQL's would lock all tables for that (FLUSH TABLES WITH READ LOCK waits for every running statement, and everybody for it): its
    place is read beside the dump instead.
    """
    own = ["--set-gtid-purged=OFF"]
    if flavor == "mariadb":
        own = ["--master-data=2"] if position else []
    return [*COMMON, *own, "--databases", "--", *databases]


class Pace:
    """Holds a reader to so many bytes a second; 0 lets it run."""

    def __init__(
        self,
        bytes_per_second: float,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = bytes_per_second
        self._clock = clock
        self._pause = pause
        self._ahead_until = clock()

    def after(self, size: int) -> None:
        """Returns when `size` more bytes may be read."""
        if self._rate <= 0:
            return
        now = self._clock()
        self._ahead_until = max(self._ahead_until, now) + size / self._rate
        if self._ahead_until > now:
            self._pause(self._ahead_until - now)


def dump(
    program: Program,
    target: Target,
    options: Sequence[str],
    packer: Packer,
    stop: Stop,
    *,
    begun: Callable[[], None],
    pace: Pace,
    encrypted: bool = True,
) -> Dumped:
    """Runs the tool and packs all it writes; `begun` is called once its snapshot is sure to be open. Blocks.

    Raises `BackupError` where it does not end well, whose text says why; OSError where the file cannot be written.
    """
    tool = Tool(program, target, options, stop, encrypted=encrypted)
    head, tail, told = bytearray(), b"", False
    try:
        with tool.running() as process:
            output = process.stdout
            assert output is not None  # noqa: S101 - for the type checker; it is a pipe
            while data := output.read1(_READ):  # type: ignore[attr-defined]  # a pipe's end that Popen buffers
                packer.write(data)
                tail = (tail + data)[-_TAIL:]
                if len(head) < _HEAD:
                    head += data[: _HEAD - len(head)]
                    if not told and any(word in head for word in _BEGUN):
                        told = True
                        begun()
                pace.after(len(data))
    finally:
        if not told:
            begun()
    failure = tool.failure()
    if failure:
        raise BackupError(failure)
    if not _END.search(tail):
        raise BackupError("the dump ends without its last line: it is not whole")
    place = _POSITION.search(head)
    if place is None:
        return Dumped()
    return Dumped(place[1].decode(errors="replace"), int(place[2]))
