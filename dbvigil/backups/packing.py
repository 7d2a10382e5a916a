"""How a dump becomes a file, and is read again: compressed, sealed where there is a key, a chunk at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from dbvigil.backups.errors import DamagedBackup
from dbvigil.backups.sealing import MAGIC, Sealer, SealError, unsealed

_GZIP = 31
# A dump is mostly words that come again: more effort takes twice the time for a twentieth of the size.
_EFFORT = 4
_READ = 256 * 1024


class _Counted:
    """A file that is written once from its beginning to its end, with its size and digest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._file.write(data)
        self._digest.update(data)
        self.size += len(data)
        return len(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


class Packer:
    """A new file at `path`, its owner's alone; `secret` seals it. On the disk only once `close` has returned. Raises OSError."""

    def __init__(self, path: Path, secret: str = "") -> None:
        self._file = open(path, "xb", opener=_for_its_owner)  # noqa: SIM115 - it is open for as long as the dump lasts
        self._counted = _Counted(self._file)
        self._sealer = Sealer(self._counted, secret) if secret else None  # type: ignore[arg-type]  # it only writes
        self._deflater = zlib.compressobj(_EFFORT, zlib.DEFLATED, _GZIP)
        self.plain = 0

    @property
    def size(self) -> int:
        return self._counted.size

    @property
    def sha256(self) -> str:
        return self._counted.sha256

    def write(self, data: bytes) -> None:
        self.plain += len(data)
        self._put(self._deflater.compress(data))

    def close(self) -> None:
        self._put(self._deflater.flush())
        if self._sealer is not None:
            self._sealer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Lets go of a file that will not be whole."""
        # A full disk is told a second time when what is buffered is written; the file is removed anyway.
        with contextlib.suppress(OSError):
            self._file.close()

    def _put(self, data: bytes) -> None:
        if data:
            (self._sealer or self._counted).write(data)


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def check_whole(path: Path, digest: str) -> None:
    """Raises `DamagedBackup` unless the file at `path` is the one whose SHA-256 was written down."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DamagedBackup(f"{path.name}: the file cannot be read: {error.strerror or error}") from None
    if found != digest:
        raise DamagedBackup(
            f"{path.name}: its SHA-256 is not the one that was written down: the file has changed"
        )


def unpacked(path: Path, secrets: Sequence[str] = ()) -> Iterator[bytes]:
    """The dump that is in the file at `path`. Raises `DamagedBackup`, after what was still right; or OSError."""
    with path.open("rb") as file:
        sealed = file.read(len(MAGIC)) == MAGIC
        file.seek(0)
        inflater = zlib.decompressobj(_GZIP)
        try:
            for data in unsealed(file, secrets) if sealed else iter(lambda: file.read(_READ), b""):
                if inflater.eof:
                    raise DamagedBackup(f"{path.name}: it goes on after its end")
                yield from _inflated(inflater, data)
        except SealError as error:
            raise DamagedBackup(f"{path.name}: {error}") from None
        except zlib.error as error:
            raise DamagedBackup(f"{path.name}: it cannot be decompressed ({error})") from None
        if not inflater.eof or inflater.unused_data:
            raise DamagedBackup(f"{path.name}: it ends too early, or goes on after its end")


def _inflated(inflater: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """In pieces, so that what is very small packed is not very large in memory."""
    while data and not inflater.eof:
        yield inflater.decompress(data, _READ)
        data = inflater.unconsumed_tail
