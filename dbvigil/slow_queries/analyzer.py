"""`SlowQueryAnalyzer`: one statement, a server's digests, or a slow log, each kind of statement with its figures and advice."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dbvigil import conf
from dbvigil.django_advice import Advisor
from dbvigil.errors import ConfigurationError, ServerError, UnknownDatabase
from dbvigil.queries.digests import read_digests, read_texts
from dbvigil.queries.figures import Figures
from dbvigil.queries.fingerprint import fingerprint, query_id, server_text
from dbvigil.queries.judging import Kind, Surroundings, judge, without_values
from dbvigil.queries.schema import Schema
from dbvigil.queries.severity import severity
from dbvigil.queries.slowlog import Entry, digest_log
from dbvigil.queries.statements import administrative
from dbvigil.query import QuerySeverity, SlowQuery
from dbvigil.server import Server
from dbvigil.slow_queries.asking import on_server, surroundings
from dbvigil.slow_queries.stored import collected, covers
from dbvigil.targets import Target

MOST = 1_000


@dataclass(frozen=True, slots=True)
class LogAnalysis:
    """What a slow log says: `events` statements that took `total_time` seconds, the worst first in `results`.

    `skipped_bytes`: text that was no statement. `kinds`: how many kinds of statement there are in all.
    """

    events: int
    total_time: float
    skipped_bytes: int
    kinds: int
    results: list[SlowQuery]

    def to_dict(self) -> dict[str, Any]:
        return {
            "events": self.events,
            "total_time": self.total_time,
            "skipped_bytes": self.skipped_bytes,
            "kinds": self.kinds,
            "results": [one.to_dict() for one in self.results],
        }


class SlowQueryAnalyzer:
    """Analyses the statements of one database, an alias of `DATABASES` or of `DB_MONITORING_TARGETS`.

    Stateless and thread-safe. On the server it only reads: performance_schema, information_schema, and EXPLAIN of a SELECT under a limit of
    two seconds. Whether values are kept is the setting `DB_QUERY_REDACTION`'s.
    """

    def __init__(self, database: str = "default") -> None:
        self.database = database

    def analyze(self, sql: str, schema: str | None = None) -> SlowQuery:
        """One statement: its fingerprint, its plan, and what the rules find, without figures.

        `schema` is where unqualified tables are looked up; without it, the target's own. A server that cannot be asked is said in `gaps`,
        and the statement is judged by its text. Raises `ConfigurationError` for an empty statement.
        """
        if not sql.strip():
            raise ConfigurationError("sql", sql, "allowed: one SQL statement")
        text, name = fingerprint(sql)
        configuration = conf.load()
        kind = Kind(
            query=without_values(sql),
            source="processlist",
            figures=Figures(0, 0.0),
            fingerprint=text,
            query_id=name,
            schema=schema or "",
            sample=sql,
        )
        around = Surroundings(self.database)
        target = configuration.targets.get(self.database)
        if target is None:
            around = Surroundings(
                self.database, gaps=(_unknown(self.database, tuple(configuration.targets)),)
            )
        else:
            chosen = schema or target.schema

            async def ask(server: Server) -> Surroundings:
                return await surroundings(server, Surroundings(self.database), sql, chosen, sql)

            try:
                around = on_server(target, ask)
            except ServerError as error:
                around = Surroundings(self.database, gaps=(f"the server could not be asked: {error}",))
        found = judge(kind, around, keep_sample=not configuration.query_redaction)
        return _unmeasured(Advisor(self.database).on(found, around.schema))

    def analyze_server(self, limit: int = 50, minutes: float | None = None) -> list[SlowQuery]:
        """The kinds of statement that took most time, by performance_schema's digests, the worst first.

        With `minutes`, what they took since then: exactly, where a monitor has collected it; else the digests seen since then, with the
        totals of their whole life (`first_seen` tells). Without, since the server's counters began. Raises `UnknownDatabase`,
        `ConfigurationError`, and `ServerError` where the server cannot be asked or keeps no digests.
        """
        if not 1 <= limit <= MOST:
            raise ConfigurationError("limit", limit, f"allowed: 1 to {MOST}")
        if minutes is not None and not 0 < minutes <= 400 * 1440:
            raise ConfigurationError("minutes", minutes, "allowed: more than 0, at most 576000")
        configuration = conf.load()
        target = self._target(configuration.targets)
        now = datetime.now(UTC)
        if minutes is not None and covers(self.database, now - timedelta(minutes=minutes)):
            return collected(self.database, timedelta(minutes=minutes), now, limit=limit)

        async def ask(server: Server) -> list[tuple[SlowQuery, Schema]]:
            return await _digests(server, self.database, limit, minutes, now)

        advisor = Advisor(self.database)
        return [advisor.on(one, known) for one, known in on_server(target, ask)]

    def analyze_log(self, path: str | os.PathLike[str]) -> list[SlowQuery]:
        """Every kind of statement in a slow log, the one that took most time first. Needs no server; raises OSError."""
        return self.analyze_log_file(path).results

    def analyze_log_file(
        self, path: str | os.PathLike[str], limit: int | None = None, only: QuerySeverity | None = None
    ) -> LogAnalysis:
        """The same with the log's totals; of `limit` kinds at most, and of one severity where `only` names it."""
        keep = not conf.load().query_redaction
        log = digest_log(path, keep_samples=True)
        around = Surroundings(self.database, total_time=log.total_time)
        entries = [
            one for one in log.entries if only is None or severity(one.figures, log.total_time) == only
        ]
        entries = entries if limit is None else entries[:limit]
        advisor = Advisor(self.database)
        return LogAnalysis(
            events=log.events,
            total_time=log.total_time,
            skipped_bytes=log.skipped_bytes,
            kinds=len(log.entries),
            results=[advisor.on(judge(_of_log(entry), around, keep_sample=keep)) for entry in entries],
        )

    @staticmethod
    def fingerprint(sql: str | bytes, dialect: str = "percona") -> tuple[str, str]:
        """(text, query ID) in the dialect `percona` (pt-query-digest) or `go-mysql` (PMM)."""
        return fingerprint(sql, dialect)

    def _target(self, targets: Any) -> Target:
        target: Target | None = targets.get(self.database)
        if target is None:
            raise UnknownDatabase(self.database, tuple(targets))
        return target


