"""Keeps log lines off a screen that is drawn on, and shows the newest of them there."""

from __future__ import annotations

import io
import logging
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from dbvigil.terminal.text import clean

_KEPT = 200


class Tail(io.TextIOBase):
    """A stream that remembers its last lines."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=_KEPT)

    def write(self, text: str) -> int:
        self._lines.extend(clean(line) for line in text.splitlines() if line.strip())
        return len(text)

    def newest(self, count: int) -> tuple[str, ...]:
        return tuple(self._lines)[-count:]


@contextmanager
def held_back() -> Iterator[Tail]:
    """While entered, what would be written to a terminal through logging or standard error goes to a `Tail`.

    Logs that go to files or pipes go on. What the tail holds at the end is written out.
    """
    tail = Tail()
    diverted = [(handler, handler.stream) for handler in _handlers() if handler.stream.isatty()]
    for handler, _ in diverted:
        handler.setStream(tail)
    stderr = sys.stderr
    if stderr.isatty():
        sys.stderr = tail
    try:
        yield tail
    finally:
        sys.stderr = stderr
        for handler, stream in diverted:
            handler.setStream(stream)
        for line in tail.newest(_KEPT):
            print(line, file=stderr)


def _handlers() -> Iterator[logging.StreamHandler[io.TextIOBase]]:
    loggers = [logging.getLogger(), *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in logger.handlers if isinstance(logger, logging.Logger) else ():
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                yield handler
