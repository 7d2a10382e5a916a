"""Every figure, on real servers: filled, true, and without the monitor's own part in it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import fields

import pymysql
import pytest

from dbvigil.backups.judging import NAMES as BACKUPS
from dbvigil.sandbox import PrivateServer
from dbvigil.types import DatabaseMetrics
from tests.support.blocked import running
from tests.support.servers import PrivateServers
from tests.support.visits import Visits
from tests.support.waiting import PATIENCE, wait_for

# What a standalone server of each kind truly lacks; docs/reference/collectors.md gives the reasons.
NEVER = {"error", "health_score", *BACKUPS}
NOT_A_REPLICA = {"replication_io_running", "replication_sql_running", "replication_lag", "errant_gtids"}
LACKING = {
    "mysql": NEVER | NOT_A_REPLICA | {"query_cache_hit_rate"},
    "mariadb": NEVER | NOT_A_REPLICA,
}


@asynccontextmanager
async def watching(server: PrivateServer) -> AsyncIterator[Visits]:
    visits = Visits.of(server)
    try:
        yield visits
    finally:
        await visits.close()


@contextmanager
def sessions(
    server: PrivateServer, number: int
) -> Iterator[list[pymysql.Connection[pymysql.cursors.DictCursor]]]:
    opened = [server.connect() for _ in range(number)]
    try:
        yield opened
    finally:
        for connection in opened:
            connection.close()


@contextmanager
def in_background(work: Callable[[], object]) -> Iterator[threading.Thread]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield thread
    finally:
        thread.join()


def run(connection: pymysql.Connection[pymysql.cursors.DictCursor], *statements: str) -> None:
    """Runs `statements` and waits until the server has counted the last one."""
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    # A server counts a slow statement after its answer has gone out, and before it reads the next command.
    connection.ping(reconnect=False)


async def until(visits: Visits, reached: Callable[[DatabaseMetrics], bool], what: str) -> DatabaseMetrics:
    """Samples until one is as it is to be; that one."""
    started = time.monotonic()
    while not reached(figures := await visits.sample()):
        assert time.monotonic() < started + PATIENCE, f"waited in vain for {what}"
        # InnoDB shows transactions from a copy, which it does not renew while it is read more often than every 0.1 s.
        await asyncio.sleep(0.15)
    return figures


def connected(connection: pymysql.Connection[pymysql.cursors.DictCursor]) -> int:
    """How many sessions the server has, this one included."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Threads_connected'")
        (row,) = cursor.fetchall()
    # See `run`.
    connection.ping(reconnect=False)
    return int(row["Value"])


def waits_for_metadata(server: PrivateServer) -> bool:
    return bool(
        server.execute(
            "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for table%lock'"
        )
    )


def names_of_none(figures: DatabaseMetrics) -> set[str]:
    return {item.name for item in fields(figures) if getattr(figures, item.name) is None}


@pytest.fixture
def options(release: str) -> dict[str, str]:
    if release.startswith("mariadb"):
        return {"log-bin": "binlog", "query-cache-type": "ON", "query-cache-size": "1M"}
    return {"gtid-mode": "ON", "enforce-gtid-consistency": "ON"}


@pytest.fixture
def shop(private_server: PrivateServers, release: str, options: dict[str, str]) -> PrivateServer:
    """A server of each release with a little shop in it."""
    server = private_server(release, options=options)
    server.execute("CREATE DATABASE shop")
    server.execute(
        "CREATE TABLE shop.orders (id TINYINT AUTO_INCREMENT PRIMARY KEY, price INT NOT NULL, note TEXT, KEY (price))"
    )
    server.execute(
        "INSERT INTO shop.orders (price, note) VALUES " + ", ".join(f"({n}, 'n{n}')" for n in range(100))
    )
    return server


async def test_an_idle_server_shows_nothing_of_the_monitor(
    private_server: PrivateServers, release: str
) -> None:
    server = private_server(release)
    async with watching(server) as visits:
        await visits.sample()
        statements = visits.sampler.server.statements
        for _ in range(10):
            await asyncio.sleep(1)
            figures = await visits.sample()
            assert figures.queries_rate == 0
            assert figures.selects_rate == 0
            assert figures.slow_queries == 0
            assert figures.full_scans_rate == 0
            assert figures.sort_merge_passes_rate == 0
            assert figures.tmp_disk_tables_ratio is None
            assert figures.query_time is None
            assert figures.threads_running == 0
            assert figures.longest_query_seconds == 0
            assert figures.longest_transaction_seconds == 0
            assert figures.thread_cache_hit_rate is None
            assert figures.failures == ()
        assert visits.sampler.server.statements - statements <= 7 * 10, "seven statements a sample at most"


