"""What is new about a server's statements since the last time it was asked: the differences of its digests, and what its slow log says.

No Django, no clock: whoever asks keeps what is found. A `Collector` goes on from where another has stopped, for which it needs
`Collected.progress` alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dbvigil.errors import MissingObject, MissingPrivilege
from dbvigil.queries.digests import Key, Reading, Span, between, merged, read_digests, read_texts
from dbvigil.queries.fingerprint import digest_cut, fingerprint, pair_key, server_text
from dbvigil.queries.histograms import grown, kept_by, read_histograms
from dbvigil.queries.statements import administrative
from dbvigil.query import QuerySource
from dbvigil.server import Server
from dbvigil.slow_queries.log_source import LogFacts, LogNews, LogPlace, Name, read_log
from dbvigil.slow_queries.moment import running
from dbvigil.slow_queries.packing import Cost, Window, figures, names, row
from dbvigil.types import Flavor

logger = logging.getLogger(__name__)

WITH_HISTOGRAM = 20
"""Digests of one reading whose histograms are read: those that took most time since the last one."""
LOG_SECONDS = 2.0
"""What reading the slow log may take."""
_LOG_REST = timedelta(hours=1)
_TOO_LARGE = (
    f"the slow log took more than {LOG_SECONDS:g} s to read and is left alone for an hour;"
    " a table has no index: truncate it now and then"
)
REMEMBERED = 2_000
"""Digests whose counters are remembered: those seen last. One that was forgotten counts again from its next reading on."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a kind of statement is: nothing of it holds a value."""

    query: str
    fingerprint: str
    query_id: str
    pair: str
    first_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class Collected:
    """What one visit has found. `windows`: what happened since the visit before, by source. `new`: kinds not described before.

    `progress` (JSON-ready) is where the next visit goes on. `trouble`: what could not be read and why, by source. `running`: sessions
    with a long statement. `samples`: statements of a log with their values by pair key, for EXPLAIN and nothing else. `facts`: who
    sent what the log tells of.
    """

    taken_at: datetime
    windows: Mapping[QuerySource, Window[Name]]
    new: Mapping[Name, Description]
    progress: Mapping[str, Any]
    trouble: Mapping[str, str] = field(default_factory=dict)
    running: Sequence[Mapping[str, Any]] = ()
    samples: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[Name, LogFacts] = field(default_factory=dict)


