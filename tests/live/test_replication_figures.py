"""What is said of replication, on real sources and replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from dbvigil.sandbox import PrivateServer, attach_replica, replication_options, wait_until_caught_up
from dbvigil.targets import parse_url
from dbvigil.types import DatabaseMetrics, ReplicationChannel
from tests.support.servers import MONITORING_USER, PrivateServers, monitoring_url
from tests.support.visits import Visits

Pair = tuple[PrivateServer, PrivateServer]


@pytest.fixture
def pair(private_server: PrivateServers, release: str) -> Pair:
    """A source and its replica, of each release."""
    flavor = release.split("-", 1)[0]
    source = private_server(release, options=replication_options(flavor))
    replica = private_server(release, options={**replication_options(flavor), "read-only": "ON"})
    attach_replica(source, replica)
    wait_until_caught_up(replica, source)
    return source, replica


@asynccontextmanager
async def watching(server: PrivateServer) -> AsyncIterator[Visits]:
    visits = Visits.of(server)
    try:
        yield visits
    finally:
        await visits.close()


async def until(
    visits: Visits, reached: Callable[[DatabaseMetrics], bool], seconds: float = 60
) -> DatabaseMetrics:
    """Samples until the figures say so; they are the last that were taken."""
    async with asyncio.timeout(seconds):
        while not reached(figures := await visits.sample()):
            await asyncio.sleep(0.1)
    return figures


def word(replica: PrivateServer, action: str, thread: str = "") -> str:
    return f"{action} {'REPLICA' if replica.flavor == 'mysql' else 'SLAVE'} {thread}".strip()


async def test_roles_threads_and_positions(pair: Pair) -> None:
    source, replica = pair
    source.execute("CREATE DATABASE shop")
    wait_until_caught_up(replica, source)
    async with watching(source) as of_source, watching(replica) as of_replica:
        # A session that was just closed may count as running for a moment.
        figures = await until(of_source, lambda now: now.threads_running == 0)
        assert figures.replication_role == "source"
        assert figures.replication_channels == ()
        assert figures.replication_io_running is None
        assert figures.read_only is False
        assert figures.errant_gtids is None
        assert figures.threads_running == 0, "replicas that read the binary log are no queries"
        assert figures.longest_query_seconds == 0
        position = figures.gtid_executed
        assert position

        # A server that has just applied something may say that it is a second behind.
        figures = await until(of_replica, lambda now: now.replication_lag == now.threads_running == 0)
        assert figures.replication_role == "replica"
        assert figures.replication_io_running is True
        assert figures.replication_sql_running is True
        assert figures.read_only is True
        assert figures.errant_gtids == ""
        assert figures.gtid_executed == position
        assert figures.threads_running == 0, "replication's own threads are no queries"
        assert figures.longest_query_seconds == 0
        assert figures.longest_transaction_seconds == 0
        assert figures.failures == ()
        (channel,) = figures.replication_channels or ()
        assert (channel.source_host, channel.source_port) == (source.host, source.port)
        assert channel.source_server_id == source.port
        assert (channel.io_running, channel.sql_running, channel.lag, channel.delay) == (True, True, 0, 0)


async def test_stopped_and_connecting_threads_do_not_run_and_lag_is_unknown(pair: Pair) -> None:
    source, replica = pair
    async with watching(replica) as visits:
        replica.execute(word(replica, "STOP", "SQL_THREAD"))
        figures = await visits.sample()
        assert figures.replication_sql_running is False
        assert figures.replication_io_running is True
        assert figures.replication_lag is None, "a stopped applier has no lag: it is not 0"
        replica.execute(word(replica, "START", "SQL_THREAD"))
        assert (await until(visits, lambda now: now.replication_lag == 0)).replication_sql_running is True

        source.kill()
        figures = await until(visits, lambda now: now.replication_io_running is not True)
        assert figures.replication_io_running is False, "connecting is not running"
        assert figures.replication_lag is None
        (channel,) = figures.replication_channels or ()
        assert channel.io_state
        assert (await until(visits, lambda _: bool(_channel(visits).last_io_error))).up is True
        source.start()
        await until(visits, lambda now: now.replication_io_running is True and now.replication_lag == 0)


def _channel(visits: Visits) -> ReplicationChannel:
    (channel,) = visits.figures[-1].replication_channels or ()
    return channel


async def test_an_applier_error_is_told(pair: Pair) -> None:
    source, replica = pair
    source.execute("CREATE DATABASE shop")
    wait_until_caught_up(replica, source)
    replica.execute("DROP DATABASE shop")
    source.execute("CREATE TABLE shop.t (id INT PRIMARY KEY)")
    async with watching(replica) as visits:
        figures = await until(visits, lambda now: now.replication_sql_running is False)
        assert _channel(visits).last_sql_error
        assert figures.errant_gtids, "the dropped database is a transaction of the replica's own"


async def test_lag_grows_and_intended_delay_is_taken_off(pair: Pair) -> None:
    source, replica = pair
    source.execute("CREATE DATABASE shop")
    source.execute("CREATE TABLE shop.t (id INT PRIMARY KEY)")
    wait_until_caught_up(replica, source)
    with replica.connect() as blocker:
        cursor = blocker.cursor()
        cursor.execute("LOCK TABLES shop.t WRITE")
        source.execute("INSERT INTO shop.t VALUES (1)")
        async with watching(replica) as visits:
            await until(visits, lambda now: (now.replication_lag or 0) >= 2)
        cursor.execute("UNLOCK TABLES")
    wait_until_caught_up(replica, source)
    replica.execute(word(replica, "STOP", "SQL_THREAD"))
    if replica.flavor == "mysql":
        replica.execute("CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 60")
    else:
        replica.execute(word(replica, "STOP"))
        replica.execute("CHANGE MASTER TO MASTER_DELAY = 60")
    replica.execute(word(replica, "START"))
    source.execute("INSERT INTO shop.t VALUES (2)")
    async with watching(replica) as visits:
        figures = await until(visits, lambda now: bool(_channel(visits).lag))
        assert _channel(visits).delay == 60
        assert figures.replication_lag == 0, "within its intended delay a replica is not late"


async def test_a_heartbeat_row_tells_lag_where_threads_carry_no_commit_times(pair: Pair) -> None:
    source, replica = pair
    source.execute("CREATE DATABASE beat")
    source.execute(
        "CREATE TABLE beat.heartbeat (server_id INT UNSIGNED PRIMARY KEY, ts VARCHAR(26) NOT NULL)"
    )
    written = "DATE_FORMAT(UTC_TIMESTAMP(6) - INTERVAL 90 SECOND, '%Y-%m-%dT%H:%i:%s.%f')"
    source.execute(f"INSERT INTO beat.heartbeat VALUES (@@server_id, {written})")
    wait_until_caught_up(replica, source)
    visits = Visits(parse_url("shop", monitoring_url(replica, heartbeat="beat.heartbeat")))
    try:
        figures = await visits.sample()
        assert visits.failure("heartbeat"), "a missing grant is told"
        with replica.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION sql_log_bin = 0")
            cursor.execute(f"GRANT SELECT ON beat.heartbeat TO '{MONITORING_USER}'@'%'")
    finally:
        await visits.close()
    visits = Visits(parse_url("shop", monitoring_url(replica, heartbeat="beat.heartbeat")))
    try:
        figures = await visits.sample()
        if replica.flavor == "mysql":
            # The applier notes what it has applied a moment after that is there.
            figures = await until(visits, lambda _: _channel(visits).lag == 0)
        assert visits.failure("heartbeat") == ""
        (channel,) = figures.replication_channels or ()
        if replica.flavor == "mysql":
            assert (channel.lag, channel.lag_source) == (0, "applier"), "its threads know better"
        else:
            assert channel.lag_source == "heartbeat"
            assert channel.lag is not None
            assert channel.lag >= 90
    finally:
        await visits.close()


async def test_a_replicas_own_writes_are_errant(pair: Pair) -> None:
    _, replica = pair
    async with watching(replica) as visits:
        assert (await visits.sample()).errant_gtids == ""
        replica.execute("CREATE DATABASE by_mistake")
        errant = (await visits.sample()).errant_gtids
        own = replica.execute(
            "SELECT @@server_uuid AS id" if replica.flavor == "mysql" else "SELECT @@server_id AS id"
        )[0]["id"]
        assert errant and str(own) in errant


async def test_one_broken_channel_does_not_hide_behind_a_good_one(
    private_server: PrivateServers, release: str
) -> None:
    flavor = release.split("-", 1)[0]
    one, two, replica = (
        private_server(release, options=replication_options(flavor, domain=domain)) for domain in (1, 2, 3)
    )
    attach_replica(one, replica, channel="one")
    attach_replica(two, replica, channel="two")
    wait_until_caught_up(replica, one, channel="one")
    wait_until_caught_up(replica, two, channel="two")
    async with watching(replica) as visits:
        figures = await until(visits, lambda now: now.replication_lag == 0)
        assert {channel.name for channel in figures.replication_channels or ()} == {"one", "two"}
        assert figures.replication_io_running is True
        replica.execute("STOP REPLICA FOR CHANNEL 'two'" if flavor == "mysql" else "STOP SLAVE 'two'")
        figures = await visits.sample()
        assert figures.replication_io_running is False
        assert figures.replication_sql_running is False
        assert figures.replication_lag is None


async def test_a_replica_with_replicas_is_both(
    pair: Pair, private_server: PrivateServers, release: str
) -> None:
    _, middle = pair
    last = private_server(release, options=replication_options(middle.flavor))
    attach_replica(middle, last)
    async with watching(middle) as visits:
        await until(visits, lambda now: now.replication_role == "both")
