"""Transactions that a replica has and its source has not. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from dbvigil.analysis.gtids import BadPosition, count, mariadb_position, subtract
from dbvigil.replication.facts import Facts
from dbvigil.replication.findings.finding import Finding, View

_SHOWN = 200


def errant(view: View) -> Iterator[Finding]:
    """Where the replica stood at the visit before is held against where its source stands now: what was only on its way is not errant."""
    for replica in view.replicas:
        if view.topology.in_circle(replica.database) or replica.members:
            continue  # There every server writes; its own transactions are meant.
        sources = [view.source(replica, row) for row in replica.followed]
        known = [one for one in sources if one is not None and one.up is not False]
        if not known or len(known) != len(sources):
            continue
        found = _mariadb(replica, known) if replica.is_mariadb else _mysql(replica, known)
        if found:
            yield _finding(replica, found)


def _mysql(replica: Facts, sources: list[Facts]) -> str:
    own, theirs = replica.executed_before, [one.executed for one in sources]
    if own is None or None in theirs:
        return ""
    try:
        return subtract(own, ",".join(one for one in theirs if one))
    except BadPosition:
        return ""


def _mariadb(replica: Facts, sources: list[Facts]) -> str:
    """Of each domain the newest transaction, where the replica's own id stands in it and the source has not come so far."""
    own, theirs = replica.executed_before, [one.executed for one in sources]
    if own is None or None in theirs:
        return ""
    try:
        positions = [mariadb_position(one or "") for one in theirs]
        return ",".join(
            f"{domain}-{server}-{sequence}"
            for domain, (server, sequence) in sorted(mariadb_position(own).items())
            if server == replica.server_id
            and all((domain not in one) or one[domain] != (server, sequence) for one in positions)
        )
    except BadPosition:
        return ""


def _finding(replica: Facts, found: str) -> Finding:
    how_many = "" if replica.is_mariadb else f"{count(found):,} "
    shown = found if len(found) <= _SHOWN else found[:_SHOWN] + "…"
    if replica.is_mariadb:
        fix = (
            "Find what was written (mariadb-binlog on the replica's own log), undo it there with sql_log_bin = 0 or bring it to the"
            " source, and"
            " make the replica read-only. Before it is ever made a source: build it anew."
        )
    else:
        fix = (
            "Find what was written (mysqlbinlog --include-gtids on the replica). If it does no harm, give the source empty transactions"
            " of these"
            " GTIDs (SET GTID_NEXT = '…'; BEGIN; COMMIT; SET GTID_NEXT = 'AUTOMATIC';), else build the replica anew. Then"
            " super_read_only = ON."
        )
    return Finding(
        "errant_transactions",
        "warning",
        replica.database,
        f"The replica has {how_many}transactions that its source has not",
        f"{shown}. They make the data differ; and if this replica is made the source, the others are asked for binary logs that may be"
        " gone.",
        fix,
    )
