"""What replication's raw rows say: channels, role, lag, errant transactions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dbvigil.analysis.course import Behind
from dbvigil.analysis.lag import lag
from dbvigil.types import ReplicationChannel, ReplicationRole, ServerInfo


def channels(
    rows: Sequence[Mapping[str, Any]], behind: Mapping[str, Behind] | None = None
) -> tuple[ReplicationChannel, ...]:
    """One entry a row of the collector `replication`, under the names of `ReplicationChannel`.

    `behind` is what the positions of sources say, by the channel's name.
    """
    return tuple(_channel(row, (behind or {}).get(row.get("name") or "")) for row in rows)


def _channel(row: Mapping[str, Any], behind: Behind | None) -> ReplicationChannel:
    seconds, source = lag(row, behind)
    return ReplicationChannel(
        name=row.get("name") or "",
        source_host=row.get("source_host"),
        source_port=row.get("source_port"),
        source_server_id=row.get("source_server_id"),
        source_uuid=row.get("source_uuid") or None,
        io_running=_runs(row.get("io_running")),
        io_state=row.get("io_state") or None,
        sql_running=_runs(row.get("sql_running")),
        lag=seconds,
        lag_source=source,
        delay=row.get("delay"),
        last_io_error=row.get("last_io_error") or None,
        last_sql_error=row.get("last_sql_error") or None,
    )


def with_heartbeats(
    rows: Sequence[Mapping[str, Any]], ages: Sequence[Sequence[float]]
) -> Sequence[Mapping[str, Any]]:
    """`rows` with the age of their source's heartbeat as `heartbeat_lag`: the row of the source's own id, or the only one that there is."""
    by_id = {int(server_id): age for server_id, age in ages}
    only = next(iter(by_id.values())) if len(by_id) == 1 else None
    return [{**row, "heartbeat_lag": by_id.get(row.get("source_server_id") or 0, only)} for row in rows]


def _runs(state: str | None) -> bool | None:
    """Only "Yes" runs: "Connecting" and "Preparing" are words of a thread that receives nothing."""
    return None if state is None else state == "Yes"


def all_run(states: Sequence[bool | None]) -> bool | None:
    """True where every thread runs, False where one does not, None where that is unknown or there is none."""
    if False in states:
        return False
    return None if not states or None in states else True


def worst_lag(found: Sequence[ReplicationChannel]) -> float | None:
    """Seconds of the channel that is furthest behind, its intended delay taken off; None where any channel's lag is unknown."""
    lags = [
        None if channel.lag is None else max(0.0, channel.lag - (channel.delay or 0.0)) for channel in found
    ]
    known = [lag for lag in lags if lag is not None]
    return max(known) if known and len(known) == len(lags) else None


def role(is_replica: bool | None, is_source: bool | None) -> ReplicationRole | None:
    """From whether the server has channels, and whether replicas are connected to it; None where either is unknown."""
    if is_replica is None or is_source is None:
        return None
    if is_replica:
        return "both" if is_source else "replica"
    return "source" if is_source else "standalone"


def gtid_executed(info: ServerInfo, settings: Mapping[str, Any]) -> str | None:
    """MySQL: gtid_executed; MariaDB: gtid_current_pos. Without line breaks; None where the server keeps no GTIDs."""
    if info.is_mariadb:
        position = settings.get("gtid_current_pos")
        return str(position) if position or settings.get("log_bin") in (1, "1", "ON") else None
    if settings.get("gtid_mode") in (None, "OFF"):
        return None
    return str(settings["gtid_executed"]).replace("\n", "") if "gtid_executed" in settings else None


def errant_gtids(info: ServerInfo, settings: Mapping[str, Any]) -> str | None:
    """Transactions that a replica wrote itself, as its server names them; "" where there are none, None where it cannot tell.

    MySQL: those of `gtid_executed` under the replica's own UUID (a former source keeps those it wrote in that time).
    MariaDB: the newest of each domain in `gtid_binlog_pos` under the replica's own id that lies beyond `gtid_slave_pos`.
    """
    if info.is_mariadb:
        return _errant_mariadb(info, settings)
    executed = gtid_executed(info, settings)
    if executed is None or not info.server_uuid:
        return None
    own = (part.strip() for part in executed.split(","))
    return ",".join(part for part in own if part.lower().startswith(info.server_uuid.lower()))


def _errant_mariadb(info: ServerInfo, settings: Mapping[str, Any]) -> str | None:
    written = settings.get("gtid_binlog_pos")
    if written is None or info.server_id is None or settings.get("log_bin") not in (1, "1", "ON"):
        return None
    received = {domain: sequence for domain, _, sequence in _positions(settings.get("gtid_slave_pos") or "")}
    return ",".join(
        f"{domain}-{server}-{sequence}"
        for domain, server, sequence in _positions(written)
        if server == info.server_id and sequence > received.get(domain, 0)
    )


def _positions(text: str) -> list[tuple[int, int, int]]:
    """MariaDB's "domain-server-sequence,…" as numbers."""
    triples = (part.strip().split("-") for part in text.split(",") if part.strip())
    return [(int(domain), int(server), int(sequence)) for domain, server, sequence in triples]
