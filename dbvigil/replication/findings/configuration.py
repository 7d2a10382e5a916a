"""Settings that replication needs and does not have. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dbvigil.display import seconds
from dbvigil.replication.facts import Facts
from dbvigil.replication.findings.finding import Finding, Severity, View

LEAST_RETENTION = 24 * 3600.0
"""Seconds for which binary logs are kept at least: a night's outage of a replica."""
RETENTION_TO_LAG = 4.0
LEAST_PATIENCE = 24 * 3600.0
"""Seconds for which a receiver tries to reach its source at least: a night's outage of that."""


def configuration(view: View) -> Iterator[Finding]:
    for one in view.followed:
        yield from _source(view, one)
    for one in view.replicas:
        yield from _replica(view, one)
        yield from _retries(one)
    yield from _gtids(view)
    yield from _ids(view)
    yield from _versions(view)


def _source(view: View, source: Facts) -> Iterator[Finding]:
    written = source.text("binlog_format")
    if written is not None and written.upper() != "ROW":
        severity: Severity = "warning" if written.upper() == "STATEMENT" else "info"
        yield Finding(
            "binlog_format",
            severity,
            source.database,
            f"The binary log is written as {written.upper()}",
            "Statements that are executed a second time may give other rows on the replica: with LIMIT, UUID(), NOW(6), triggers.",
            "SET GLOBAL binlog_format = 'ROW'; and in the server's configuration. Sessions take it when they connect anew.",
        )
    keyless = source.keyless
    if keyless and keyless["count"] and (written or "ROW").upper() != "STATEMENT":
        named = ", ".join(keyless["names"][:5])
        more = keyless["count"] - min(5, len(keyless["names"]))
        yield Finding(
            "no_primary_key",
            "warning",
            source.database,
            f"{keyless['count']} {'table has' if keyless['count'] == 1 else 'tables have'} no primary key",
            f"{named}{f' and {more} more' if more else ''}: for every changed row of such a table a replica may read the whole table.",
            "Give each a primary key (ALTER TABLE … ADD COLUMN id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY); on MySQL"
            " sql_require_primary_key = ON keeps new ones from coming.",
        )
    kept = _retention(source)
    needed = max(
        [LEAST_RETENTION]
        + [(edge.channel.lag or 0) * RETENTION_TO_LAG for edge in view.topology.replicas(source.database)]
    )
    if kept is not None and 0 < kept < needed:
        yield Finding(
            "retention_short",
            "warning",
            source.database,
            f"Binary logs are kept for {seconds(kept)} only",
            f"A replica that is down or behind for longer has to be built anew. {seconds(needed)} are wanted here: a day, or four times the"
            " lag that there is.",
            f"SET GLOBAL binlog_expire_logs_seconds = {int(needed)}; and in the server's configuration; see that the disk has room.",
        )
    durable = source.number("sync_binlog")
    if durable == 0:
        yield Finding(
            "binlog_not_synced",
            "info",
            source.database,
            "The binary log is not flushed with each commit",
            "After a crash of the host, replicas may have transactions that the source has lost (sync_binlog = 0).",
            "SET GLOBAL sync_binlog = 1; if the disk can take it.",
        )
    if (
        source.flag("rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled")
        and (state := _semi_sync(source)) is not None
        and state.upper() == "OFF"
    ):
        yield Finding(
            "semisync_degraded",
            "warning",
            source.database,
            "Semi-synchronous replication has fallen back to asynchronous",
            "No replica acknowledges in time: what is committed now is on this server alone.",
            "See whether the replicas run and have rpl_semi_sync_replica_enabled (rpl_semi_sync_slave_enabled) = ON, and stop and start"
            " their receivers after switching it on.",
        )


def _semi_sync(source: Facts) -> str | None:
    return source.status.get("Rpl_semi_sync_source_status") or source.status.get(
        "Rpl_semi_sync_master_status"
    )


def _retention(source: Facts) -> float | None:
    """Seconds; 0 for ever, None where unknown."""
    kept = source.number("binlog_expire_logs_seconds")
    if kept:
        return kept
    days = source.number("expire_logs_days")
    return days * 86400 if days else kept


def _replica(view: View, replica: Facts) -> Iterator[Finding]:
    name = replica.database
    if replica.flag("read_only") is False and not view.topology.in_circle(name) and not replica.members:
        yield Finding(
            "replica_writable",
            "warning",
            name,
            "The replica can be written to",
            "A single write by mistake makes it differ from its source, and may stop it later (duplicate key, row not found).",
            "SET GLOBAL read_only = ON; and in the server's configuration."
            if replica.is_mariadb
            else "SET PERSIST super_read_only = ON;",
        )
    if view.topology.replicas(name) and replica.flag("log_replica_updates", "log_slave_updates") is False:
        yield Finding(
            "updates_not_logged",
            "critical",
            name,
            "What it applies does not reach its own replicas",
            "Servers follow this replica, and it does not write what it applies into its binary log.",
            f"{'log_slave_updates' if replica.is_mariadb else 'log_replica_updates'} = ON in the server's configuration and a restart;"
            " then build its replicas anew.",
        )
    if replica.flag("relay_log_recovery") is False:
        yield Finding(
            "relay_log_recovery",
            "info",
            name,
            "A damaged relay log is not fetched again after a crash",
            "relay_log_recovery is OFF: after a crash of this host the applier may stop on a relay log that was cut.",
            "relay_log_recovery = ON in the server's configuration and a restart.",
        )


