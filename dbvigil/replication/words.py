"""Replication in words and as a tree, from the body that the API answers with. What servers wrote is in the words as it came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dbvigil.display import seconds

Row = Mapping[str, Any]

NOTHING = "No monitored server replicates."


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of the tree: a node, and the channel by which it follows the one above it; None of a root.

    `last` says of this line and of each above it whether it is the last of its siblings. `again`: the node's own followers are drawn
    elsewhere.
    """

    last: tuple[bool, ...]
    node: Row
    edge: Row | None
    again: bool

    @property
    def depth(self) -> int:
        return len(self.last)


def tree(topology: Row) -> Iterator[Branch]:
    """Every node once with all that follow it; below its further sources it is named again. Roots are those that follow nobody, and one of
    each circle.
    """
    nodes = {node["name"]: node for node in topology["nodes"]}
    edges: Sequence[Row] = topology["edges"]
    following: dict[str, list[Row]] = {}
    for edge in edges:
        following.setdefault(edge["source"], []).append(edge)
    drawn: set[str] = set()

    def below(name: str, edge: Row | None, last: tuple[bool, ...]) -> Iterator[Branch]:
        again = name in drawn
        drawn.add(name)
        yield Branch(last, nodes[name], edge, again)
        if not again:
            own = following.get(name, [])
            for place, one in enumerate(own, start=1):
                yield from below(one["replica"], one, (*last, place == len(own)))

    follows = {edge["replica"] for edge in edges}
    for name in nodes:
        if name not in follows:
            yield from below(name, None, ())
    for name in nodes:
        if name not in drawn:
            yield from below(name, None, ())


def server(node: Row) -> str:
    """What a node is: where, of which version, in which role, and what is out of the ordinary about it."""
    facts = [] if node["address"] == node["name"] else [node["address"]]
    if node["database"] is None:
        facts.append("not monitored")
    else:
        # What stands behind the number says the flavor again, and how the server was packed.
        version = (node["version"] or "").partition("-")[0]
        facts += [" ".join(part for part in (_FLAVORS.get(node["flavor"], ""), version) if part)]
        facts.append(_ROLES[node["role"]])
        if node["read_only"] and node["role"] in ("replica", "both"):
            facts.append("read only")
        if node["up"] is False:
            facts.append("DOWN")
    return ", ".join(fact for fact in facts if fact)


_FLAVORS = {"mysql": "MySQL", "mariadb": "MariaDB", "percona": "Percona Server"}
_ROLES = {
    "source": "source",
    "replica": "replica",
    "both": "replica and source",
    "member": "group member",
    "standalone": "follows nobody",
}


def channel(edge: Row, told: Row | None) -> str:
    """How a channel stands: whether it runs, its lag, and why it has that; `told` is its entry among the channels of its database."""
    name = f"channel {edge['channel']}: " if edge["channel"] else ""
    if edge["running"] is False:
        return f"{name}{stopped(told)}"
    runs = "runs" if edge["running"] else "unknown whether it runs"
    return f"{name}{runs}, {lag(edge, told)}"


def stopped(told: Row | None) -> str:
    if told is None:
        return "does not run"
    threads = []
    if told["io_running"] is not True:
        threads.append(_why("receiver", told["io_error_number"]))
    if told["sql_running"] is not True:
        threads.append(_why("applier", told["sql_error_number"]))
    lag_text = "" if told["lag"] is None else f", {seconds(told['lag'])} behind"
    return f"does not run: {' and '.join(threads)}{lag_text}"


def _why(thread: str, error: int | None) -> str:
    return f"{thread} (error {error})" if error else thread


def lag(edge: Row, told: Row | None) -> str:
    if edge["lag"] is None:
        return "lag unknown"
    facts = [behind(edge["lag"])]
    if edge["delay"]:
        facts.append(f"meant to be {seconds(edge['delay'])}")
    if told is not None and told["cause"] is not None and edge["lag"] >= _NO_LAG:
        facts.append(told["cause"]["detail"])
    return ", ".join(facts)


def behind(lag: float) -> str:
    return "no lag" if lag < _NO_LAG else f"{seconds(lag)} behind"


_NO_LAG = 0.5


def catching_up(body: Row) -> str:
    """When a replica will have caught up; "" where it is not behind, or where that is not known."""
    if not body["lag"] or body["lag_change"] is None or body["lag"] < _NO_LAG:
        return ""
    if body["catch_up_seconds"]:
        return f"catches up in about {seconds(body['catch_up_seconds'])}"
    return "falls further behind" if body["lag_change"] > 0 else "does not catch up in sight"


def summary(findings: Sequence[Row]) -> str:
    """How many findings there are of each severity."""
    counts = {
        name: sum(one["severity"] == name for one in findings) for name in ("critical", "warning", "info")
    }
    told = [f"{count} {name}" for name, count in counts.items() if count]
    return ", ".join(told) or "nothing is wrong"
