"""Deadlocks and waits from a real server to people, through the running service; and what the monitor's visits cost its samples."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dbvigil.collectors.runner import Sampler, monotonic
from dbvigil.locks.collecting import read_deadlock
from dbvigil.locks.waiting import Waiting
from dbvigil.monitoring import locks
from dbvigil.monitoring.locks import LockVisits
from dbvigil.queries.deadlocks import pattern_key
from dbvigil.sandbox import PrivateServer
from dbvigil.sandbox.server import random_password
from dbvigil.server import Server
from dbvigil.targets import parse_url
from tests.recorded.deadlocks.record import SCHEMA, fill, play
from tests.recorded.deadlocks.scenes import SCENES, SECRET
from tests.support.blocked import holding, number_of, running
from tests.support.servers import PrivateServers, monitoring_url
from tests.support.service import Service
from tests.support.waiting import PATIENCE


def update(number: int) -> str:
    return f"UPDATE {SCHEMA}.account SET owner = CONCAT(owner, '{SECRET}') WHERE id = {number}"


def test_from_the_server_to_people(service: Service, private_server: PrivateServers, release: str) -> None:
    # The waits last until all has been asked about them, which takes a process each time.
    server = private_server(release, options={"innodb-lock-wait-timeout": 600})
    fill(server, SCHEMA)
    service.targets = {"shop": monitoring_url(server)}
    service.extra["DB_MONITORING_INTERVAL"] = "1"
    service.start_monitor()
    service.wait_for(lambda: service.samples("shop") >= 2)

    def told(kind: str) -> list[Mapping[str, Any]]:
        results: list[Mapping[str, Any]] = service.command("locks", "--database", "shop")[kind]["results"]
        return results

    undone = play(server, SCHEMA, SCENES["for-update"])
    service.wait_for(lambda: told("deadlocks"), 60, "the deadlock is not told")
    (deadlock,) = told("deadlocks")
    assert deadlock["count"] == 1
    (victim,) = [one for one in deadlock["transactions"] if one["number"] == deadlock["victim"]]
    assert victim["thread_id"] == undone
    assert {one["statement"] for one in deadlock["transactions"]} == {
        "select * from parent where id = ? for update",
        "update job set state = ?, worker = ? where state = ?",
    }
    age = datetime.now(UTC) - datetime.fromisoformat(deadlock["last_seen"])
    assert timedelta(0) <= age < timedelta(minutes=2)
    assert deadlock["advice"][0]["rule"] == "deadlock.opposite_order"

    with ExitStack() as stack:
        first, second = (stack.enter_context(holding(server, update(number))) for number in (1, 2))
        stack.enter_context(running(server, update(1), second))
        third = stack.enter_context(running(server, update(2)))
        service.wait_for(
            lambda: [one["depth"] for one in told("lock_waits") if one["current"]] == [2],
            60,
            "the waits are not told",
        )
        # The deadlock may have been long enough on its way to be an episode of its own.
        (episode,) = [one for one in told("lock_waits") if one["current"]]
        chain = [number_of(first), number_of(second), third]
        assert [node["id"] for node in episode["latest"]] == chain
        lines = service.manage("database_monitor", "locks").stdout.splitlines()
        assert lines[0].startswith("shop: 2 sessions wait for locks")
        assert lines[1].startswith(f"  session {chain[0]} root@localhost")
        assert lines[3].startswith(f"      session {third} root@localhost")
    service.wait_for(
        lambda: all(one["ended_at"] for one in told("lock_waits")), what="the end of the waits is not told"
    )
    (episode,) = [one for one in told("lock_waits") if one["started_at"] == episode["started_at"]]
    assert [node["id"] for node in episode["tree"]] == chain
    assert (episode["current"], episode["most_waiting"], episode["latest"]) == (False, 2, [])
    # The same deadlock again, by other sessions, is the same pattern; the monitor that starts anew does not count it twice.
    play(server, SCHEMA, SCENES["for-update"])
    service.wait_for(lambda: told("deadlocks")[0]["count"] == 2, 60, "the second deadlock is not counted")
    assert len(told("deadlocks")) == 1
    service.manage("database_monitor", "stop")
    before = service.samples("shop")
    service.start_monitor()
    service.wait_for(lambda: service.samples("shop") >= before + 4)
    assert told("deadlocks")[0]["count"] == 2
    with closing(sqlite3.connect(service.home / "dbvigil.sqlite3")) as held:
        # As long as somebody has it open, its write-ahead log is not removed between the look for it and its reading.
        held.execute("SELECT COUNT(*) FROM dbvigil_sample").fetchall()
        stored = b"".join(path.read_bytes() for path in service.home.glob("dbvigil.sqlite3*"))
    assert SECRET.encode() not in stored
    assert b"INNODB MONITOR OUTPUT" not in stored


@pytest.fixture
def bank(any_server: PrivateServer, monkeypatch: pytest.MonkeyPatch) -> PrivateServer:
    # A visit to a busy machine takes its time, and none here is to be given up.
    monkeypatch.setattr(locks, "_LIMIT_SECONDS", PATIENCE)
    fill(any_server, SCHEMA)
    return any_server


async def test_the_time_and_the_pattern_of_a_real_deadlock(bank: PrivateServer) -> None:
    server = Server(parse_url("t", monitoring_url(bank)))
    try:
        keys = set()
        for _ in range(2):
            before = datetime.now(UTC)
            play(bank, SCHEMA, SCENES["gap"])
            found = await read_deadlock(server, datetime.now(UTC))
            assert found is not None
            assert before - timedelta(seconds=1) <= found.at <= datetime.now(UTC)
            keys.add((pattern_key(found.deadlock), found.identity))
        assert len({pattern for pattern, _ in keys}) == 1
        assert len({identity for _, identity in keys}) == 2
    finally:
        await server.close()


async def test_visits_ask_only_where_there_is_something_and_leave_the_figures_alone(
    bank: PrivateServer,
) -> None:
    sampler, waiting = Sampler(parse_url("t", monitoring_url(bank))), Waiting("a")
    visits = LockVisits("t", 1, waiting)

    async def sample(moment: float, sessions: int) -> int:
        """Statements that the visit sent after a sample in which so many sessions wait."""
        while True:
            snapshot = await sampler.snapshot(datetime.now(UTC), monotonic())
            if snapshot.readings.get("locks", {}).get("waiting") == sessions:
                break
            # InnoDB shows transactions from a copy, which it does not renew while it is read more often than every 0.1 s.
            await asyncio.sleep(0.15)
        before = sampler.server.statements
        after = await visits.after(sampler.server, snapshot, moment)
        assert after is not None
        sent = sampler.server.statements - before
        trailing = [one.readings["monitor"]["trailing_statements"] for one in (snapshot, after)]
        # One more asks MySQL for the durations of the others.
        assert trailing[1] - trailing[0] == sent
        return sent

    try:
        play(bank, SCHEMA, SCENES["opposite-order"])
        assert await sample(0, 0) >= 2
        assert len(waiting) == 1
        assert await sample(100, 0) == 0
        with holding(bank, update(3)), running(bank, update(3)):
            assert await sample(200, 1) >= 3
            assert len(waiting) == 2
            assert await sample(201, 1) == 0
        assert await sample(300, 0) == 0
        # That nobody waits any more is said, and nobody is asked for it.
        assert len(waiting) == 3
        assert await sample(400, 0) == 0
        assert len(waiting) == 3
    finally:
        await sampler.close()


async def test_evidence_of_a_deadlock(bank: PrivateServer) -> None:
    sampler, waiting = Sampler(parse_url("t", monitoring_url(bank))), Waiting("a")
    visits = LockVisits("t", 1, waiting)
    try:
        play(bank, SCHEMA, SCENES["share-then-update"])
        snapshot = await sampler.snapshot(datetime.now(UTC), monotonic())
        rows, _ = await visits.evidence(sampler.server, snapshot, 0)
        assert isinstance(rows, list)
        assert [row["victim"] for row in rows].count(True) == 1
        assert {row["waits_for"] for row in rows} == {f"X on {SCHEMA}.account PRIMARY"}
        assert len(waiting) == 1
    finally:
        await sampler.close()


async def test_an_account_that_may_not_read_the_report_is_told_so(bank: PrivateServer) -> None:
    password = random_password()
    bank.create_user("purblind", password, ("SELECT ON performance_schema.*",))
    sampler, waiting = Sampler(parse_url("t", bank.url("purblind", password))), Waiting("a")
    visits = LockVisits("t", 1, waiting)
    try:
        snapshot = await sampler.snapshot(datetime.now(UTC), monotonic())
        answer, snapshot = await visits.evidence(sampler.server, snapshot, 0)
        assert isinstance(answer, dict)
        assert "PROCESS" in answer["unavailable"]
        assert await visits.after(sampler.server, snapshot, 1) is not None
        assert sampler.server.connected
    finally:
        await sampler.close()
        bank.execute("DROP USER purblind@'%'")
