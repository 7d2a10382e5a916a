"""Which collectors run when, and what their failures mean for the next visit. Time is given, nothing waits.

The server here answers from a script: how the runner treats each kind of failure is decided by the errors alone. The same on real servers
is in tests/live/test_sampler.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from dbvigil.collectors import runner
from dbvigil.collectors.runner import Sampler
from dbvigil.collectors.shipped import ALL
from dbvigil.errors import (
    AccessDenied,
    ConnectionLost,
    MissingObject,
    MissingPrivilege,
    ServerTimeout,
    ServerUnreachable,
    StatementFailed,
    TooManyConnections,
)
from dbvigil.targets import Target, parse_url
from dbvigil.types import ServerInfo, Snapshot

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TARGET = parse_url("shop", "mysql://monitor:secret@db1:3306/")
INFO = ServerInfo("mariadb", (10, 11, 19), "10.11.19-MariaDB", True, 7, None, "db1")


class ScriptedServer:
    """Connects unless told not to; collectors here ask it nothing."""

    refuses: ClassVar[Exception | None] = None

    def __init__(self, target: Target) -> None:
        self.target = target
        self.info = INFO
        self.connected = False
        self.statements = 0
        self.connects = 0

    @property
    def connection(self) -> str:
        return f"connection-{self.connects}"

    async def connect(self) -> ServerInfo:
        if self.refuses is not None:
            raise self.refuses
        self.connects += 1
        self.connected = True
        return self.info

    async def close(self) -> None:
        self.connected = False


class Scripted:
    """Reads `{"run": n}`, or raises what `outcome` gives for run n."""

    help: ClassVar = ""

    def __init__(
        self,
        name: str,
        outcome: Callable[[int], object] = lambda run: None,
        *,
        every: float = 0.0,
        supported: bool = True,
        grants: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.every = every
        self.limit = 1.0
        self.grants = grants or {}
        self.runs = 0
        self._outcome = outcome
        self._supported = supported

    def supports(self, info: ServerInfo) -> bool:
        return self._supported

    async def collect(self, server: Any) -> Mapping[str, Any]:
        self.runs += 1
        server.statements += 1
        outcome = self._outcome(self.runs)
        if isinstance(outcome, Exception):
            raise outcome
        return {"run": self.runs}


class Clock:
    """By which a sample's time runs. It stands still while the machine does other work."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(runner, "time", made)
    return made


@pytest.fixture(autouse=True)
def scripted_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "Server", ScriptedServer)
    monkeypatch.setattr(ScriptedServer, "refuses", None)


def sampler(*collectors: Scripted) -> Sampler:
    return Sampler(TARGET, clock="boot", collectors=collectors)  # type: ignore[arg-type]


def always(error: Exception) -> Callable[[int], object]:
    return lambda run: error


def once(error: Exception) -> Callable[[int], object]:
    return lambda run: error if run == 1 else None


def lines(snapshot: Snapshot) -> list[str]:
    return [str(failure) for failure in snapshot.failures]


async def test_each_runs_when_it_is_due() -> None:
    often, seldom, lacking = (
        Scripted("often"),
        Scripted("seldom", every=300),
        Scripted("lacking", supported=False),
    )
    visits = sampler(often, seldom, lacking)
    first = await visits.snapshot(NOW, 1000.0)
    assert set(first.readings) == {"often", "seldom", "monitor"}
    assert (first.database, first.clock, first.monotonic, first.connection) == (
        "shop",
        "boot",
        1000.0,
        "connection-1",
    )
    assert set((await visits.snapshot(NOW, 1299.0)).readings) == {"often", "monitor"}
    assert set((await visits.snapshot(NOW, 1300.0)).readings) == {"often", "seldom", "monitor"}
    assert set((await visits.snapshot(NOW, 1301.0, full=True)).readings) == {"often", "seldom", "monitor"}
    assert lacking.runs == 0
    assert first.failures == ()