async def _digests(
    server: Server, database: str, limit: int, minutes: float | None, now: datetime
) -> list[tuple[SlowQuery, Schema]]:
    """Each with the tables that were read for it."""
    reading = await read_digests(server, now)
    since = None if minutes is None else reading.clock - timedelta(minutes=minutes)
    chosen = {
        key: figures
        for key, figures in reading.digests.items()
        if since is None or (figures.last_seen is not None and figures.last_seen >= since)
    }
    ordered = sorted(chosen.items(), key=lambda item: -item[1].total_time)
    texts = await read_texts(server, [digest for (_schema, digest), _figures in ordered])
    worst = [
        (key, figures)
        for key, figures in ordered
        if texts.get(key) and not administrative(key[0], texts[key])
    ][:limit]
    total = reading.total_time if since is None else sum(one.total_time for one in chosen.values())
    found: list[tuple[SlowQuery, Schema]] = []
    for (schema, digest), figures in worst:
        text = server_text(texts[schema, digest])
        kind = Kind(query=text, source="digest", figures=figures, digest=digest, schema=schema)
        around = await surroundings(server, Surroundings(database, total_time=total), text, schema, None)
        found.append((judge(kind, around), around.schema))
    return found


def _of_log(entry: Entry) -> Kind:
    text = entry.sample if entry.sample is not None else entry.fingerprint
    return Kind(
        query=without_values(text),
        source="slow_log",
        figures=entry.figures,
        fingerprint=entry.fingerprint,
        query_id=query_id(entry.fingerprint),
        schema=entry.schema,
        sample=entry.sample,
        callers=entry.callers,
        burst=entry.burst,
    )


def _unknown(database: str, known: tuple[str, ...]) -> str:
    return f"{UnknownDatabase(database, known)}; judged by its text alone"


def _unmeasured(found: SlowQuery) -> SlowQuery:
    """A statement that was not counted anywhere has no figures."""
    return replace(
        found,
        count=None,
        total_time=None,
        avg_time=None,
        p95_time=None,
        max_time=None,
        share_of_load=None,
        frequency_per_minute=None,
    )
