"""What is gathered when an alert fires: who really blocked, really ran and really held, and nobody's values."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeAlias

import pymysql
import pytest

from dbvigil.collectors import evidence
from dbvigil.sandbox import (
    RELEASES,
    PrivateServer,
    attach_replica,
    replication_options,
    wait_until_caught_up,
)
from dbvigil.sandbox.server import random_password
from dbvigil.server import Server
from dbvigil.targets import parse_url
from tests.support.servers import MONITORING_USER, PrivateServers, monitoring_url
from tests.support.waiting import BOUNDED, PATIENCE

Connection: TypeAlias = "pymysql.Connection[pymysql.cursors.DictCursor]"

SECRET = "ada@example.org"
NUMBER = "8675309"


@asynccontextmanager
async def visiting(url: str) -> AsyncIterator[Server]:
    server = Server(parse_url("shop", url))
    try:
        yield server
    finally:
        await server.close()


async def seen(server: PrivateServer, *kinds: str) -> dict[str, Any]:
    """Evidence under the monitoring account; whatever it is, it is JSON."""
    async with visiting(monitoring_url(server)) as visitor:
        found = await evidence.gather(visitor, kinds, limit_seconds=PATIENCE)
        assert json.loads(json.dumps(found)) == found
        return found


async def until(look: Callable[[dict[str, Any]], bool], server: PrivateServer, *kinds: str) -> dict[str, Any]:
    """Evidence as soon as `look` finds in it what another session is about to do."""
    deadline = time.monotonic() + PATIENCE
    while not look(found := await seen(server, *kinds)):
        assert time.monotonic() < deadline, json.dumps(found, indent=1)
        # InnoDB shows transactions from a copy, which it does not renew while it is read more often than every 0.1 s.
        await asyncio.sleep(0.25)
    return found


@contextmanager
def running(server: PrivateServer, statement: str, connection: Connection | None = None) -> Iterator[int]:
    """A session that runs `statement` in the background; its id. It is killed at the end."""
    session = connection or server.connect(database="evidence")

    def run() -> None:
        with suppress(pymysql.MySQLError), session.cursor() as cursor:
            cursor.execute(statement)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield _id(session)
    finally:
        server.execute(f"KILL {_id(session)}")
        thread.join()


@contextmanager
def transaction(server: PrivateServer, *statements: str) -> Iterator[tuple[int, Connection]]:
    """A session in a transaction in which `statements` have run: its id, and the connection."""
    with server.connect() as connection:
        connection.begin()
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        yield _id(connection), connection
        with suppress(pymysql.MySQLError):
            connection.rollback()


def _id(connection: Connection) -> int:
    number = connection.thread_id()  # type: ignore[no-untyped-call]
    assert isinstance(number, int)
    return number


@pytest.fixture
def shop(any_server: PrivateServer) -> Iterator[PrivateServer]:
    any_server.execute("CREATE DATABASE evidence")
    any_server.execute(
        "CREATE TABLE evidence.orders (id TINYINT PRIMARY KEY AUTO_INCREMENT, note TEXT) ENGINE = InnoDB"
    )
    any_server.execute("INSERT INTO evidence.orders (id, note) VALUES (1, ''), (2, ''), (99, '')")
    yield any_server
    any_server.execute("DROP DATABASE evidence")


def assert_keeps_quiet(found: dict[str, Any]) -> None:
    text = json.dumps(found)
    assert SECRET not in text
    assert NUMBER not in text


async def test_a_long_statement_is_shown_without_its_values(shop: PrivateServer) -> None:
    statement = (
        f"SELECT SLEEP(600), '{SECRET}', \"{SECRET}\", {NUMBER} /* {SECRET} */ FROM orders WHERE id = 1"
    )
    with running(shop, statement) as number:
        found = await until(
            # It opens its table before it sleeps.
            lambda found: any(
                row["id"] == number and row["state"] == "User sleep" for row in found["sessions"]
            ),
            shop,
            *evidence.KINDS,
        )
        (row,) = [row for row in found["sessions"] if row["id"] == number]
        assert (row["user"], row["host"], row["schema"]) == ("root", "localhost", "evidence")
        assert row["seconds"] >= 0
        assert row["command"] == "Query"
        assert "SLEEP" in row["statement"]
        assert "orders" in row["statement"]
        assert row["statement"].count("?") >= 3
        assert_keeps_quiet(found)


async def test_an_idle_transaction_is_among_the_oldest(shop: PrivateServer) -> None:
    with transaction(shop, f"UPDATE evidence.orders SET note = '{SECRET}' WHERE id = 1") as (number, _):
        found = await until(
            lambda found: any(
                row["id"] == number and row["command"] == "Sleep" and row["transaction_seconds"] is not None
                for row in found["sessions"]
            ),
            shop,
            "sessions",
        )
        assert_keeps_quiet(found)


async def test_a_blocked_session_and_who_blocks_it(shop: PrivateServer) -> None:
    def update(number: int) -> str:
        return f"UPDATE evidence.orders SET note = '{SECRET}' WHERE id = {number} AND note <> '{NUMBER}'"

    def all_wait(found: dict[str, Any]) -> bool:
        pairs = {(row["waiting_id"], row["blocking_id"]) for row in found["locks"]}
        # Of a session that was served a moment ago it may not be said yet that it sleeps.
        asleep = {row["blocking_command"] for row in found["locks"] if row["blocking_id"] == first}
        return {(second, first), (third, second)} <= pairs and asleep == {"Sleep"}

    # The third waits for the second, which waits for the first, which waits for nobody.
    with (
        transaction(shop, update(1)) as (first, _),
        transaction(shop, update(2)) as (second, connection),
        running(shop, update(1), connection),
        running(shop, update(2)) as third,
    ):
        found = await until(all_wait, shop, "locks", "sessions", "statements")
        root = found["locks"][0]
        assert (root["blocking_id"], root["root"]) == (first, True)
        assert root["waiting_id"] == second
        assert root["table"] == "evidence.orders"
        assert (root["blocking_user"], root["blocking_command"]) == ("root", "Sleep")
        assert root["waiting_statement"].startswith("UPDATE")
        if shop.flavor == "mysql":
            assert root["blocking_statement"].startswith("UPDATE")
        assert root["seconds"] >= 0
        assert (second, False) in [(row["blocking_id"], row["root"]) for row in found["locks"]]
        assert_keeps_quiet(found)


async def test_who_holds_the_connections(shop: PrivateServer) -> None:
    password = random_password()
    shop.create_user("hoarder", password, ("USAGE ON *.*",))
    held = [shop.connect(user="hoarder", password=password, program_name="hoard") for _ in range(7)]
    try:
        # The server may still show connections that were closed before.
        found = await until(
            lambda found: (
                [(row["user"], row["sleeping"]) for row in found["connections"]]
                == [("hoarder", 7), (MONITORING_USER, 0)]
            ),
            shop,
            "connections",
        )
        assert found["connections"][0] == {
            "user": "hoarder",
            "host": "localhost",
            "program": "hoard",
            "connections": 7,
            "sleeping": 7,
        }
        assert {"user": MONITORING_USER, "program": "dbvigil"}.items() <= found["connections"][-1].items()
        assert found["connections"][-1]["host"] == "127.0.0.1"
    finally:
        for connection in held:
            connection.close()
        shop.execute("DROP USER hoarder@'%'")


async def test_the_digests_with_the_most_time(shop: PrivateServer) -> None:
    shop.execute("CALL sys.ps_truncate_all_tables(FALSE)")
    shop.execute(f"SELECT SLEEP(0.2), '{SECRET}'")
    shop.execute(f"SELECT SLEEP(0.1), '{NUMBER}'")

    def slept(found: dict[str, Any]) -> list[dict[str, Any]]:
        # Not those that other tests have ended, and that the server counts late.
        return [
            row
            for row in found["statements"]
            if "SLEEP" in (row["statement"] or "") and "orders" not in row["statement"]
        ]

    found = await until(lambda found: [row["count"] for row in slept(found)] == [2], shop, "statements")
    # A busy server may have been at something else, as the emptying of its tables, for longer.
    seconds = [row["seconds"] for row in found["statements"]]
    assert seconds == sorted(seconds, reverse=True)
    (row,) = slept(found)
    # The server sleeps by another clock than it measures by.
    assert 0.29 <= row["seconds"] < 60
    assert row["average_ms"] == pytest.approx(row["seconds"] * 1000 / 2, abs=1)
    assert row["slowest_ms"] >= 195
    assert_keeps_quiet(found)


async def test_the_largest_tables_and_the_fullest_counters(shop: PrivateServer) -> None:
    found = await seen(shop, "tables")
    (orders,) = [row for row in found["tables"] if row["table"] == "evidence.orders"]
    assert orders["bytes"] is None or orders["bytes"] > 0
    assert orders["auto_increment_usage"] == pytest.approx(100 / 127 * 100)
    sizes = [row["bytes"] for row in found["tables"] if row["bytes"] is not None]
    assert sizes == sorted(sizes, reverse=True)


async def test_a_broken_channel_says_why_without_values(private_server: PrivateServers, release: str) -> None:
    flavor = RELEASES[release].flavor
    source, replica = (private_server(release, options=replication_options(flavor)) for _ in range(2))
    attach_replica(source, replica)
    source.execute("CREATE DATABASE evidence")
    source.execute("CREATE TABLE evidence.orders (note VARCHAR(40) PRIMARY KEY)")
    wait_until_caught_up(replica, source)
    replica.execute(f"INSERT INTO evidence.orders VALUES ('{SECRET}')")
    source.execute(f"INSERT INTO evidence.orders VALUES ('{SECRET}')")
    found = await until(
        lambda found: [row["sql_running"] for row in found["replication"]] == ["No"], replica, "replication"
    )
    (channel,) = found["replication"]
    assert channel["io_running"] == "Yes"
    assert channel["source"] == f"{source.host}:{source.port}"
    assert channel["last_sql_error"]
    assert channel["last_io_error"] is None
    assert_keeps_quiet(found)


# -- what cannot be had


@pytest.mark.parametrize("release", ["mysql-9.7", "mariadb-11.8"])
async def test_without_performance_schema_statements_are_redacted_here(
    private_server: PrivateServers, release: str
) -> None:
    server = private_server(release, performance_schema=False)
    server.execute("CREATE DATABASE evidence")
    with running(
        server, f"SELECT SLEEP(600), '{SECRET}', 'it''s \\'{SECRET}', {NUMBER} -- {SECRET}"
    ) as number:
        found = await until(
            # For a moment a session has a command already, and its text not yet.
            lambda found: (
                [(row["id"], row["state"]) for row in found["sessions"]] == [(number, "User sleep")]
            ),
            server,
            *evidence.KINDS,
        )
        (row,) = found["sessions"]
        assert row["statement"] == "SELECT SLEEP(?), ?, …"
        assert found["connections"][0]["program"] is None
        assert "performance_schema is off" in found["statements"]["unavailable"]
        assert_keeps_quiet(found)


async def test_an_account_without_process_is_told_so_and_shown_no_idle_server(shop: PrivateServer) -> None:
    password = random_password()
    shop.create_user("purblind", password, ("SELECT ON performance_schema.*",))
    statement = f"SELECT SLEEP(600), '{SECRET}' FROM evidence.orders WHERE id = 1"
    try:
        with running(shop, statement) as number:
            await until(lambda found: number in [row["id"] for row in found["sessions"]], shop, "sessions")
            async with visiting(shop.url("purblind", password)) as visitor:
                found = await evidence.gather(visitor, list(evidence.KINDS), limit_seconds=PATIENCE)
                assert visitor.connected
                assert await visitor.rows("SELECT 1 AS one") == [{"one": 1}]
        for kind in ("tables", "replication"):
            assert list(found[kind]) == ["unavailable"]
        assert "PROCESS" in found["tables"]["unavailable"]
        if shop.flavor == "mysql":
            (row,) = [row for row in found["sessions"] if row["id"] == number]
            assert row["transaction_seconds"] is None
            assert found["locks"] == []
        else:
            for kind in ("sessions", "connections", "locks"):
                assert "PROCESS" in found[kind]["unavailable"]
        assert isinstance(found["statements"], list)
        assert_keeps_quiet(found)
    finally:
        shop.execute("DROP USER purblind@'%'")


async def test_an_account_without_any_grant_gets_a_reason_for_each_kind(shop: PrivateServer) -> None:
    password = random_password()
    shop.create_user("blind", password, ("USAGE ON *.*",))
    try:
        async with visiting(shop.url("blind", password)) as visitor:
            found = await evidence.gather(visitor, list(evidence.KINDS), limit_seconds=PATIENCE)
            assert visitor.connected
    finally:
        shop.execute("DROP USER blind@'%'")
    for reason in found.values():
        assert "\n" not in reason["unavailable"]
        assert "grants" in reason["unavailable"]


async def test_a_server_that_is_down_or_hangs_costs_no_more_than_the_limit(
    private_server: PrivateServers, release: str
) -> None:
    server = private_server(release)
    async with visiting(monitoring_url(server)) as visitor:
        await visitor.connect()
        server.pause()
        began = time.monotonic()
        found = await evidence.gather(visitor, ["sessions", "locks"], limit_seconds=0.6)
        assert time.monotonic() - began < BOUNDED
        assert "did not answer" in found["sessions"]["unavailable"]
        assert "did not answer" in found["locks"]["unavailable"]
        assert not visitor.connected
        server.resume()
        resumed = await evidence.gather(visitor, ["sessions"], limit_seconds=PATIENCE)
        assert isinstance(resumed["sessions"], list)
        server.kill()
        assert list((await evidence.gather(visitor, ["sessions"]))["sessions"]) == ["unavailable"]
        down = await evidence.gather(visitor, ["sessions"], limit_seconds=PATIENCE)
        assert "refused" in down["sessions"]["unavailable"]


async def test_a_kind_that_there_is_not_and_none_at_all(any_server: PrivateServer) -> None:
    async with visiting(monitoring_url(any_server)) as visitor:
        assert "no evidence" in (await evidence.gather(visitor, ["weather"]))["weather"]["unavailable"]
        assert await evidence.gather(visitor, []) == {}
        assert not visitor.connected