class Collector:
    """Reads the statements of one target, visit by visit; `progress` is what an earlier visit left, of this process or another."""

    def __init__(self, progress: Mapping[str, Any] | None = None, known: Sequence[Name] = ()) -> None:
        self._before: Reading | None = None
        self._log: LogPlace | None = None
        self._histograms: dict[Key, dict[int, int]] = {}
        self._known = set(known)
        self._log_again = datetime.fromtimestamp(0, UTC)
        if progress:
            try:
                self._before = _reading(progress["reading"]) if progress.get("reading") else None
                self._log = LogPlace.from_dict(progress["log"]) if progress.get("log") else None
            except (KeyError, TypeError, ValueError) as error:
                logger.warning(
                    "where statements were read to cannot be understood, starting afresh: %s", error
                )
                self._before, self._log = None, None

    async def collect(self, server: Server, now: datetime, *, sessions: bool = True) -> Collected:
        """One visit. A source that cannot be read is in `trouble`; raises `ServerError` only where there is no server.

        One that is broken off has not been: the next goes on from the one before. Without `sessions` nobody is known to run for long.
        """
        state = self._before, self._log, dict(self._histograms)
        try:
            return await self._visit(server, now, sessions)
        except BaseException:
            self._before, self._log, self._histograms = state
            raise

    async def _visit(self, server: Server, now: datetime, sessions: bool) -> Collected:
        windows: dict[QuerySource, Window[Name]] = {}
        new: dict[Name, Description] = {}
        trouble: dict[str, str] = {}
        samples: dict[str, str] = {}
        facts: Mapping[Name, LogFacts] = {}
        try:
            window, described = await self._digests(server, now)
            if window is not None:
                windows["digest"] = window
            new |= described
        except (MissingObject, MissingPrivilege) as error:
            trouble["digest"] = str(error)
        try:
            log = await self._read_log(server, now)
            if log.trouble:
                trouble["slow_log"] = log.trouble
            if log.window is not None:
                windows["slow_log"], facts = log.window, log.facts
                samples = {pair_key(text, server.info.flavor): text for text in log.samples.values()}
                new |= {
                    name: _of_log(name, text, log.samples.get(name, text), server.info.flavor)
                    for name, text in log.texts.items()
                    if name not in self._known
                }
        except (MissingObject, MissingPrivilege) as error:
            trouble["slow_log"] = str(error)
        self._known |= new.keys()
        progress = {
            "reading": None if self._before is None else _written(self._before),
            "log": None if self._log is None else self._log.to_dict(),
        }
        long = await running(server) if sessions else ()
        return Collected(now, windows, new, progress, trouble, long, samples, facts)

    async def _read_log(self, server: Server, now: datetime) -> LogNews:
        """What is new in the log. The table has no index: one that has grown large is left alone for a while, for the server's sake."""
        if now < self._log_again:
            return LogNews(self._log, trouble=_TOO_LARGE)
        try:
            async with asyncio.timeout(LOG_SECONDS):
                log = await read_log(server, self._log, now)
        except TimeoutError:
            self._log_again = now + _LOG_REST
            return LogNews(self._log, trouble=_TOO_LARGE)
        self._log = log.place
        return log

    async def _digests(
        self, server: Server, now: datetime
    ) -> tuple[Window[Name] | None, dict[Name, Description]]:
        before = self._before
        reading = await read_digests(server, now, None if before is None else before.clock)
        if before is None:
            self._before = _trimmed(reading)
            return None, {}
        span = between(before, reading)
        times = await self._times(server, span, anew=reading.count < before.count)
        kinds: dict[Name, Cost] = {
            ("digest", *key): Cost(grew, times.get(key, {})) for key, grew in span.digests.items()
        }
        described = await self._described(
            server, [name for name in kinds if name not in self._known], reading
        )
        kinds = {name: cost for name, cost in kinds.items() if name in self._known or name in described}
        self._before = _trimmed(merged(before, reading))
        # Where counting began anew, all that is counted happened since.
        count = reading.count if span.count is None else span.count
        total = reading.total_time if span.total_time is None else span.total_time
        return Window(span.seconds, count, total, kinds), described

    async def _times(self, server: Server, span: Span, *, anew: bool) -> dict[Key, dict[int, int]]:
        """The histograms of what took most time, as far as they were read before: an unknown one is only remembered."""
        if anew:
            self._histograms.clear()
        if not kept_by(server.info):
            return {}
        worst = sorted(span.digests, key=lambda key: -span.digests[key].total_time)[:WITH_HISTOGRAM]
        read = await read_histograms(server, sorted({digest for _schema, digest in worst}))
        found: dict[Key, dict[int, int]] = {}
        for key in worst:
            after, before = read.get(key), self._histograms.get(key)
            if after is None:
                continue
            if before is None and sum(after.values()) == span.digests[key].count:
                # All of its executions are of this span.
                before = {}
            grew = None if before is None else grown(before, after)
            if grew is not None:
                found[key] = grew
            self._histograms[key] = after
        while len(self._histograms) > REMEMBERED:
            del self._histograms[next(iter(self._histograms))]
        return found

    async def _described(
        self, server: Server, names: Sequence[Name], reading: Reading
    ) -> dict[Name, Description]:
        """New digests with their texts; one whose text is gone again is left out."""
        texts = await read_texts(server, sorted({(schema, digest) for _source, schema, digest in names}))
        found: dict[Name, Description] = {}
        for name in names:
            key = name[1:]
            raw = texts.get(key)
            if raw and not administrative(name[1], raw):
                text = server_text(raw)
                printed, identity = fingerprint(text)
                pair = "" if digest_cut(raw) else pair_key(raw, server.info.flavor)
                found[name] = Description(text, printed, identity, pair, reading.digests[key].first_seen)
        return found


def _of_log(name: Name, text: str, statement: str, flavor: Flavor) -> Description:
    return Description(text, text, name[2], pair_key(statement, flavor))


def _trimmed(reading: Reading) -> Reading:
    if len(reading.digests) <= REMEMBERED:
        return reading
    never = datetime.fromtimestamp(0, UTC)
    newest = sorted(reading.digests.items(), key=lambda item: item[1].last_seen or never, reverse=True)
    return replace(reading, digests=dict(newest[:REMEMBERED]))


def _written(reading: Reading) -> dict[str, Any]:
    return {
        "taken_at": reading.taken_at.timestamp(),
        "clock": reading.clock.timestamp(),
        "count": reading.count,
        "total_time": reading.total_time,
        "names": names(),
        "digests": [[*key, row(one)] for key, one in reading.digests.items()],
    }


def _reading(body: Mapping[str, Any]) -> Reading:
    return Reading(
        taken_at=datetime.fromtimestamp(body["taken_at"], UTC),
        clock=datetime.fromtimestamp(body["clock"], UTC),
        digests={
            (schema, digest): figures(body["names"], values) for schema, digest, values in body["digests"]
        },
        count=body["count"],
        total_time=body["total_time"],
    )