async def test_without_performance_schema_as_much_as_can_be(
    private_server: PrivateServers, release: str
) -> None:
    server = private_server(release, performance_schema=False)
    async with watching(server) as visits:
        await visits.sample()
        statements = visits.sampler.server.statements
        for _ in range(3):
            await asyncio.sleep(1)
            figures = await visits.sample()
            assert figures.queries_rate == 0
            assert figures.selects_rate == 0
            assert figures.threads_running == 0
            assert figures.longest_transaction_seconds == 0
            assert figures.lock_waits_current == 0
            assert figures.full_scans_rate == (0 if server.flavor == "mariadb" else None)
            assert figures.tmp_disk_tables_ratio is None
        assert visits.sampler.server.statements - statements <= 7 * 3
        began = time.monotonic()
        with sessions(server, 1) as (client,):
            run(client, "SELECT SLEEP(0.3)")
            took = time.monotonic() - began
            figures = await visits.sample()
        assert figures.query_time_source == ("mean" if server.flavor == "mariadb" else None)
        if server.flavor == "mariadb":
            # Of two statements: the other one is what every connection of the driver begins with.
            assert figures.query_time is not None and 0.1 < figures.query_time < took
            assert figures.failures == ()
        else:
            assert figures.query_time is None
            assert "performance_schema=ON" in visits.failure("statements")
            assert all(failure.lacking for failure in figures.failures)


async def test_every_figure_is_filled(shop: PrivateServer) -> None:
    async with watching(shop) as visits:
        await visits.sample()
        with sessions(shop, 2) as (one, two):
            for connection in (one, two):
                run(connection, "SET SESSION innodb_lock_wait_timeout = 1", "USE shop")
            run(
                one,
                "BEGIN",
                "UPDATE orders SET price = 7 WHERE id = 1",
                "SELECT note, COUNT(*) FROM orders GROUP BY note, price",
            )
            began = time.monotonic()
            with pytest.raises(pymysql.err.OperationalError, match="Lock wait timeout"):
                run(two, "UPDATE orders SET price = 8 WHERE id = 1")
            waited = 1000 * (time.monotonic() - began)
            run(one, "COMMIT", "SELECT * FROM orders", "SELECT * FROM orders")
            await asyncio.sleep(1)
            figures = await visits.sample()
    assert figures.failures == ()
    assert names_of_none(figures) == LACKING[shop.flavor]
    # The server's clock is a coarse one.
    assert figures.row_lock_time_avg_ms is not None and 900 < figures.row_lock_time_avg_ms < waited + 100
    assert figures.row_lock_waits_rate and figures.row_lock_waits_rate > 0
    assert figures.query_cache_hit_rate is None or 0 < figures.query_cache_hit_rate < 100
    assert figures.system_source == "local"
    assert figures.replication_role == "standalone"


async def test_counts_are_exact(shop: PrivateServer) -> None:
    """What clients sent between two samples, and nothing else."""
    async with watching(shop) as visits:
        await visits.sample()
        with sessions(shop, 1) as (client,):
            # A server counts a connection for a while after its client has closed it.
            wait_for(lambda: connected(client) == 2, "the end of those who made the shop")
            await visits.sample()
            run(client, "USE shop")
            for number in range(20):
                run(client, f"SELECT SQL_NO_CACHE * FROM orders WHERE id = {number + 1}")
            run(
                client,
                "INSERT INTO orders (price) VALUES (1)",
                "DELETE FROM orders WHERE price = 1 AND note IS NULL",
            )
            run(client, "BEGIN", "UPDATE orders SET price = 5 WHERE id = 3", "COMMIT", "BEGIN", "ROLLBACK")
            run(client, "SELECT SQL_NO_CACHE SUM(price + 0) FROM orders WHERE note = 'n3'")
            figures = await visits.sample()
    seconds = visits.snapshots[-1].monotonic - visits.snapshots[-2].monotonic

    def counted(rate: float | None) -> float:
        assert rate is not None
        return round(rate * seconds, 6)

    # PyMySQL sends nothing of its own between the samples but what `run` asks for.
    assert counted(figures.queries_rate) == 1 + 20 + 2 + 5 + 1
    assert counted(figures.selects_rate) == 21
    assert counted(figures.writes_rate) == 3
    assert counted(figures.transactions_rate) == 2
    assert counted(figures.full_scans_rate) == 1
    assert figures.connections == 2
    assert figures.connection_usage == pytest.approx(100 * 2 / (figures.max_connections or 0))


