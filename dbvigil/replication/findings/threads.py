"""Threads that do not run, by what they say about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dbvigil.analysis.lag import is_silent
from dbvigil.replication.facts import Facts
from dbvigil.replication.findings.finding import Finding, FindingId, View, source_address, start

Row = Mapping[str, Any]

SILENT_SECONDS = 5.0
"""For so long a receiver may lack what its source has, before it is said that it hears nothing."""


@dataclass(frozen=True, slots=True)
class _Error:
    """What errors of one kind mean; `fix` may name {start}, {source} and {again}: what becomes of the receiver then."""

    id: FindingId
    numbers: tuple[int, ...]
    title: str
    detail: str
    fix: str


_RECEIVER = (
    _Error(
        "wrong_password",
        (1045, 1044, 1130, 1227, 3118),
        "The source refuses the replication account",
        "The receiver cannot sign in to {source}.",
        "Look at the account on the source (SHOW GRANTS FOR …; it needs REPLICATION SLAVE), give the replica the right password with"
        " CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD (MariaDB: CHANGE MASTER TO MASTER_PASSWORD), then {start}",
    ),
    _Error(
        "binlog_gone",
        (1236, 13114),
        "The source no longer has what the replica needs",
        "The binary logs from the replica's position on are gone from {source}, or the position is not there.",
        "The replica has to be built anew from a backup or by CLONE; no setting brings the transactions back. Then let the source keep its"
        " binary logs for longer (binlog_expire_logs_seconds) than a replica may be down.",
    ),
    _Error(
        "same_server_identity",
        (1593, 13117),
        "Source and replica have the same server id or UUID",
        "The receiver refuses to follow {source}: it has the replica's own server_id or server_uuid.",
        "Give each server a server_id of its own; on a copied data directory remove auto.cnf, so that MySQL makes a new UUID. Restart, then"
        " {start}",
    ),
    _Error(
        "source_unreachable",
        (2002, 2003, 2005, 2006, 2013, 2026, 1040, 1053, 1129, 1159, 1158, 1160, 1161),
        "The replica cannot reach its source",
        "The receiver's connection to {source} fails.",
        "See whether the source runs, whether its name and port are right and whether a firewall stands between them. {again}",
    ),
)
_APPLIER = (
    _Error(
        "duplicate_key",
        (1062, 1586, 1022),
        "A row is there already",
        "The applier wants to insert a row whose key the replica has: somebody wrote to the replica, or it began from a wrong position.",
        "Compare the row on both servers. Where the replica's is wrong, delete it (with sql_log_bin = 0) and {start} Then make the replica"
        " read-only and compare the whole table (pt-table-checksum, or build the replica anew).",
    ),
    _Error(
        "row_missing",
        (1032,),
        "A row is missing",
        "The applier wants to change a row that the replica does not have: somebody wrote to the replica, or it began from a wrong"
        " position.",
        "Compare the table on both servers and insert what is missing (with sql_log_bin = 0), then {start} Then make the replica"
        " read-only.",
    ),
    _Error(
        "table_missing",
        (1146, 1049, 1051, 1054, 1072, 1677, 1535, 13146),
        "A table differs from the source's",
        "The applier does not find a table, schema or column that the source has, or finds it with other types.",
        "Create it on the replica as it is on the source (SHOW CREATE TABLE, with sql_log_bin = 0) with the rows that it had at this"
        " position, or build the replica anew; then {start}",
    ),
    _Error(
        "object_exists",
        (1007, 1050, 1060, 1061, 1826),
        "Something that the source created is there already",
        "The applier runs a statement that creates what the replica already has: somebody created it there.",
        "Compare the two. Where they are the same, skip this one transaction; else drop the replica's (with sql_log_bin = 0). Then {start}",
    ),
    _Error(
        "account_differs",
        (1396, 1133, 1141, 1268),
        "An account differs from the source's",
        "The applier wants to create, change or drop an account or a role that is there already, or is not there.",
        "Compare mysql.user and the grants on both servers, bring the replica's to what the source had (with sql_log_bin = 0), then {start}"
        " Change accounts on the source alone.",
    ),
    _Error(
        "gave_up_waiting",
        (1205, 1213, 3058),
        "The applier gave up waiting for a lock",
        "Sessions on the replica held locks for so long that the applier's retries were used up.",
        "Nothing is lost: {start} Then find the long transactions on the replica (`database_monitor locks`).",
    ),
    _Error(
        "relay_log_damaged",
        (1594, 1595, 13121, 1610, 1837),
        "The relay log cannot be read",
        "The replica's own copy of the source's log is damaged, mostly after a crash or a full disk.",
        "Discard it and fetch it again from where the applier stands: STOP REPLICA; RESET REPLICA; (keeps the connection's settings),"
        " {start}"
        " relay_log_recovery = ON does this by itself after a crash.",
    ),
)


def threads(view: View) -> Iterator[Finding]:
    """At most one finding a thread."""
    for replica in view.replicas:
        for row in replica.followed:
            yield from _receiver(view, replica, row)
            yield from _applier(replica, row)


def _receiver(view: View, replica: Facts, row: Row) -> Iterator[Finding]:
    source = view.source(replica, row)
    number, state = row.get("io_error_number") or 0, row.get("io_running")
    runs = state == "Yes"
    if not runs and number:
        error = next((one for one in _RECEIVER if number in one.numbers), None)
        told = _told(number, row.get("last_io_error"))
        if error is None:
            yield _finding(
                replica,
                row,
                "receiver_error",
                "The receiver has stopped on an error",
                told,
                f"Look the error up, mend its cause, then {start(replica, row)}",
            )
            return
        where = _seen_by_the_monitor(source) if error.id == "source_unreachable" else ""
        yield _of(replica, row, error, f"{told}{where}")
    elif state in ("Connecting", "Preparing"):
        if source is not None and source.up is False:
            yield _of(replica, row, _RECEIVER[-1], _seen_by_the_monitor(source).strip())
        else:
            yield _finding(
                replica,
                row,
                "receiver_connecting",
                "The receiver is not connected",
                f"It is trying to connect to {source_address(row)} and has not yet said why it cannot.",
                "See whether the source can be reached from the replica; the reason follows with the receiver's next try.",
                severity="warning",
            )
    elif not runs and state is not None:
        yield _finding(
            replica,
            row,
            "receiver_stopped",
            "The receiver was stopped",
            f"Nothing is fetched from {source_address(row)}, and no error is told: somebody stopped it, or it was not started.",
            f"If nobody means it to stand: {start(replica, row)}",
        )
    elif runs:
        yield from _silent(replica, row, source)


def _silent(replica: Facts, row: Row, source: Facts | None) -> Iterator[Finding]:
    """A connection that is dead without the receiver's knowing: a server that hangs, a network that swallows."""
    if source is not None and source.up is False:
        yield _of(
            replica,
            row,
            _RECEIVER[-1],
            f"{_seen_by_the_monitor(source).strip()} The receiver has not noticed yet.",
        )
        return
    unreceived = row.get("unreceived")
    if is_silent(row):
        detail = (
            f"It says that it runs, and has heard nothing from {source_address(row)}, not even heartbeats."
        )
    elif unreceived is not None and unreceived > SILENT_SECONDS:
        detail = f"It says that it runs, and has not got what {source_address(row)} has had for {unreceived:.0f} s."
    else:
        return
    yield _finding(
        replica,
        row,
        "receiver_silent",
        "The receiver hears nothing from its source",
        detail + _seen_by_the_monitor(source),
        "Look at the network between the two, and at what lies in it (firewalls forget idle connections). The receiver notices after"
        " replica_net_timeout (slave_net_timeout) seconds by itself; to have it at once, stop and start it: "
        + start(replica, row),
    )


