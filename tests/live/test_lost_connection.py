"""A server that goes away is noticed when it goes: its end of the idle connection tells, whatever the interval."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pymysql
import pytest

from dbvigil.errors import ServerTimeout, ServerUnreachable
from dbvigil.sandbox import Certificates, PrivateServer
from dbvigil.server import Server
from dbvigil.targets import Target, parse_url
from tests.support.servers import MONITORING_PASSWORD, MONITORING_USER, PrivateServers, monitoring_url
from tests.support.service import Service
from tests.support.visits import Visits
from tests.support.waiting import PATIENCE

# Alone it takes a fifth of this; the bound is for a test machine that is busy with other things.
NOT_SOON = "3600"


def is_up(service: Service) -> bool | None:
    up = service.metrics("shop").get("up")
    assert up is None or isinstance(up, bool)
    return up


def watch(service: Service, server: PrivateServer, interval: str) -> None:
    """A monitor that has taken its first two samples, so that nothing is due before the interval is over."""
    service.targets = {"shop": monitoring_url(server)}
    service.start_monitor("--interval", interval)
    # A sample of a busy machine may be out of time, and the next one is not.
    service.wait_for(lambda: service.samples("shop") >= 2 and is_up(service) is True)


def sessions(server: PrivateServer) -> list[int]:
    rows = server.execute(
        "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = %s", MONITORING_USER
    )
    return [row["id"] for row in rows]


# -- the monitor


def test_a_killed_server_is_down_at_once(
    service: Service, private_server: PrivateServers, release: str
) -> None:
    server = private_server(release)
    watch(service, server, NOT_SOON)
    server.kill()
    service.wait_for(lambda: is_up(service) is False, what="the killed server is not down")
    assert "refused" in service.metrics("shop")["error"]


def test_a_server_that_comes_back_is_up_long_before_the_interval_is_over(
    service: Service, private_server: PrivateServers, release: str
) -> None:
    server = private_server(release)
    watch(service, server, NOT_SOON)
    server.stop()
    service.wait_for(lambda: is_up(service) is False, 5, "the stopped server is not down")
    server.start()
    service.wait_for(lambda: is_up(service) is True, what="the started server is not up")


def test_a_server_that_is_down_is_tried_every_few_seconds_and_no_oftener(
    service: Service, private_server: PrivateServers
) -> None:
    server = private_server("mariadb-10.11")
    watch(service, server, NOT_SOON)
    server.kill()
    service.wait_for(lambda: service.samples("shop") >= 4, what="it is not tried again")
    # By the monitor's own clock: whoever looks may come late to the one or the other.
    fell, again = service.sample_times("shop")[2:4]
    assert again - fell > 4


def test_a_killed_session_is_no_fall(service: Service, private_server: PrivateServers, release: str) -> None:
    server = private_server(release)
    watch(service, server, NOT_SOON)
    (before,) = sessions(server)
    server.execute(f"KILL {before}")
    service.wait_for(lambda: service.samples("shop") == 3, 5, "the lost session is not noticed")
    assert is_up(service) is True
    # The server ends a session's connection before it takes the session off its list.
    service.wait_for(lambda: before not in sessions(server), what="the killed session stays")
    (_,) = sessions(server)
    assert " is down" not in service.log()


def test_sessions_that_are_killed_one_after_another_do_not_make_a_storm(
    service: Service, private_server: PrivateServers
) -> None:
    server = private_server("mariadb-10.11")
    watch(service, server, NOT_SOON)

    def sampled(times: int) -> bool:
        return service.samples("shop") >= times

    began = time.monotonic()
    for taken in range(3, 7):
        for session in sessions(server):
            # It has its sample; and one that was killed before may end meanwhile.
            with suppress(pymysql.OperationalError):
                server.execute(f"KILL {session}")
        service.wait_for(partial(sampled, taken), what="a loss is not noticed")
    # The first loss is heeded at once, each of the other three a second after the one before; looking late makes it longer alone.
    assert time.monotonic() - began > 2.9
    assert is_up(service) is True


def test_a_hung_server_is_down_within_the_limit_of_a_sample(
    service: Service, private_server: PrivateServers, release: str
) -> None:
    server = private_server(release)
    watch(service, server, "2")
    server.pause()
    service.wait_for(lambda: is_up(service) is False, what="the hung server is not down")
    server.resume()
    service.wait_for(lambda: is_up(service) is True, 8, "the server that goes on is not up")


# -- the second look


@asynccontextmanager
async def doorkeeper(server: PrivateServer, *, turned_away: int) -> AsyncIterator[tuple[Target, list[float]]]:
    """A proxy before `server` that closes the first `turned_away` connections at once; when each came, in seconds."""
    came: list[float] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def admit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(time.monotonic())
        if len(came) <= turned_away:
            writer.close()
            return
        inside = await asyncio.open_connection(server.host, server.port)
        await asyncio.gather(pipe(reader, inside[1]), pipe(inside[0], writer))

    async with await asyncio.start_server(admit, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        yield parse_url("shop", monitoring_url(server).replace(f":{server.port}", f":{port}")), came


async def test_a_blip_of_a_proxy_is_no_fall(mariadb: PrivateServer) -> None:
    async with doorkeeper(mariadb, turned_away=1) as (target, came):
        visits = Visits(target)
        assert (await visits.sample()).up is True
        await visits.close()
    first, second = came
    assert second - first > 0.04


async def test_two_refusals_are_a_fall(mariadb: PrivateServer) -> None:
    async with doorkeeper(mariadb, turned_away=9) as (target, came):
        visits = Visits(target)
        with pytest.raises(ServerUnreachable, match="closed the connection"):
            await visits.sample()
    assert len(came) == 2


async def test_silence_is_not_looked_at_twice() -> None:
    came: list[asyncio.StreamWriter] = []
    async with await asyncio.start_server(lambda _, writer: came.append(writer), "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        visits = Visits(parse_url("shop", f"mysql://u:p@127.0.0.1:{port}/?connect-timeout=1"))
        with pytest.raises(ServerTimeout):
            await visits.sample()
    assert len(came) == 1


# -- the connection alone


async def lost_within(server: Server, seconds: float) -> bool:
    try:
        await asyncio.wait_for(server.lost.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def test_every_kind_of_line_tells_of_its_end(
    private_server: PrivateServers, tmp_path: Path, release: str
) -> None:
    own = private_server(release, tls=Certificates.create(tmp_path / "tls"))
    lines = [Server(line(own, way)) for way in ("tcp", "tls", "socket")]

    def kill_sessions() -> None:
        for server in lines:
            own.execute(f"KILL {server.connection_id}")

    for end in (kill_sessions, own.stop, own.kill):
        if not own.running:
            await asyncio.to_thread(own.start)
        for server in lines:
            await server.connect()
            assert not server.lost.is_set()
        assert [await encrypted(server) for server in lines] == [False, True, False]
        await asyncio.to_thread(end)
        assert [await lost_within(server, PATIENCE) for server in lines] == [True, True, True]
        assert [server.connected for server in lines] == [False, False, False]
    for server in lines:
        await server.close()
        assert not server.lost.is_set()


@pytest.mark.parametrize("way", ["tcp", "tls", "socket"])
async def test_what_is_closed_here_is_not_lost(any_server: PrivateServer, way: str) -> None:
    server = Server(line(any_server, way))
    await server.connect()
    await server.close()
    assert not await lost_within(server, 0.1)
    await server.connect()
    await server.connect()
    assert not await lost_within(server, 0.1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await server.rows("SELECT SLEEP(2)")
    assert not await lost_within(server, 0.1)
    await server.close()


async def test_waiting_for_the_end_sends_nothing(any_server: PrivateServer) -> None:
    server = Server(line(any_server, "tcp"))
    await server.connect()
    before = server.statements
    assert not await lost_within(server, 0.3)
    assert server.statements == before
    assert server.connected
    await server.close()


def line(server: PrivateServer, way: str) -> Target:
    match way:
        case "socket":
            query = {"socket": str(server.socket)}
        case "tls":
            query = {"ssl-mode": "preferred"}
        case _:
            query = {"ssl-mode": "disabled"}
    return parse_url("shop", server.url(MONITORING_USER, MONITORING_PASSWORD, **query))


async def encrypted(server: Server) -> bool:
    rows = await server.rows("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
    return bool(rows[0]["Value"])
