"""Backups, for the terminal. Takes them as the API answers with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from dbvigil.display import display
from dbvigil.terminal.plain import aligned
from dbvigil.terminal.text import clean, duration

_HEAD = (
    "ID",
    "DATABASE",
    "BEGAN (UTC)",
    "STATUS",
    "SIZE",
    "TOOK",
    "READ FROM",
    "VERIFICATION",
    "WHAT IS KNOWN",
)


def lines(body: Mapping[str, Any]) -> list[str]:
    """For a pipe, and for whoever reads it aloud."""
    return [text for text, _ in _told(body)]


def drawn(body: Mapping[str, Any]) -> RenderableType:
    """The same for a terminal."""
    return Group(*(Text(text, style, overflow="fold") for text, style in _told(body)))


def _told(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not body["scheduler"]:
        yield (
            "The scheduler is off (BACKUP_SCHEDULER_ENABLED): backups are made when somebody asks for one",
            "yellow",
        )
    if not body["encrypted"]:
        yield "New backups are not encrypted: DB_BACKUP_KEY is not set", "yellow"
    for alias, one in body["databases"].items():
        yield f"{clean(alias)}: {standing(one)}", "bold red" if _is_bad(one) else "bold"
    if body["results"]:
        yield "", ""
        head, *rows = aligned([_HEAD, *(_row(one) for one in body["results"])])
        yield head, "bold"
        for line, one in zip(rows, body["results"], strict=True):
            yield line, "red" if one["status"] == "failed" or one["verification"] == "failed" else ""


def _is_bad(one: Mapping[str, Any]) -> bool:
    return one["backup_ok"] is False or one["backup_verified"] is False or bool(one["backup_overdue_seconds"])


def standing(one: Mapping[str, Any]) -> str:
    """How one database stands, in one line."""
    told = [
        f"last good {_time(one['last_good'])}" if one["last_good"] else "no good backup",
        f"last verified {_time(one['last_verified'])}" if one["last_verified"] else "none verified",
        f"next {_time(one['next_due'])}" if one["next_due"] else "no schedule",
    ]
    if one["under_way"] is not None:
        told.append(f"backup {one['under_way']} under way")
    if one["backup_overdue_seconds"]:
        told.append(f"overdue for {duration(one['backup_overdue_seconds'])}")
    if one["backup_size_change"] is not None:
        told.append(f"size {display('backup_size_change', one['backup_size_change'])} off the usual")
    return ", ".join(told)


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        str(one["id"]),
        clean(one["database"]),
        _time(one["started_at"]),
        "removed" if one["removed_at"] else one["status"],
        "" if one["size_bytes"] is None else display("data_size_bytes", one["size_bytes"]),
        "" if one["seconds"] is None else duration(one["seconds"]),
        clean(one["source"] or ""),
        one["verification"] or "",
        clean(known(one)),
    )


def known(one: Mapping[str, Any]) -> str:
    """The one thing about a backup that says most: why it failed, why it went, or what its restore has shown."""
    return str(one["error"] or one["removed_why"] or (one["report"] or {}).get("summary", ""))


def sentence(one: Mapping[str, Any]) -> str:
    """What has become of one backup, as a line."""
    size = display("data_size_bytes", one["size_bytes"])
    told = f"backup {one['id']} of {one['database']}: {size} in {one['file']}, read from {one['source']}"
    if one["verification"] == "verified":
        return f"{told}; verified: {known(one)}"
    return (
        f"{told}; not verified"
        if one["verification"] != "failed"
        else f"{told}; verification failed: {known(one)}"
    )


def _time(moment: str | None) -> str:
    return "" if moment is None else f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M}"