def _retries(replica: Facts) -> Iterator[Finding]:
    """Receivers that give up on a source that is away. MariaDB's tell nothing of it, and try 100,000 times if nothing else is set."""
    for row in replica.followed:
        tries, wait = row.get("retry_count"), row.get("retry_interval")
        # 0 tries are tries without an end.
        if not tries or wait is None or tries * wait >= LEAST_PATIENCE:
            continue
        channel = row.get("name") or ""
        its = f" FOR CHANNEL '{channel}'" if channel else ""
        yield Finding(
            "few_retries",
            "info",
            replica.database,
            f"The receiver gives up after {tries:.0f} tries",
            f"It tries every {seconds(wait)}, and then stands until somebody starts it: a source that is away for longer than"
            f" {seconds(tries * wait)} comes back without this replica.",
            f"STOP REPLICA IO_THREAD{its}; CHANGE REPLICATION SOURCE TO SOURCE_RETRY_COUNT = 86400{its}; START REPLICA IO_THREAD{its};",
            channel,
        )


def _gtids(view: View) -> Iterator[Finding]:
    for replica in view.replicas:
        for row in replica.followed:
            source = view.source(replica, row)
            if replica.is_mariadb:
                if str(row.get("using_gtid")).lower() == "no":
                    yield _by_file(
                        replica, row.get("name") or "", "CHANGE MASTER TO MASTER_USE_GTID = slave_pos"
                    )
                continue
            modes = (replica.text("gtid_mode"), source.text("gtid_mode") if source else None)
            if None not in modes and ("ON" in modes) and ("OFF" in modes):
                yield Finding(
                    "gtid_modes_differ",
                    "critical",
                    replica.database,
                    "Source and replica differ in gtid_mode",
                    f"The replica has {modes[0]}, its source {modes[1]}: the channel cannot run so.",
                    "Bring both to the same mode step by step: OFF, OFF_PERMISSIVE, ON_PERMISSIVE, ON.",
                    row.get("name") or "",
                )
            elif modes[0] == "OFF":
                yield Finding(
                    "gtid_off",
                    "info",
                    replica.database,
                    "Replication is by file and position",
                    "Without GTIDs a replica cannot be moved to another source by itself, and its lag and errant writes are harder to"
                    " tell.",
                    "SET PERSIST enforce_gtid_consistency = ON; then gtid_mode step by step to ON on every server; then CHANGE REPLICATION"
                    " SOURCE TO SOURCE_AUTO_POSITION = 1.",
                    row.get("name") or "",
                )
            elif modes[0] == "ON" and str(row.get("using_gtid")) == "0":
                yield _by_file(
                    replica,
                    row.get("name") or "",
                    "CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION = 1",
                )


def _by_file(replica: Facts, channel: str, change: str) -> Finding:
    return Finding(
        "position_by_file",
        "info",
        replica.database,
        "A channel follows by file and position though there are GTIDs",
        "It cannot be moved to another source by itself, and may lack old transactions without anybody's knowing.",
        f"Stop the channel, {change}, start it.",
        channel,
    )


def _ids(view: View) -> Iterator[Finding]:
    """Servers of one topology with the same id. Two replicas with one id throw each other off their source's list in turn."""
    for source in {edge.source for edge in view.topology.edges}:
        by_id: dict[int, list[str]] = {}
        around = [source, *(edge.replica for edge in view.topology.replicas(source))]
        for name in dict.fromkeys(around):
            one = view.servers.get(name)
            if one is not None and one.server_id is not None:
                by_id.setdefault(one.server_id, []).append(name)
        for server_id, names in by_id.items():
            if len(names) > 1:
                yield Finding(
                    "same_server_id",
                    "critical",
                    sorted(names)[0],
                    f"{len(names)} servers have the server id {server_id}",
                    f"{', '.join(sorted(names))}: a source sends a replica nothing that bears the replica's own id, and two replicas"
                    " with one"
                    " id end each other's connection.",
                    "Give each server a server_id of its own.",
                )


def _versions(view: View) -> Iterator[Finding]:
    for replica in view.replicas:
        for row in replica.followed:
            source = view.source(replica, row)
            if source is None:
                continue
            if source.flavor != replica.flavor and "mariadb" in (source.flavor, replica.flavor):
                yield Finding(
                    "flavors_differ",
                    "warning",
                    replica.database,
                    f"It follows a server of another kind ({source.version_text})",
                    "MySQL and MariaDB write different GTIDs, types and events: such replication works for some statements, for a while.",
                    "Use it to move over, not to stay.",
                    row.get("name") or "",
                )
            elif source.version[:2] > replica.version[:2]:
                yield Finding(
                    "source_newer",
                    "warning",
                    replica.database,
                    "The source is of a later version than its replica",
                    f"{source.database} runs {source.version_text}, {replica.database} {replica.version_text}: events that the later"
                    " version"
                    " writes may not be understood by the earlier.",
                    "Upgrade replicas first, the source last.",
                    row.get("name") or "",
                )
