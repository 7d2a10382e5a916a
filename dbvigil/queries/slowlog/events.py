"""One entry of a slow log with all that it says, for whoever wants them one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from dbvigil.queries.slowlog.attributes import NOTHING, Attributes, attributes
from dbvigil.queries.slowlog.grammar import Header, epoch, microseconds, name, text_of
from dbvigil.queries.slowlog.splitting import Splitter


@dataclass(frozen=True, slots=True)
class Event:
    """One execution. `statement` is as the client sent it, literals included: not to be stored or shown as it is.

    Times are microseconds. `time` is when the statement was begun, where the log says so, else when it was logged. `schema` is the one in
    use, empty where none was or where the log does not tell.
    """

    statement: bytes
    query_time_us: int
    lock_time_us: int
    rows_sent: int
    rows_examined: int
    time: datetime | None = None
    user: str = ""
    host: str = ""
    schema: str = ""
    thread_id: int | None = None
    attributes: Attributes = NOTHING


def read(source: Iterable[bytes] | Callable[[int], bytes]) -> Iterator[Event]:
    """The entries of a log: of the `read` method of a binary file, or of pieces of any size."""
    return events(Splitter(source if callable(source) else _reader(source)))


def events(log: Splitter, context: Context | None = None) -> Iterator[Event]:
    """The entries of `log`; `context` is what earlier ones have left behind, and is kept up."""
    context = context or Context()
    for found, statement, _key in log:
        yield context.event(found, statement)


@dataclass(slots=True)
class Context:
    """What an entry leaves to the next: the schema in use and the time, which servers write only where they change."""

    schema: str = ""
    time: int | None = None

    def event(self, found: re.Match[bytes], statement: bytes) -> Event:
        header = Header(*found.groups())
        if header.use is not None:
            self.schema = _text(name(header.use))
        if header.timestamp is None and header.time is not None:
            self.time = epoch(header.time) or self.time
        at = self.time if header.timestamp is None else int(header.timestamp)
        thread = header.session or header.thread
        tail = header.session_tail or b""
        return Event(
            statement=text_of(statement),
            query_time_us=microseconds(header.query_seconds, header.query_fraction) or 0,
            lock_time_us=microseconds(header.lock_seconds, header.lock_fraction) or 0,
            rows_sent=int(header.rows_sent),
            rows_examined=int(header.rows_examined),
            time=None if at is None else datetime.fromtimestamp(at, UTC),
            user=_text(header.user or header.account or b""),
            host=_text((header.host or b"").strip() or header.address or b""),
            schema=self.schema if header.schema is None else _text(header.schema),
            thread_id=None if thread is None else int(thread),
            attributes=attributes(tail + header.rest if b"rr" in tail else header.rest),
        )


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _reader(pieces: Iterable[bytes]) -> Callable[[int], bytes]:
    iterator = iter(pieces)

    def give(size: int) -> bytes:
        return next((piece for piece in iterator if piece), b"")

    return give
