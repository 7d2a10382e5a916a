"""Waits as trees. A session may wait for several others: it stands below the one that makes its chain longest, and names all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from dbvigil.blocking.values import Forest, Node, Session, Wait

MOST = 200
"""Sessions that are told; how many more there are is counted."""


def forest(waits: Iterable[Wait], sessions: Mapping[int, Session], most: int = MOST) -> Forest:
    """The trees of `waits`. Each waiting session and each blocker stands in them once, however the waits go round."""
    by_waiting = _by_waiting(waits)
    if not by_waiting:
        return Forest()
    parents, circular = _parents(by_waiting)
    children: dict[int | None, list[int]] = defaultdict(list)
    for waiting, its in parents.items():
        children[its.blocking].append(waiting)
    starts = _starts(parents, circular)
    victims = _victims(starts, children)

    def weight(session: int | None) -> tuple[float, ...]:
        wait = parents.get(session) if session is not None else None
        return -victims[session], -((wait.seconds if wait else 0) or 0), session or 0

    nodes: list[Node] = []
    stack = [(session, 0) for session in sorted(starts, key=weight, reverse=True)]
    while stack:
        session, depth = stack.pop()
        wait = None if session is None else parents.get(session)
        blockers = (
            ()
            if session is None
            else tuple(one.blocking for one in by_waiting.get(session, ()) if one.blocking is not None)
        )
        nodes.append(
            Node(
                None if session is None else sessions.get(session) or Session(session),
                depth,
                wait,
                # The one it stands below comes first.
                tuple(sorted(set(blockers), key=lambda one: (wait is None or one != wait.blocking, one))),
                victims[session],
                session in circular,
            )
        )
        below = [one for one in children.get(session, ()) if one not in starts]
        stack += [(one, depth + 1) for one in sorted(below, key=weight, reverse=True)]
    return Forest(tuple(nodes)).cut(most)


def _by_waiting(waits: Iterable[Wait]) -> dict[int, list[Wait]]:
    """By waiting session its waits: those for who stands in the queue before it only where nothing else is in its way."""
    found: dict[int, list[Wait]] = defaultdict(list)
    for wait in waits:
        if wait.blocking != wait.waiting:
            found[wait.waiting].append(wait)
    for session, own in found.items():
        known = [wait for wait in own if wait.blocking is not None] or own
        found[session] = [wait for wait in known if not wait.queued] or known
    return dict(found)


def _parents(by_waiting: Mapping[int, list[Wait]]) -> tuple[dict[int, Wait], set[int]]:
    """For each waiting session the wait that it stands below, and the sessions that wait in a circle."""
    depths: dict[int | None, int] = {}
    parents: dict[int, Wait] = {}
    circular: set[int] = set()
    left = set(by_waiting)
    while left:
        ready = [
            session for session in left if all(wait.blocking not in left for wait in by_waiting[session])
        ]
        if not ready:
            # Only circles are left, and who waits for them. The one that has waited longest is taken for the root of its circle.
            first = max(
                _circle(left, by_waiting), key=lambda session: (_seconds(by_waiting[session]), -session)
            )
            circular.add(first)
            ready = [first]
        for session in ready:
            own = by_waiting[session]
            known = [wait for wait in own if wait.blocking not in left] or own
            wait = max(
                known, key=lambda one: (depths.get(one.blocking, 0), one.seconds or 0, -(one.blocking or 0))
            )
            parents[session] = wait
            depths[session] = 0 if session in circular else depths.get(wait.blocking, 0) + 1
        left.difference_update(ready)
    return parents, circular


def _circle(left: set[int], by_waiting: Mapping[int, list[Wait]]) -> list[int]:
    """One circle among `left`, of whom everybody waits for another of them: whoever goes along the waits comes by again."""
    way, session = [], min(left)
    while session not in way:
        way.append(session)
        session = min(wait.blocking for wait in by_waiting[session] if wait.blocking in left)
    return way[way.index(session) :]


def _seconds(waits: Iterable[Wait]) -> float:
    return max((wait.seconds or 0 for wait in waits), default=0)


def _starts(parents: Mapping[int, Wait], circular: set[int]) -> set[int | None]:
    """The roots: who blocks and does not wait, and one of each circle."""
    return {wait.blocking for wait in parents.values() if wait.blocking not in parents} | circular


def _victims(starts: set[int | None], children: Mapping[int | None, list[int]]) -> dict[int | None, int]:
    """How many stand below each."""
    order: list[int | None] = list(starts)
    above: dict[int | None, int | None] = {}
    for session in order:
        for child in children.get(session, ()):
            if child not in starts:
                above[child] = session
                order.append(child)
    found: dict[int | None, int] = dict.fromkeys(order, 0)
    for session in reversed(order):
        if session in above:
            found[above[session]] += 1 + found[session]
    return found
