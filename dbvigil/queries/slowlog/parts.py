"""One file read by several processes, each a part of it, and the proof that the parts fit together."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dbvigil.queries.slowlog.grammar import ADDRESS, HEADER, TIMESTAMP
from dbvigil.queries.slowlog.splitting import Splitter
from dbvigil.queries.slowlog.tally import Tally

_SEARCHED = 1 << 20
# Not multiprocessing: that would import the program's main module anew, or copy a process with threads in it.
_COMMAND = "from dbvigil.queries.slowlog.parts import serve; serve()"


@dataclass(slots=True)
class Part:
    """What was read, and at which offset the next part begins; None at the end of the input."""

    tally: Tally
    skipped: int
    unclosed: int
    next_start: int | None


def read(tally: Tally, log: Splitter) -> Part:
    """Reads one part to its end."""
    tally.read(log)
    return Part(tally, log.skipped, log.unclosed, log.next_start)


def cuts(stream: BinaryIO, size: int, count: int) -> list[int]:
    """Offsets where headers seem to begin, at most `count` - 1 of them, spread evenly."""
    found: list[int] = []
    for number in range(1, count):
        near = max(size * number // count, found[-1] + 1 if found else 1)
        stream.seek(near)
        text = stream.read(_SEARCHED)
        for header in HEADER.finditer(text):
            # It says on its own who and when, and how it begins and ends is in what was read.
            certain = (
                header.end() < text.rfind(b"\n")
                and text[max(0, header.start() - 2) : header.start()] == b";\n"
            )
            if certain and None not in header.group(ADDRESS, TIMESTAMP):
                found.append(near + header.start())
                break
    return found


def together(file: Path, tally: Tally, at: Sequence[int]) -> Part | None:
    """The parts between the cuts `at`, added up; None where they are not what one reader would read."""
    started = [_start(file, tally, start, stop) for start, stop in zip(at, [*at[1:], None], strict=True)]
    try:
        with file.open("rb") as stream:
            whole = read(tally.fresh(), Splitter(stream.read, stop=at[0]))
        for start, process in zip(at, started, strict=True):
            if whole.next_start != start or whole.unclosed or not whole.tally.exact:
                return None
            part = _result(process)
            if part is None or part.unclosed or not part.tally.exact:
                return None
            whole.tally.merge(part.tally)
            whole.skipped += part.skipped
            whole.next_start = part.next_start
    finally:
        for process in started:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
    return whole if whole.next_start is None and whole.tally.exact else None


def serve() -> None:
    """The whole life of a process that reads one part: the task on standard input, the part on standard output."""
    file, start, stop, tally = pickle.load(sys.stdin.buffer)  # noqa: S301  # from the process that started this one
    with Path(file).open("rb") as stream:
        stream.seek(start)
        part = read(tally, Splitter(stream.read, base=start, stop=stop, started=True))
    part.tally.forget()
    pickle.dump(part, sys.stdout.buffer)


def _start(file: Path, tally: Tally, start: int, stop: int | None) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(  # noqa: S603  # this interpreter, and a constant
        [sys.executable, "-c", _COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    if process.stdin:
        with process.stdin as task:
            pickle.dump((str(file.absolute()), start, stop, tally.fresh()), task)
    return process


def _result(process: subprocess.Popen[bytes]) -> Part | None:
    """The part that a process has read; None where it was ended before."""
    answer = process.stdout.read() if process.stdout else b""
    if process.wait() != 0:
        return None
    part: Part = pickle.loads(answer)  # noqa: S301  # from the process that was started here
    return part