async def test_what_is_refused_for_good_is_off_names_its_grant_and_gets_another_chance() -> None:
    refused = Scripted(
        "locks", always(MissingPrivilege("SELECT denied")), grants={"mariadb": "PROCESS ON *.*"}
    )
    well = Scripted("status")
    visits = sampler(refused, well)
    expected = ["locks: SELECT denied; GRANT PROCESS ON *.* to the monitor's account"]
    for at in (0.0, 30.0, 599.0):
        snapshot = await visits.snapshot(NOW, at)
        assert lines(snapshot) == expected, "the failure stays visible on every sample"
        assert "status" in snapshot.readings
    assert refused.runs == 1
    await visits.snapshot(NOW, 600.0)
    assert refused.runs == 2
    await visits.close()
    await visits.snapshot(NOW, 601.0)
    assert refused.runs == 3, "a new connection may have new grants"


async def test_what_the_server_lacks_is_told_as_lacking() -> None:
    visits = sampler(Scripted("statements", always(MissingObject("performance_schema is off", "set it ON"))))
    (failure,) = (await visits.snapshot(NOW, 0.0)).failures
    assert (failure.permanent, failure.lacking, str(failure)) == (
        True,
        True,
        "statements: performance_schema is off; set it ON",
    )


async def test_what_failed_once_is_tried_with_the_next_sample_and_forgotten() -> None:
    visits = sampler(Scripted("locks", once(StatementFailed("out of memory"))))
    assert lines(await visits.snapshot(NOW, 0.0)) == ["locks: out of memory"]
    snapshot = await visits.snapshot(NOW, 1.0)
    assert snapshot.failures == ()
    assert "locks" in snapshot.readings


async def test_after_a_time_out_the_others_go_on_over_a_new_connection() -> None:
    visits = sampler(Scripted("status"), Scripted("locks", once(ServerTimeout("hung"))), Scripted("host"))
    snapshot = await visits.snapshot(NOW, 0.0)
    assert set(snapshot.readings) == {"status", "host", "monitor"}
    assert "no answer within 1 s" in lines(snapshot)[0]
    assert visits.server.connection == "connection-2"
    assert snapshot.connection == "connection-1", "that over which the server's counters were read"
    assert (await visits.snapshot(NOW, 1.0)).failures == ()


async def test_a_server_that_takes_no_new_connection_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    visits = sampler(Scripted("status"), Scripted("locks", always(ServerTimeout("hung"))))
    await visits.server.connect()
    monkeypatch.setattr(ScriptedServer, "refuses", ServerUnreachable("nothing listens"))
    with pytest.raises(ServerUnreachable, match="nothing listens"):
        await visits.snapshot(NOW, 0.0)
    assert not visits.server.connected
    monkeypatch.setattr(ScriptedServer, "refuses", None)
    assert "status" in (await visits.snapshot(NOW, 1.0)).readings


