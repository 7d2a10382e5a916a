"""Topologies of real servers, as they are found by themselves: chain, star, two sources, circle, delayed replica, group."""

from __future__ import annotations

import asyncio

import pytest

from dbvigil.replication.report import Report
from dbvigil.sandbox import PrivateServer, attach_replica, replication_options, wait_until_caught_up
from dbvigil.sandbox.options import Options
from tests.support import breaking, groups
from tests.support.observer import Observer, found
from tests.support.servers import PrivateServers

TWO = pytest.mark.parametrize("name", ["mysql-9.7", "mariadb-10.11"])


def make(servers: PrivateServers, name: str, count: int, *, domains: bool = False) -> list[PrivateServer]:
    """Servers that are ready to replicate; with `domains` each has a GTID domain of its own."""
    flavor = name.split("-", 1)[0]
    common = {"binlog-expire-logs-seconds": "2592000", "relay-log-recovery": "ON"}
    return [
        servers(name, options={**replication_options(flavor, domain=number if domains else 0), **common})
        for number in range(1, count + 1)
    ]


def read_only(*servers: PrivateServer) -> None:
    for server in servers:
        server.execute("SET GLOBAL read_only = ON")


def observing(**servers: PrivateServer) -> Observer:
    return Observer(**servers)


def edges(seen: Report) -> list[tuple[str, str]]:
    return sorted((edge.source, edge.replica) for edge in seen.topology.edges)


async def until_whole(observer: Observer, *expected: tuple[str, str]) -> Report:
    """Rounds until every server was asked, so that these are the edges, and nothing is wrong."""
    return await observer.until(lambda seen: edges(seen) == sorted(expected) and found(seen) == [])


def roles(seen: Report) -> dict[str, str]:
    return {node.name: node.role for node in seen.topology.nodes}


@TWO
async def test_a_chain_and_a_star(private_server: PrivateServers, name: str) -> None:
    a, b, c, d = make(private_server, name, 4)
    attach_replica(a, b)
    attach_replica(b, c)
    attach_replica(a, d)
    read_only(b, c, d)
    a.execute("CREATE DATABASE shop")
    for replica in (b, c, d):
        await asyncio.to_thread(wait_until_caught_up, replica, a)
    async with observing(a=a, b=b, c=c, d=d) as observer:
        seen = await until_whole(observer, ("a", "b"), ("a", "d"), ("b", "c"))
        assert roles(seen) == {"a": "source", "b": "both", "c": "replica", "d": "replica"}
        # The middle of the chain dies: those around it stay where they were.
        b.kill()
        seen = await observer.until_found(("c", "source_unreachable"))
        assert edges(seen) == [("a", "b"), ("a", "d"), ("b", "c")]
        assert seen.topology.node("b").up is False


@TWO
async def test_two_sources(private_server: PrivateServers, name: str) -> None:
    one, two, replica = make(private_server, name, 3, domains=True)
    attach_replica(one, replica, channel="one")
    attach_replica(two, replica, channel="two")
    read_only(replica)
    async with observing(one=one, two=two, replica=replica) as observer:
        seen = await until_whole(observer, ("one", "replica"), ("two", "replica"))
        assert [channel["source"] for channel in seen.databases["replica"]["channels"]] == ["one", "two"]
        replica.execute(
            "STOP REPLICA SQL_THREAD FOR CHANNEL 'two'"
            if replica.flavor == "mysql"
            else "STOP SLAVE 'two' SQL_THREAD"
        )
        seen = await observer.until_found(("replica", "applier_stopped"))
        assert seen.findings[0].channel == "two"


@TWO
async def test_a_circle(private_server: PrivateServers, name: str) -> None:
    a, b = make(private_server, name, 2)
    attach_replica(a, b)
    attach_replica(b, a)
    a.execute("CREATE DATABASE shop")
    await asyncio.to_thread(wait_until_caught_up, b, a)
    b.execute("CREATE TABLE shop.t (id INT PRIMARY KEY)")
    await asyncio.to_thread(wait_until_caught_up, a, b)
    async with observing(a=a, b=b) as observer:
        seen = await until_whole(observer, ("a", "b"), ("b", "a"))
        assert seen.topology.circles == (("a", "b"),)
        assert roles(seen) == {"a": "both", "b": "both"}


