"""Who follows whom, of all monitored servers and of the sources that are not monitored. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dbvigil.analysis.replication import all_run
from dbvigil.analysis.replication import channels as read_channels
from dbvigil.replication.facts import Facts
from dbvigil.replication.identity import Identity, MatchedBy, known_by, source_of
from dbvigil.types import ReplicationChannel

Role = Literal["source", "replica", "both", "member", "standalone"]


@dataclass(frozen=True, slots=True)
class Node:
    """A server. `name` is its alias, or its address where it is not monitored; then `database` is None.

    `up` is None where nobody knows: of one that is not monitored, and of one that could not be asked.
    """

    name: str
    database: str | None
    address: str
    role: Role
    flavor: str | None = None
    version: str | None = None
    server_id: int | None = None
    server_uuid: str | None = None
    up: bool | None = None
    read_only: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "database": self.database,
            "address": self.address,
            "role": self.role,
            "flavor": self.flavor,
            "version": self.version,
            "server_id": self.server_id,
            "server_uuid": self.server_uuid,
            "up": self.up,
            "read_only": self.read_only,
        }


@dataclass(frozen=True, slots=True)
class Edge:
    """One channel: the node `replica` follows the node `source`. `matched_by` says how the source was recognised, None of one not
    monitored."""

    source: str
    replica: str
    channel: ReplicationChannel
    matched_by: MatchedBy | None

    @property
    def runs(self) -> bool | None:
        return all_run((self.channel.io_running, self.channel.sql_running))

    def to_dict(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "replica": self.replica,
            "matched_by": self.matched_by,
            "running": self.runs,
            "channel": self.channel.name,
            "lag": self.channel.lag,
            "delay": self.channel.delay,
        }


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group as the group sees it; `node` is its name in the topology."""

    node: str
    state: str
    role: str


@dataclass(frozen=True, slots=True)
class Group:
    """A replication group of MySQL."""

    name: str
    members: tuple[Member, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "members": [{"node": one.node, "state": one.state, "role": one.role} for one in self.members],
        }


@dataclass(frozen=True, slots=True)
class Topology:
    """Nodes and edges sorted by name; `circles` are the nodes of each circle, from its first by name."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    groups: tuple[Group, ...]
    circles: tuple[tuple[str, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "nodes": [node.to_dict() for node in self.nodes],
            "edges": [edge.to_dict() for edge in self.edges],
            "groups": [group.to_dict() for group in self.groups],
            "circles": [list(circle) for circle in self.circles],
        }

    def sources(self, name: str) -> tuple[Edge, ...]:
        """The channels of a node."""
        return tuple(edge for edge in self.edges if edge.replica == name)

    def replicas(self, name: str) -> tuple[Edge, ...]:
        """The channels that follow a node."""
        return tuple(edge for edge in self.edges if edge.source == name)

    def node(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    def in_circle(self, name: str) -> bool:
        return any(name in circle for circle in self.circles)


Lags = Mapping[str, Sequence[ReplicationChannel]]


def identities(servers: Sequence[Facts]) -> list[Identity]:
    return [
        known_by(
            one.database,
            one.host,
            one.port,
            one.flavor,
            one.server_id,
            one.server_uuid,
            one.hostname,
            None if one.number("port") is None else int(one.number("port") or 0),
        )
        for one in servers
    ]


def topology(servers: Sequence[Facts], newest: Lags | None = None) -> Topology:
    """From what is known of each server; `newest` are the channels of its last sample, by alias, whose states and lag hold more lately."""
    known = identities(servers)
    edges, outside = [], {}
    for one in servers:
        channels = {channel.name: channel for channel in (newest or {}).get(one.database, ())}
        for row in one.followed:
            channel = channels.get(row.get("name") or "") or read_channels([row])[0]
            match = source_of(row, known)
            if match is None:
                address = _address(row.get("source_host"), row.get("source_port"))
                outside[address] = Node(
                    address,
                    None,
                    address,
                    "source",
                    server_id=row.get("source_server_id") or None,
                    server_uuid=row.get("source_uuid") or None,
                )
            edges.append(Edge(match[0] if match else address, one.database, channel, match and match[1]))
    groups = _groups(servers)
    nodes = [_node(one, edges, groups) for one in servers] + list(outside.values())
    return Topology(
        tuple(sorted(nodes, key=lambda node: (node.database is None, node.name))),
        tuple(sorted(edges, key=lambda edge: (edge.replica, edge.channel.name))),
        groups,
        _circles(edges),
    )


def _node(one: Facts, edges: Sequence[Edge], groups: Sequence[Group]) -> Node:
    follows = any(edge.replica == one.database for edge in edges)
    followed = any(edge.source == one.database for edge in edges) or bool(one.replicas)
    role: Role = "standalone"
    if any(one.database == member.node for group in groups for member in group.members):
        role = "member"
    elif follows:
        role = "both" if followed else "replica"
    elif followed:
        role = "source"
    return Node(
        one.database,
        one.database,
        _address(one.host, one.port),
        role,
        one.flavor,
        one.version_text,
        one.server_id,
        one.server_uuid or None,
        one.up,
        one.flag("read_only"),
    )


def _groups(servers: Sequence[Facts]) -> tuple[Group, ...]:
    """Each group as the one of its members sees it that sees most of it; of equals the one that was asked last."""
    by_uuid = {one.server_uuid: one.database for one in servers if one.server_uuid}
    views: dict[str, Facts] = {}
    for one in servers:
        if not one.members or not (name := one.text("group_replication_group_name")):
            continue
        best = views.get(name)
        if best is None or _sight(one) > _sight(best):
            views[name] = one
    return tuple(
        Group(
            name,
            tuple(
                Member(
                    by_uuid.get(member["uuid"]) or _address(member["host"], member["port"]),
                    member["state"],
                    member["role"] or "",
                )
                for member in sorted(view.members, key=lambda member: (member["host"], member["port"]))
            ),
        )
        for name, view in sorted(views.items())
    )


def _sight(one: Facts) -> tuple[bool, int, str]:
    online = sum(member["state"] == "ONLINE" for member in one.members)
    return (one.up is True, online, one.at.isoformat())


def _circles(edges: Sequence[Edge]) -> tuple[tuple[str, ...], ...]:
    """Every circle once. Of a server that stands in several, the shortest way back is followed."""
    following: dict[str, list[str]] = {}
    for edge in edges:
        following.setdefault(edge.source, []).append(edge.replica)
    found: set[tuple[str, ...]] = set()
    for start in sorted(following):
        circle = _way_back(start, following)
        if circle is not None:
            least = circle.index(min(circle))
            found.add((*circle[least:], *circle[:least]))
    return tuple(sorted(found))


def _way_back(start: str, following: Mapping[str, Sequence[str]]) -> list[str] | None:
    ways, seen = [[start]], {start}
    while ways:
        longer = []
        for way in ways:
            for following_node in sorted(following.get(way[-1], ())):
                if following_node == start:
                    return way
                if following_node not in seen:
                    seen.add(following_node)
                    longer.append([*way, following_node])
        ways = longer
    return None


def _address(host: str | None, port: int | None) -> str:
    name = host or "unknown"
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