async def test_waits_ages_and_deadlocks(shop: PrivateServer) -> None:
    async with watching(shop) as visits:
        await visits.sample()
        with sessions(shop, 3) as (holder, waiter, sleeper):
            began = time.monotonic()
            run(holder, "BEGIN", "UPDATE shop.orders SET price = 7 WHERE id = 1")

            def wait() -> None:
                run(
                    waiter,
                    "BEGIN",
                    "UPDATE shop.orders SET price = 9 WHERE id = 2",
                    "UPDATE shop.orders SET price = 8 WHERE id = 1",
                )

            with in_background(wait), running(shop, "SELECT SLEEP(100)", sleeper):
                figures = await until(
                    visits,
                    lambda seen: (
                        (seen.lock_waits_current, seen.threads_running) == (1, 2)
                        and min(seen.longest_query_seconds or 0, seen.longest_transaction_seconds or 0) >= 2
                    ),
                    "one that waits and one that sleeps, for two seconds",
                )
                # Of whole seconds one may just have begun.
                most = time.monotonic() - began + 1
                assert 2 <= (figures.longest_query_seconds or 0) <= most
                assert 2 <= (figures.longest_transaction_seconds or 0) <= most
                with pytest.raises(pymysql.err.OperationalError, match="Deadlock"):
                    # InnoDB ends the one that changed less.
                    run(holder, "UPDATE shop.orders SET price = 9 WHERE id = 2")
                    raise pymysql.err.OperationalError(1213, "Deadlock was resolved for the other one")
            run(waiter, "ROLLBACK")
        figures = await visits.sample()
        assert figures.deadlocks_rate and figures.deadlocks_rate > 0
        await until(visits, lambda seen: seen.lock_waits_current == 0, "the end of the wait")


async def test_query_time_is_that_of_the_clients(shop: PrivateServer) -> None:
    async with watching(shop) as visits:
        with sessions(shop, 1) as (client,):
            # What the connection began with is counted by then.
            run(client)
            await visits.sample()
            await visits.sample()
            began = time.monotonic()
            run(client, "SELECT SLEEP(0.4)")
            took = time.monotonic() - began
            figures = await visits.sample()
            # The bounds of MySQL's histogram are 5 % apart.
            assert figures.query_time is not None and 0.39 < figures.query_time < 1.05 * took
            assert figures.query_time_source == ("mean" if shop.flavor == "mariadb" else "histogram")
            for _ in range(60):
                run(client, "SELECT 1")
            figures = await visits.sample()
            # Far from what the sleep took, whoever else is at work on this machine.
            assert figures.query_time is not None and figures.query_time < 0.2
        # MySQL counts a goodbye too, when it comes to read it.
        await until(visits, lambda seen: seen.query_time is None, "a time in which nobody asked anything")


async def test_slow_queries_are_a_minute(shop: PrivateServer) -> None:
    async with watching(shop) as visits:
        with sessions(shop, 1) as (client,):
            # On a busy machine any statement may take a moment, this one too.
            run(client, "SET SESSION long_query_time = 0.25")
            await visits.sample()
            run(client, "SELECT SLEEP(0.3)", "SELECT SLEEP(0.3)")
            figures = await visits.sample()
    seconds = visits.snapshots[-1].monotonic - visits.snapshots[-2].monotonic
    assert figures.slow_queries == pytest.approx(2 * 60 / seconds)


async def test_sizes_and_counters_of_tables(shop: PrivateServer) -> None:
    shop.execute(
        "CREATE TABLE shop.big"
        " (tenant INT NOT NULL, id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, PRIMARY KEY (tenant, id), KEY (id))"
    )
    shop.execute("INSERT INTO shop.big VALUES (1, 5000000000)")
    shop.execute("ANALYZE TABLE shop.orders, shop.big")
    files = sum(path.stat().st_size for path in (shop.datadir / "shop").glob("*.ibd"))
    async with watching(shop) as visits:
        figures = await visits.sample()
        # Without the grant on InnoDB's statistics, a table that is not in memory counts with its file.
        assert 3 * 16384 <= (figures.data_size_bytes or 0) + (figures.index_size_bytes or 0) <= files
        # 100 rows in a TINYINT; the BIGINT beside an INT in its key is hardly begun.
        assert figures.auto_increment_max_usage == pytest.approx(100 * 101 / 127)
        again = await visits.sample()
        assert "tables" not in visits.snapshots[-1].readings, "not with every sample"
        assert again.data_size_bytes == figures.data_size_bytes, "carried over until it is read again"
        shop.execute("GRANT SELECT ON mysql.innodb_table_stats TO dbvigil@'%'")
        visits.skip(3600)
        figures = await visits.sample()
        assert "tables" in visits.snapshots[-1].readings
        sizes = "SUM(DATA_LENGTH) AS data, SUM(INDEX_LENGTH) AS indexes FROM information_schema.TABLES"
        expected = shop.execute(f"SELECT {sizes} WHERE TABLE_SCHEMA = 'shop'")[0]
        assert figures.data_size_bytes == expected["data"]
        assert figures.index_size_bytes == expected["indexes"]


