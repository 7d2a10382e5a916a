"""A whole slow-log file, plain or gzip, in flat memory and on more than one core.

A large file is cut where a header seems to begin. Each part is read as if the cut were right; whoever reads the part before says where that
really ends. Only where the two agree, and no limit was reached, are parts added up; otherwise the file is read again in one piece. So the
result is always that of one reader, but for a burst that lies across a cut.
"""

from __future__ import annotations

import errno
import gzip
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from dbvigil.queries.comments import commonest
from dbvigil.queries.figures import Figures
from dbvigil.queries.rules.statistics_history import Burst
from dbvigil.queries.slowlog import parts
from dbvigil.queries.slowlog.parts import Part
from dbvigil.queries.slowlog.splitting import Splitter
from dbvigil.queries.slowlog.tally import Tally
from dbvigil.queries.slowlog.totals import Sums

CALLERS = 20
"""Kept apart by name, of one kind of statement."""
PART_BYTES = 16 << 20
"""A second core is asked for at least so much."""
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of statement. `fingerprint` is in the percona dialect; `schema` and the like are by executions, the commonest first.

    `sample` is the slowest execution's text with its literals, only where samples were asked for. `callers`: executions by what comments
    in them name, the commonest 20. `burst`: where sessions ran it many times in a row.
    """

    fingerprint: str
    figures: Figures
    schema: str = ""
    schemas: Mapping[str, int] = field(default_factory=dict)
    users: Mapping[str, int] = field(default_factory=dict)
    sample: str | None = None
    callers: Mapping[str, int] = field(default_factory=dict)
    burst: Burst | None = None


@dataclass(frozen=True, slots=True)
class LogDigest:
    """What a log says.

    `events`: entries read. `total_time`: seconds; where a server logs one statement in so many it is scaled, as all figures of the entries
    are. `skipped_bytes`: text that is no statement. `other`: all fingerprints beyond the limit, None where there was room.
    `unclosed`: statements with an open quote or comment: what follows one cannot be told from a forgery. `implausible`: executions without
    a believable time, counted with 0 seconds. Entries come by total time, the largest first.
    """

    events: int
    total_time: float
    skipped_bytes: int
    entries: list[Entry]
    other: Entry | None = None
    unclosed: int = 0
    implausible: int = 0


def digest_log(
    path: str | os.PathLike[str],
    *,
    workers: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    keep_samples: bool = False,
    limit: int = 10_000,
) -> LogDigest:
    """Reads the file at `path`; raises OSError where that cannot be done, also of a compressed file that is cut off.

    `workers`: processes at most; None is one a core where the file is large. `since` (inclusive) and `until` (exclusive) choose by the time
    at which statements began; ones without a time are then left out. `limit`: fingerprints that are kept apart.
    """
    file = Path(path)
    tally = Tally(
        limit=limit,
        since=None if since is None else int(since.timestamp()),
        until=None if until is None else int(until.timestamp()),
        keep_samples=keep_samples,
    )
    part = None if workers == 1 else _together(file, tally, workers)
    if part is None:
        with _opened(file) as stream:
            part = parts.read(tally, Splitter(stream.read))
    return _digest(part)


def summary(tally: Tally, skipped: int = 0, unclosed: int = 0) -> LogDigest:
    """The digest of entries that were read in another way."""
    return _digest(Part(tally, skipped, unclosed, None))


def _together(file: Path, tally: Tally, workers: int | None) -> Part | None:
    """The sum of parts, None where the file is not for parts."""
    size = file.stat().st_size
    count = min(workers or len(os.sched_getaffinity(0)), size // PART_BYTES if workers is None else size)
    with file.open("rb") as stream:
        if count < 2 or stream.read(2) == _GZIP:
            return None
        cuts = parts.cuts(stream, size, count)
    return parts.together(file, tally, cuts) if cuts else None


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    with file.open("rb") as stream:
        packed = stream.read(2) == _GZIP
        stream.seek(0)
        if not packed:
            yield stream
            return
        try:
            with gzip.open(stream) as unpacked:
                yield unpacked  # type: ignore[misc]  # it reads as a binary file does
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise OSError(errno.EIO, "the compressed log is cut off or damaged", str(file)) from error


def _digest(part: Part) -> LogDigest:
    tally = part.tally
    tally.runs.close()
    everything = [*tally.sums.values(), *([tally.other] if tally.other else [])]
    first = min((sums.first for sums in everything if sums.first is not None), default=None)
    last = max((sums.last for sums in everything if sums.last is not None), default=None)
    seconds = float(last - first) if first is not None and last is not None and last > first else None
    ordered = sorted(tally.sums.items(), key=lambda item: (-item[1].total, item[0]))
    return LogDigest(
        events=tally.events,
        total_time=sum(sums.total for sums in everything) / 1e6,
        skipped_bytes=part.skipped,
        entries=[_entry(fingerprint, sums, seconds) for fingerprint, sums in ordered],
        other=_entry(b"", tally.other, seconds) if tally.other else None,
        unclosed=part.unclosed,
        implausible=tally.implausible,
    )


def _entry(fingerprint: bytes, sums: Sums, seconds: float | None) -> Entry:
    chosen = {name: count for name, count in sums.schemas.items() if name is not None}
    if None in sums.schemas:
        chosen[b""] = chosen.get(b"", 0) + sums.schemas[None]
    schemas = _named(chosen)
    return Entry(
        fingerprint=_text(fingerprint),
        figures=sums.figures(seconds),
        schema=next(iter(schemas), ""),
        schemas=schemas,
        users=_named(sums.users),
        sample=None if sums.sample is None else _text(sums.sample),
        callers=commonest(sums.callers, CALLERS),
        burst=_burst(sums),
    )


def _burst(sums: Sums) -> Burst | None:
    found = sums.bursts
    return Burst(found.number, found.executions, found.longest, _text(found.opener)) if found.number else None


def _named(counts: Mapping[bytes, int]) -> dict[str, int]:
    return {
        _text(name): count for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    }


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
