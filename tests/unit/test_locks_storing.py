"""What is found about locks, kept and asked for: under a lease, by pattern and by episode, pruned; and when a server is asked at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dbvigil.blocking import Forest, Session, Wait, forest
from dbvigil.errors import ConfigurationError
from dbvigil.locks import storing
from dbvigil.locks.collecting import AGAIN_AFTER, DEADLOCKS_EVERY, WAITS_EVERY, Collector, Seen, SeenDeadlock
from dbvigil.locks.stored import deadlocks, lock_waits
from dbvigil.locks.waiting import CAPACITY, Waiting
from dbvigil.models import Deadlock, LockWait, TargetState
from dbvigil.queries.deadlocks import Deadlock as Report
from dbvigil.queries.deadlocks import Lock, Transaction, pattern_key

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
X = Lock("record", "s.t", "PRIMARY", "X", "record")


@pytest.fixture
def lease(transactional_db: None) -> None:
    TargetState.objects.create(alias="shop", holder="a", token=7)


def report(first: str = "update t set a = ?", second: str = "delete from t", victim: int = 1) -> Report:
    transactions = (
        Transaction(1, 100, user="ada", statement=first, holds=(X,), waits_for=(X,)),
        Transaction(2, 200, user="bob", statement=second, holds=(X,), waits_for=(X,)),
    )
    return Report(None, transactions, victim)


def seen_deadlock(identity: str, at: datetime = NOW, found: Report | None = None) -> Seen:
    return Seen(at, SeenDeadlock(found or report(), at, identity))


def waits(*pairs: tuple[int, int], seconds: float | None = 3) -> Forest:
    sessions = {1: Session(1, "ada", statement="update t set a = ?", idle_seconds=60.0)}
    return forest([Wait(one, other, "row", "s.t", seconds=seconds) for one, other in pairs], sessions)


def keep(*found: Seen) -> None:
    for one in found:
        assert storing.save("shop", "a", 7, one)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


# -- deadlocks


@pytest.mark.usefixtures("lease")
def test_deadlocks_of_a_pattern_are_one_row_and_none_is_counted_twice() -> None:
    swapped = report("delete from t", "update t set a = ?", victim=2)
    other = report("insert into t values(?+)")
    keep(
        seen_deadlock("e1"),
        seen_deadlock("e1", at(1)),
        seen_deadlock("e2", at(2), swapped),
        seen_deadlock("e3", at(3), other),
    )
    found = deadlocks(["shop"], 24, at(5))
    assert [(one["count"], one["first_seen"], one["last_seen"]) for one in found] == [
        (1, "2026-03-01T12:03:00.000Z", "2026-03-01T12:03:00.000Z"),
        (2, "2026-03-01T12:00:00.000Z", "2026-03-01T12:02:00.000Z"),
    ]
    assert found[1]["pattern"] == pattern_key(swapped)
    assert (found[1]["victim"], found[1]["transactions"][0]["statement"]) == (2, "delete from t")
    assert found[1]["advice"][0]["rule"] == "deadlock.opposite_order"
    assert json.loads(json.dumps(found)) == found


@pytest.mark.usefixtures("lease")
def test_hours_databases_and_limit_of_deadlocks() -> None:
    keep(
        seen_deadlock("e1", at(-120)),
        seen_deadlock("e2", NOW, report("a")),
        seen_deadlock("e3", at(1), report("b")),
    )
    assert len(deadlocks(["shop"], 1, at(2))) == 2
    assert len(deadlocks(["shop"], 3, at(2))) == 3
    assert len(deadlocks(["shop"], 3, at(2), limit=1)) == 1
    assert deadlocks(["other"], 3, at(2)) == []
    for hours, limit in ((0, 1), (-1, 1), (10_000, 1), (1, 0), (1, 1_001), (float("nan"), 1)):
        with pytest.raises(ConfigurationError):
            deadlocks(["shop"], hours, NOW, limit=limit)


# -- waits


@pytest.mark.usefixtures("lease")
def test_an_episode_keeps_its_deepest_tree_and_ends_with_the_waits() -> None:
    keep(
        Seen(at(1), waits=waits((2, 1), seconds=2)),
        Seen(at(2), waits=waits((2, 1), (3, 2), (4, 3), seconds=9)),
        Seen(at(3), waits=waits((2, 1), (3, 1), (4, 1), (5, 1), seconds=4)),
    )
    (going,) = lock_waits(["shop"], 1, at(4))
    assert (going["current"], going["ended_at"], going["depth"], going["most_waiting"]) == (True, None, 3, 4)
    assert (going["longest_seconds"], going["root_statement"]) == (9, "update t set a = ?")
    assert [node["id"] for node in going["tree"]] == [1, 2, 3, 4]
    assert [node["depth"] for node in going["latest"]] == [0, 1, 1, 1, 1]
    assert going["started_at"] == "2026-03-01T12:00:58.000Z"
    keep(Seen(at(5), waits=Forest()), Seen(at(6), waits=waits((8, 7))))
    again, over = lock_waits(["shop"], 1, at(7))
    assert (over["current"], over["ended_at"], over["latest"]) == (False, "2026-03-01T12:05:00.000Z", [])
    assert over["seconds"] == 242
    assert (again["current"], again["depth"], again["most_waiting"]) == (True, 1, 1)
    assert json.loads(json.dumps([again, over])) == [again, over]


@pytest.mark.usefixtures("lease")
def test_short_waits_are_no_episode() -> None:
    keep(Seen(NOW, waits=waits((2, 1), seconds=0.2)), Seen(at(1), waits=Forest()))
    assert LockWait.objects.count() == 0
    keep(Seen(at(2), waits=waits((2, 1), seconds=None)))
    assert LockWait.objects.count() == 1
    keep(Seen(at(3), waits=waits((3, 1), seconds=0)))
    assert LockWait.objects.get().ended_at == at(3)


@pytest.mark.usefixtures("lease")
def test_what_nobody_looked_at_lately_is_not_called_current() -> None:
    keep(Seen(NOW, waits=waits((2, 1))))
    assert [one["current"] for one in lock_waits(["shop"], 1, at(1))] == [True]
    assert [one["current"] for one in lock_waits(["shop"], 1, at(10))] == [False]


# -- leases, faults and upkeep


@pytest.mark.usefixtures("lease")
def test_nothing_is_written_without_the_lease() -> None:
    both = Seen(NOW, SeenDeadlock(report(), NOW, "e1"), waits((2, 1)))
    assert not storing.save("shop", "b", 7, both)
    assert not storing.save("shop", "a", 6, both)
    assert (Deadlock.objects.count(), LockWait.objects.count()) == (0, 0)


@pytest.mark.usefixtures("lease")
def test_names_that_no_database_takes_are_made_fit() -> None:
    odd = forest([Wait(2, 1, "row", "s.t\x00", seconds=5)], {1: Session(1, "a\ud800", statement="x\x00y")})
    keep(Seen(NOW, SeenDeadlock(report("a\x00\udfff"), NOW, "e1"), odd))
    (episode,) = lock_waits(["shop"], 1, NOW)
    assert (episode["root_statement"], episode["tree"][0]["user"]) == ("x\ufffdy", "a?")
    assert deadlocks(["shop"], 1, NOW)[0]["transactions"][0]["statement"] == "a\ufffd?"


@pytest.mark.usefixtures("lease")
def test_what_cannot_be_written_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Waiting("a")
    waiting.put("shop", 7, seen_deadlock("e1"))
    waiting.put("gone", 7, seen_deadlock("e2"))
    real = storing.save

    def fails(*arguments: Any) -> bool:
        real(*arguments)
        raise OSError("the disk is away")

    monkeypatch.setattr(storing, "save", fails)
    with pytest.raises(OSError, match="away"):
        waiting.flush()
    assert len(waiting) == 2
    monkeypatch.setattr(storing, "save", real)
    waiting.flush()
    assert len(waiting) == 0
    assert Deadlock.objects.get().count == 1


def test_a_full_queue_gives_up_its_oldest() -> None:
    waiting = Waiting("a")
    for number in range(CAPACITY + 3):
        waiting.put("shop", 7, seen_deadlock(str(number)))
    assert (len(waiting), waiting.dropped) == (CAPACITY, 3)


@pytest.mark.usefixtures("lease")
def test_upkeep_ends_what_is_lost_and_removes_what_is_old() -> None:
    keep(Seen(NOW, SeenDeadlock(report(), NOW, "e1"), waits((2, 1))))
    assert storing.maintain(at(30), 30) is False
    assert LockWait.objects.get().ended_at is None
    storing.maintain(at(61), 30)
    assert LockWait.objects.get().ended_at == NOW
    for number in range(150):
        keep(seen_deadlock("e2", found=report(str(number))))
    assert storing.maintain(at(60 * 24 * 29), 30) is False
    assert storing.maintain(at(60 * 24 * 31), 30) is True
    assert storing.maintain(at(60 * 24 * 31), 30) is False
    assert (Deadlock.objects.count(), LockWait.objects.count()) == (0, 0)


# -- when a server is asked


def readings(
    deadlocks: int | None = None, waiting: int | None = 0, metadata: int | None = 0
) -> dict[str, dict[str, Any]]:
    return {
        "status": {"global": {} if deadlocks is None else {"Innodb_deadlocks": deadlocks}},
        "locks": {} if waiting is None else {"waiting": waiting},
        "sessions": {} if metadata is None else {"metadata_waits": metadata},
    }


class OneServer:
    """Answers as InnoDB does that has seen no deadlock, and counts the reports."""

    asked = 0

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        assert sql == "SHOW ENGINE INNODB STATUS"
        self.asked += 1
        return [{"Status": "=====\nINNODB MONITOR OUTPUT\n====="}]


async def test_the_report_is_read_when_the_counter_has_grown() -> None:
    collector, server = Collector(), OneServer()
    assert not collector.deadlocks_due(readings(None), 0)
    assert not collector.deadlocks_due(readings(0), 0)
    assert collector.deadlocks_due({"innodb": {"lock_deadlocks": 2}}, 0)
    assert collector.deadlocks_due(readings(2), 0)
    await collector.deadlock(server, readings(2), 0, NOW)  # type: ignore[arg-type]
    assert not collector.deadlocks_due(readings(2), 100)
    assert not collector.deadlocks_due(readings(3), DEADLOCKS_EVERY - 1)
    assert collector.deadlocks_due(readings(3), DEADLOCKS_EVERY)
    # The server was started anew, and counts anew.
    assert collector.deadlocks_due(readings(1), DEADLOCKS_EVERY)
    assert server.asked == 1


async def test_a_report_that_cannot_be_read_is_left_alone_for_a_while() -> None:
    collector = Collector()
    with pytest.raises(AttributeError):
        await collector.deadlock(None, readings(2), 0, NOW)  # type: ignore[arg-type]
    assert not collector.deadlocks_due(readings(2), AGAIN_AFTER - 1)
    assert collector.deadlocks_due(readings(2), AGAIN_AFTER)


def test_waits_are_looked_at_while_there_are_some_and_their_end_is_told_once() -> None:
    collector = Collector()
    assert not collector.waits_due(readings(waiting=0), 0)
    assert not collector.waits_due(readings(waiting=None, metadata=None), 0)
    assert collector.waits_due(readings(waiting=1), 0)
    assert collector.waits_due(readings(waiting=None, metadata=1), 0)
    collector.took(0, 0.01)
    assert not collector.waits_due(readings(waiting=1), WAITS_EVERY - 1)
    assert collector.waits_due(readings(waiting=1), WAITS_EVERY)
    collector.took(0, 2)
    assert not collector.waits_due(readings(waiting=1), 19)
    assert collector.quiet(readings(waiting=None, metadata=None)) is None
    assert collector.quiet(readings(waiting=2)) is None
    assert collector.quiet(readings()) == Forest()
    assert collector.quiet(readings()) is None
