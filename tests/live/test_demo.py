"""The demo shop: there is something to look at, it is kept, and it heals when somebody breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from dbvigil.sandbox import PrivateServer, wait_until_caught_up
from dbvigil.targets import parse_url
from service.demo.shop import DemoShop
from tests.support.servers import available
from tests.support.waiting import PATIENCE, wait_for

_ORDERS = "SELECT COUNT(*) AS orders FROM shop.orders"
_STATUS = "SHOW ALL SLAVES STATUS"
_ACCOUNTS = "SELECT user AS name FROM mysql.user WHERE host = '%'"
_COUNTERS = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_insert', 'Com_update', 'Com_commit')"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Callable[[], DemoShop]]:
    """`demo()`: the demo of one folder, running."""
    available("mariadb-10.11")
    made: list[DemoShop] = []

    def start() -> DemoShop:
        made.append(DemoShop(tmp_path / "demo"))
        return made[-1].__enter__()

    yield start
    for shop in made:
        shop.__exit__(None, None, None)


def one(server: PrivateServer, sql: str) -> dict[str, Any]:
    (row,) = server.execute(sql)
    return row


def test_customers_buy_on_the_source_and_the_replica_follows(demo: Callable[[], DemoShop]) -> None:
    shop = demo()
    before = one(shop.source, _ORDERS)["orders"]
    wait_for(lambda: one(shop.source, _ORDERS)["orders"] > before + 3, "new orders on the source")
    assert {row["Variable_name"]: int(row["Value"]) > 0 for row in shop.source.execute(_COUNTERS)} == {
        "Com_commit": True,
        "Com_insert": True,
        "Com_update": True,
    }
    wait_until_caught_up(shop.replica, shop.source, PATIENCE)
    assert one(shop.replica, _ORDERS)["orders"] >= before + 3
    assert one(shop.replica, "SELECT @@read_only AS only_read")["only_read"] == 1


def test_the_monitoring_account_may_look_and_change_nothing(demo: Callable[[], DemoShop]) -> None:
    shop = demo()
    assert set(shop.urls) == {"shop", "shop-replica"}
    for alias, url in shop.urls.items():
        target = parse_url(alias, url)
        with (
            pymysql.connect(
                host=target.host, port=target.port, user=target.user, password=target.password
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SHOW GLOBAL STATUS")
            # For the plans of its statements, which is optional.
            cursor.execute("EXPLAIN SELECT email FROM shop.customers LIMIT 1")
            for statement, denied in (
                ("SELECT authentication_string FROM mysql.user LIMIT 1", "SELECT command denied"),
                ("UPDATE shop.customers SET name = name WHERE id = 1", "UPDATE command denied|--read-only"),
                ("ALTER TABLE shop.customers ADD INDEX (email)", "ALTER command denied|--read-only"),
            ):
                with pytest.raises(pymysql.err.OperationalError, match=denied):
                    cursor.execute(statement)


def test_the_data_is_kept_and_nothing_piles_up_from_run_to_run(demo: Callable[[], DemoShop]) -> None:
    first = demo()
    wait_for(lambda: one(first.source, _ORDERS)["orders"] > 40_000, "many orders")
    first.__exit__(None, None, None)
    assert not first.source.running
    assert not first.replica.running
    second = demo()
    assert one(second.source, _ORDERS)["orders"] > 40_000
    accounts = {row["name"] for row in second.source.execute(_ACCOUNTS)}
    assert accounts == {"shop", "dbvigil", f"replica_{second.replica.port}"}


@pytest.mark.parametrize("broken", ["source", "replica"])
def test_a_server_that_was_killed_comes_back_and_replication_goes_on(
    demo: Callable[[], DemoShop], broken: str
) -> None:
    shop = demo()
    server = shop.source if broken == "source" else shop.replica
    server.kill()
    shop.tend(1000.0)
    shop.tend(1059.0)
    assert not server.running
    shop.tend(1060.0)
    assert server.running
    before = one(shop.source, _ORDERS)["orders"]
    wait_for(lambda: one(shop.source, _ORDERS)["orders"] > before, "new orders after the restart")
    wait_for(lambda: one(shop.replica, _STATUS)["Slave_IO_Running"] == "Yes", "the replica to connect")
    wait_until_caught_up(shop.replica, shop.source, PATIENCE)
    assert one(shop.replica, _STATUS)["Slave_SQL_Running"] == "Yes"


def test_data_that_cannot_be_used_is_made_anew(demo: Callable[[], DemoShop], tmp_path: Path) -> None:
    first = demo()
    first.__exit__(None, None, None)
    (tmp_path / "demo" / "replica" / "data" / "ibdata1").write_bytes(b"")
    second = demo()
    wait_until_caught_up(second.replica, second.source, PATIENCE)
    assert one(second.source, _ORDERS)["orders"] >= 40_000
