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

# The row without a digest holds what did not fit into the table: it is in the totals, and is no kind of statement. The monitor's own
# statements are recognized by the comment-free text that the server keeps, and are few; they stay in, as any other client's.
_COLUMNS = """
    SELECT COALESCE(SCHEMA_NAME, '') AS schema_name, DIGEST AS digest, COUNT_STAR AS count, SUM_TIMER_WAIT AS total_time,
           MAX_TIMER_WAIT AS max_time, SUM_LOCK_TIME AS lock_time, SUM_ERRORS AS errors, SUM_ROWS_AFFECTED AS rows_affected,
           SUM_ROWS_SENT AS rows_sent, SUM_ROWS_EXAMINED AS rows_examined, SUM_CREATED_TMP_TABLES AS tmp_tables,
           SUM_CREATED_TMP_DISK_TABLES AS tmp_disk_tables, SUM_SELECT_FULL_JOIN AS full_joins, SUM_SELECT_SCAN AS full_scans,
           SUM_SORT_MERGE_PASSES AS sort_merge_passes, SUM_SORT_ROWS AS sort_rows, SUM_NO_INDEX_USED AS no_index_used,
           UNIX_TIMESTAMP(FIRST_SEEN) AS first_seen, UNIX_TIMESTAMP(LAST_SEEN) AS last_seen, {p95} AS p95_time
      FROM performance_schema.events_statements_summary_by_digest
     WHERE DIGEST IS NOT NULL{since}
     ORDER BY SUM_TIMER_WAIT DESC LIMIT {most}"""
TOTAL = """
    SELECT SUM(COUNT_STAR) AS count, SUM(SUM_TIMER_WAIT) AS total_time,
           SUM(IF(DIGEST IS NULL, COUNT_STAR, 0)) AS unnamed, UNIX_TIMESTAMP(NOW(6)) AS clock
      FROM performance_schema.events_statements_summary_by_digest"""
TEXTS = """
    SELECT COALESCE(SCHEMA_NAME, '') AS schema_name, DIGEST AS digest, DIGEST_TEXT AS text
      FROM performance_schema.events_statements_summary_by_digest
     WHERE DIGEST IN ({places})"""

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
    moment = "" if since is None else f" AND LAST_SEEN >= FROM_UNIXTIME({since.timestamp() - 1:.0f})"
    statement = _COLUMNS.format(p95=_p95(info), since=moment, most=MOST_DIGESTS)
    # In this order: whatever ends in between is in the later reading's difference, and not lost.
    (total,) = await server.rows(TOTAL)
    rows = await server.rows(statement)
    return Reading(
        taken_at=now,
        clock=datetime.fromtimestamp(float(number(total["clock"]) or 0), UTC),
        digests={(row["schema_name"], row["digest"]): _figures(row) for row in rows},
        count=int(number(total["count"]) or 0),
        total_time=(number(total["total_time"]) or 0) / _PICOSECONDS,
        unnamed=int(number(total["unnamed"]) or 0),
        complete=len(rows) < MOST_DIGESTS,
    )


async def read_texts(server: Server, digests: Sequence[str]) -> dict[Key, str]:
    """The normalized text of digests, as the server keeps it: without values, and perhaps cut (`performance_schema_max_digest_length`)."""
    found: dict[Key, str] = {}
    for start in range(0, len(digests), 200):
        part: list[object] = list(digests[start : start + 200])
        rows = await server.rows(TEXTS.format(places=", ".join(["%s"] * len(part))), part)
        found.update({(row["schema_name"], row["digest"]): row["text"] or "" for row in rows})
    return found


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
