"""Evidence is asked of the server that is watched, and must not be seen in what is watched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest

from dbvigil.collectors.evidence import KINDS
from dbvigil.collectors.witness import gather_after
from dbvigil.sandbox import PrivateServer
from tests.support.servers import PrivateServers
from tests.support.visits import Visits

STATEMENTS = 20


@pytest.fixture
def shop(private_server: PrivateServers, release: str) -> PrivateServer:
    """Everything that anybody asks is a slow query there, the monitor's own too."""
    return private_server(release, options={"long-query-time": "0"})


@asynccontextmanager
async def watching(server: PrivateServer) -> AsyncIterator[Visits]:
    visits = Visits.of(server)
    try:
        # A server that has just started is not told from one that starts again, over another connection.
        while ((await visits.sample()).uptime or 0) <= 3:
            await asyncio.sleep(0.2)
        # This one has nothing on a slow schedule in it.
        await visits.sample()
        yield visits
    finally:
        await visits.close()


async def ask(visits: Visits, limit_seconds: float = 60.0) -> dict[str, object]:
    """Every kind of evidence, after the newest sample, as the monitor does."""
    found, visits.snapshots[-1] = await gather_after(
        visits.sampler.server, visits.snapshots[-1], list(KINDS), limit_seconds
    )
    return found


def seconds_between(visits: Visits) -> float:
    return visits.snapshots[-1].monotonic - visits.snapshots[-2].monotonic


async def test_an_idle_server_stays_idle(shop: PrivateServer) -> None:
    async with watching(shop) as visits:
        assert all(isinstance(rows, list) for rows in (await ask(visits)).values())
        for figures in [await visits.sample(), await visits.sample()]:
            assert (figures.queries_rate, figures.selects_rate, figures.slow_queries) == (0, 0, 0)
            assert (figures.full_scans_rate, figures.sort_merge_passes_rate) == (0, 0)
            assert figures.query_time is None
            assert figures.tmp_disk_tables_ratio is None
            assert figures.failures == ()


async def test_what_clients_sent_is_counted_to_the_statement(shop: PrivateServer) -> None:
    async with watching(shop) as visits:
        with closing(shop.connect()) as client, client.cursor() as cursor:
            # What connecting sends comes before the sample that is compared with; of the client's, nothing is slow.
            cursor.execute("SET SESSION long_query_time = 10")
            await visits.sample()
            await ask(visits)
            took = []
            for _ in range(STATEMENTS):
                began = time.monotonic()
                cursor.execute("SELECT SLEEP(0.02)")
                took.append(time.monotonic() - began)
            figures = await visits.sample()
    assert counted(figures.queries_rate, visits) == STATEMENTS
    assert counted(figures.selects_rate, visits) == STATEMENTS
    assert figures.slow_queries == 0
    # On a busy machine a sleep takes longer than it was to, for the server as for its client; a histogram tells of it to a few percent.
    assert figures.query_time is not None
    assert 0.01 < figures.query_time < 1.5 * max(took)


async def test_evidence_that_was_cut_off_is_not_counted_as_the_clients(shop: PrivateServer) -> None:
    async with watching(shop) as visits:
        former = visits.snapshots[-1].connection
        await ask(visits)
        sent = visits.snapshots[-1].readings["monitor"]["trailing_statements"]
        await visits.sampler.close()
        figures = await visits.sample()
        assert visits.snapshots[-1].connection != former
        assert sent > len(KINDS)
        # How the goodbye and the greeting are counted is each server's own way.
        assert counted(figures.queries_rate, visits) <= 2
        assert counted(figures.selects_rate, visits) <= 2


async def test_a_server_that_does_not_answer_costs_the_limit_and_no_figure(shop: PrivateServer) -> None:
    async with watching(shop) as visits:
        shop.pause()
        try:
            found = await ask(visits, 0.6)
        finally:
            shop.resume()
        assert all("did not answer" in str(reason) or "used up" in str(reason) for reason in found.values())
        await asyncio.sleep(0.5)
        figures = await visits.sample()
        assert counted(figures.queries_rate, visits) <= 2
        assert figures.query_time is None


def counted(rate: float | None, visits: Visits) -> float:
    assert rate is not None
    return round(rate * seconds_between(visits), 6)
