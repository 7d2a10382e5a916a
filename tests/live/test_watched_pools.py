"""Pools of real makers on a real server: what they have open, who waits for it, who gets nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import asyncmy
import pymysql
import pytest
import sqlalchemy
from dbutils.pooled_db import PooledDB  # type: ignore[import-untyped]
from mysql.connector.errors import PoolError
from mysql.connector.pooling import MySQLConnectionPool
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dbvigil.connections import pools, watch
from dbvigil.sandbox import PrivateServer
from dbvigil.sandbox.server import random_password
from tests.support.waiting import wait_for

PASSWORD = random_password()


@pytest.fixture
def account(mysql: PrivateServer) -> dict[str, Any]:
    mysql.create_user("pooled", PASSWORD, plugin="caching_sha2_password")
    return {"host": mysql.host, "port": mysql.port, "user": "pooled", "password": PASSWORD}


@pytest.fixture(autouse=True)
def nothing_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "_pools", {})
    monkeypatch.setattr(pools, "_off", False)


def counted() -> pools.PoolCounts:
    (one,) = pools.counts()
    return one


def waiting_for(take: Callable[[], Any], give_back: Callable[[], None]) -> None:
    """Another thread asks a pool that is empty for a connection, and gets it once one is given back."""
    asked, given = threading.Event(), threading.Event()
    (watched,) = pools._pools.values()

    def clock() -> float:
        # Asked is who is being timed: a thread that is only about to ask may be held up for as long as this one waits.
        now = time.monotonic()
        asked.set()
        return now

    watched.waits._clock = clock

    def ask() -> None:
        take().close()
        given.set()

    thread = threading.Thread(target=ask)
    thread.start()
    assert asked.wait(20)
    assert not given.wait(0.3), "there was nothing to be had"
    give_back()
    thread.join(20)
    assert given.is_set()


def engine(account: dict[str, Any], **options: Any) -> sqlalchemy.Engine:
    address = sqlalchemy.URL.create(
        "mysql+pymysql",
        account["user"],
        account["password"],
        account["host"],
        account["port"],
    )
    return sqlalchemy.create_engine(address, pool_size=1, max_overflow=1, **options)


def test_waits_and_refusals_of_sqlalchemys_pool(account: dict[str, Any]) -> None:
    made = engine(account, pool_timeout=20)
    watch(made, name="reports", database="shop")
    first, second = made.connect(), made.connect()
    now = counted()
    assert (now.open, now.in_use, now.size, now.limit, now.highest) == (2, 2, 1, 2, 2)
    assert (now.checkouts, now.waits, now.refused, now.wait_seconds_mean) == (2, 0, 0, None)
    waiting_for(made.connect, first.close)
    now = counted()
    assert (now.checkouts, now.waits, now.refused) == (3, 1, 0)
    assert now.wait_seconds_longest is not None
    assert now.wait_seconds_longest >= 0.3
    third = made.connect()
    made.pool._timeout = 0.05  # type: ignore[attr-defined]  # of this pool alone
    with pytest.raises(PoolTimeout):
        made.connect()
    assert (counted().checkouts, counted().waits, counted().refused) == (5, 2, 1)
    second.close()
    third.close()
    made.dispose()


def test_a_disposed_engine_goes_on_being_measured(account: dict[str, Any]) -> None:
    made = engine(account)
    watch(made, name="reports")
    made.connect().close()
    made.dispose()
    made.connect().close()
    assert counted().checkouts == 2
    made.dispose()


def test_an_engine_that_cannot_connect_refuses_nobody(account: dict[str, Any]) -> None:
    made = engine({**account, "password": "wrong"})
    watch(made, name="reports")
    with pytest.raises(sqlalchemy.exc.OperationalError):
        made.connect()
    assert (counted().checkouts, counted().waits, counted().refused, counted().open) == (1, 0, 0, 0)


def test_a_pool_of_mysql_connector(account: dict[str, Any]) -> None:
    made = MySQLConnectionPool(pool_name="reports", pool_size=2, **account)
    watch(made, name="reports", database="shop")
    held = [made.get_connection(), made.get_connection()]
    with pytest.raises(PoolError):
        made.get_connection()
    now = counted()
    assert (now.open, now.in_use, now.size, now.limit) == (2, 2, 2, 2)
    assert (now.checkouts, now.waits, now.refused, now.highest) == (3, 1, 1, 2)
    for one in held:
        one.close()
    assert counted().in_use == 0


def test_a_pool_of_dbutils(account: dict[str, Any]) -> None:
    made = PooledDB(pymysql, maxconnections=1, maxcached=1, blocking=True, **account)
    watch(made, name="reports", database="shop")
    held = made.connection()
    assert (counted().in_use, counted().limit) == (1, 1)
    waiting_for(made.connection, held.close)
    wait_for(lambda: counted().in_use == 0, "the connection to be given back")
    now = counted()
    assert (now.checkouts, now.waits, now.refused, now.open) == (2, 1, 0, 1)
    made.close()


async def test_a_pool_of_asyncmy_is_counted_and_its_waits_are_unknown(account: dict[str, Any]) -> None:
    made = await asyncmy.create_pool(minsize=1, maxsize=3, **account)
    try:
        watch(made, name="reports", database="shop")
        async with made.acquire():
            now = counted()
            assert (now.open, now.in_use, now.size, now.limit) == (1, 1, 1, 3)
            assert (now.checkouts, now.waits, now.refused) == (None, None, None)
    finally:
        made.close()
        await made.wait_closed()


def test_a_pool_that_is_watched_dies_with_its_last_user(account: dict[str, Any]) -> None:
    made = PooledDB(pymysql, maxconnections=1, **account)
    watch(made, name="reports")
    made.close()
    del made
    assert pools.counts() == []


def test_where_connections_are_not_monitored_pools_are_left_alone(account: dict[str, Any]) -> None:
    made = engine(account)
    watch(made, name="reports")
    made.connect().close()
    pools.switch_off()
    assert "connect" not in vars(made.pool)
    watch(made, name="reports")
    assert "connect" not in vars(made.pool)
    made.connect().close()
    assert pools.counts() == []
    made.dispose()
    assert "connect" not in vars(made.pool), "nor the pool that takes its place"
