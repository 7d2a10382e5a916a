"""A server's own slow log, read where it can be: the file on this machine, or the table in the server."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from dbvigil.queries.fingerprint import query_id
from dbvigil.queries.rules.statistics_history import Burst
from dbvigil.queries.slowlog import Event, Position, TablePosition, follow, read_table
from dbvigil.queries.slowlog.digest import summary
from dbvigil.queries.slowlog.follow import at_end
from dbvigil.queries.slowlog.table import from_now
from dbvigil.queries.slowlog.tally import Tally
from dbvigil.query import QuerySource
from dbvigil.server import Server
from dbvigil.slow_queries.packing import Cost, Window

WHERE = """
    SELECT @@global.slow_query_log AS written, @@global.slow_query_log_file AS file, @@global.log_output AS output,
           @@global.datadir AS folder, @@hostname AS host, UNIX_TIMESTAMP(NOW(6)) AS clock"""
KINDS = 2_000

Name = tuple[QuerySource, str, str]
"""Source, schema and key (digest or query ID) of a kind of statement."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """How far a log has been read, and when (seconds since 1970): a file's position, or a table's."""

    at: float
    file: Position | None = None
    table: TablePosition | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "at": self.at,
            "file": None if self.file is None else self.file.to_dict(),
            "table": None if self.table is None else self.table.to_dict(),
        }

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Self:
        file, table = body.get("file"), body.get("table")
        return cls(
            body["at"],
            None if file is None else Position.from_dict(file),
            None if table is None else TablePosition.from_dict(table),
        )


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What only a log tells of a kind of statement: who sent it, and bursts of it."""

    callers: Mapping[str, int]
    burst: Burst | None = None


@dataclass(frozen=True, slots=True)
class LogNews:
    """What is new in a log. `window` is None where nothing was read before, or there is no log; `trouble` says why it cannot be read."""

    place: LogPlace | None
    window: Window[Name] | None = None
    texts: Mapping[Name, str] = field(default_factory=dict)
    samples: Mapping[Name, str] = field(default_factory=dict)
    facts: Mapping[Name, LogFacts] = field(default_factory=dict)
    trouble: str = ""


async def read_log(server: Server, place: LogPlace | None, now: datetime) -> LogNews:
    """The entries since `place`; None begins at the log's end, for what it held before may be of any age.

    A log that is off is no trouble, and one on another machine is none either. Raises `ServerError`.
    """
    (where,) = await server.rows(WHERE)
    output = str(where["output"]).upper()
    if str(where["written"]) not in ("1", "ON") or not where["file"]:
        return LogNews(None)
    seconds = 0.0 if place is None else max(0.0, now.timestamp() - place.at)
    if "FILE" in output and _here(server, str(where["host"])):
        path = Path(str(where["folder"])) / str(where["file"])
        try:
            if place is None or place.file is None:
                return LogNews(LogPlace(now.timestamp(), file=at_end(path)))
            # Some megabytes of a log take a while to read: meanwhile the other targets are sampled.
            events, position = await asyncio.to_thread(follow, path, place.file)
        except OSError as error:
            return LogNews(
                place, trouble=f"the slow log cannot be read: {error.strerror}; let this account read it"
            )
        return await asyncio.to_thread(_news, LogPlace(now.timestamp(), file=position), events, seconds)
    if "TABLE" in output:
        if place is None or place.table is None:
            return LogNews(LogPlace(now.timestamp(), table=from_now(float(where["clock"]))))
        events, rows = await read_table(server, place.table)
        return _news(LogPlace(now.timestamp(), table=rows), events, seconds)
    return LogNews(None)


def _here(server: Server, host: str) -> bool:
    """Whether the server's files are on this machine, as far as both know: a loopback address may be a tunnel's."""
    return bool(server.target.is_local) and host == socket.gethostname() and os.name == "posix"


def _news(place: LogPlace, events: list[Event], seconds: float) -> LogNews:
    tally = Tally(limit=KINDS, keep_samples=True)
    for event in events:
        tally.add(event)
    log = summary(tally)
    times = {text.decode("utf-8", "replace"): sums.times for text, sums in tally.sums.items()}
    kinds: dict[Name, Cost] = {}
    texts: dict[Name, str] = {}
    samples: dict[Name, str] = {}
    facts: dict[Name, LogFacts] = {}
    for entry in log.entries:
        name: Name = ("slow_log", entry.schema, query_id(entry.fingerprint))
        kinds[name] = Cost(entry.figures, times[entry.fingerprint])
        texts[name] = entry.fingerprint
        if entry.sample is not None:
            samples[name] = entry.sample
        if entry.callers or entry.burst:
            facts[name] = LogFacts(entry.callers, entry.burst)
    return LogNews(place, Window(seconds, log.events, log.total_time, kinds), texts, samples, facts)