@pytest.mark.parametrize(
    "gone", [ServerUnreachable("nothing listens"), AccessDenied("wrong password"), TooManyConnections("full")]
)
async def test_a_server_that_went_away_while_idle_is_down(
    gone: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    visits = sampler(Scripted("status", always(ConnectionLost("gone away"))), Scripted("host"))
    await visits.server.connect()
    monkeypatch.setattr(ScriptedServer, "refuses", gone)
    with pytest.raises(type(gone)):
        await visits.snapshot(NOW, 0.0)


async def test_a_connection_lost_while_idle_is_renewed_unnoticed_once() -> None:
    status = Scripted("status", once(ConnectionLost("gone away")))
    visits = sampler(status, Scripted("host"))
    snapshot = await visits.snapshot(NOW, 0.0)
    assert snapshot.failures == ()
    assert set(snapshot.readings) == {"status", "host", "monitor"}

    visits = sampler(Scripted("status", always(ConnectionLost("gone away"))), Scripted("host"))
    snapshot = await visits.snapshot(NOW, 0.0)
    assert lines(snapshot) == ["status: gone away"]
    assert "host" in snapshot.readings


async def test_an_answer_that_is_not_understood_is_a_failure_of_its_collector_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    visits = sampler(Scripted("locks", always(KeyError("waiting"))), Scripted("host"))
    snapshot = await visits.snapshot(NOW, 0.0)
    assert "KeyError" in lines(snapshot)[0]
    assert "host" in snapshot.readings
    assert "Traceback" in caplog.text


async def test_when_the_time_is_used_up_the_rest_says_so() -> None:
    visits = sampler(Scripted("status"), Scripted("host"))
    await visits.snapshot(NOW, 0.0)
    snapshot = await visits.snapshot(NOW, 1.0, limit=0.0)
    assert all("time was used up" in line for line in lines(snapshot))
    assert len(snapshot.failures) == 2


class Endless(Scripted):
    """Waits until it is ended, which is a tenth of a second later by `clock`."""

    def __init__(self, name: str, clock: Clock) -> None:
        super().__init__(name)
        self._clock = clock

    async def collect(self, server: Any) -> Mapping[str, Any]:
        try:
            await asyncio.Event().wait()
        finally:
            self._clock.now += 0.1
        return {}


async def test_a_collector_that_takes_all_that_is_left_does_not_take_the_sample_along(clock: Clock) -> None:
    snapshot = await sampler(Scripted("status"), Endless("tables", clock), Scripted("host")).snapshot(
        NOW, 0.0, limit=0.1
    )
    assert set(snapshot.readings) == {"status", "monitor"}
    assert [failure.collector for failure in snapshot.failures] == ["tables", "host"]


async def test_a_server_that_says_nothing_in_the_whole_sample_is_down(clock: Clock) -> None:
    with pytest.raises(ServerTimeout, match="did not answer"):
        await sampler(Endless("status", clock), Scripted("host")).snapshot(NOW, 0.0, limit=0.1)


async def test_what_was_read_in_part_keeps_its_reading_and_its_reason() -> None:
    class Partly(Scripted):
        async def collect(self, server: Any) -> Mapping[str, Any]:
            return {"data_bytes": 1, "missing": ["too many tables", "grant more"]}

    snapshot = await sampler(Partly("tables")).snapshot(NOW, 0.0)
    assert snapshot.readings["tables"]["data_bytes"] == 1
    assert [(str(failure), failure.lacking) for failure in snapshot.failures] == [
        ("tables: too many tables; grant more", True)
    ]


async def test_the_monitors_statements_after_its_own_counters_are_known() -> None:
    visits = sampler(Scripted("status"), Scripted("sessions"), Scripted("locks"))
    assert (await visits.snapshot(NOW, 0.0)).readings["monitor"] == {"trailing_statements": 2}


@pytest.mark.parametrize(
    ("every", "cost", "pause"),
    [
        pytest.param(0.0, 0.3, 0.0, id="a distant server's answers take long and cost nothing"),
        pytest.param(0.0, 2.0, 20.0, id="dear with every sample"),
        pytest.param(600.0, 0.1, 600.0, id="cheap on schedule"),
        pytest.param(600.0, 20.0, 2000.0, id="dear on schedule"),
        pytest.param(600.0, 5000.0, 86_400.0, id="never more than a day"),
    ],
)
def test_the_dearer_the_less_often(every: float, cost: float, pause: float) -> None:
    assert runner._pause(Scripted("tables", every=every), cost) == pause  # type: ignore[arg-type]


async def test_what_is_left_out_for_its_cost_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    dear = Scripted("locks")
    visits = sampler(dear)
    await visits.snapshot(NOW, 0.0)
    monkeypatch.setattr(runner, "_pause", lambda collector, cost: 20.0)
    await visits.snapshot(NOW, 1.0)
    assert "less often" in lines(await visits.snapshot(NOW, 10.0))[0]
    assert dear.runs == 2
    assert (await visits.snapshot(NOW, 21.0)).failures == ()


def test_the_list_is_complete_ordered_and_named_once() -> None:
    names = [collector.name for collector in ALL]
    assert sorted(names) == sorted(
        [
            "status",
            "variables",
            "innodb",
            "sessions",
            "locks",
            "replication",
            "heartbeat",
            "statements",
            "tables",
            "host",
        ]
    )
    assert names[0] == "status", "the others' rates need its uptime"
    assert all(collector.help.endswith(".") and collector.limit <= 5 for collector in ALL)
