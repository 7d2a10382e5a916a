"""Trees of waits, as real servers tell of sessions that really wait."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack

import pytest

from dbvigil import redaction
from dbvigil.blocking import Forest, Node
from dbvigil.collectors.lock_waits import read_waits
from dbvigil.collectors.locks import Locks
from dbvigil.collectors.sessions import Sessions
from dbvigil.sandbox import RELEASES, PrivateServer
from dbvigil.server import Server
from dbvigil.targets import parse_url
from tests.support.blocked import holding, number_of, running
from tests.support.servers import PrivateServers, monitoring_url
from tests.support.waiting import PATIENCE

SECRET = "ada@example.org"


def update(number: int) -> str:
    return f"UPDATE blocked.t SET note = '{SECRET}' WHERE id = {number}"


def shown(digest: str | None, text: str | None) -> str | None:
    return redaction.statement(digest or text)


@pytest.fixture
async def server(any_server: PrivateServer) -> AsyncIterator[Server]:
    make(any_server)
    one = Server(parse_url("t", monitoring_url(any_server)))
    await one.connect()
    yield one
    await one.close()
    any_server.execute("DROP DATABASE blocked")


def make(server: PrivateServer) -> None:
    server.execute("CREATE DATABASE blocked")
    server.execute("CREATE TABLE blocked.t (id INT PRIMARY KEY, note TEXT)")
    server.execute("INSERT INTO blocked.t VALUES (1, ''), (2, ''), (3, ''), (4, '')")


async def found(server: Server, look: Callable[[Forest], bool]) -> Forest:
    """The trees, as soon as `look` likes them."""
    deadline = time.monotonic() + PATIENCE
    while not look(trees := await read_waits(server, shown)):
        assert time.monotonic() < deadline, [node.to_dict() for node in trees.nodes]
        await asyncio.sleep(0.25)
    assert SECRET not in json.dumps([node.to_dict() for node in trees.nodes])
    return trees


async def metadata_waits(server: Server, count: int) -> None:
    """Waits until so many sessions say that they wait: a lock is asked for before that, and asked for anew each second."""
    deadline = time.monotonic() + PATIENCE
    while (seen := (await Sessions().collect(server))["metadata_waits"]) != count:
        assert time.monotonic() < deadline, seen
        await asyncio.sleep(0.05)


def drawn(trees: Forest) -> list[tuple[int, int | None]]:
    return [(node.depth, node.session.id if node.session else None) for node in trees.nodes]


def node_of(trees: Forest, session: int) -> Node:
    (node,) = [node for node in trees.nodes if node.session is not None and node.session.id == session]
    return node


async def test_a_chain_of_three_that_wait(server: Server, any_server: PrivateServer) -> None:
    with (
        holding(any_server, update(1), program_name="nightly") as first,
        holding(any_server, update(2)) as second,
        holding(any_server, update(3)) as third,
        running(any_server, update(1), second),
        running(any_server, update(2), third),
        running(any_server, update(3)) as fourth,
    ):
        root = number_of(first)
        chain = [(0, root), (1, number_of(second)), (2, number_of(third)), (3, fourth)]
        trees = await found(server, lambda trees: drawn(trees) == chain)
        assert [node.victims for node in trees.nodes] == [3, 2, 1, 0]
        top = node_of(trees, root)
        assert top.session is not None
        assert (top.session.user, top.session.host, top.session.program) == ("root", "localhost", "nightly")
        assert (top.session.command, top.wait) == ("Sleep", None)
        assert top.session.idle_seconds is not None
        assert top.session.transaction_seconds is not None
        if any_server.flavor == "mysql":
            assert (top.session.statement or "").startswith("UPDATE `blocked`")
        below = node_of(trees, fourth)
        assert below.wait is not None
        assert (below.wait.kind, below.wait.locked, below.wait.index) == ("row", "blocked.t", "PRIMARY")
        assert below.wait.seconds is not None
        assert below.session is not None
        assert below.session.idle_seconds is None
        assert (below.session.statement or "").startswith("UPDATE")
        reading = await Locks().collect(server)
        assert reading["waiting"] == 3


async def test_a_queue_for_one_row_has_no_depth(server: Server, any_server: PrivateServer) -> None:
    with ExitStack() as stack:
        root = number_of(stack.enter_context(holding(any_server, update(1))))
        for _ in range(12):
            stack.enter_context(running(any_server, update(1)))
        trees = await found(server, lambda trees: trees.waiting == 12)
        assert (trees.depth, drawn(trees)[0]) == (1, (0, root))
        assert trees.nodes[0].victims == 12


async def test_an_alter_behind_an_open_transaction_and_readers_behind_it(
    server: Server, any_server: PrivateServer
) -> None:
    with (
        holding(any_server, "SELECT COUNT(*) FROM blocked.t") as first,
        running(any_server, "ALTER TABLE blocked.t ADD COLUMN more INT"),
    ):
        await found(server, lambda trees: trees.waiting == 1)
        with running(any_server, "SELECT * FROM blocked.t"), running(any_server, update(4)):
            depths = [0, 1, 2, 2] if any_server.flavor == "mysql" else [0, 1, 1, 1]
            trees = await found(server, lambda trees: [depth for depth, _ in drawn(trees)] == depths)
            await metadata_waits(server, 3)
            assert {node.wait.kind for node in trees.nodes if node.wait} == {"metadata"}
            if any_server.flavor == "mysql":
                root = trees.nodes[0].session
                assert root is not None
                assert (root.id, root.command) == (number_of(first), "Sleep")
                alter = trees.nodes[1]
                assert alter.session is not None
                assert (alter.session.statement or "").startswith("ALTER TABLE")
                assert alter.wait is not None
                assert (alter.wait.locked, alter.wait.mode) == ("blocked.t", "EXCLUSIVE")
            else:
                # Not told unless performance_schema watches metadata locks: unknown, and not guessed.
                assert trees.nodes[0].session is None


@pytest.mark.parametrize("release", [name for name, one in RELEASES.items() if one.flavor == "mariadb"])
async def test_mariadb_with_the_instrument_tells_whom_an_alter_waits_for(
    private_server: PrivateServers, release: str
) -> None:
    options = {"performance-schema-instrument": "wait/lock/metadata/sql/mdl=ON"}
    private = private_server(release, options=options)
    make(private)
    server = Server(parse_url("t", monitoring_url(private)))
    try:
        await server.connect()
        with (
            holding(private, "SELECT COUNT(*) FROM blocked.t") as first,
            running(private, "ALTER TABLE blocked.t ADD COLUMN more INT") as alter,
        ):
            await found(server, lambda trees: trees.waiting == 1)
            with running(private, "SELECT * FROM blocked.t") as reader:
                queue = [(0, number_of(first)), (1, alter), (2, reader)]
                await found(server, lambda trees: drawn(trees) == queue)
    finally:
        await server.close()


async def test_a_lock_of_the_whole_server(server: Server, any_server: PrivateServer) -> None:
    with any_server.connect() as reader:
        with reader.cursor() as cursor:
            cursor.execute("FLUSH TABLES WITH READ LOCK")
        with running(any_server, update(1)) as writer:
            # MariaDB tells who holds it only where performance_schema watches metadata locks.
            holder = number_of(reader) if any_server.flavor == "mysql" else None
            await found(server, lambda trees: drawn(trees) == [(0, holder), (1, writer)])


async def test_nobody_waits(server: Server) -> None:
    assert await read_waits(server, shown) == Forest()
    assert (await Sessions().collect(server))["metadata_waits"] == 0
