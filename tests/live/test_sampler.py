"""Samples under trouble, on real servers: missing grants, statements that hang, servers that stop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from dbvigil import targets
from dbvigil.collectors.host import runs_here
from dbvigil.collectors.shipped import ALL
from dbvigil.collectors.status import Status
from dbvigil.errors import ConnectionLost, ServerError, ServerTimeout
from dbvigil.sandbox import MONITORING_GRANTS, PrivateServer
from dbvigil.server import Server
from dbvigil.types import DatabaseMetrics, ServerInfo
from tests.support import ports
from tests.support.blocked import until_alone
from tests.support.servers import PrivateServers, monitoring_url
from tests.support.visits import Visits
from tests.support.waiting import BOUNDED

# What each grant is for: the collectors that name it when it is missing.
NEEDED_BY = {
    "mysql": {
        "PROCESS ON *.*": {"sessions", "innodb", "tables"},
        "REPLICATION CLIENT ON *.*": {"replication"},
        "SELECT ON performance_schema.*": {"sessions", "locks", "statements"},
        "SELECT ON sys.*": set(),
    },
    "mariadb": {
        "PROCESS ON *.*": {"sessions", "locks", "tables"},
        "BINLOG MONITOR ON *.*": set(),
        "REPLICA MONITOR ON *.*": {"replication"},
        "SELECT ON performance_schema.*": {"statements"},
        "SELECT ON sys.*": set(),
    },
}


async def second_sample(visits: Visits) -> DatabaseMetrics:
    """The figures of the second of two visits, which has rates; there is no third."""
    try:
        await visits.sample()
        await asyncio.sleep(0.2)
        return await visits.sample()
    finally:
        await visits.close()


async def test_each_grant_missing_in_turn(any_server: PrivateServer) -> None:
    grants = MONITORING_GRANTS[any_server.flavor]
    assert set(grants) == set(NEEDED_BY[any_server.flavor])
    for missing in grants:
        any_server.create_user("curtailed", "some-password", [grant for grant in grants if grant != missing])
        visits = Visits(targets.parse_url("shop", any_server.url("curtailed", "some-password")))
        figures = await second_sample(visits)
        refused = {failure.collector: failure for failure in figures.failures}
        assert set(refused) == NEEDED_BY[any_server.flavor][missing], missing
        for failure in refused.values():
            assert failure.permanent, failure
            assert missing in failure.remedy, failure
            assert "some-password" not in str(failure)
        assert figures.up is True
        assert figures.queries_rate is not None
        assert figures.connections is not None
        if "PROCESS" in missing:
            assert figures.longest_query_seconds is None, (
                "seeing only oneself is not seeing that nothing runs"
            )
            assert figures.threads_running is None


async def test_no_grants_at_all(any_server: PrivateServer) -> None:
    any_server.create_user("nobody", "some-password")
    visits = Visits(targets.parse_url("shop", any_server.url("nobody", "some-password")))
    with any_server.connect() as watcher:
        until_alone(watcher)
        figures = await second_sample(visits)
    assert figures.queries_rate == 0
    assert figures.selects_rate == 0
    assert figures.max_connections
    assert all("GRANT" in failure.remedy for failure in figures.failures)


class Hanging:
    """A subject whose statement does not end."""

    name: ClassVar = "hanging"
    help: ClassVar = "Sleeps."
    every: ClassVar = 0.0
    limit: ClassVar = 0.4
    grants: ClassVar[Mapping[str, str]] = {}

    def supports(self, info: ServerInfo) -> bool:
        return True

    async def collect(self, server: Server) -> Mapping[str, Any]:
        return {"rows": await server.rows("SELECT SLEEP(30) AS slept")}


async def test_a_statement_that_hangs_costs_its_own_figures_alone(any_server: PrivateServer) -> None:
    visits = Visits.of(any_server, [Status(), Hanging(), *ALL[1:]])
    try:
        figures = await visits.sample()
        assert "no answer within 0.4 s" in visits.failure("hanging")
        assert [failure.collector for failure in figures.failures] == ["hanging"]
        assert {"replication", "sessions", "locks"} <= set(visits.snapshots[-1].readings)
        assert figures.collection_ms is not None and 400 <= figures.collection_ms < BOUNDED * 1000
    finally:
        await visits.close()


async def test_a_stopped_server_is_the_samples_fault_not_a_collectors(
    private_server: PrivateServers, release: str
) -> None:
    server = private_server(release)
    visits = Visits.of(server)
    try:
        await visits.sample()
        server.pause()
        began = asyncio.get_running_loop().time()
        with pytest.raises(ServerTimeout):
            await visits.sample(limit=2.0)
        assert asyncio.get_running_loop().time() - began < BOUNDED
        server.resume()
        assert (await visits.sample()).up is True
        server.kill()
        with pytest.raises(ServerError) as gone:
            await visits.sample()
        assert not isinstance(gone.value, ConnectionLost)
        server.start()
        assert (await visits.sample()).up is True
    finally:
        await visits.close()


async def test_a_cancelled_sample_leaves_nothing_half_read(any_server: PrivateServer) -> None:
    visits = Visits.of(any_server, [Status(), Hanging()])
    try:
        task = asyncio.create_task(visits.sample())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not visits.sampler.server.connected
        assert (await visits.sample()).connections
    finally:
        await visits.close()


NODE_EXPORTER = """\
# HELP node_cpu_seconds_total Seconds the CPUs spent in each mode.
# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{{cpu="0",mode="idle"}} {idle}
node_cpu_seconds_total{{cpu="0",mode="iowait"}} 5
node_cpu_seconds_total{{cpu="0",mode="user"}} {user}
# TYPE node_memory_MemTotal_bytes gauge
node_memory_MemTotal_bytes 1e+10
# TYPE node_memory_MemAvailable_bytes gauge
node_memory_MemAvailable_bytes 7.5e+09
# TYPE node_filesystem_size_bytes gauge
node_filesystem_size_bytes{{device="/dev/a",fstype="ext4",mountpoint="/"}} 1000
node_filesystem_size_bytes{{device="/dev/b",fstype="xfs",mountpoint="{mount}"}} 1000
# TYPE node_filesystem_free_bytes gauge
node_filesystem_free_bytes{{device="/dev/a",fstype="ext4",mountpoint="/"}} 900
node_filesystem_free_bytes{{device="/dev/b",fstype="xfs",mountpoint="{mount}"}} 400
# TYPE node_filesystem_avail_bytes gauge
node_filesystem_avail_bytes{{device="/dev/a",fstype="ext4",mountpoint="/"}} 900
node_filesystem_avail_bytes{{device="/dev/b",fstype="xfs",mountpoint="{mount}"}} 400
# TYPE node_network_receive_bytes_total counter
node_network_receive_bytes_total{{device="lo"}} {idle}
node_network_receive_bytes_total{{device="eth0"}} {received}
# TYPE node_network_transmit_bytes_total counter
node_network_transmit_bytes_total{{device="eth0"}} 7
# TYPE node_load1 gauge
node_load1 0.42
# TYPE node_boot_time_seconds gauge
node_boot_time_seconds 1.7e+09
"""


class Exporter(ThreadingHTTPServer):
    """Serves `answer()`, a status and a body, at every path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ExporterHandler)
        self.scrapes = 0
        self.mount = "/"
        self.broken: tuple[int, bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/metrics"

    def answer(self) -> tuple[int, bytes]:
        self.scrapes += 1
        if self.broken is not None:
            return self.broken
        grown = self.scrapes
        text = NODE_EXPORTER.format(
            idle=100 + 3 * grown, user=10 + grown, received=1000 * grown, mount=self.mount
        )
        return 200, text.encode()


class ExporterHandler(BaseHTTPRequestHandler):
    server: Exporter

    def do_GET(self) -> None:
        status, body = self.server.answer()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def exporter() -> Iterator[Exporter]:
    with Exporter() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_another_hosts_figures_come_from_its_node_exporter(
    mariadb: PrivateServer, exporter: Exporter
) -> None:
    exporter.mount = str(mariadb.home)
    visits = Visits.of(mariadb, node_exporter=exporter.url)
    try:
        began = time.monotonic()
        await visits.sample()
        await asyncio.sleep(0.5)
        figures = await visits.sample()
        took = time.monotonic() - began
        assert figures.failures == ()
        assert figures.system_source == "node_exporter"
        assert figures.cpu_usage == 25
        assert figures.memory_usage == 25
        assert figures.disk_usage == 60, "the mount point that holds the data folder"
        assert figures.load1 == 0.42
        assert figures.network_rx_rate is not None and 1000 / took < figures.network_rx_rate < 2000
        assert figures.network_tx_rate == 0

        for broken, word in (
            ((500, b""), "status 500"),
            ((200, b"x" * 9 * 2**20), "larger than"),
            ((200, b"<html>"), "no node_cpu_seconds_total"),
            ((200, b'node_cpu_seconds_total{mode="idle" nonsense\n'), "not in its text format"),
        ):
            exporter.broken = broken
            figures = await visits.sample()
            assert word in visits.failure("host"), broken
            assert figures.cpu_usage is None
            assert figures.queries_rate is not None
    finally:
        await visits.close()


async def test_a_node_exporter_that_is_not_there_costs_the_hosts_figures_alone(
    mariadb: PrivateServer,
) -> None:
    with ports.hold() as held:
        visits = Visits.of(mariadb, node_exporter=f"http://127.0.0.1:{held.getsockname()[1]}/metrics")
        try:
            figures = await visits.sample()
            assert "cannot be reached" in visits.failure("host")
            assert figures.connections
        finally:
            await visits.close()


async def test_a_server_elsewhere_behind_a_local_address_is_not_this_host(mariadb: PrivateServer) -> None:
    server = Server(targets.parse_url("shop", monitoring_url(mariadb)))
    await server.connect()
    try:
        assert runs_here(server)
        server.info = replace(server.info, hostname="db-in-a-container")
        assert not runs_here(server)
    finally:
        await server.close()


async def test_without_a_view_of_the_host_its_figures_are_unknown(
    mariadb: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    monkeypatch.setattr("os.uname", lambda: type("Name", (), {"nodename": "elsewhere"}))
    visits = Visits.of(mariadb)
    try:
        await visits.sample()
        figures = await visits.sample()
    finally:
        await visits.close()
    assert figures.system_source == "none"
    host = {"cpu_usage", "memory_usage", "disk_usage", "network_rx_rate", "network_tx_rate", "load1"}
    assert {
        item.name for item in fields(figures) if item.name in host and getattr(figures, item.name) is None
    } == host