def _applier(replica: Facts, row: Row) -> Iterator[Finding]:
    if row.get("sql_running") in ("Yes", None):
        return
    number = row.get("sql_error_number") or 0
    if not number:
        yield _finding(
            replica,
            row,
            "applier_stopped",
            "The applier was stopped",
            "Nothing is applied, and no error is told: somebody stopped it, or it was not started.",
            f"If nobody means it to stand: {start(replica, row)}",
        )
        return
    told = _told(number, row.get("last_sql_error"))
    error = next((one for one in _APPLIER if number in one.numbers), None)
    if error is not None:
        yield _of(replica, row, error, told)
        return
    yield _finding(
        replica,
        row,
        "applier_error",
        "The applier has stopped on an error",
        told,
        f"Look the error up, mend its cause on the replica, then {start(replica, row)}",
    )


def _of(replica: Facts, row: Row, error: _Error, told: str) -> Finding:
    words = {"source": source_address(row), "start": start(replica, row), "again": _again(replica, row)}
    detail = f"{error.detail.format(**words)} {told}".strip()
    return _finding(replica, row, error.id, error.title, detail, error.fix.format(**words))


def _again(replica: Facts, row: Row) -> str:
    """What a receiver does that has lost its source, and what is left to do."""
    tries = row.get("retry_count")
    if row.get("io_running") == "No":
        after = f" after {tries:.0f} tries" if tries else ""
        return f"The receiver has given up{after}. When the source answers: {start(replica, row)}"
    return f"The receiver goes on trying by itself{f', {tries:.0f} times at most' if tries else ''}."


def _finding(
    replica: Facts, row: Row, name: FindingId, title: str, detail: str, fix: str, severity: Any = "critical"
) -> Finding:
    return Finding(name, severity, replica.database, title, detail, fix, row.get("name") or "")


def _told(number: Any, message: str | None) -> str:
    return f"Error {number}: {message}" if message else f"Error {number}."


def _seen_by_the_monitor(source: Facts | None) -> str:
    """What is known of the source from elsewhere; begins with a space."""
    if source is None or source.up is None:
        return ""
    if source.up:
        return f" The monitor reaches the source ({source.database}): look between the two."
    return f" The source ({source.database}) does not answer the monitor either."
