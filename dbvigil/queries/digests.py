"""Digests of performance_schema: what each kind of statement has cost a server since its counters began, and between two readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dbvigil.collectors.values import number
from dbvigil.errors import MissingObject
from dbvigil.queries.figures import Figures
from dbvigil.server import Server
from dbvigil.types import ServerInfo

MOST_DIGESTS = 1_000
"""Digests of one reading, those that took most time. What the rest took together is read as one sum."""

# The row without a digest holds what did not fit into the table: it is in the totals, and is no kind of statement. So are the monitor's
# own statements (`statements.administrative`).
DIGESTS = """
    SELECT SCHEMA_NAME AS home, DIGEST AS kind, COUNT_STAR AS count, SUM_TIMER_WAIT AS total_time,
           MAX_TIMER_WAIT AS max_time, SUM_LOCK_TIME AS lock_time, SUM_ERRORS AS errors, SUM_ROWS_AFFECTED AS rows_affected,
           SUM_ROWS_SENT AS rows_sent, SUM_ROWS_EXAMINED AS rows_examined, SUM_CREATED_TMP_TABLES AS tmp_tables,
           SUM_CREATED_TMP_DISK_TABLES AS tmp_disk_tables, SUM_SELECT_FULL_JOIN AS full_joins, SUM_SELECT_SCAN AS full_scans,
           SUM_SORT_MERGE_PASSES AS sort_merge_passes, SUM_SORT_ROWS AS sort_rows, SUM_NO_INDEX_USED AS no_index_used,
           UNIX_TIMESTAMP(FIRST_SEEN) AS first_seen, UNIX_TIMESTAMP(LAST_SEEN) AS last_seen, {p95} AS p95_time
      FROM performance_schema.events_statements_summary_by_digest
     WHERE DIGEST IS NOT NULL
     ORDER BY SUM_TIMER_WAIT DESC LIMIT {most}"""
TOTAL = """
    SELECT SUM(COUNT_STAR) AS count, SUM(SUM_TIMER_WAIT) AS total_time,
           SUM(IF(DIGEST IS NULL, COUNT_STAR, 0)) AS unnamed, UNIX_TIMESTAMP(NOW(6)) AS clock
      FROM performance_schema.events_statements_summary_by_digest"""
# In one passage through the table: MySQL takes some 4 µs for each of its rows, whatever is asked of it. What was seen since has a group of
# one row for each, and all else is one group, so that the sum of the groups is the sum of all. Sorted into groups they cost MySQL less
# than looked up one by one.
NEWS = """
    SELECT SQL_BIG_RESULT IF(LAST_SEEN >= {since}, DIGEST, NULL) AS kind,
           IF(LAST_SEEN >= {since} AND DIGEST IS NOT NULL, SCHEMA_NAME, NULL) AS home,
           SUM(COUNT_STAR) AS count, SUM(SUM_TIMER_WAIT) AS total_time, SUM(IF(DIGEST IS NULL, COUNT_STAR, 0)) AS unnamed,
           UNIX_TIMESTAMP(NOW(6)) AS clock, MAX(MAX_TIMER_WAIT) AS max_time, MAX(SUM_LOCK_TIME) AS lock_time, MAX(SUM_ERRORS) AS errors,
           MAX(SUM_ROWS_AFFECTED) AS rows_affected, MAX(SUM_ROWS_SENT) AS rows_sent, MAX(SUM_ROWS_EXAMINED) AS rows_examined,
           MAX(SUM_CREATED_TMP_TABLES) AS tmp_tables, MAX(SUM_CREATED_TMP_DISK_TABLES) AS tmp_disk_tables,
           MAX(SUM_SELECT_FULL_JOIN) AS full_joins, MAX(SUM_SELECT_SCAN) AS full_scans, MAX(SUM_SORT_MERGE_PASSES) AS sort_merge_passes,
           MAX(SUM_SORT_ROWS) AS sort_rows, MAX(SUM_NO_INDEX_USED) AS no_index_used, UNIX_TIMESTAMP(MAX(FIRST_SEEN)) AS first_seen,
           UNIX_TIMESTAMP(MAX(LAST_SEEN)) AS last_seen, MAX({p95}) AS p95_time
      FROM performance_schema.events_statements_summary_by_digest
     GROUP BY kind, home"""
TEXTS = """
    SELECT COALESCE(SCHEMA_NAME, '') AS schema_name, DIGEST AS digest, DIGEST_TEXT AS text
      FROM performance_schema.events_statements_summary_by_digest
     WHERE {which}"""
_FEW = 4
"""Digests that are looked up one by one where the server has an index: each is a fifth of the work of going through all of them."""

_PICOSECONDS = 1e12
_TIMES = ("total_time", "max_time", "lock_time", "p95_time")
_WHOLE = (
    "count", "errors", "rows_affected", "rows_sent", "rows_examined", "tmp_tables", "tmp_disk_tables", "full_joins", "full_scans",
    "sort_merge_passes", "sort_rows", "no_index_used",
)  # fmt: skip

Key = tuple[str, str]
"""A schema ("" for none) and a digest: the server counts each pair by itself."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters as they stood at `taken_at`: lifetime totals a digest, and of all statements together.

    `clock` is the server's own time just before. `unnamed` is how many statements found no room in the server's table. `complete` says
    that every digest is here that was seen since the time that was asked for.
    """

    taken_at: datetime
    clock: datetime
    digests: Mapping[Key, Figures]
    count: int
    total_time: float
    unnamed: int = 0
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Span:
    """What happened between two readings.

    `count` and `total_time` are of all statements, named here or not; None where the counters began anew in between.
    """

    seconds: float
    digests: Mapping[Key, Figures]
    count: int | None
    total_time: float | None


async def read_digests(server: Server, now: datetime, since: datetime | None = None) -> Reading:
    """The digests that took most time, of those seen since `since` by the server's clock.

    Raises `MissingObject` where the server keeps none, `ServerError` otherwise.
    """
    info = server.info if server.connected else await server.connect()
    if not info.performance_schema:
        raise MissingObject(
            "performance_schema is off: the server does not count what each kind of statement costs",
            "set performance_schema=ON in the server's configuration and restart it",
        )
    if since is not None:
        moment = f"FROM_UNIXTIME({since.timestamp() - 1:.0f})"
        groups = await server.rows(NEWS.format(since=moment, p95=_p95(info)))
        # Of a table that was just truncated, and of that alone, nothing can be said.
        if groups:
            return _reading(now, groups, [row for row in groups if row["kind"] is not None])
    # In this order: whatever ends in between is in the later reading's difference, and not lost.
    total = await server.rows(TOTAL)
    return _reading(now, total, await server.rows(DIGESTS.format(p95=_p95(info), most=MOST_DIGESTS)))


def _reading(now: datetime, parts: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> Reading:
    """`parts` make up the totals; `rows` are digests."""
    costly = sorted(rows, key=lambda row: -(number(row["total_time"]) or 0))[:MOST_DIGESTS]
    return Reading(
        taken_at=now,
        clock=datetime.fromtimestamp(float(number(parts[0]["clock"]) or 0), UTC),
        digests={(row["home"] or "", row["kind"]): _figures(row) for row in costly},
        count=sum(int(number(part["count"]) or 0) for part in parts),
        total_time=sum(number(part["total_time"]) or 0 for part in parts) / _PICOSECONDS,
        unnamed=sum(int(number(part["unnamed"]) or 0) for part in parts),
        complete=len(rows) < MOST_DIGESTS,
    )


async def read_texts(server: Server, digests: Sequence[str | Key]) -> dict[Key, str]:
    """The normalized text of digests, as the server keeps it: without values, and perhaps cut (`performance_schema_max_digest_length`).

    A digest alone stands for all schemas. With its schema it costs MySQL less, as long as there are few.
    """
    keys = [one for one in digests if not isinstance(one, str)]
    found: dict[Key, str] = {}
    if len(keys) == len(digests) <= _FEW and server.connected and server.info.is_mysql:
        for schema, digest in keys:
            # A condition of its own for each: only equality of both columns uses the index.
            if schema:
                found |= await _texts(server, "SCHEMA_NAME = %s AND DIGEST = %s", [schema, digest])
            else:
                found |= await _texts(server, "SCHEMA_NAME IS NULL AND DIGEST = %s", [digest])
        return found
    names = list(dict.fromkeys(one if isinstance(one, str) else one[1] for one in digests))
    for start in range(0, len(names), 200):
        part: list[object] = list(names[start : start + 200])
        found |= await _texts(server, f"DIGEST IN ({', '.join(['%s'] * len(part))})", part)
    return found


async def _texts(server: Server, which: str, values: list[object]) -> dict[Key, str]:
    rows = await server.rows(TEXTS.format(which=which), values)
    return {(row["schema_name"], row["digest"]): row["text"] or "" for row in rows}


def merged(before: Reading, after: Reading) -> Reading:
    """`after`, with what it did not read again because nothing had happened to it."""
    if after.count < before.count:
        return after
    return replace(after, digests={**before.digests, **after.digests})


def between(before: Reading, after: Reading) -> Span:
    """The difference of two readings of one server.

    A digest whose count fell began anew (the table was truncated or the server restarted): all that it shows happened since. So did one
    that was first seen after `before`; one that is older and was not in `before` is unknown, and left out. `p95_time` and `max_time` are
    those of a digest's whole life: they are told only where that lies within the span, or a new longest time came up in it.
    """
    seconds = max(0.0, (after.taken_at - before.taken_at).total_seconds())
    anew = after.count < before.count
    found = {}
    for key, figures in after.digests.items():
        earlier = None if anew else before.digests.get(key)
        if earlier is None and not anew and not _began_since(before, figures):
            continue
        grown = _grown(earlier, figures, seconds)
        if grown is not None:
            found[key] = grown
    return Span(
        seconds,
        found,
        None if anew else after.count - before.count,
        None if anew else max(0.0, after.total_time - before.total_time),
    )


def _began_since(before: Reading, figures: Figures) -> bool:
    return figures.first_seen is not None and figures.first_seen >= before.clock - timedelta(seconds=1)


def _p95(info: ServerInfo) -> str:
    return "QUANTILE_95" if info.is_mysql and info.at_least(8, 0, 0) else "NULL"


def _figures(row: Mapping[str, Any]) -> Figures:
    values: dict[str, Any] = {name: _whole(row[name]) for name in _WHOLE}
    values |= {name: _seconds(row[name]) for name in _TIMES}
    values |= {name: _moment(row[name]) for name in ("first_seen", "last_seen")}
    return Figures(**values)


def _whole(value: object) -> int | None:
    found = number(value)
    return None if found is None else int(found)


def _seconds(value: object) -> float | None:
    found = number(value)
    return None if found is None else found / _PICOSECONDS


def _moment(value: object) -> datetime | None:
    found = number(value)
    # A digest of a truncated table has no time of its own: the server shows the year 0.
    return datetime.fromtimestamp(float(found), UTC) if found else None


_COUNTED = tuple(
    item.name
    for item in fields(Figures)
    if item.name not in ("seconds", "max_time", "p95_time", "first_seen", "last_seen")
)


def _grown(before: Figures | None, after: Figures, seconds: float) -> Figures | None:
    """What a digest did between; None where it did nothing."""
    if before is None or after.count < before.count:
        return _spanning(after, seconds, after.max_time, after.p95_time) if after.count else None
    if after.count == before.count:
        return None
    values: dict[str, Any] = {}
    for name in _COUNTED:
        old, new = getattr(before, name), getattr(after, name)
        values[name] = None if old is None or new is None else max(0, new - old)
    longer = after.max_time is not None and before.max_time is not None and after.max_time > before.max_time
    return Figures(
        **values,
        seconds=seconds,
        max_time=after.max_time if longer else None,
        first_seen=after.first_seen,
        last_seen=after.last_seen,
    )


def _spanning(figures: Figures, seconds: float, longest: float | None, p95: float | None) -> Figures:
    values = {name: getattr(figures, name) for name in _COUNTED}
    return Figures(
        **values,
        seconds=seconds,
        max_time=longest,
        p95_time=p95,
        first_seen=figures.first_seen,
        last_seen=figures.last_seen,
    )
