"""EXPLAIN on real servers: plans of every kind of step, and nothing but reading, whatever the statement tries."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dbvigil.errors import ConfigurationError, MissingPrivilege, NotExplainable, ServerError, StatementFailed
from dbvigil.queries.explain import changes, explain
from dbvigil.queries.explain import run as explain_run
from dbvigil.queries.explain.guard import Explainable
from dbvigil.sandbox import PrivateServer
from dbvigil.server import Server
from dbvigil.targets import parse_url
from tests.recorded.explain import shop
from tests.recorded.explain.record import fill
from tests.support.explain_attacks import ATTACKS
from tests.support.servers import monitoring_url
from tests.support.waiting import PATIENCE, wait_for

ALL_RIGHTS = "explain-all"
PASSWORD = "explain-all-1"


@pytest.fixture(scope="module")
def shop_server(any_server: PrivateServer) -> Iterator[PrivateServer]:
    """A server with the shop, and with what an attack would touch."""
    fill(any_server, "attack")
    any_server.execute("CREATE TABLE attack.canary (id INT PRIMARY KEY, a INT)")
    any_server.execute("INSERT INTO attack.canary VALUES (1, 1), (2, 2)")
    # MySQL runs a deterministic function with constant arguments while it plans.
    any_server.execute("SET GLOBAL log_bin_trust_function_creators = 1")
    any_server.execute(
        "CREATE FUNCTION attack.touch() RETURNS INT DETERMINISTIC MODIFIES SQL DATA"
        " BEGIN DELETE FROM attack.canary WHERE id = 2; RETURN 1; END"
    )
    any_server.create_user(ALL_RIGHTS, PASSWORD, ("ALL PRIVILEGES ON *.*",))
    yield any_server
    any_server.execute("DROP DATABASE attack")


@pytest.fixture
async def server(shop_server: PrivateServer) -> AsyncIterator[Server]:
    """A connection of an account that may do everything: what holds the attacks off is not its lack of rights."""
    one = Server(parse_url("t", shop_server.url(ALL_RIGHTS, PASSWORD)))
    await one.connect()
    yield one
    await one.close()


async def test_every_kind_of_plan_is_read(server: Server) -> None:
    for name, sql in shop.STATEMENTS.items():
        plan = await explain(server, sql, schema="attack")
        assert plan.warnings == (), name
        assert len(plan.hash) == 16
        assert not plan.analyzed


async def test_a_plan_says_what_the_server_does(server: Server) -> None:
    (orders,) = (
        await explain(server, "SELECT * FROM orders WHERE total = 5 ORDER BY note", schema="attack")
    ).tables
    assert (orders.access, orders.key, orders.table) == ("ALL", None, "orders")
    assert orders.rows is not None
    assert 8_000 < orders.rows < 12_000
    (one,) = (
        await explain(server, "SELECT total FROM orders WHERE customer_id = 12", schema="attack")
    ).tables
    assert (one.access, one.key, one.used_key_parts) == ("ref", "customer", ("customer_id",))
    plan = await explain(server, shop.STATEMENTS["dependent"], schema="attack")
    assert any(node.dependent for node in plan.root.walk())


async def test_an_index_changes_the_plan(server: Server, shop_server: PrivateServer) -> None:
    sql = "SELECT id FROM attack.orders WHERE total = 500"
    before = await explain(server, sql)
    shop_server.execute("CREATE INDEX by_total ON attack.orders (total)")
    after = await explain(server, sql)
    shop_server.execute("DROP INDEX by_total ON attack.orders")
    assert changes(before, after) == [
        "orders: reads the whole table before, ref access by index by_total alone now"
    ]
    assert changes(after, await explain(server, sql)) != []
    assert changes(before, await explain(server, sql)) == []


@contextlib.contextmanager
def _canary(shop_server: PrivateServer) -> Iterator[None]:
    yield
    rows = shop_server.execute("SELECT id, a FROM attack.canary ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [(1, 1), (2, 2)]
    assert not Path("/tmp/dbvigil-attack").exists()


async def test_no_attack_is_sent(server: Server, shop_server: PrivateServer) -> None:
    with _canary(shop_server):
        for sql in ATTACKS:
            with pytest.raises(NotExplainable):
                await explain(server, sql, schema="attack")


async def test_an_attack_that_came_past_the_guard_could_not_write(
    server: Server, shop_server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain_run, "explainable", Explainable)
    # Without the guard a function of the server's own could still wait.
    waiting = ("SLEEP", "BENCHMARK", "WAIT", "LOCK", "FOR", "QB_NAME")
    with _canary(shop_server):
        for sql in ATTACKS:
            if not any(word in sql.upper() for word in waiting):
                with contextlib.suppress(ServerError):
                    await explain(server, sql, schema="attack", limit_seconds=1)
        # The function is run while planning, and stopped by the transaction.
        with pytest.raises(StatementFailed, match="READ ONLY"):
            await explain(server, "SELECT id FROM canary WHERE id = touch()", schema="attack")


async def test_the_server_ends_a_plan_that_takes_too_long(
    server: Server, shop_server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain_run, "explainable", Explainable)
    # It is the server that ends it, however long its answer takes to come here.
    monkeypatch.setattr(explain_run, "_PATIENCE_SECONDS", PATIENCE)
    # Both flavours fill this derived table while they plan.
    with pytest.raises(StatementFailed, match="time"):
        await explain(server, "SELECT x FROM (SELECT SLEEP(100) AS x) AS d WHERE x = 1", limit_seconds=0.2)
    # A session still stands as running for a moment after its answer; one that was left behind would for 100 s.
    wait_for(
        lambda: (
            not shop_server.execute(
                f"SELECT id FROM information_schema.processlist WHERE user = '{ALL_RIGHTS}' AND command = 'Query'"
            )
        ),
        "the end of the statement",
    )


async def test_errors_are_the_servers_own_and_calm(server: Server, shop_server: PrivateServer) -> None:
    with pytest.raises(StatementFailed):
        await explain(server, "SELECT a FROM attack.no_such_table")
    with pytest.raises(ConfigurationError, match="limit_seconds"):
        await explain(server, "SELECT 1", limit_seconds=0)
    poor = Server(parse_url("t", monitoring_url(shop_server)))
    await poor.connect()
    with pytest.raises(MissingPrivilege):
        await explain(poor, "SELECT total FROM attack.orders")
    await poor.close()


async def test_the_callers_session_is_as_it_was(server: Server) -> None:
    before = (server.connection_id, await server.rows("SELECT DATABASE() AS d, @@sql_mode AS m"))
    await explain(server, "SELECT 1", schema="attack")
    assert (server.connection_id, await server.rows("SELECT DATABASE() AS d, @@sql_mode AS m")) == before
