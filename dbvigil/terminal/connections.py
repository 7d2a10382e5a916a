"""Who holds connections, for the terminal. Takes them as the API answers with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from dbvigil.terminal.plain import aligned
from dbvigil.terminal.text import clean, duration

_GROUPS = ("USER", "HOST", "PROGRAM", "CONNECTIONS", "ACTIVE", "IDLE", "IN TRANSACTION", "OLDEST IDLE")
_POOLS = (
    "POOL",
    "PROGRAM",
    "PID",
    "OPEN",
    "IN USE",
    "LIMIT",
    "HIGHEST",
    "CHECKOUTS",
    "WAITED",
    "LONGEST WAIT",
    "REFUSED",
)
_PROCESSES = ("PROCESS", "HOST", "PID", "OPEN", "IN USE", "OPENED", "ERRORS", "OLDEST", "SERVER SEES")


def lines(databases: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """For a pipe, and for whoever reads it aloud."""
    return [text for text, _ in _told(databases)]


def drawn(databases: Mapping[str, Mapping[str, Any]]) -> RenderableType:
    """The same for a terminal."""
    return Group(*(Text(text, style, overflow="fold") for text, style in _told(databases)))


def _told(databases: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for place, (alias, one) in enumerate(databases.items()):
        if place:
            yield "", ""
        server = one["server"]
        if server is None:
            yield f"{clean(alias)}: its server has not told yet who holds its connections", "bold"
        else:
            old = "" if server["current"] else ", not looked at lately"
            used, limit, peak = (
                "unknown" if server[name] is None else f"{server[name]:,}"
                for name in ("connections", "max_connections", "max_used_connections")
            )
            yield f"{clean(alias)}: {used} of {limit} connections, peak {peak}{old}", "bold"
            yield from (
                (line, "") for line in aligned([_GROUPS, *(_group(each) for each in server["groups"])])
            )
        if one["processes"]:
            yield "", ""
            yield from (
                (line, "") for line in aligned([_PROCESSES, *(_process(each) for each in one["processes"])])
            )
            held = [(each, pool) for each in one["processes"] for pool in each["pools"]]
            if held:
                yield "", ""
                yield from ((line, "") for line in aligned([_POOLS, *(_pool(*each) for each in held)]))
        else:
            yield "No process of the project reports connections to it", "dim"
        for found in one["findings"]:
            yield f"! {clean(found['text'])}", "bold red"
        for advice in one["advice"]:
            yield f"- {clean(advice['text'])}", "green"


def _group(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        clean(row["user"] or "unknown"),
        clean(row["host"] or "local"),
        clean(row["program"] or "unknown"),
        *(str(row[name]) for name in ("connections", "active", "idle", "idle_in_transaction")),
        _age(row["oldest_idle_seconds"]),
    )


def _process(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        clean(row["program"]),
        clean(row["host"]),
        str(row["pid"]),
        str(row["open"] + sum(pool["open"] for pool in row["pools"])),
        str(row["in_use"] + sum(pool["in_use"] for pool in row["pools"])),
        str(row["opened"]),
        str(sum(row["connect_errors"].values())),
        _age(row["oldest_seconds"]),
        "unknown" if row["server_connections"] is None else str(row["server_connections"]),
    )


def _pool(process: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        clean(row["name"]),
        clean(process["program"]),
        str(process["pid"]),
        *(
            "unknown" if row[name] is None else f"{row[name]:,}"
            for name in ("open", "in_use", "limit", "highest", "checkouts", "waits")
        ),
        "" if row["wait_seconds_longest"] is None else duration(row["wait_seconds_longest"]),
        "unknown" if row["refused"] is None else f"{row['refused']:,}",
    )


def _age(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)
