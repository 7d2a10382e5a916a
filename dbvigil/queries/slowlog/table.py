"""The slow log that a server keeps as the table mysql.slow_log (log_output=TABLE)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from dbvigil.queries.slowlog.attributes import NOTHING, Attributes
from dbvigil.queries.slowlog.events import Event
from dbvigil.server import Server

ROWS = 5000
"""Of one call, at most."""

# The table is CSV, without any index: each reading is a scan on the server, and comparing numbers costs it no more than comparing times.
# Only a number is the same in every time zone and in the hour that summer time repeats.
_ROWS = """SELECT CAST(UNIX_TIMESTAMP(start_time) * 1000000 AS UNSIGNED) AS at_us, user_host,
    FLOOR(TIME_TO_SEC(query_time)) * 1000000 + MICROSECOND(query_time) AS query_us,
    FLOOR(TIME_TO_SEC(lock_time)) * 1000000 + MICROSECOND(lock_time) AS lock_us,
    rows_sent, rows_examined, db, thread_id, sql_text {more}
FROM mysql.slow_log WHERE UNIX_TIMESTAMP(start_time) * 1000000 >= %s LIMIT %s"""

# Rows are written in nearly the order of their times: sessions take the time before they take their turn.
_OVERLAP_US = 1_000_000
_ACCOUNT = re.compile(r"([^\[]*)\[([^\]]*)\] ?@ ?([^\[]*)\[([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class TablePosition:
    """How far the table has been read: microseconds since 1970 of the latest row, and which rows of the last second before it."""

    at_us: int = 0
    seen: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"at_us": self.at_us, "seen": list(self.seen)}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Self:
        return cls(body["at_us"], tuple(body["seen"]))


def from_now(clock: float) -> TablePosition:
    """Where `read_table` goes on with what is written after `clock`, seconds since 1970 by the server's own clock."""
    return TablePosition(int(clock * 1e6) + _OVERLAP_US)


async def read_table(
    server: Server, position: TablePosition | None = None, *, limit: int = ROWS
) -> tuple[list[Event], TablePosition]:
    """At most `limit` entries behind `position` (None: from the beginning), and the position to go on from.

    Needs SELECT on mysql.slow_log. A truncated table needs nothing: its rows are later. Raises ServerError.
    """
    position = position or TablePosition()
    if not server.connected:
        await server.connect()
    sql = _ROWS.format(more=", rows_affected" if server.info.is_mariadb else "")
    rows = await server.rows(sql, (max(0, position.at_us - _OVERLAP_US), limit + len(position.seen)))
    seen = dict.fromkeys(position.seen)
    found: list[Event] = []
    times: dict[str, int] = {}
    for row in rows:
        mark = _mark(row)
        # Rows that are alike in everything are told apart by how many of them there were.
        times[mark] = times.get(mark, 0) + 1
        if f"{mark}.{times[mark]}" not in seen:
            found.append(_event(row))
    at = max((int(row["at_us"]) for row in rows), default=position.at_us)
    at = max(at, position.at_us)
    return found, TablePosition(at, _recent(rows, at))


def _recent(rows: list[dict[str, Any]], at: int) -> tuple[str, ...]:
    times: dict[str, int] = {}
    marks: list[str] = []
    for row in rows:
        if int(row["at_us"]) >= at - _OVERLAP_US:
            mark = _mark(row)
            times[mark] = times.get(mark, 0) + 1
            marks.append(f"{mark}.{times[mark]}")
    return tuple(marks)


def _mark(row: Mapping[str, Any]) -> str:
    text = "\0".join(str(value) for value in row.values())
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def _event(row: Mapping[str, Any]) -> Event:
    account = _ACCOUNT.match(str(row["user_host"]))
    text = row["sql_text"]
    affected = row.get("rows_affected")
    return Event(
        statement=text if isinstance(text, bytes) else str(text).encode(),
        query_time_us=int(row["query_us"]),
        lock_time_us=int(row["lock_us"]),
        rows_sent=int(row["rows_sent"]),
        rows_examined=int(row["rows_examined"]),
        time=datetime.fromtimestamp(int(row["at_us"]) / 1e6, UTC),
        user=(account[1] or account[2]) if account else "",
        host=(account[3].strip() or account[4]) if account else "",
        schema=str(row["db"] or ""),
        thread_id=int(row["thread_id"]),
        attributes=NOTHING if affected is None else Attributes(rows_affected=int(affected)),
    )
