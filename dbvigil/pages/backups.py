"""The page of backups: how each database stands, its sizes, and what was made, for everyone who is signed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dbvigil.display import display, seconds
from dbvigil.monitoring import get_database_monitor
from dbvigil.pages.base import for_readers, page

MOST = 100
CHARTED = 30
"""So many good backups of a database are drawn."""
_WIDTH, _HEIGHT, _GAP = 12, 48, 2


@dataclass(frozen=True, slots=True)
class Bar:
    """One backup in the chart of sizes, in pixels."""

    x: int
    y: int
    height: int
    width: int
    title: str


@dataclass(frozen=True, slots=True)
class Database:
    """How one database stands."""

    name: str
    facts: tuple[tuple[str, str], ...]
    troubles: tuple[str, ...]
    bars: tuple[Bar, ...]
    width: int


@dataclass(frozen=True, slots=True)
class Line:
    """One backup of the list."""

    number: int
    database: str
    began: datetime | None
    state: str
    grade: str
    size: str
    took: str
    source: str
    key: str
    detail: str
    warnings: tuple[str, ...]


@require_safe
@for_readers
def backups_page(request: HttpRequest) -> HttpResponse:
    body = get_database_monitor().get_backups(limit=MOST)
    return page(
        request,
        "backups.html",
        {
            "scheduler": body["scheduler"],
            "encrypted": body["encrypted"],
            "databases": [_database(name, one, body["results"]) for name, one in body["databases"].items()],
            "lines": [_line(one) for one in body["results"]],
            "height": _HEIGHT,
        },
    )


def _database(name: str, one: Mapping[str, Any], results: Sequence[Mapping[str, Any]]) -> Database:
    good = [
        row for row in results if row["database"] == name and row["status"] == "done" and row["plain_bytes"]
    ]
    bars = _bars(good[:CHARTED][::-1])
    facts = (
        ("Last good", _time(one["last_good"]) or "none"),
        ("Last verified", _time(one["last_verified"]) or "none"),
        ("Next due", _time(one["next_due"]) or "no schedule"),
    )
    return Database(name, facts, tuple(_troubles(one)), bars, len(bars) * (_WIDTH + _GAP))


def _troubles(one: Mapping[str, Any]) -> list[str]:
    found = []
    if one["backup_ok"] is False:
        found.append("the last backup failed")
    if one["backup_overdue_seconds"]:
        found.append(f"overdue for {seconds(one['backup_overdue_seconds'])}")
    if one["backup_verified"] is False:
        found.append("the newest backup is not verified")
    return found


def _bars(rows: Sequence[Mapping[str, Any]]) -> tuple[Bar, ...]:
    """Sizes before compression, the oldest first, each as a share of the largest."""
    most = max((row["plain_bytes"] for row in rows), default=0)
    bars = []
    for place, row in enumerate(rows):
        height = max(1, round(_HEIGHT * row["plain_bytes"] / most))
        title = f"{_time(row['started_at'])}: {display('data_size_bytes', row['plain_bytes'])}"
        bars.append(Bar(place * (_WIDTH + _GAP), _HEIGHT - height, height, _WIDTH, title))
    return tuple(bars)


def _line(one: Mapping[str, Any]) -> Line:
    state, grade = one["status"], "low"
    if one["removed_at"]:
        state = "removed"
    elif one["status"] == "failed":
        grade = "high"
    elif one["status"] == "done" and one["verification"] == "verified":
        state = "verified"
    elif one["status"] == "done":
        state, grade = (
            ("not verified", "medium") if one["verification"] != "failed" else ("verification failed", "high")
        )
    return Line(
        one["id"],
        one["database"],
        None if one["started_at"] is None else datetime.fromisoformat(one["started_at"]),
        state,
        grade,
        "" if one["size_bytes"] is None else display("data_size_bytes", one["size_bytes"]),
        "" if one["seconds"] is None else seconds(one["seconds"]),
        one["source"] or "",
        one["key"] or "",
        one["error"] or one["removed_why"] or (one["report"] or {}).get("summary", ""),
        tuple(one["warnings"]),
    )


def _time(moment: str | None) -> str:
    return "" if moment is None else f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M} UTC"
