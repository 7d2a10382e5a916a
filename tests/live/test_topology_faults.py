"""Every topology broken at one place: who is there to be told of it is told, by the one right finding, and nobody else anything."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.breaking import PAUSED
from tests.support.observer import Observer, found
from tests.support.servers import PrivateServers
from tests.support.topologies import CASES, CUT, TOPOLOGIES, Case, Topology
from tests.support.waiting import BOUNDED

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "replication.md"
RELEASES = ("mysql-9.7", "mariadb-10.11")


class Made:
    """One topology of one release at a time: the next is made when the first test asks for it."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._key = ("", "")
        self._servers: PrivateServers | None = None
        self._topology: Topology | None = None

    def get(self, name: str, release: str) -> Topology:
        if self._topology is None or self._key != (name, release):
            self.close()
            self._key = (name, release)
            self._servers = PrivateServers(self._folders.mktemp("topology"))
            self._topology = TOPOLOGIES[name](self._servers, release)
        return self._topology

    def close(self) -> None:
        if self._topology is not None:
            self._topology.close()
        if self._servers is not None:
            self._servers.destroy()
        self._topology = self._servers = None


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    made = Made(tmp_path_factory)
    try:
        yield made
    finally:
        made.close()


def observing(topology: Topology) -> Observer:
    return Observer(**topology.servers)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("release", RELEASES)
async def test_a_fault_is_told_where_it_is_and_nowhere_else(made: Made, release: str, case: Case) -> None:
    topology = await asyncio.to_thread(made.get, case.topology, release)
    try:
        await broken_and_mended(topology, case)
    except BaseException:
        # What is left may be broken still, and that is no fault of the next case.
        made.close()
        raise


async def broken_and_mended(topology: Topology, case: Case) -> None:
    pair = topology.pairs[case.pair]
    async with observing(topology) as observer:
        hangs = case.pair.split(" ")[0] if case.fault is PAUSED else ""
        observer.be_patient(BOUNDED, hangs=hangs)
        await observer.until_found()
        if case.fault is CUT:
            await cut(topology, case, observer)
        else:
            await asyncio.to_thread(case.fault.breaks, pair)
            for _ in range(2):
                seen = await observer.round()
            assert found(seen) == sorted(case.expected), "within two samples"
            if pair.channel:
                assert {one.channel for one in seen.findings if one.severity != "info"} == {pair.channel}
            await asyncio.to_thread(case.fault.mends, pair)
    if case.fault.finding == "binlog_gone":
        return
    async with observing(topology) as observer:
        await observer.until_found()
        await asyncio.to_thread(pair.catch_up)


async def cut(topology: Topology, case: Case, observer: Observer) -> None:
    """Packets are lost from now on; that is known once the replica has lacked for five seconds what its source has."""
    if case.pair not in topology.cables:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            f"no network can be cut here: {topology.unable}"
        )
    pair = topology.pairs[case.pair]
    topology.cables[case.pair].cut()
    pair.writer.execute(f"INSERT INTO {pair.table} VALUES (40, 'forty')")
    await observer.until_found(*case.expected)
    assert observer.channel(case.expected[0][0], pair.channel).io_running is True, (
        "the server believes in its connection"
    )
    topology.cables[case.pair].mend()
    await asyncio.to_thread(pair.restart)
    pair.writer.execute(f"DELETE FROM {pair.table} WHERE id = 40")


def test_the_documentation_has_every_case() -> None:
    page = PAGE.read_text()
    assert [case.row for case in CASES if case.row not in page] == []
