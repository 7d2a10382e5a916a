"""Who follows whom, and what is found wrong about it, from facts alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dbvigil.replication.appliers import tables_of
from dbvigil.replication.causes import cause
from dbvigil.replication.facts import Facts
from dbvigil.replication.findings import find
from dbvigil.replication.topology import topology
from dbvigil.replication.trend import trend
from dbvigil.types import ReplicationChannel
from tests.support.replicating import NOW, channel, found, server, uuid, view

FLAVORS = pytest.mark.parametrize("flavor", ["mysql", "mariadb"])


@FLAVORS
def test_what_is_well_has_no_finding(flavor: str) -> None:
    assert found(server("a", 1, flavor=flavor), server("b", 2, 1, flavor=flavor)) == []
    assert found(server("alone", 1, flavor=flavor)) == []


@FLAVORS
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"io_running": "Connecting", "io_error_number": 2003}, "source_unreachable"),
        ({"io_running": "No", "io_error_number": 2003}, "source_unreachable"),
        ({"io_running": "Connecting", "io_error_number": 1045}, "wrong_password"),
        ({"io_running": "Connecting"}, "receiver_connecting"),
        ({"io_running": "No", "io_error_number": 1236}, "binlog_gone"),
        ({"io_running": "No", "io_error_number": 1593}, "same_server_identity"),
        ({"io_running": "No", "io_error_number": 4711}, "receiver_error"),
        ({"io_running": "No"}, "receiver_stopped"),
        ({"sql_running": "No", "sql_error_number": 1062}, "duplicate_key"),
        ({"sql_running": "No", "sql_error_number": 1032}, "row_missing"),
        ({"sql_running": "No", "sql_error_number": 1146}, "table_missing"),
        ({"sql_running": "No", "sql_error_number": 1007}, "object_exists"),
        ({"sql_running": "No", "sql_error_number": 1396}, "account_differs"),
        ({"sql_running": "No", "sql_error_number": 1205}, "gave_up_waiting"),
        ({"sql_running": "No", "sql_error_number": 1594}, "relay_log_damaged"),
        ({"sql_running": "No", "sql_error_number": 4711}, "applier_error"),
        ({"sql_running": "No"}, "applier_stopped"),
        ({"unreceived": 9.0}, "receiver_silent"),
        ({"applier": {"heartbeat_period": 1.0, "heartbeat_age": 9.0}}, "receiver_silent"),
        # What has not been said is no ground for a finding.
        ({"io_running": None, "sql_running": None, "unreceived": None}, None),
    ],
)
def test_a_thread_that_stands_has_one_finding(
    flavor: str, values: dict[str, Any], expected: str | None
) -> None:
    replica = server("b", 2, 1, flavor=flavor, channels=[channel(1, flavor, **values)])
    assert found(server("a", 1, flavor=flavor), replica) == ([("b", expected)] if expected else [])


def test_both_threads_have_their_own() -> None:
    stands = channel(1, io_running="No", io_error_number=1236, sql_running="No", sql_error_number=1062)
    names = found(server("a", 1), server("b", 2, 1, channels=[stands]))
    assert sorted(name for _, name in names) == ["binlog_gone", "duplicate_key"]


def test_every_channel_counts_and_is_named() -> None:
    rows = [channel(1, several=True), channel(3, several=True, sql_running="No")]
    (finding,) = find(
        view(server("a", 1), server("c", 3), server("b", 2, channels=rows, settings={"read_only": "ON"}))
    )
    assert (finding.id, finding.channel) == ("applier_stopped", "from3")
    assert "FOR CHANNEL 'from3'" in finding.fix


def test_a_source_that_is_down_is_told_once_whatever_its_replica_has_noticed() -> None:
    source = replace(server("a", 1), up=False)
    for values in ({}, {"io_running": "Connecting"}, {"io_running": "Connecting", "io_error_number": 2003}):
        (finding,) = find(view(source, server("b", 2, 1, channels=[channel(1, **values)])))
        assert (finding.database, finding.id) == ("b", "source_unreachable")
        assert "does not answer the monitor" in finding.detail


def test_a_network_between_servers_that_answer_is_told() -> None:
    row = channel(1, io_running="Connecting", io_error_number=2003)
    (finding,) = find(view(server("a", 1), server("b", 2, 1, channels=[row])))
    assert "The monitor reaches the source (a)" in finding.detail


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"io_running": "Connecting"}, "goes on trying by itself."),
        ({"io_running": "Connecting", "retry_count": 0}, "goes on trying by itself."),
        (
            {"io_running": "Connecting", "retry_count": 90000},
            "goes on trying by itself, 90000 times at most.",
        ),
        ({"io_running": "No"}, "has given up. When the source answers: START REPLICA;"),
        ({"io_running": "No", "retry_count": 90000}, "has given up after 90000 tries. When"),
    ],
)
def test_a_receiver_that_gave_up_is_told_from_one_that_still_tries(
    values: dict[str, Any], words: str
) -> None:
    row = channel(1, io_error_number=2003, retry_interval=1, **values)
    (finding,) = find(view(server("a", 1), server("b", 2, 1, channels=[row])))
    assert finding.id == "source_unreachable"
    assert words in finding.fix


@pytest.mark.parametrize(
    ("tries", "wait", "expected"),
    [
        (10, 60, True),
        (1439, 60, True),
        (1440, 60, False),
        (86400, 1, False),
        (0, 60, False),
        (None, 60, False),
    ],
)
def test_a_receiver_that_gives_up_within_a_day_is_found(tries: int | None, wait: int, expected: bool) -> None:
    row = channel(1, retry_count=tries, retry_interval=wait)
    names = found(server("a", 1), server("b", 2, 1, channels=[row]))
    assert names == ([("b", "few_retries")] if expected else [])


def test_giving_up_is_told_with_figures_and_the_way_out_of_it() -> None:
    rows = [channel(1, several=True, retry_count=10, retry_interval=60), channel(3, several=True)]
    (finding,) = find(
        view(server("a", 1), server("c", 3), server("b", 2, channels=rows, settings={"read_only": "ON"}))
    )
    assert "every 60 s" in finding.detail and "longer than 10 min" in finding.detail
    assert finding.fix.count("FOR CHANNEL 'from1'") == 3


def test_what_a_server_said_before_it_went_down_is_no_finding() -> None:
    replica = server("b", 2, 1, channels=[channel(1, sql_running="No")], settings={"read_only": "OFF"})
    assert found(server("a", 1), replace(replica, up=False)) == []


@FLAVORS
@pytest.mark.parametrize(
    ("where", "values", "expected"),
    [
        ("b", {"settings": {"read_only": "OFF"}}, "replica_writable"),
        ("b", {"settings": {"relay_log_recovery": "OFF"}}, "relay_log_recovery"),
        ("a", {"settings": {"binlog_format": "STATEMENT"}}, "binlog_format"),
        ("a", {"settings": {"binlog_format": "MIXED"}}, "binlog_format"),
        ("a", {"settings": {"binlog_expire_logs_seconds": "3600"}}, "retention_short"),
        ("a", {"settings": {"binlog_expire_logs_seconds": "0"}}, None),
        ("a", {"settings": {"sync_binlog": "0"}}, "binlog_not_synced"),
        ("a", {"settings": {"sync_binlog": "1000"}}, None),
        ("a", {"keyless": {"count": 2, "names": ["shop.log", "shop.trace"]}}, "no_primary_key"),
        ("a", {"keyless": {"count": 0, "names": []}}, None),
        ("a", {"version": (99, 0, 0)}, "source_newer"),
    ],
)
def test_configuration(flavor: str, where: str, values: dict[str, Any], expected: str | None) -> None:
    a = server("a", 1, flavor=flavor, **(values if where == "a" else {}))
    b = server("b", 2, 1, flavor=flavor, **(values if where == "b" else {}))
    assert [name for _, name in found(a, b)] == ([expected] if expected else [])


def test_servers_of_one_topology_have_ids_of_their_own() -> None:
    twin = server("c", 3, 1, server_id=2)
    assert found(server("a", 1), server("b", 2, 1), twin) == [("b", "same_server_id")]


def test_retention_is_held_against_the_lag_there_is() -> None:
    a = server("a", 1, settings={"binlog_expire_logs_seconds": "172800"})
    assert found(a, server("b", 2, 1)) == []
    assert found(a, server("b", 2, 1, channels=[channel(1, lag=90_000)])) == [("a", "retention_short")]


def test_what_a_chain_needs() -> None:
    middle = server("b", 2, 1, settings={"log_replica_updates": "OFF"})
    assert found(server("a", 1), middle, server("c", 3, 2)) == [("b", "updates_not_logged")]


@pytest.mark.parametrize(
    ("modes", "auto", "expected"),
    [
        (("ON", "ON"), 1, None),
        (("ON", "OFF"), 0, "gtid_modes_differ"),
        (("OFF", "OFF"), 0, "gtid_off"),
        (("ON", "ON"), 0, "position_by_file"),
    ],
)
def test_gtid_modes(modes: tuple[str, str], auto: int, expected: str | None) -> None:
    a, b = (
        server(n, i, *f, settings={"gtid_mode": m})
        for n, i, f, m in (("a", 1, (), modes[0]), ("b", 2, (1,), modes[1]))
    )
    b = replace(b, channels=[channel(1, using_gtid=auto)])
    assert [name for _, name in found(a, b)] == ([expected] if expected else [])


def test_semi_synchronous_replication_that_has_fallen_back() -> None:
    on = {"rpl_semi_sync_source_enabled": "ON"}
    for state, expected in (("ON", []), ("OFF", [("a", "semisync_degraded")])):
        a = server("a", 1, settings=on, status={"Rpl_semi_sync_source_status": state})
        assert found(a, server("b", 2, 1)) == expected


@pytest.mark.parametrize(
    ("flavor", "own", "theirs", "expected"),
    [
        ("mysql", f"{uuid(1)}:1-9", f"{uuid(1)}:1-20", []),
        ("mysql", f"{uuid(1)}:1-9,{uuid(2)}:1-3", f"{uuid(1)}:1-20", [("b", "errant_transactions")]),
        ("mysql", f"{uuid(1)}:1-9,{uuid(2)}:1-3", f"{uuid(1)}:1-20,{uuid(2)}:1-5", []),
        ("mysql", f"{uuid(1)}:1-9,{uuid(7)}:1", f"{uuid(1)}:1-20", [("b", "errant_transactions")]),
        ("mariadb", "0-1-9", "0-1-20", []),
        ("mariadb", "0-2-10", "0-1-9", [("b", "errant_transactions")]),
        ("mariadb", "0-1-9,5-2-1", "0-1-20", [("b", "errant_transactions")]),
        # Once a source itself: what it wrote then has come to the other.
        ("mariadb", "0-2-9", "0-2-9", []),
    ],
)
def test_errant_transactions(flavor: str, own: str, theirs: str, expected: list[tuple[str, str]]) -> None:
    a = server("a", 1, flavor=flavor, executed=theirs)
    assert found(a, server("b", 2, 1, flavor=flavor, executed_before=own)) == expected
    # What is on its way at this moment is none, and of a source that is not known nothing is said.
    assert found(a, server("b", 2, 1, flavor=flavor, executed=own)) == []
    assert found(replace(a, executed=None), server("b", 2, 1, flavor=flavor, executed_before=own)) == []


def test_roles_edges_and_servers_that_are_not_monitored() -> None:
    drawn = topology([server("a", 1, 9), server("b", 2, 1), server("c", 3, 2)])
    assert {node.name: node.role for node in drawn.nodes} == {
        "a": "both", "b": "both", "c": "replica", "db9:3306": "source",
    }  # fmt: skip
    assert [(edge.source, edge.replica, edge.matched_by) for edge in drawn.edges] == [
        ("db9:3306", "a", None), ("a", "b", "uuid"), ("b", "c", "uuid"),
    ]  # fmt: skip
    assert drawn.circles == ()


def test_mariadbs_sources_are_known_by_id_and_address() -> None:
    a, other = server("a", 1, flavor="mariadb"), server("z", 1, flavor="mariadb")
    replica = server("b", 2, 1, flavor="mariadb")
    for servers, by in (([a, replica], "address"), ([replace(a, host="10.0.0.1"), replica], "server_id")):
        (edge,) = topology(servers).edges
        assert (edge.source, edge.matched_by) == ("a", by)
    (edge,) = topology([a, replace(other, host="elsewhere"), replica]).edges
    assert edge.source == "a", "the one at the address that the channel names"
    unclear = [replace(a, host="10.0.0.1"), replace(other, host="10.0.0.2"), replica]
    (edge,) = topology(unclear).edges
    assert (edge.source, edge.matched_by) == ("db1:3306", None), "two could be it: none is taken"


def test_circles_are_found_once_and_may_be_written_to() -> None:
    open_to_writes: dict[str, Any] = {"settings": {"read_only": "OFF"}}
    a, b, c = (
        server(name, own, other, **open_to_writes)
        for name, own, other in (("a", 1, 3), ("b", 2, 1), ("c", 3, 2))
    )
    assert topology([a, b, c]).circles == (("a", "b", "c"),)
    assert found(a, b, c) == []


def members(**states: str) -> list[dict[str, Any]]:
    return [
        {"uuid": uuid(number), "host": f"db{number}", "port": 3306, "state": state, "role": "SECONDARY", "version": "9.7.4"}
        for number, state in enumerate(states.values(), start=1)
    ]  # fmt: skip


def grouped(number: int, seen: list[dict[str, Any]]) -> Facts:
    name = "abc"[number - 1]
    return server(name, number, members=seen, settings={"group_replication_group_name": "shop"})


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (("ONLINE", "ONLINE", "ONLINE"), []),
        (("ONLINE", "ONLINE", "UNREACHABLE"), [("c", "member_lost")]),
        (("ONLINE", "ONLINE", "RECOVERING"), [("c", "member_recovering")]),
        (
            ("ONLINE", "UNREACHABLE", "UNREACHABLE"),
            [("a", "no_quorum"), ("b", "member_lost"), ("c", "member_lost")],
        ),
        # Expelled: the group does not name it any more.
        (("ONLINE", "ONLINE"), [("c", "member_lost")]),
    ],
)
def test_groups(states: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    seen = members(**dict(zip("abc", states, strict=False)))
    third = (
        grouped(3, seen)
        if len(states) == 3
        else grouped(3, [{**members(a="OFFLINE")[0], "uuid": uuid(3), "host": "db3"}])
    )
    assert found(grouped(1, seen), grouped(2, seen), third) == expected


def test_a_group_that_nobody_is_in_is_told() -> None:
    assert found(*(grouped(number, []) for number in (1, 2))) == [("a", "member_lost"), ("b", "member_lost")]
    assert found(grouped(1, members(a="ONLINE")), grouped(2, [])) == [("b", "member_lost")]


def test_no_majority_is_told_of_a_member_that_is_left() -> None:
    seen = members(a="UNREACHABLE", b="UNREACHABLE", c="ONLINE")
    assert ("c", "no_quorum") in found(grouped(3, seen))


def test_what_a_member_stopped_on_is_told() -> None:
    seen, error = (
        members(a="ONLINE", b="ONLINE"),
        {"channel": "group_replication_applier", "number": 1062, "message": "Duplicate"},
    )
    alone = [{**members(a="ERROR")[0], "uuid": uuid(3), "host": "db3"}]
    third = replace(grouped(3, alone), member_errors=[error])
    (finding,) = find(view(grouped(1, seen), grouped(2, seen), third))
    assert (finding.database, finding.id) == ("c", "member_lost")
    assert "Error 1062: Duplicate" in finding.detail
    gone = replace(third, up=False, trouble="the server is in offline mode")
    (finding,) = find(view(grouped(1, seen), grouped(2, seen), gone))
    assert "It does not answer the monitor: the server is in offline mode." in finding.detail
    assert "1062" not in finding.detail, "what it said before it went down"


def test_a_member_that_cannot_recover_is_told() -> None:
    seen = members(a="ONLINE", b="ONLINE", c="RECOVERING")
    error = {"channel": "group_replication_recovery", "number": 1045, "message": "Access denied"}
    third = replace(grouped(3, seen), member_errors=[error])
    assert found(grouped(1, seen), grouped(2, seen), third) == [("c", "member_recovery_failing")]


def lagging(**values: Any) -> tuple[ReplicationChannel, dict[str, Any]]:
    row = channel(1, lag=values.pop("lag", 20), **values)
    return (
        ReplicationChannel(
            "", lag=row["lag"], delay=row["delay"], io_running=row["io_running"] == "Yes", sql_running=row["sql_running"] == "Yes",
        ),
        row,
    )  # fmt: skip


def worker(**values: Any) -> dict[str, Any]:
    return {"channel": "", "state": None, "seconds": 1.0, "verb": None, "tables": [], **values}


@pytest.mark.parametrize(
    ("values", "workers", "expected"),
    [
        ({"lag": 0.2}, [], None),
        ({}, [], None),
        ({"sql_running": "No", "lag": None}, [], "applier_stopped"),
        ({"sql_running": "No", "lag": 0.0}, [], "applier_stopped"),  # It will be.
        ({"io_running": "No", "lag": 0.0}, [], "receiver"),
        ({"io_running": "Connecting", "lag": None}, [], "receiver"),
        ({"unreceived": 19.0}, [], "receiver"),
        ({"delay": 3600, "lag": 3600}, [], "intended_delay"),
        ({"delay": 30, "remaining_delay": 10}, [], "intended_delay"),
        ({}, [worker(state="Waiting for table metadata lock", tables=["shop.orders"])], "lock"),
        ({}, [worker(state="Applying batch of row changes (update)", blocked=True)], "lock"),
        ({}, [worker(state="altering table", verb="ALTER TABLE")], "schema_change"),
        ({}, [worker(state="Applying batch of row changes (update)", tables=["shop.log"])], "no_primary_key"),
        ({}, [worker(state="Update_rows_log_event::find_row(-1) on table `shop`.`log`")], "no_primary_key"),
        ({}, [worker(state="Applying batch of row changes (update)", tables=["shop.orders"])], "applier"),
        (
            {"applier": {"oldest_start": 18.0}},
            [worker(state="Applying batch of row changes (write)")],
            "large_transaction",
        ),
        ({"applier": {"oldest_start": 0.01}}, [worker(state="waiting for handler commit")], "disk"),
        ({}, [worker(state="Commit")], "disk"),
        ({}, [worker(state="Committing alter table to storage engine")], "schema_change"),
    ],
)
def test_causes(values: dict[str, Any], workers: list[dict[str, Any]], expected: str | None) -> None:
    told, row = lagging(**values)
    source = server("a", 1, keyless={"count": 1, "names": ["shop.log"]})
    why = cause(told, row, server("b", 2, 1, appliers=workers), source)
    assert (why and why.kind) == expected


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"tables": "shop.bare\nshop.#sql-1_2", "statement": None}, ["shop.bare"]),
        ({"tables": None, "statement": "UPDATE bare SET b = 1", "db": "shop"}, ["shop.bare"]),
        ({"tables": None, "statement": " update `shop` . `bare` set b = 1", "db": "other"}, ["shop.bare"]),
        (
            {"tables": None, "statement": "DELETE FROM shop.bare WHERE a = 'secret'", "db": None},
            ["shop.bare"],
        ),
        ({"tables": None, "statement": "INSERT INTO bare VALUES (1)", "db": None}, []),
        ({"tables": None, "statement": "SET x = 'UPDATE shop.bare'", "db": "shop"}, []),
        ({"tables": None, "statement": None, "db": "shop"}, []),
        ({"tables": None, "statement": "UPDATE bare SET b = 1"}, []),
    ],
)
def test_the_table_that_an_applier_works_on(row: dict[str, Any], expected: list[str]) -> None:
    assert tables_of(row) == expected


@pytest.mark.parametrize(
    ("lags", "needed"),
    [
        ([60, 50, 40, 30, 20, 10], 10.0),
        ([0, 30, 60, 50, 40, 30], 30.0),
        ([10, 20, 30, 40], None),
        ([10, 10, 10, 10], None),
        ([40, 30, 20, 0], 0.0),
    ],
)
def test_catching_up(lags: list[float], needed: float | None) -> None:
    points = [
        (NOW.timestamp() - 10 * (len(lags) - 1 - place), float(value)) for place, value in enumerate(lags)
    ]
    told = trend(points, NOW.timestamp(), lags[-1])
    assert told is not None
    assert told.catch_up_seconds == (None if needed is None else pytest.approx(needed, abs=0.1))


def test_too_few_points_tell_nothing() -> None:
    assert trend([(0.0, 5.0), (30.0, 4.0)], 30.0, 4.0) is None
    assert trend([(0.0, 5.0), (1.0, 4.0), (2.0, 3.0)], 2.0, 3.0) is None
    assert trend([(0.0, 5.0), (30.0, 4.0), (60.0, 3.0)], 60.0, None) is None


def test_facts_go_through_json() -> None:
    one = server("b", 2, 1, keyless={"count": 1, "names": ["shop.log"]}, members=members(a="ONLINE"))
    again = Facts.from_dict("b", one.to_dict())
    assert again.to_dict() == one.to_dict()
    assert (again.at, again.version, again.up) == (one.at, one.version, True)
