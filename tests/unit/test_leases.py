"""Leases on a clock that the test turns: who holds a target, and when a contender may take it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import OperationalError

from dbvigil.models import MonitorProcess, TargetState
from dbvigil.monitoring.leases import LEASE_SECONDS, Leases
from dbvigil.targets import Target

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHOP = {"shop": Target("shop", host="db1.example")}
BOTH = {**SHOP, "store": Target("store", host="db2.example")}


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def leases(identity: str, clock: Clock) -> Leases:
    return Leases(identity, NOW, clock=clock)


def row(alias: str = "shop") -> TargetState:
    return TargetState.objects.get(alias=alias)


def test_what_is_free_is_taken_at_once_and_kept() -> None:
    first = leases("a", Clock())
    assert first.round(BOTH, NOW) == {"shop": 1, "store": 1}
    beat = row().beat
    assert first.round(BOTH, NOW) == {"shop": 1, "store": 1}
    assert (row().holder, row().address, row().beat) == ("a", "db1.example:3306", beat + 1)


def test_a_live_holder_keeps_its_targets_however_long_others_wait() -> None:
    clock = Clock()
    first, second = leases("a", clock), leases("b", clock)
    first.round(SHOP, NOW)
    for _ in range(10):
        assert second.round(SHOP, NOW) == {}
        clock.seconds += LEASE_SECONDS / 2
        assert first.round(SHOP, NOW) == {"shop": 1}


def test_a_silent_holder_is_replaced_after_a_lease_time_under_a_new_token() -> None:
    clock = Clock()
    first, second = leases("a", clock), leases("b", clock)
    first.round(SHOP, NOW)
    assert second.round(SHOP, NOW) == {}
    clock.seconds += LEASE_SECONDS - 0.01
    assert second.round(SHOP, NOW) == {}
    clock.seconds += 0.01
    assert second.round(SHOP, NOW) == {"shop": 2}
    # The first, continued after a long stop, finds out with its next round.
    assert first.round(SHOP, NOW) == {}


def test_a_holder_is_not_replaced_for_the_time_that_the_database_was_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    first, second = leases("a", clock), leases("b", clock)
    first.round(SHOP, NOW)
    second.round(SHOP, NOW)
    with monkeypatch.context() as away:
        away.setattr(Leases, "_report", _fails)
        clock.seconds += 10 * LEASE_SECONDS
        with pytest.raises(OperationalError):
            second.round(SHOP, NOW)
    assert second.round(SHOP, NOW) == {}
    assert first.round(SHOP, NOW) == {"shop": 1}


def test_a_holder_is_not_replaced_for_the_time_that_the_database_was_locked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    first, second = leases("a", clock), leases("b", clock)
    first.round(SHOP, NOW)
    second.round(SHOP, NOW)
    report = Leases._report

    def waits(self: Leases, now: datetime) -> None:
        clock.seconds += 2 * LEASE_SECONDS
        report(self, now)

    with monkeypatch.context() as locked:
        locked.setattr(Leases, "_report", waits)
        assert second.round(SHOP, NOW) == {}
    clock.seconds += LEASE_SECONDS
    assert second.round(SHOP, NOW) == {"shop": 2}


def _fails(self: Leases, now: datetime) -> None:
    raise OperationalError("the database is away")


def test_the_wall_clock_decides_nothing() -> None:
    clock = Clock()
    first, second = leases("a", clock), leases("b", clock)
    first.round(SHOP, NOW)
    second.round(SHOP, NOW)
    assert second.round(SHOP, NOW.replace(year=2036)) == {}
    clock.seconds += LEASE_SECONDS
    assert second.round(SHOP, NOW.replace(year=2016)) == {"shop": 2}


def test_what_is_given_back_needs_no_waiting() -> None:
    first, second = leases("a", Clock()), leases("b", Clock())
    first.round(SHOP, NOW)
    first.release()
    assert MonitorProcess.objects.filter(identity="a").count() == 0
    assert second.round(SHOP, NOW) == {"shop": 2}


def test_a_target_that_is_no_longer_configured_becomes_inactive_and_comes_back() -> None:
    first = leases("a", Clock())
    first.round(BOTH, NOW)
    assert first.round(SHOP, NOW) == {"shop": 1}
    assert (row("store").active, row("store").holder) == (False, "")
    assert first.round(BOTH, NOW) == {"shop": 1, "store": 2}
    assert row("store").active


def test_two_monitors_with_different_targets_leave_each_other_alone() -> None:
    clock = Clock()
    first, second = leases("a", clock), leases("b", clock)
    first.round(SHOP, NOW)
    for _ in range(4):
        assert second.round({"store": BOTH["store"]}, NOW) == {"store": 1}
        clock.seconds += LEASE_SECONDS / 2
        assert first.round(SHOP, NOW) == {"shop": 1}
    assert row("shop").active
    assert row("store").active