async def test_too_many_tables_are_counted_not_read(
    shop: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbvigil.collectors.tables.MOST_TABLES", 0)
    async with watching(shop) as visits:
        figures = await visits.sample()
        assert figures.data_size_bytes == sum(
            path.stat().st_size for path in (shop.datadir / "shop").glob("*.ibd")
        )
        assert figures.index_size_bytes is None
        assert figures.auto_increment_max_usage is None
        assert "1 tables are too many" in visits.failure("tables")
        assert "GRANT SELECT ON mysql.innodb_table_stats" in visits.failure("tables")
        assert all(failure.lacking for failure in figures.failures)
        assert (await visits.sample()).data_size_bytes == figures.data_size_bytes
        shop.execute("GRANT SELECT ON mysql.innodb_table_stats TO dbvigil@'%'")
        figures = await visits.sample(full=True)
        assert figures.index_size_bytes
        assert "GRANT" not in visits.failure("tables")


@pytest.mark.parametrize("exact", [False, True], ids=["plain", "with-statistics-grant"])
async def test_a_locked_table_is_not_waited_for(shop: PrivateServer, exact: bool) -> None:
    if exact:
        shop.execute("GRANT SELECT ON mysql.innodb_table_stats TO dbvigil@'%'")
    with sessions(shop, 2) as (locker, changer):
        run(locker, "LOCK TABLES shop.orders WRITE")

        def change() -> None:
            run(changer, "ALTER TABLE shop.orders ADD COLUMN more INT")

        with in_background(change):
            try:
                wait_for(lambda: waits_for_metadata(shop), "the change to wait for the table")
                async with watching(shop) as visits:
                    figures = await visits.sample(full=True)
                    figures = await visits.sample(full=True)
            finally:
                run(locker, "UNLOCK TABLES")
        # The table was locked all the time: a collector that waits for it has failed at its limit.
        assert figures.failures == ()
        assert figures.data_size_bytes and figures.auto_increment_max_usage


async def test_a_restart_gives_no_rate(private_server: PrivateServers, release: str) -> None:
    server = private_server(release)
    async with watching(server) as visits:
        await visits.sample()
        for _ in range(50):
            server.execute("SELECT 1")
        await asyncio.sleep(2.5)
        assert ((await visits.sample()).queries_rate or 0) > 0
        killed = time.monotonic()
        server.kill()
        server.start()
        figures = await visits.sample()
        # In whole seconds.
        most = time.monotonic() - killed + 1
        assert figures.up is True
        assert {name for name in names_of_none(figures) if name.endswith("_rate")} >= {
            "queries_rate",
            "aborted_connects_rate",
        }
        assert figures.uptime is not None and figures.uptime <= most
        await asyncio.sleep(0.2)
        assert (await visits.sample()).queries_rate is not None


async def test_a_reset_of_counters_gives_no_rate(shop: PrivateServer) -> None:
    async with watching(shop) as visits:
        await visits.sample()
        await asyncio.sleep(1.1)
        # From 11.5 on MariaDB's plain FLUSH STATUS is about the session.
        shop.execute(
            "FLUSH GLOBAL STATUS"
            if shop.flavor == "mariadb" and shop.version >= (11, 5, 0)
            else "FLUSH STATUS"
        )
        assert (await visits.sample()).queries_rate is None
        assert (await visits.sample()).queries_rate is not None


async def test_a_killed_connection_is_renewed_unnoticed(shop: PrivateServer) -> None:
    # In its first moments a server cannot be told from one that restarted.
    await asyncio.sleep(3)
    async with watching(shop) as visits:
        await visits.sample()
        await asyncio.sleep(3)
        shop.execute(f"KILL {visits.sampler.server.connection_id}")
        figures = await visits.sample()
        assert figures.failures == ()
        assert figures.queries_rate is not None, "a new connection to the same run of the server"
        assert figures.queries_rate < 1
        assert figures.full_scans_rate is None, (
            "what the former session scanned after its last reading is not known"
        )
