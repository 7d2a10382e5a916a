"""What goes wrong in the middle of an attempt on a real server: whatever it is, the server has its old settings afterwards."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from django.db import OperationalError
from pytest_django import Settings

from dbvigil import conf
from dbvigil.conf.recovery import Option
from dbvigil.models import RecoveryAttempt, RecoveryChange, TargetState
from dbvigil.recovery import perform, records, variables
from dbvigil.recovery.keeper import Keeper
from dbvigil.recovery.perform import Attempt
from dbvigil.recovery.plan import Change, Plan, Scene, Step
from dbvigil.recovery.putting_back import put_back_attempt
from dbvigil.recovery.records import Asked
from dbvigil.sandbox import PrivateServer
from dbvigil.types import DatabaseMetrics
from tests.support import recovering
from tests.support.raised import fire
from tests.support.servers import PrivateServers
from tests.support.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.django_db

SETTING = "sync_binlog"


class Relax:
    """Sets two settings, with whatever a test does between the two."""

    name: ClassVar = "tests.live.test_recovery_faults.Relax"
    help: ClassVar = "Relaxes a server."
    metrics: ClassVar[Sequence[str]] = ("replication_lag",)
    options: ClassVar[Sequence[Option]] = ()
    between: ClassVar[Callable[[], Any]] = staticmethod(lambda: None)

    async def plan(self, scene: Scene) -> Plan:
        await scene.server.connect()
        values = await variables.read(scene.server, (SETTING, "innodb_flush_log_at_trx_commit"))
        changes = tuple(Change("setting", name, old, "2") for name, old in values.items())
        return Plan(tuple(_step(one) for one in changes), changes=changes, minutes=15)

    async def apply(self, scene: Scene, step: Step) -> str | None:
        await variables.put(scene.server, *step.given)
        if not step.closes:
            found = type(self).between()
            if asyncio.iscoroutine(found):
                await found
        return None

    async def verify(self, scene: Scene, done: Sequence[Step]) -> str | None:
        return None

    async def undo(self, scene: Scene, changes: Sequence[Change]) -> Plan:
        values = await variables.read(scene.server, variables.SETTABLE)
        settled = {one: "as it was already" for one in changes if values[one.name] != one.new}
        steps = tuple(
            Step(f"set {one.name} back", {}, (one.name, one.old), {one: "put back"})
            for one in changes
            if one not in settled
        )
        return Plan(steps, settled=settled)

    def is_over(self, figures: DatabaseMetrics) -> bool:
        return False


def _step(change: Change) -> Step:
    return Step(f"set {change.name}", {}, (change.name, change.new))


@pytest.fixture
def server(private_server: PrivateServers, settings: Settings) -> Iterator[PrivateServer]:
    made = private_server(
        "mariadb-10.11", options={"log-bin": "binlog", "sync-binlog": 1, "innodb-flush-log-at-trx-commit": 1}
    )
    recovering.configure(settings, made, {Relax.name: "live"})
    TargetState.objects.create(alias="shop", holder="me", token=3, renewed_at=datetime.now(UTC))
    yield made
    between(lambda: None)


def attempt(seconds: float = 10.0) -> RecoveryAttempt | None:
    configuration = conf.load()
    asked = Asked(
        configuration.recovery.actions[Relax.name], "shop", "live", "dbvigil", "a test", None, "me", 3
    )
    return Attempt(Relax(), asked, configuration.targets["shop"], seconds).run()


def between(fault: Callable[[], Any]) -> None:
    Relax.between = staticmethod(fault)


def durable(server: PrivateServer) -> tuple[str, str]:
    row = server.execute(f"SELECT @@GLOBAL.{SETTING} AS a, @@GLOBAL.innodb_flush_log_at_trx_commit AS b")[0]
    return str(row["a"]), str(row["b"])


def put_back() -> bool:
    configuration = conf.load()
    return put_back_attempt(
        RecoveryAttempt.objects.get(), configuration.targets["shop"], configuration, perform.utcnow
    )


def still_open() -> int:
    return RecoveryChange.objects.filter(closed_at=None).count()


def test_all_well(server: PrivateServer) -> None:
    done = attempt()
    assert done is not None
    assert (done.outcome, durable(server), still_open()) == ("succeeded", ("2", "2"), 2)
    assert put_back()
    assert (durable(server), still_open()) == (("1", "1"), 0)


def test_a_lease_that_is_lost_ends_it_and_nothing_stays(
    server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    between(lambda: monkeypatch.setattr(records, "holds_lease", lambda *lease: False))
    done = attempt()
    assert done is not None
    assert done.outcome == "failed"
    assert done.error == "another monitor has taken over; every setting was put back"
    assert [one["done"] for one in done.done] == [True]
    assert (durable(server), still_open()) == (("1", "1"), 0)


def test_a_service_database_that_fails_in_the_middle_leaves_nothing_on_the_server(
    server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **named: Any) -> Any:
        raise OperationalError("disk I/O error")

    def away() -> None:
        for name in ("holds_lease", "close", "end"):
            monkeypatch.setattr(records, name, fail)

    between(away)
    with pytest.raises(OperationalError):
        attempt()
    assert durable(server) == ("1", "1")
    monkeypatch.undo()
    # It is back: the attempt that says nothing is ended, and its record closed.
    assert still_open() == 2
    RecoveryAttempt.objects.update(holder="a monitor that is gone")
    records.interrupt(["shop"], "me", datetime.now(UTC))
    assert RecoveryAttempt.objects.get().outcome == "interrupted"
    assert put_back()
    assert (durable(server), still_open()) == (("1", "1"), 0)


def test_a_fault_of_the_action_is_a_failed_attempt_with_its_way_back(server: PrivateServer) -> None:
    between(lambda: 1 / 0)
    done = attempt()
    assert done is not None
    assert done.outcome == "failed"
    assert (
        done.error == "the action itself failed (ZeroDivisionError); see the log; every setting was put back"
    )
    assert (durable(server), still_open()) == (("1", "1"), 0)


def test_one_that_takes_too_long_is_ended_and_put_back(server: PrivateServer) -> None:
    between(lambda: asyncio.sleep(60))
    done = attempt(3.0)
    assert done is not None
    assert done.outcome == "failed"
    assert done.error == "the time that recovery may take is over; every setting was put back"
    assert (durable(server), still_open()) == (("1", "1"), 0)


def test_another_server_at_the_address_is_left_alone(server: PrivateServer) -> None:
    attempt()
    RecoveryChange.objects.update(server="somebody else")
    assert not put_back()
    assert durable(server) == ("2", "2")
    assert set(RecoveryChange.objects.values_list("result", "closed_at")) == {
        ("another server answers at this address", None)
    }


def test_a_server_that_is_away_is_put_back_later(server: PrivateServer) -> None:
    attempt()
    server.pause()
    try:
        assert not put_back()
    finally:
        server.resume()
    assert still_open() == 2
    assert put_back()
    assert (durable(server), still_open()) == (("1", "1"), 0)


def test_without_a_record_nothing_is_done(server: PrivateServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **named: Any) -> Any:
        raise OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(records, "write_ahead", fail)
    with pytest.raises(OperationalError):
        attempt()
    assert durable(server) == ("1", "1")
    assert not RecoveryAttempt.objects.exists()


def test_a_database_whose_server_hangs_holds_up_no_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DB_MONITORING_TARGETS = dict.fromkeys(("hangs", "shop"), "mysql://u:p@127.0.0.1:1/")
    for name in ("hangs", "shop"):
        TargetState.objects.create(alias=name, holder="me", token=1)
        fire(name, "query_time")
    hung, done = threading.Event(), []

    def work(self: Keeper, given: Any) -> None:
        if given.target.alias == "hangs":
            hung.wait(2 * PATIENCE)
        done.append(given.target.alias)

    monkeypatch.setattr(Keeper, "do", work)
    keeper = Keeper("me", conf.load, lambda alias: None)
    keeper.look()
    # What it has done is told before its thread is over, and while that lives nothing more is begun.
    wait_for(lambda: done == ["shop"] and not keeper._busy["shop"].is_alive(), "the other to be looked after")
    keeper.look()
    wait_for(lambda: done == ["shop", "shop"], "the other to be looked after again")
    hung.set()
    wait_for(lambda: done[-1] == "hangs", "the first to end")


def test_recovery_that_is_not_to_be_had_rests_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise OperationalError("database is locked")

    keeper = Keeper("me", conf.load, lambda alias: None)
    keeper._guarded(fail)
    keeper._guarded(fail)
    assert [record.message for record in caplog.records] == ["recovery rests: database is locked"]
