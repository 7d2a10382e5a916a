"""A real source and its replica, broken in every way that a table in the documentation names: each gives the one right finding, and once
it is mended none.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dbvigil.replication.findings.threads import SILENT_SECONDS
from dbvigil.sandbox import attach_replica, wait_until_caught_up
from tests.support import breaking
from tests.support.breaking import Fault, Pair
from tests.support.observer import Observer, found
from tests.support.partition import Partition, Unable
from tests.support.servers import PrivateServers
from tests.support.waiting import wait_for

SETTINGS = ("binlog_format", "no_primary_key", "retention_short")
"""What is not looked at with every sample, so that the fault has to be there at the first look."""
FAULTS = (
    breaking.DUPLICATE_KEY,
    breaking.ROW_MISSING,
    breaking.TABLE_MISSING,
    breaking.WRONG_PASSWORD,
    breaking.KILLED,
    breaking.PAUSED,
    breaking.RECEIVER,
    breaking.APPLIER,
    breaking.WRITABLE,
    breaking.ERRANT,
    breaking.FORMAT,
    breaking.KEYLESS,
    breaking.RETENTION,
    breaking.PURGED,
)


def unattached(servers: PrivateServers, release: str) -> Pair:
    """A source with its table, and a server that is set up as a replica and follows nobody yet."""
    source = breaking.server(servers, release)
    breaking.item_table(source)
    return Pair(source, breaking.server(servers, release, read_only="ON"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, release: str) -> Iterator[Pair]:
    servers = PrivateServers(tmp_path_factory.mktemp(release))
    try:
        made = unattached(servers, release)
        attach_replica(made.source, made.replica)
        wait_until_caught_up(made.replica, made.source)
        yield made
    finally:
        servers.destroy()


def observing(pair: Pair, hangs: str = "") -> Observer:
    made = Observer(source=pair.source, replica=pair.replica)
    made.be_patient(hangs=hangs)
    return made


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.finding + "-" + fault.name.split()[-1])
async def test_each_fault_has_its_finding_and_no_other(pair: Pair, fault: Fault) -> None:
    async with observing(pair, hangs="source" if fault is breaking.PAUSED else "") as observer:
        if fault.finding not in SETTINGS:
            await observer.until_found()
        fault.breaks(pair)
        for _ in range(2):
            seen = await observer.round()
        assert found(seen) == [(fault.database, fault.finding)], "within two samples"
        fault.mends(pair)
    if fault.finding == "binlog_gone":
        return
    async with observing(pair) as observer:
        await observer.until_found()
        wait_until_caught_up(pair.replica, pair.source)


async def test_a_cut_network_is_told_and_lag_goes_on_growing(
    private_server: PrivateServers, release: str
) -> None:
    pair = unattached(private_server, release)
    try:
        between = Partition(pair.source.host, pair.source.port)
    except Unable as error:
        pytest.skip(f"no network namespace can be made here: {error}")
    try:
        attach_replica(pair.source, pair.replica, address=between.address)
        wait_until_caught_up(pair.replica, pair.source)
        async with observing(pair) as observer:
            await observer.until_found()
            between.cut()
            pair.source.execute("INSERT INTO shop.item VALUES (40, 'forty')")
            seen = await observer.until_found(("replica", "receiver_silent"))
            assert "The monitor reaches the source" in seen.findings[0].detail
            channel = observer.channel("replica")
            assert channel.io_running is True, "the server itself believes in its connection"
            assert channel.lag_source == "positions"
            await observer.until(lambda _: (observer.channel("replica").lag or 0) >= SILENT_SECONDS + 1)
            (edge,) = seen.topology.edges
            assert edge.source == "source", "though it is reached by another address"
    finally:
        between.close()


async def test_a_receiver_that_gives_up_is_foretold_and_told(private_server: PrivateServers) -> None:
    pair = unattached(private_server, "mysql-9.7")
    attach_replica(pair.source, pair.replica)
    pair.change("RETRY_COUNT = 2")
    pair.catch_up()
    async with observing(pair) as observer:
        seen = await observer.until_found()
        (foretold,) = (one for one in seen.findings if one.id == "few_retries")
        assert "every 1 s" in foretold.detail and "longer than 2 s" in foretold.detail
        pair.source.kill()
        wait_for(lambda: pair.status("Replica_IO_Running") == "No", "the receiver to give up")
        seen = await observer.until_found(("replica", "source_unreachable"))
        (told,) = (one for one in seen.findings if one.id == "source_unreachable")
        assert "has given up after 2 tries" in told.fix
        # What the findings say is what helps.
        pair.source.start()
        pair.replica.execute(told.fix.rpartition("When the source answers: ")[2])
        for statement in foretold.fix.rstrip(";").split("; "):
            pair.replica.execute(statement)
        seen = await observer.until_found()
        assert "few_retries" not in [one.id for one in seen.findings]
    pair.catch_up()


def test_the_documentation_names_every_fault() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "replication.md").read_text()
    for fault in FAULTS:
        assert f"| {fault.name} | `{fault.finding}` |" in page, fault.name
