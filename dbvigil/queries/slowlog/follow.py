"""What is new in a slow log since the last time, through rotation, truncation and restarts of whoever asks."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Self

from dbvigil.queries.slowlog.events import Context, Event, events
from dbvigil.queries.slowlog.splitting import Splitter

CALL_BYTES = 8 << 20
"""Read by one call, and what the last entry has beyond it."""
LOOKAHEAD = 4 << 20
"""A statement that nothing closes is waited for until the log has so much more."""
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log has been read. `offset` is where an entry begins or will.

    `inode` and `head_hash` (of the first 4096 bytes, or of as many as `offset`) say which file it was. `schema`, `time` (seconds since
    1970) and `named` are what earlier entries leave to later ones.
    """

    inode: int
    offset: int = 0
    head_hash: str = ""
    schema: str = ""
    time: int | None = None
    named: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Self:
        return cls(**body)


def at_end(path: str | os.PathLike[str]) -> Position:
    """Where `follow` goes on with what is written from now on; raises OSError."""
    with Path(path).open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        return Position(_inode(stream), size, _head_hash(stream, size))


def follow(
    path: str | os.PathLike[str], position: Position | None = None, *, limit: int = CALL_BYTES
) -> tuple[list[Event], Position]:
    """The entries behind `position` (None: from the beginning), and the position to go on from.

    - The last entry is left for the next time while its statement has not ended.
    - A file that was renamed is found by its inode in the same folder and read to its end first; it has ended when the new file has
      something in it. One that was compressed or moved away is lost.
    - A file that is shorter than it was, or begins differently, was truncated: it is read from the beginning.

    Raises OSError where there is nothing to be read, FileNotFoundError only where nothing is known of an earlier file either.
    """
    file, found = Path(path), list[Event]()
    try:
        stream = file.open("rb")
    except FileNotFoundError:
        if position is None:
            raise
        renamed = _renamed(file, position)
        if renamed is None:
            return found, position
        with renamed.open("rb") as old:
            return _read(old, position, limit, ended=False)
    with stream:
        if position is not None and _inode(stream) != position.inode:
            renamed = _renamed(file, position)
            if renamed is not None:
                ended = os.fstat(stream.fileno()).st_size > 0
                with renamed.open("rb") as old:
                    size = os.fstat(old.fileno()).st_size
                    found, position = _read(old, position, limit, ended=ended)
                if not ended or position.offset < size:
                    return found, position
            position = None
        if position is None or not _same(stream, position):
            position = Position(_inode(stream))
        more, position = _read(stream, position, limit, ended=False)
    return found + more, position


def _read(stream: BinaryIO, position: Position, limit: int, *, ended: bool) -> tuple[list[Event], Position]:
    stream.seek(position.offset)
    log = Splitter(
        stream.read, base=position.offset, stop=position.offset + limit, follow=not ended, started=position.named, lookahead=LOOKAHEAD
    )  # fmt: skip
    context = Context(position.schema, position.time)
    found = list(events(log, context))
    offset = log.consumed if log.next_start is None else log.next_start
    return found, replace(
        position,
        offset=offset,
        head_hash=_head_hash(stream, offset),
        schema=context.schema,
        time=context.time,
        named=log.started,
    )


def _same(stream: BinaryIO, position: Position) -> bool:
    size = os.fstat(stream.fileno()).st_size
    return size >= position.offset and _head_hash(stream, position.offset) == position.head_hash


def _renamed(file: Path, position: Position) -> Path | None:
    """The file of `position` under its new name, beside the log."""
    with os.scandir(file.parent) as entries:
        candidates = [
            Path(entry.path)
            for entry in entries
            if entry.name != file.name and entry.inode() == position.inode
        ]
    for candidate in candidates:
        with candidate.open("rb") as stream:
            if _same(stream, position):
                return candidate
    return None


def _head_hash(stream: BinaryIO, offset: int) -> str:
    stream.seek(0)
    head = stream.read(min(_HEAD, offset))
    return hashlib.sha256(head).hexdigest()[:32] if head else ""


def _inode(stream: BinaryIO) -> int:
    return os.fstat(stream.fileno()).st_ino
