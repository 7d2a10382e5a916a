"""Why a real replica is behind: each cause is made, and named."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dbvigil.sandbox import attach_replica, wait_until_caught_up
from tests.support import breaking
from tests.support.breaking import Pair
from tests.support.observer import Observer
from tests.support.servers import PrivateServers
from tests.support.slow_disk import SlowDisk
from tests.support.waiting import PATIENCE

ROWS = {"mysql": 100_000, "mariadb": 8_000}
"""Of a table without a key; MySQL looks for many changed rows with each reading of the table, MariaDB for one."""
_SEEN_WITHIN = 10.0


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> SlowDisk:
    return SlowDisk(tmp_path_factory.mktemp("disk"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, release: str, disk: SlowDisk) -> Iterator[Pair]:
    servers = PrivateServers(tmp_path_factory.mktemp(release))
    try:
        source = breaking.server(servers, release)
        breaking.item_table(source)
        replica = breaking.server(
            servers,
            release,
            within=disk.within,
            read_only="ON",
            sync_binlog="1",
            innodb_flush_log_at_trx_commit="1",
        )
        attach_replica(source, replica)
        made = Pair(source, replica)
        made.catch_up()
        yield made
    finally:
        servers.destroy()


def observing(pair: Pair) -> Observer:
    observer = Observer(source=pair.source, replica=pair.replica)
    observer.be_patient()
    return observer


async def look(pair: Pair) -> dict[str, Any] | None:
    """The cause as whoever looks now for the first time sees it."""
    async with observing(pair) as observer:
        seen = await observer.round()
        (channel,) = seen.databases["replica"]["channels"]
        cause: dict[str, Any] | None = channel["cause"]
        return cause


async def until(pair: Pair, kind: str, seconds: float = PATIENCE) -> str:
    """Looks until the cause is this one; its detail. All that was seen is told where it never is."""
    kinds = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                cause = await look(pair)
                if cause is not None and cause["kind"] == kind:
                    detail: str = cause["detail"]
                    return detail
                kinds.append(cause and cause["kind"])
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"never {kind}: {kinds}") from None


async def held_back(pair: Pair, work: Callable[[], None]) -> None:
    """The replica stands while the source works, is behind then, and goes on."""
    await asyncio.to_thread(pair.replica.execute, pair.word("STOP", "SQL_THREAD"))
    await asyncio.to_thread(work)
    await asyncio.sleep(2)
    pair.replica.execute(pair.word("START", "SQL_THREAD"))


async def until_while(pair: Pair, kind: str, work: Callable[[], None]) -> str:
    """Looks until this is the cause of what the replica makes of `work`; the cause's detail.

    A look that comes late may find it done: then the source does it once more.
    """
    await held_back(pair, work)
    looking = asyncio.ensure_future(until(pair, kind, 2 * PATIENCE))
    try:
        while not (await asyncio.wait({looking}, timeout=_SEEN_WITHIN))[0]:
            await caught_up(pair)
            if not looking.done():
                await held_back(pair, work)
        return await looking
    finally:
        looking.cancel()


async def caught_up(pair: Pair) -> None:
    await asyncio.to_thread(wait_until_caught_up, pair.replica, pair.source, 120)


def write(pair: Pair, count: int, first: int = 1_000) -> None:
    with pair.source.connect() as connection, connection.cursor() as cursor:
        for number in range(first, first + count):
            cursor.execute("REPLACE INTO shop.item VALUES (%s, 'x')", (number,))


async def test_a_receiver_that_stands(pair: Pair) -> None:
    pair.replica.execute(pair.word("STOP", "IO_THREAD"))
    write(pair, 1)
    assert "gets nothing" in await until(pair, "receiver")
    pair.replica.execute(pair.word("START", "IO_THREAD"))
    await caught_up(pair)


async def test_an_applier_that_stands(pair: Pair) -> None:
    pair.replica.execute(pair.word("STOP", "SQL_THREAD"))
    write(pair, 1)
    await until(pair, "applier_stopped")
    pair.replica.execute(pair.word("START", "SQL_THREAD"))
    await caught_up(pair)


@contextmanager
def holding(pair: Pair, *statements: str) -> Iterator[None]:
    with pair.replica.connect(autocommit=False) as connection:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            yield
        connection.rollback()


@pytest.mark.parametrize(
    "statements", [("FLUSH TABLES shop.item WITH READ LOCK",), ("BEGIN", "SELECT * FROM shop.item WHERE id = 1 FOR UPDATE")],
    ids=["table", "row"],
)  # fmt: skip
async def test_a_lock_that_a_session_holds(pair: Pair, statements: tuple[str, ...]) -> None:
    with holding(pair, *statements):
        pair.source.execute("UPDATE shop.item SET name = IF(name = 'one', 'uno', 'one') WHERE id = 1")
        assert "a session on the replica holds" in await until(pair, "lock")
    await caught_up(pair)


async def test_a_schema_change(pair: Pair) -> None:
    pair.source.execute("CREATE TABLE shop.wide (id INT PRIMARY KEY, filler CHAR(200))")
    await asyncio.to_thread(
        pair.source.execute,
        "INSERT INTO shop.wide WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 1000)"
        " SELECT a.id * 1000 + b.id, 'x' FROM n a, n b WHERE a.id <= 100",
    )
    await caught_up(pair)
    names = (f"more{number}" for number in itertools.count())

    def work() -> None:
        name = next(names)
        pair.source.execute(
            f"ALTER TABLE shop.wide ADD COLUMN {name} INT, ADD INDEX (filler, {name}), ALGORITHM = COPY"
        )

    assert "schema change" in await until_while(pair, "schema_change", work)
    await caught_up(pair)
    pair.source.execute("DROP TABLE shop.wide")


async def test_rows_without_a_key(pair: Pair) -> None:
    rows = ROWS[pair.source.flavor]
    pair.source.execute("CREATE TABLE shop.bare (a INT, b INT)")
    await asyncio.to_thread(
        pair.source.execute,
        "INSERT INTO shop.bare WITH RECURSIVE n (a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n WHERE a < 1000)"
        f" SELECT x.a * 1000 + y.a, 0 FROM n x, n y WHERE x.a <= {rows // 1000}",
    )
    await caught_up(pair)

    def work() -> None:
        pair.source.execute("UPDATE shop.bare SET b = b + 1")

    assert "shop.bare" in await until_while(pair, "no_primary_key", work)
    await caught_up(pair)
    pair.source.execute("DROP TABLE shop.bare")


async def test_one_large_transaction(pair: Pair) -> None:
    """Of a statement that takes as long on the replica as it took on the source."""

    def work() -> None:
        with pair.source.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION binlog_format = 'STATEMENT'")
            cursor.execute(
                "INSERT INTO shop.item SELECT 5000 + id, SLEEP(5) FROM shop.item WHERE id IN (1, 2)"
            )

    thread = threading.Thread(target=work)
    thread.start()
    assert "one transaction has been applied for" in await until(pair, "large_transaction")
    thread.join()
    await caught_up(pair)


async def test_a_slow_disk(pair: Pair, disk: SlowDisk) -> None:
    disk.begin()
    try:
        await asyncio.to_thread(write, pair, 40)
        assert "the disk" in await until(pair, "disk")
    finally:
        disk.end()
    await caught_up(pair)


async def test_an_applier_that_is_slower_than_its_source(pair: Pair) -> None:
    pair.source.execute("CREATE TABLE shop.many (id INT PRIMARY KEY, n INT NOT NULL DEFAULT 0)")
    await asyncio.to_thread(
        pair.source.execute,
        "INSERT INTO shop.many (id) WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 1000)"
        " SELECT a.id * 1000 + b.id FROM n a, n b WHERE a.id <= 50",
    )
    await caught_up(pair)

    def work() -> None:
        for _ in range(15):
            pair.source.execute("UPDATE shop.many SET n = n + 1")

    assert "does not keep up" in await until_while(pair, "applier", work)
    await caught_up(pair)
    pair.source.execute("DROP TABLE shop.many")