@TWO
async def test_a_delayed_replica_is_judged_by_what_exceeds_its_delay(
    private_server: PrivateServers, name: str
) -> None:
    a, b = make(private_server, name, 2)
    a.execute("CREATE DATABASE shop")
    a.execute("CREATE TABLE shop.t (id INT PRIMARY KEY)")
    # It is not over before the replica is first seen behind, however slow the machine.
    attach_replica(a, b, delay=300)
    read_only(b)
    async with observing(a=a, b=b) as observer:
        seen = await observer.until(
            lambda _: any((one.lag or 0) > 1 for one in observer.metrics["b"].replication_channels or ())
        )
        assert found(seen) == []
        assert seen.databases["b"]["lag"] == 0
        (channel,) = seen.databases["b"]["channels"]
        assert channel["delay"] == 300
        assert channel["cause"]["kind"] == "intended_delay"


async def test_a_group_of_three(private_server: PrivateServers) -> None:
    first, second, third = await asyncio.to_thread(groups.group, private_server, "mysql-9.7")
    async with observing(a=first, b=second, c=third) as observer:
        seen = await observer.until_found()
        (group,) = seen.topology.groups
        assert group.name == groups.NAME
        assert {member.node: member.state for member in group.members} == dict.fromkeys("abc", "ONLINE")
        assert [member.node for member in group.members if member.role == "PRIMARY"] == ["a"]
        assert roles(seen) == {"a": "member", "b": "member", "c": "member"}
        assert seen.topology.edges == ()
        third.kill()
        seen = await observer.until_found(("c", "member_lost"))
        third.start()


SEMISYNC: dict[str, tuple[Options, Options, str]] = {
    "mysql-9.7": (
        {
            "plugin-load-add": "semisync_source.so;semisync_replica.so",
            "loose-rpl-semi-sync-source-enabled": "ON",
            "loose-rpl-semi-sync-source-timeout": 200,
        },
        {
            "plugin-load-add": "semisync_source.so;semisync_replica.so",
            "loose-rpl-semi-sync-replica-enabled": "ON",
        },
        "STOP REPLICA IO_THREAD",
    ),
    "mariadb-10.11": (
        {"rpl-semi-sync-master-enabled": "ON", "rpl-semi-sync-master-timeout": 200},
        {"rpl-semi-sync-slave-enabled": "ON"},
        "STOP SLAVE IO_THREAD",
    ),
}
"""By release: the source's options, the replica's, and what takes the replica away."""


@TWO
async def test_semi_synchronous_replication_that_falls_back(
    private_server: PrivateServers, name: str
) -> None:
    of_source, of_replica, stop = SEMISYNC[name]
    source = breaking.server(private_server, name, of_source)
    replica = breaking.server(private_server, name, of_replica, read_only="ON")
    attach_replica(source, replica)
    await asyncio.to_thread(wait_until_caught_up, replica, source)
    async with observing(source=source, replica=replica) as observer:
        await observer.until_found()
        replica.execute(stop)
        source.execute("CREATE DATABASE shop")
    async with observing(source=source, replica=replica) as observer:
        seen = await observer.until_found(("replica", "receiver_stopped"), ("source", "semisync_degraded"))
        assert len(seen.topology.edges) == 1


@TWO
async def test_a_worker_among_several_that_fails(private_server: PrivateServers, name: str) -> None:
    option = "replica_parallel_workers" if name.startswith("mysql") else "slave_parallel_threads"
    source = breaking.server(private_server, name)
    replica = breaking.server(private_server, name, {option: "3"}, read_only="ON")
    breaking.item_table(source)
    attach_replica(source, replica)
    pair = breaking.Pair(source, replica)
    await asyncio.to_thread(pair.catch_up)
    async with observing(source=source, replica=replica) as observer:
        seen = await observer.until_found()
        (channel,) = seen.databases["replica"]["channels"]
        assert channel["workers"] == 3
        await asyncio.to_thread(breaking.duplicate_key, pair)
        await observer.until_found(("replica", "duplicate_key"))
        await asyncio.to_thread(breaking.no_duplicate_key, pair)
        await observer.until_found()
