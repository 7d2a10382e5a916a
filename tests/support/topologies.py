"""Topologies of real servers that are broken at one place, and who is to be told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dbvigil.sandbox import PrivateServer, attach_replica, wait_until_caught_up
from tests.support import breaking
from tests.support.breaking import Fault, Pair
from tests.support.partition import Partition, Unable
from tests.support.servers import PrivateServers


@dataclass(slots=True)
class Topology:
    """Servers by alias, and the pairs among them, "source → replica". `cables` lead to the sources of those pairs whose network can be cut;
    `unable` says why there are none.
    """

    servers: dict[str, PrivateServer] = field(default_factory=dict)
    pairs: dict[str, Pair] = field(default_factory=dict)
    cables: dict[str, Partition] = field(default_factory=dict)
    unable: str = ""

    def attach(
        self,
        source: str,
        replica: str,
        *,
        channel: str = "",
        schema: str = "shop",
        delay: int = 0,
        cable: bool = False,
        top: str | None = None,
    ) -> None:
        name, one, other = f"{source} → {replica}", self.servers[source], self.servers[replica]
        address = None
        if cable:
            try:
                self.cables[name] = Partition(one.host, one.port)
                address = self.cables[name].address
            except Unable as error:
                self.unable = str(error)
        attach_replica(one, other, channel=channel, delay=delay, address=address)
        self.pairs[name] = Pair(one, other, channel, schema, self.servers[top or source])
        self.pairs[name].catch_up()

    def close(self) -> None:
        for cable in self.cables.values():
            cable.close()


Made = Callable[[PrivateServers, str], Topology]


def tree(servers: PrivateServers, release: str) -> Topology:
    """A chain a → b → c, and with a → d a star."""
    made = Topology(
        {name: breaking.server(servers, release, read_only="OFF" if name == "a" else "ON") for name in "abcd"}
    )
    breaking.item_table(made.servers["a"])
    made.attach("a", "b", cable=True)
    made.attach("b", "c", top="a")
    made.attach("a", "d")
    return made


def two_sources(servers: PrivateServers, release: str) -> Topology:
    """one → r and two → r, over channels of these names."""
    made = Topology()
    for number, name in enumerate(("one", "two", "r"), start=1):
        made.servers[name] = breaking.server(
            servers, release, domain=number, read_only="ON" if name == "r" else "OFF"
        )
    for name in ("one", "two"):
        breaking.item_table(made.servers[name], f"shop_{name}")
        made.attach(name, "r", channel=name, schema=f"shop_{name}", cable=name == "two")
    return made


def circle(servers: PrivateServers, release: str) -> Topology:
    """a → b and b → a."""
    made = Topology({name: breaking.server(servers, release) for name in "ab"})
    breaking.item_table(made.servers["a"])
    made.attach("a", "b", cable=True)
    made.attach("b", "a")
    return made


def delayed(servers: PrivateServers, release: str) -> Topology:
    """a → b, which applies everything two seconds later."""
    made = Topology(
        {"a": breaking.server(servers, release), "b": breaking.server(servers, release, read_only="ON")}
    )
    breaking.item_table(made.servers["a"])
    made.attach("a", "b", delay=2, cable=True)
    return made


TOPOLOGIES: Mapping[str, Made] = {
    "tree": tree,
    "two sources": two_sources,
    "circle": circle,
    "delayed": delayed,
}


@dataclass(frozen=True, slots=True)
class Case:
    """A fault at one pair of a topology, and all that is to be found, as (database, finding). `shape` is what people call the topology."""

    topology: str
    shape: str
    pair: str
    fault: Fault
    expected: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        return f"{self.shape}, {self.pair}: {self.fault.name}".replace("→", "to")

    @property
    def row(self) -> str:
        """Its row of the table in the documentation."""
        told = ", ".join(f"{database}: `{finding}`" for database, finding in self.expected)
        return f"| {self.shape} | {self.pair} | {self.fault.name} | {told} |"


def case(topology: str, shape: str, pair: str, fault: Fault, *databases: str) -> Case:
    """Found on `databases`, or on the one that the pair and the fault tell."""
    source, _, replica = pair.split(" ")
    told = databases or (source if fault.database == "source" else replica,)
    return Case(topology, shape, pair, fault, tuple((one, fault.finding) for one in told))


# -- faults that only some topologies can have


def both_write(pair: Pair) -> None:
    """Two servers of a circle insert the same key before either has heard of the other's."""
    back = Pair(pair.replica, pair.source, pair.channel, pair.schema)
    for one in (pair, back):
        one.replica.execute(one.word("STOP", "SQL_THREAD"))
    for one in (pair, back):
        one.source.execute(f"INSERT INTO {pair.table} VALUES (8, 'of {one.source.port}')")
    for one in (pair, back):
        one.replica.execute(one.word("START", "SQL_THREAD"))
    for one in (pair, back):
        one.await_error("SQL")


