"""Sessions, what they wait for, and the trees that this makes. What is not known is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

WaitKind = Literal["row", "metadata"]


@dataclass(frozen=True, slots=True)
class Session:
    """One client session, by the number that it has in the process list.

    `statement` holds no values: what it runs, or ran last. `idle_seconds` is how long it has run nothing, None while it runs something;
    `transaction_seconds` the age of its transaction.
    """

    id: int
    user: str | None = None
    host: str | None = None
    program: str | None = None
    schema: str | None = None
    command: str | None = None
    state: str | None = None
    statement: str | None = None
    idle_seconds: float | None = None
    transaction_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """One session that waits for another. `blocking` is None where the server does not say for whom.

    `locked` is the table (or whatever it is) as `schema.name`. `seconds`: how long it has waited, at most. `queued`: the other only stands
    in the same queue before it, and holds nothing that is in its way yet.
    """

    waiting: int
    blocking: int | None
    kind: WaitKind
    locked: str | None = None
    index: str | None = None
    mode: str | None = None
    seconds: float | None = None
    queued: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A session in its tree, right after the one it waits for. `depth` is 0 for a root.

    `wait` is None for a root, `session` None for a blocker that nobody knows. `blockers` are all whom it waits for, `victims` how many wait
    for it, through others too. `circular`: it waits itself, in a circle.
    """

    session: Session | None
    depth: int = 0
    wait: Wait | None = None
    blockers: tuple[int, ...] = ()
    victims: int = 0
    circular: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready and flat: the session's fields, then those of its wait; `waits_seconds` is how long it has waited."""
        session = self.session or Session(0)
        body: dict[str, Any] = {item.name: getattr(session, item.name) for item in fields(session)}
        body["id"] = self.session.id if self.session is not None else None
        wait = self.wait
        return {
            "depth": self.depth,
            **body,
            "kind": wait.kind if wait else None,
            "locked": wait.locked if wait else None,
            "index": wait.index if wait else None,
            "mode": wait.mode if wait else None,
            "waits_seconds": wait.seconds if wait else None,
            "blockers": list(self.blockers),
            "victims": self.victims,
            "circular": self.circular,
        }

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Node:
        """The inverse of `to_dict`."""
        known = {item.name: body[item.name] for item in fields(Session)}
        session = None if known["id"] is None else Session(**known)
        blockers = tuple(body["blockers"])
        wait = None
        if body["kind"] is not None:
            wait = Wait(
                session.id if session else 0,
                blockers[0] if blockers else None,
                body["kind"],
                body["locked"],
                body["index"],
                body["mode"],
                body["waits_seconds"],
            )
        return cls(session, body["depth"], wait, blockers, body["victims"], body["circular"])


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees one after another, each from its root down; the root with most victims first.

    `left_out` is how many sessions more wait than are shown.
    """

    nodes: tuple[Node, ...] = ()
    left_out: int = 0

    @property
    def waiting(self) -> int:
        """How many sessions wait."""
        return sum(node.wait is not None for node in self.nodes) + self.left_out

    @property
    def depth(self) -> int:
        """Of the deepest session; 0 where nobody waits."""
        return max((node.depth for node in self.nodes), default=0)

    @property
    def root(self) -> Node | None:
        """The root with most victims."""
        return self.nodes[0] if self.nodes else None

    @property
    def seconds(self) -> float | None:
        """The longest wait."""
        return max(
            (node.wait.seconds for node in self.nodes if node.wait and node.wait.seconds is not None),
            default=None,
        )

    def cut(self, most: int) -> Forest:
        """At most so many sessions."""
        hidden = sum(node.wait is not None for node in self.nodes[most:])
        return replace(self, nodes=self.nodes[:most], left_out=self.left_out + hidden)
