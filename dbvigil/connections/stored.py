"""Answers from what processes have reported and servers have told. Asks no monitored server."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from dbvigil.connections.advice import advise
from dbvigil.connections.findings import find
from dbvigil.models import ConnectionProcess, ServerConnections
from dbvigil.types import iso_utc

FRESH = timedelta(seconds=95)
"""A process that has said nothing for three rounds has ended; so does a server's row count for no finding."""
MOST_PROCESSES = 500


def connections(databases: Sequence[str], now: datetime) -> dict[str, dict[str, Any]]:
    """By database `{"server", "processes", "findings", "advice"}`; `server` is null where its server has not told yet.

    Processes are those that report now, at most 500, those with most connections first.
    """
    servers = {row.database: row for row in ServerConnections.objects.filter(database__in=list(databases))}
    rows = list(
        ConnectionProcess.objects.filter(seen_at__gte=now - FRESH).order_by("identity")[:MOST_PROCESSES]
    )
    return {alias: _one(alias, servers.get(alias), rows, now) for alias in databases}


def _one(
    alias: str, server: ServerConnections | None, rows: Sequence[ConnectionProcess], now: datetime
) -> dict[str, Any]:
    fresh = server is not None and server.seen_at >= now - FRESH
    groups = server.groups if server is not None and fresh else []
    pids = [row.pid for row in rows]
    seen_by_pid = _by_pid(groups)
    processes = []
    for row in rows:
        pools = [{**_UNMEASURED, **one} for one in row.pools if one["database"] == alias]
        figures = row.databases.get(alias)
        if figures is None and not pools:
            continue
        # Two hosts may use one number: then whose they are cannot be told.
        sure = pids.count(row.pid) == 1 and fresh
        processes.append(
            _process(row, figures or _NOTHING, pools, seen_by_pid.get(str(row.pid)) if sure else None)
        )
    processes.sort(key=lambda one: (-one["open"], one["identity"]))
    return {
        "server": None if server is None else _server(server, fresh),
        "processes": processes,
        "findings": [one.to_dict() for one in find(processes, groups, now)],
        "advice": [one.to_dict() for one in advise(server.figures, processes)]
        if server is not None and fresh
        else [],
    }


_NOTHING: dict[str, Any] = {
    "open": 0,
    "in_use": 0,
    "opened": 0,
    "closed": 0,
    "oldest_seconds": None,
    "outlived": 0,
    "max_age": None,
    "health_checks": None,
    "connect_errors": {},
    "connect_seconds_mean": None,
    "connect_seconds_longest": None,
    "past": [],
}

_UNMEASURED: dict[str, Any] = dict.fromkeys(
    ("limit", "checkouts", "waits", "refused", "highest", "wait_seconds_mean", "wait_seconds_longest")
)


def _process(
    row: ConnectionProcess, figures: dict[str, Any], pools: list[dict[str, Any]], seen: int | None
) -> dict[str, Any]:
    pooled = sum(one["open"] for one in pools)
    return {
        "identity": row.identity,
        "host": row.host,
        "pid": row.pid,
        "program": row.program,
        "started_at": iso_utc(row.started_at),
        "seen_at": iso_utc(row.seen_at),
        "seconds": max(0.0, (row.seen_at - row.started_at).total_seconds()),
        **{name: figures[name] for name in _NOTHING},
        # The server may have been looked at when there were more.
        "highest": max((point[1] for point in figures["past"]), default=figures["open"]) + pooled,
        "pools": pools,
        "server_connections": seen,
    }


def _server(row: ServerConnections, fresh: bool) -> dict[str, Any]:
    return {
        "seen_at": iso_utc(row.seen_at),
        "current": fresh,
        "connections": row.figures.get("Threads_connected"),
        "max_connections": row.figures.get("max_connections"),
        "max_used_connections": row.figures.get("Max_used_connections"),
        "wait_timeout": row.figures.get("wait_timeout"),
        "thread_cache_size": row.figures.get("thread_cache_size"),
        "groups": row.groups,
    }


def _by_pid(groups: Iterable[dict[str, Any]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for group in groups:
        for pid, count in group["pids"].items():
            found[pid] = found.get(pid, 0) + count
    return found
