"""Every finding on replication, each made once from facts, and each in the reference with its gravity."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from dbvigil.replication.facts import Facts
from dbvigil.replication.findings import FindingId, find
from tests.support.replicating import channel, server, uuid, view

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "replication-findings.md"
ROWS = dict(re.findall(r"^\| `(\w+)` \| (critical|warning|info)\b", PAGE.read_text(), re.MULTILINE))


def pair(**row: Any) -> list[Facts]:
    """A source and its replica, whose channel is as `row` says."""
    return [server("a", 1), server("b", 2, 1, channels=[channel(1, **row)])]


def stands(thread: str, number: int = 0) -> list[Facts]:
    return pair(**{f"{thread}_running": "No", f"{thread}_error_number": number})


def source(**values: Any) -> list[Facts]:
    return [server("a", 1, **values), server("b", 2, 1)]


def replica(**values: Any) -> list[Facts]:
    return [server("a", 1), server("b", 2, 1, **values)]


def group(*states: str, **values: Any) -> list[Facts]:
    members = [
        {"uuid": uuid(n), "host": f"db{n}", "port": 3306, "state": state, "role": "", "version": "9.7.4"}
        for n, state in enumerate(states, start=1)
    ]
    settings = {"group_replication_group_name": "shop"}
    return [
        server(name, n, members=members, settings=settings, **values) for n, name in enumerate("abc", start=1)
    ]


SEMISYNC: dict[str, Any] = {
    "settings": {"rpl_semi_sync_source_enabled": "ON"},
    "status": {"Rpl_semi_sync_source_status": "OFF"},
}
SCENES: dict[FindingId, list[Facts]] = {
    "wrong_password": stands("io", 1045),
    "binlog_gone": stands("io", 1236),
    "same_server_identity": stands("io", 1593),
    "source_unreachable": stands("io", 2003),
    "receiver_connecting": pair(io_running="Connecting"),
    "receiver_silent": pair(unreceived=9.0),
    "receiver_stopped": stands("io"),
    "receiver_error": stands("io", 4711),
    "duplicate_key": stands("sql", 1062),
    "row_missing": stands("sql", 1032),
    "table_missing": stands("sql", 1146),
    "object_exists": stands("sql", 1007),
    "account_differs": stands("sql", 1396),
    "gave_up_waiting": stands("sql", 1205),
    "relay_log_damaged": stands("sql", 1594),
    "applier_stopped": stands("sql"),
    "applier_error": stands("sql", 4711),
    "member_lost": group("ONLINE", "ONLINE", "ERROR"),
    "member_recovering": group("ONLINE", "ONLINE", "RECOVERING"),
    "member_recovery_failing": group(
        "ONLINE", "ONLINE", "RECOVERING", member_errors=[{"channel": "", "number": 1045, "message": "no"}]
    ),
    "no_quorum": group("ONLINE", "UNREACHABLE", "UNREACHABLE"),
    "errant_transactions": replica(executed_before=f"{uuid(7)}:1"),
    "replica_writable": replica(settings={"read_only": "OFF"}),
    "binlog_format": source(settings={"binlog_format": "STATEMENT"}),
    "no_primary_key": source(keyless={"count": 1, "names": ["shop.log"]}),
    "retention_short": source(settings={"binlog_expire_logs_seconds": "60"}),
    "few_retries": pair(retry_count=10, retry_interval=60),
    "semisync_degraded": source(**SEMISYNC),
    "binlog_not_synced": source(settings={"sync_binlog": "0"}),
    "updates_not_logged": [*replica(settings={"log_replica_updates": "OFF"}), server("c", 3, 2)],
    "relay_log_recovery": replica(settings={"relay_log_recovery": "OFF"}),
    "gtid_modes_differ": replica(settings={"gtid_mode": "OFF"}),
    "gtid_off": [replace(one, settings={**one.settings, "gtid_mode": "OFF"}) for one in pair(using_gtid=0)],
    "position_by_file": pair(using_gtid=0),
    "same_server_id": [*replica(), server("c", 3, 1, server_id=2)],
    "flavors_differ": [server("a", 1, flavor="mariadb"), server("b", 2, channels=[channel(1, "mariadb")])],
    "source_newer": source(version=(99, 0, 0)),
}


@pytest.mark.parametrize("finding", get_args(FindingId))
def test_each_is_found_and_described(finding: FindingId) -> None:
    found = {one.id: one for one in find(view(*SCENES[finding]))}
    assert finding in found, sorted(found)
    assert found[finding].severity == ROWS[finding]
    assert found[finding].title and found[finding].detail and found[finding].fix


def test_the_reference_has_no_other() -> None:
    assert set(ROWS) == set(get_args(FindingId)) == set(SCENES)
