"""Everything about replication in one answer: who follows whom, what is wrong, why a replica is behind and when it will have caught up.
Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dbvigil.analysis.replication import worst_lag
from dbvigil.replication.causes import cause
from dbvigil.replication.facts import Facts
from dbvigil.replication.findings import Finding, View, find
from dbvigil.replication.topology import Topology, topology
from dbvigil.replication.trend import trend
from dbvigil.types import DatabaseMetrics, ReplicationChannel, iso_utc

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Report:
    """What GET replication/ answers with. `databases` has those that replicate, by alias."""

    topology: Topology
    findings: Sequence[Finding]
    databases: Mapping[str, Mapping[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        return {
            "topology": self.topology.to_dict(),
            "findings": [finding.to_dict() for finding in self.findings],
            "databases": {alias: dict(body) for alias, body in self.databases.items()},
        }


def report(
    stored: Sequence[Facts], metrics: Mapping[str, DatabaseMetrics], lags: Mapping[str, Points], now: datetime
) -> Report:
    """From what servers told at their last visit, the figures of their last samples, and their lag of the last minutes (see `trend`).

    What a server told is judged by what is known now: it is down where its newest sample says so.
    """
    servers = [_now(one, metrics.get(one.database)) for one in stored]
    newest = {
        alias: figures.replication_channels
        for alias, figures in metrics.items()
        if figures.up and figures.replication_channels
    }
    drawn = topology(servers, newest)
    view = View({one.database: one for one in servers}, drawn)
    findings = find(view)
    return Report(
        drawn,
        findings,
        {one.database: _database(one, view, findings, lags.get(one.database, ()), now) for one in servers},
    )


def _now(one: Facts, figures: DatabaseMetrics | None) -> Facts:
    return one if figures is None else replace(one, up=figures.up, trouble=figures.error)


def _database(
    one: Facts, view: View, findings: Sequence[Finding], lags: Points, now: datetime
) -> dict[str, Any]:
    rows = {row.get("name") or "": row for row in one.followed}
    channels = [edge.channel for edge in view.topology.sources(one.database)]
    lag = worst_lag(channels) if channels else None
    found = trend(lags, now.timestamp(), lag)
    return {
        "role": view.topology.node(one.database).role,
        "up": one.up,
        "as_of": iso_utc(one.at),
        "lag": lag,
        "catch_up_seconds": None if found is None else found.catch_up_seconds,
        "lag_change": None if found is None else found.change,
        "channels": [_channel(channel, rows[channel.name], one, view) for channel in channels],
        "findings": [finding.id for finding in findings if finding.database == one.database],
    }


def _workers(row: Mapping[str, Any], replica: Facts) -> dict[str, int | None]:
    """How many threads apply, and how many of them work on something. MariaDB has one that applies by itself where none are set."""
    applier = row.get("applier") or {}
    if replica.is_mariadb:
        threads = replica.number("slave_parallel_threads")
        return {"workers": None if threads is None else max(1, int(threads)), "workers_busy": None}
    return {"workers": applier.get("workers"), "workers_busy": applier.get("busy")}


def _channel(
    channel: ReplicationChannel, row: Mapping[str, Any], replica: Facts, view: View
) -> dict[str, Any]:
    source = view.source(replica, row)
    why = cause(channel, row, replica, source)
    return {
        **channel.to_dict(),
        "source": None if source is None else source.database,
        "io_error_number": row.get("io_error_number") or None,
        "sql_error_number": row.get("sql_error_number") or None,
        **_workers(row, replica),
        "cause": None if why is None else why.to_dict(),
    }
