"""The page of connections: who holds them, what leaks, how pools fare and what to set, for everyone who is signed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dbvigil import conf
from dbvigil.connections.stored import connections
from dbvigil.display import seconds
from dbvigil.errors import ConfigurationError
from dbvigil.monitoring import get_database_monitor
from dbvigil.pages import filters
from dbvigil.pages.base import for_readers, message, page

Row = Mapping[str, Any]
Cell = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` have each cell's heading, which a narrow page shows beside it."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Server:
    """One database from both sides. `used` is a share in percent, None where it is unknown."""

    database: str
    told: bool
    current: bool
    used: float | None
    figures: tuple[Cell, ...]
    findings: tuple[str, ...]
    advice: tuple[str, ...]
    tables: tuple[Table, ...]


@require_safe
@for_readers
def connections_page(request: HttpRequest) -> HttpResponse:
    """GET `?database=`."""
    monitor = get_database_monitor()
    asked = filters.asked(request, monitor.databases())
    if asked is None:
        return message(request, 404, "No such database", "No monitored database has this name.")
    found = connections(asked.chosen, datetime.now(UTC))
    by_database, *_ = asked.filters()
    return page(
        request,
        "connections.html",
        {
            "servers": [_server(alias, one) for alias, one in found.items()],
            "filters": [by_database],
            "watched": _watched(),
        },
    )


def _watched() -> bool:
    try:
        return conf.load().connection_monitoring
    except ConfigurationError:
        return True  # The system checks report a wrong setting with its name.


def _server(database: str, one: Row) -> Server:
    server: Row = one["server"] or {}
    used, limit = server.get("connections"), server.get("max_connections")
    tables = (
        _table("By user, host and program", _GROUP, map(_group, server.get("groups", ()))),
        _table("Processes of the project", _PROCESS, map(_process, one["processes"])),
        _table("Pools", _POOL, (_pool(row, pool) for row in one["processes"] for pool in row["pools"])),
    )
    return Server(
        database,
        bool(server),
        server.get("current", False),
        None if used is None or not limit else 100 * used / limit,
        _figures(server) if server else (),
        tuple(finding["text"] for finding in one["findings"]),
        tuple(advice["text"] for advice in one["advice"]),
        tuple(table for table in tables if table.rows),
    )


def _figures(server: Row) -> tuple[Cell, ...]:
    return (
        ("Open", f"{_count(server['connections'])} of {_count(server['max_connections'])}"),
        ("Peak since its start", _count(server["max_used_connections"])),
        ("Idle ones end after", _seconds(server["wait_timeout"]) or "unknown"),
        ("Threads kept", _count(server["thread_cache_size"])),
    )


def _table(title: str, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    return Table(title, head, tuple(tuple(zip(head, row, strict=True)) for row in rows))


_GROUP = ("User", "Host", "Program", "Open", "Active", "Idle", "In a transaction", "Longest rest")
_PROCESS = (
    "Process",
    "Host",
    "Open",
    "In use",
    "Opened",
    "Connecting takes",
    "Errors",
    "Oldest",
    "Server sees",
)
_POOL = (
    "Pool",
    "Process",
    "Open",
    "In use",
    "Most in use",
    "Limit",
    "Requests",
    "Waited",
    "Longest wait",
    "Refused",
)


def _group(row: Row) -> tuple[str, ...]:
    return (
        row["user"] or "unknown",
        row["host"] or "local",
        row["program"] or "unknown",
        *(_count(row[name]) for name in ("connections", "active", "idle", "idle_in_transaction")),
        _seconds(row["oldest_idle_seconds"]),
    )


def _process(row: Row) -> tuple[str, ...]:
    return (
        f"{row['program']} ({row['pid']})",
        row["host"],
        _count(row["open"] + sum(pool["open"] for pool in row["pools"])),
        _count(row["in_use"] + sum(pool["in_use"] for pool in row["pools"])),
        _count(row["opened"]),
        _seconds(row["connect_seconds_mean"]),
        ", ".join(f"{kind}: {count:,}" for kind, count in row["connect_errors"].items()),
        _seconds(row["oldest_seconds"]),
        _count(row["server_connections"]),
    )


def _pool(process: Row, row: Row) -> tuple[str, ...]:
    return (
        row["name"],
        f"{process['program']} ({process['pid']})",
        *(_count(row[name]) for name in ("open", "in_use", "highest", "limit", "checkouts", "waits")),
        _seconds(row["wait_seconds_longest"]),
        _count(row["refused"]),
    )


def _count(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _seconds(value: float | None) -> str:
    return "" if value is None else seconds(value)
