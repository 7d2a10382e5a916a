"""What a log costs by fingerprint. This is the loop that every entry of a log goes through: it does as little as can be."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dbvigil.queries.comments import caller
from dbvigil.queries.fingerprint.percona import percona_bytes
from dbvigil.queries.slowlog.attributes import attributes
from dbvigil.queries.slowlog.events import Event
from dbvigil.queries.slowlog.grammar import epoch, microseconds, name, text_of
from dbvigil.queries.slowlog.runs import Runs
from dbvigil.queries.slowlog.splitting import Splitter
from dbvigil.queries.slowlog.totals import Sums

SAMPLE_BYTES = 16_384
_KEY_LIMIT = 1000
_KEYS = 20_000
# Its fingerprint keeps the digits of names, so its key does not say all.
_CALL = re.compile(rb"\s*+call\b", re.IGNORECASE)


@dataclass(slots=True)
class Tally:
    """Sums by fingerprint, at most `limit` of them, the first that come; all others go into `other`.

    `since` and `until` are seconds since 1970.
    """

    limit: int = 10_000
    since: int | None = None
    until: int | None = None
    keep_samples: bool = False
    events: int = 0
    implausible: int = 0
    """Entries whose time is no time: the arithmetic of some servers runs below zero. They count with 0 seconds."""
    schema: bytes | None = None
    """Chosen by the last `use`; None as long as there was none."""
    sums: dict[bytes, Sums] = field(default_factory=dict)
    other: Sums | None = None
    runs: Runs = field(default_factory=Runs)
    _by_key: dict[bytes, Sums] = field(default_factory=dict)
    _time: int | None = None

    def read(self, log: Splitter) -> None:
        """All entries of a log, or of a part of it."""
        by_key, schema, seen = self._by_key, self.schema, self.runs.seen
        filtered = self.since is not None or self.until is not None
        events = 0
        stamp, at, stamped = b"", self._time, self._time
        for header, statement, key in log:
            (
                time, login, account, _host, _address, session, thread, session_schema, tail,
                seconds, fraction, lock_seconds, lock_fraction, sent, examined, rest, use, timestamp,
            ) = header.groups()  # fmt: skip
            if use is not None:
                schema = name(use)
            if timestamp is not None:
                if timestamp != stamp:
                    stamp, at = timestamp, int(timestamp)
            else:
                if time is not None:
                    stamped = epoch(time) or stamped
                stamp, at = b"", stamped
            if filtered and not self._wanted(at):
                continue
            events += 1
            spent = microseconds(seconds, fraction)
            if spent is None:
                self.implausible += 1
                spent = 0
            locked = microseconds(lock_seconds, lock_fraction) or 0
            sums = by_key.get(key)
            if sums is None:
                sums = self._sums(statement, key)
            extra = attributes(rest if tail is None or b"rr" not in tail else tail + rest)
            longest = sums.add(
                spent, locked, int(sent), int(examined), login or account or b"",
                schema if session_schema is None else session_schema, at, extra,
            )  # fmt: skip
            session = session or thread
            if session is not None and at is not None:
                seen(session, sums, at)
            if b"/*" in statement:
                self._called(sums, statement, extra.weight)
            if longest and self.keep_samples:
                sums.sample = text_of(statement)[:SAMPLE_BYTES]
        self.events += events
        self.schema, self._time = schema, stamped

    def add(self, event: Event) -> None:
        """One execution that was read elsewhere."""
        at = None if event.time is None else int(event.time.timestamp())
        if not self._wanted(at):
            return
        self.events += 1
        sums = self._sums(event.statement, event.statement)
        if event.thread_id is not None and at is not None:
            self.runs.seen(b"%d" % event.thread_id, sums, at)
        self._called(sums, event.statement, event.attributes.weight)
        longest = sums.add(
            event.query_time_us, event.lock_time_us, event.rows_sent, event.rows_examined, event.user.encode(), event.schema.encode(),
            at, event.attributes,
        )  # fmt: skip
        if longest and self.keep_samples:
            sums.sample = event.statement[:SAMPLE_BYTES]

    @property
    def exact(self) -> bool:
        """Whether the limits of memory have left all as it is, so that parts of a log add up to the whole."""
        return self.other is None and not any(sums.crowded for sums in self.sums.values())

    def merge(self, later: Tally) -> None:
        """Adds what was read of the part of the log behind this."""
        self.events += later.events
        self.implausible += later.implausible
        for fingerprint, sums in later.sums.items():
            mine = self._kept(fingerprint)
            mine.merge(sums, self.schema)
        if later.schema is not None:
            self.schema = later.schema

    def fresh(self) -> Tally:
        """One with the same wishes and nothing in it."""
        return Tally(self.limit, self.since, self.until, self.keep_samples)

    def forget(self) -> None:
        """Lets go of what only helps to read on."""
        self.runs.close()
        self._by_key.clear()

    def _called(self, sums: Sums, statement: bytes, weight: int) -> None:
        found = caller(statement)
        if found:
            sums.called(found, weight)

    def _wanted(self, at: int | None) -> bool:
        if self.since is not None and (at is None or at < self.since):
            return False
        return self.until is None or (at is not None and at < self.until)

    def _sums(self, statement: bytes, key: bytes) -> Sums:
        sums = self._kept(percona_bytes(text_of(statement)))
        if len(key) <= _KEY_LIMIT and (key is statement or not _CALL.match(statement)):
            if len(self._by_key) >= _KEYS:
                self._by_key.clear()
            self._by_key[key] = sums
        return sums

    def _kept(self, fingerprint: bytes) -> Sums:
        sums = self.sums.get(fingerprint)
        if sums is None:
            if len(self.sums) < self.limit:
                sums = self.sums[fingerprint] = Sums(fingerprint=fingerprint)
            else:
                sums = self.other = self.other or Sums()
        return sums