def neither_wrote(pair: Pair) -> None:
    back = Pair(pair.replica, pair.source, pair.channel, pair.schema)
    for one in (pair, back):
        one.quietly(f"DELETE FROM {pair.table} WHERE id = 8")
    for one in (pair, back):
        one.restart()
        wait_until_caught_up(one.replica, one.source)
    for one in (pair, back):
        one.quietly(f"DELETE FROM {pair.table} WHERE id = 8")


CONFLICT = breaking.fault("the same key written on both", "duplicate_key", both_write, neither_wrote)
CUT = breaking.fault("the network between the two cut", "receiver_silent", breaking.leave, breaking.leave)
"""Made and mended at the cable."""

CHAIN, STAR, TWO, CIRCLE, DELAYED = (
    "a chain a → b → c",
    "a star a → b, a → d",
    "two sources",
    "a circle",
    "a delayed replica",
)
CASES = (
    case("tree", CHAIN, "a → b", breaking.DUPLICATE_KEY),
    case("tree", CHAIN, "a → b", breaking.TABLE_MISSING),
    case("tree", CHAIN, "a → b", breaking.APPLIER),
    case("tree", CHAIN, "a → b", CUT),
    case("tree", CHAIN, "b → c", breaking.ROW_MISSING),
    case("tree", CHAIN, "b → c", breaking.WRONG_PASSWORD),
    case("tree", CHAIN, "b → c", breaking.KILLED),
    case("tree", CHAIN, "b → c", breaking.PAUSED),
    case("tree", STAR, "a → d", breaking.DUPLICATE_KEY),
    case("tree", STAR, "a → d", breaking.WRONG_PASSWORD),
    case("tree", STAR, "a → d", breaking.RECEIVER),
    case("tree", STAR, "a → d", breaking.KILLED, "b", "d"),
    case("tree", STAR, "a → d", breaking.PAUSED, "b", "d"),
    case("tree", STAR, "a → d", breaking.PURGED),
    case("two sources", TWO, "two → r", breaking.DUPLICATE_KEY),
    case("two sources", TWO, "two → r", breaking.TABLE_MISSING),
    case("two sources", TWO, "two → r", breaking.WRONG_PASSWORD),
    case("two sources", TWO, "two → r", breaking.RECEIVER),
    case("two sources", TWO, "two → r", breaking.KILLED),
    case("two sources", TWO, "two → r", breaking.PAUSED),
    case("two sources", TWO, "two → r", CUT),
    case("circle", CIRCLE, "a → b", CONFLICT, "a", "b"),
    case("circle", CIRCLE, "a → b", breaking.ROW_MISSING),
    case("circle", CIRCLE, "a → b", breaking.TABLE_MISSING),
    case("circle", CIRCLE, "b → a", breaking.WRONG_PASSWORD),
    case("circle", CIRCLE, "b → a", breaking.APPLIER),
    case("circle", CIRCLE, "a → b", breaking.KILLED),
    case("circle", CIRCLE, "a → b", breaking.PAUSED),
    case("circle", CIRCLE, "a → b", CUT),
    case("delayed", DELAYED, "a → b", breaking.DUPLICATE_KEY),
    case("delayed", DELAYED, "a → b", breaking.TABLE_MISSING),
    case("delayed", DELAYED, "a → b", breaking.WRONG_PASSWORD),
    case("delayed", DELAYED, "a → b", breaking.APPLIER),
    case("delayed", DELAYED, "a → b", breaking.KILLED),
    case("delayed", DELAYED, "a → b", breaking.PAUSED),
    case("delayed", DELAYED, "a → b", CUT),
)
