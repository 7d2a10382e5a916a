"""Who waits for whom, by tables of waits and of metadata locks."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.blocking import Forest, Node, Session, Ticket, Wait, forest, metadata_waits


def wait(waiting: int, blocking: int | None, seconds: float = 1, *, queued: bool = False) -> Wait:
    return Wait(waiting, blocking, "row", "s.t", seconds=seconds, queued=queued)


def drawn(found: Forest) -> list[tuple[int, int | None]]:
    return [(node.depth, node.session.id if node.session else None) for node in found.nodes]


@pytest.mark.parametrize(
    ("waits", "expected"),
    [
        ([], []),
        ([wait(2, 1)], [(0, 1), (1, 2)]),
        ([wait(2, 1), wait(3, 2), wait(4, 3)], [(0, 1), (1, 2), (2, 3), (3, 4)]),
        # The longest wait first among equals, most victims before that.
        ([wait(2, 1, 5), wait(3, 1, 9), wait(4, 2)], [(0, 1), (1, 2), (2, 4), (1, 3)]),
        ([wait(2, 1, 5), wait(3, 1, 9)], [(0, 1), (1, 3), (1, 2)]),
        # Two roots: the one with more victims first.
        ([wait(2, 1), wait(4, 3), wait(5, 3)], [(0, 3), (1, 4), (1, 5), (0, 1), (1, 2)]),
        # Who waits for two stands below the longer chain, once.
        ([wait(2, 1), wait(3, 2), wait(3, 1)], [(0, 1), (1, 2), (2, 3)]),
        # A queue is no chain: all wait for who holds the lock.
        ([wait(2, 1), wait(3, 1), wait(3, 2, queued=True)], [(0, 1), (1, 2), (1, 3)]),
        # But who goes with the holder and not with the one before it in the queue waits for that one.
        ([wait(2, 1), wait(3, 2, queued=True)], [(0, 1), (1, 2), (2, 3)]),
        # Nobody knows for whom.
        ([wait(2, None), wait(3, None)], [(0, None), (1, 2), (1, 3)]),
        ([wait(2, None), wait(2, 1)], [(0, 1), (1, 2)]),
        ([wait(2, 2)], []),
    ],
)
def test_waits_as_trees(waits: list[Wait], expected: list[tuple[int, int | None]]) -> None:
    assert drawn(forest(waits, {})) == expected
    assert drawn(forest(waits[::-1], {})) == expected


def test_a_circle_is_told_and_ends() -> None:
    found = forest([wait(1, 2, 3), wait(2, 3, 9), wait(3, 1, 5), wait(4, 1, 1)], {})
    assert drawn(found) == [(0, 2), (1, 1), (2, 3), (2, 4)]
    assert [node.circular for node in found.nodes] == [True, False, False, False]
    assert found.waiting == 4
    assert found.nodes[0].wait is not None


def test_what_is_told_of_a_forest() -> None:
    ada = Session(1, "ada", idle_seconds=60.0, transaction_seconds=90.0, statement="update t set a = ?")
    found = forest([wait(2, 1, 4), wait(3, 2, 7), wait(4, 1, 2)], {1: ada})
    assert (found.waiting, found.depth, found.seconds) == (3, 2, 7)
    root = found.root
    assert root is not None
    assert (root.session, root.victims, root.wait, root.blockers) == (ada, 3, None, ())
    assert [node.victims for node in found.nodes] == [3, 1, 0, 0]
    assert (Forest().waiting, Forest().depth, Forest().seconds, Forest().root) == (0, 0, None, None)


def test_a_great_forest_is_cut_and_counted() -> None:
    found = forest([wait(number, 1, number) for number in range(2, 500)], {}, most=10)
    assert len(found.nodes) == 10
    assert found.waiting == 498
    assert found.nodes[0].victims == 498
    assert found.nodes[1].session == Session(499)


def test_a_chain_of_a_thousand() -> None:
    found = forest([wait(number + 1, number) for number in range(1, 1_000)], {}, most=1_000)
    assert found.depth == 999


pairs = st.lists(
    st.tuples(st.integers(1, 8), st.one_of(st.none(), st.integers(1, 8)), st.integers(0, 5), st.booleans()),
    max_size=30,
)


@given(pairs)
def test_whatever_waits_for_whatever(found: list[tuple[int, int | None, int, bool]]) -> None:
    waits = [
        Wait(one, other, "row", "t", seconds=seconds, queued=queued) for one, other, seconds, queued in found
    ]
    trees = forest(waits, {})
    shown = [node.session.id for node in trees.nodes if node.session]
    assert len(shown) == len(set(shown))
    waiting = {one for one, other, _, _ in found if one != other}
    assert waiting <= set(shown)
    assert trees.waiting == len(waiting)
    above: list[int | None] = []
    for node in trees.nodes:
        assert node.depth <= len(above)
        above = above[: node.depth]
        if node.depth:
            assert node.wait is not None
            assert node.wait.blocking == above[-1]
        above.append(node.session.id if node.session else None)
    for node in trees.nodes:
        body = node.to_dict()
        assert json.loads(json.dumps(body)) == body
        assert Node.from_dict(body).to_dict() == body


# -- metadata locks


def ticket(session: int, mode: str, status: str, name: str = "s.t", kind: str = "TABLE") -> Ticket:
    return Ticket(session, kind, name, mode, status == "granted", 3)


@pytest.mark.parametrize(
    ("tickets", "expected"),
    [
        # An ALTER behind an open transaction, and a SELECT behind the ALTER.
        (
            [
                ticket(1, "SHARED_READ", "granted"),
                ticket(2, "SHARED_UPGRADABLE", "granted"),
                ticket(2, "EXCLUSIVE", "pending"),
                ticket(3, "SHARED_READ", "pending"),
            ],
            {(2, 1, False), (3, 2, True)},
        ),
        # LOCK TABLES … WRITE keeps readers out.
        (
            [ticket(1, "SHARED_NO_READ_WRITE", "granted"), ticket(2, "SHARED_READ", "pending")],
            {(2, 1, False)},
        ),
        # Readers and writers go together: nothing here explains the wait.
        ([ticket(1, "SHARED_WRITE", "granted"), ticket(2, "SHARED_READ", "pending")], {(2, None, False)}),
        # Other tables are nobody's trouble.
        ([ticket(1, "EXCLUSIVE", "granted", "s.u"), ticket(2, "SHARED_READ", "pending")], {(2, None, False)}),
        # FLUSH TABLES WITH READ LOCK against a writer.
        (
            [
                ticket(1, "SHARED", "granted", "", "GLOBAL"),
                ticket(2, "INTENTION_EXCLUSIVE", "pending", "", "GLOBAL"),
                ticket(3, "INTENTION_EXCLUSIVE", "granted", "", "GLOBAL"),
            ],
            {(2, 1, False)},
        ),
        # A mode that is not known: whoever holds the object.
        (
            [
                ticket(1, "BACKUP_TRANS_DML", "granted", "", "BACKUP"),
                ticket(2, "BACKUP_FTWRL2", "pending", "", "BACKUP"),
            ],
            {(2, 1, False)},
        ),
        ([ticket(1, "SHARED_READ", "granted")], set()),
    ],
)
def test_metadata_locks(tickets: list[Ticket], expected: set[tuple[int, int | None, bool]]) -> None:
    found = metadata_waits(tickets)
    assert {(one.waiting, one.blocking, one.queued) for one in found} == expected
    assert {one.kind for one in found} <= {"metadata"}


def test_an_alter_at_the_root_of_a_crowd() -> None:
    tickets = [
        ticket(1, "SHARED_READ", "granted"),
        ticket(2, "EXCLUSIVE", "pending"),
        *(ticket(number, "SHARED_WRITE", "pending") for number in range(3, 8)),
    ]
    found = forest(metadata_waits(tickets), {})
    assert drawn(found) == [(0, 1), (1, 2), *((2, number) for number in range(3, 8))]
    assert found.nodes[0].victims == 6
    assert found.nodes[1].wait is not None
    assert (found.nodes[1].wait.locked, found.nodes[1].wait.mode) == ("s.t", "EXCLUSIVE")
