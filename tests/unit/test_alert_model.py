"""The engine beside a model that looks at the whole past each time, and rules that hold for any past whatever."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition
from hypothesis.stateful import rule as action

from dbvigil.alert import Severity
from dbvigil.alerts.engine import step
from dbvigil.alerts.rule import Rule
from dbvigil.alerts.rules import for_database
from dbvigil.alerts.shipped import SHIPPED
from dbvigil.alerts.states import RuleState, Transition
from dbvigil.types import DatabaseMetrics, Failure, Threshold

START = datetime(2026, 3, 1, tzinfo=UTC)
USAGE = "connection_usage"

holds = st.sampled_from([0.0, 30.0, 45.0, 120.0])
rules = st.builds(
    Rule,
    id=st.just(USAGE),
    metric=st.just(USAGE),
    why=st.just(""),
    actions=st.just(()),
    warning=st.just(80.0),
    critical=st.just(90.0),
    clear=st.sampled_from([0.0, 0.05]),
    hold=holds,
    critical_hold=st.none() | holds,
    keep=holds,
)
# Values on, beside and between the levels and where they are left.
readings = st.sampled_from([10.0, 75.9, 76.0, 76.1, 79.9, 80.0, 85.0, 85.4, 85.5, 85.6, 89.9, 90.0, 99.0])
samples = st.lists(st.tuples(st.sampled_from([1, 15, 30, 600]), readings), max_size=40)


@dataclass
class Model:
    """What ought to be, judged from every sample there was. It knows no flapping."""

    rule: Rule
    firing: Severity | None = None
    since: int = 0

    def judge(self, past: Sequence[tuple[float, float]]) -> tuple[str, Severity] | None:
        """What the newest sample of `past` (second, value) changes."""
        newest = len(past) - 1
        critical = self._held(past, 90.0, self.rule.critical_after)
        warning = self._held(past, 80.0, self.rule.hold)
        due: Severity | None = "critical" if critical else "warning" if warning else None
        if self.firing is None:
            if due is None:
                return None
            self.firing, self.since = due, newest
            return "fired", due
        if due == "critical" and self.firing == "warning":
            self.firing, self.since = "critical", newest
            return "severity_changed", "critical"
        level = {"critical": 90.0, "warning": 80.0}[self.firing]
        if not self._clear(past, level):
            return None
        if self.firing == "critical" and past[-1][1] >= 80.0 * (1 - self.rule.clear):
            self.firing, self.since = "warning", newest
            return "severity_changed", "warning"
        over, self.firing = self.firing, None
        return "resolved", over

    @staticmethod
    def _held(past: Sequence[tuple[float, float]], level: float, seconds: float) -> bool:
        """Whether the value has been at `level` or beyond, at every sample, for `seconds`."""
        run = [moment for moment, _ in past]
        for place in range(len(past) - 1, -1, -1):
            if past[place][1] < level:
                run = [moment for moment, _ in past[place + 1 :]]
                break
        return bool(run) and past[-1][0] - run[0] >= seconds

    def _clear(self, past: Sequence[tuple[float, float]], level: float) -> bool:
        """Whether it has been behind the leave level, at every sample since the severity is what it is, for long enough."""
        run: list[float] = []
        for moment, value in past[self.since + 1 :]:
            run = [*run, moment] if value < level * (1 - self.rule.clear) else []
        return bool(run) and past[-1][0] - run[0] >= self.rule.keep


@given(rules, samples)
def test_it_does_what_the_model_does(rule: Rule, steps: list[tuple[int, float]]) -> None:
    model, past = Model(rule), []
    states: dict[str, RuleState] = {}
    second = 0.0
    for apart, value in steps:
        second += apart
        past.append((second, value))
        now = START + timedelta(seconds=second)
        found = step((rule,), DatabaseMetrics("shop", now, True, connection_usage=value), states, now)
        if any(change.flapping for change in found.transitions):
            return
        wanted = model.judge(past)
        assert [(one.kind, one.severity) for one in found.transitions] == ([] if wanted is None else [wanted])
        assert [one.severity for one in found.active] == ([] if model.firing is None else [model.firing])
        states = dict(found.states)


@dataclass(frozen=True)
class Moment:
    """Anything that a sample can be."""

    apart: float
    up: bool | None
    usage: float | None
    lag: float | None
    running: bool | None
    unreadable: bool


moments = st.builds(
    Moment,
    apart=st.sampled_from([-7200.0, -30.0, 0.0, 1.0, 30.0, 130.0, 4000.0]),
    up=st.sampled_from([True, True, True, True, False, None]),
    usage=st.none() | readings,
    lag=st.none() | st.sampled_from([0.0, 4.9, 6.0, 60.0]),
    running=st.sampled_from([True, True, False, None]),
    unreadable=st.booleans(),
)
ALL = for_database({name: Threshold(name, 5.0, 90.0) for name in (USAGE, "replication_lag", "query_time")})


@given(st.lists(moments, max_size=60))
def test_whatever_happens_an_episode_has_a_beginning_and_an_end(past: list[Moment]) -> None:
    stored, second = "{}", 0.0
    is_open: dict[tuple[str, bool], Severity] = {}
    for moment in past:
        second += moment.apart
        now = START + timedelta(seconds=second)
        states = {name: RuleState.from_dict(data) for name, data in json.loads(stored).items()}
        found = step(ALL, _metrics(moment, now), states, now)
        stored = json.dumps({name: state.to_dict() for name, state in found.states.items()})
        for change in found.transitions:
            _check(change, is_open)
        assert {(one.metric, one.no_data): one.severity for one in found.active} == is_open
        if moment.up is None:
            assert not found.transitions


def _check(change: Transition, is_open: dict[tuple[str, bool], Severity]) -> None:
    key = change.metric, change.no_data
    if change.kind == "fired":
        assert key not in is_open
        is_open[key] = change.severity
        return
    assert key in is_open, "changed or over without having fired"
    if change.kind == "severity_changed":
        assert change.severity != is_open[key]
        is_open[key] = change.severity
    elif change.kind == "resolved":
        assert is_open.pop(key) == change.severity
    assert change.message


def _metrics(moment: Moment, now: datetime) -> DatabaseMetrics:
    failures = (Failure("status", "denied", "GRANT PROCESS"),) if moment.unreadable else ()
    if moment.up is not True:
        return DatabaseMetrics("shop", now, moment.up)
    return DatabaseMetrics(
        "shop", now, True, connection_usage=moment.usage, replication_lag=moment.lag, replication_role="replica",
        replication_io_running=True, replication_sql_running=moment.running, failures=failures,
    )  # fmt: skip


def test_every_rule_that_ships_has_what_people_need() -> None:
    assert len({rule.id for rule in SHIPPED}) == len(SHIPPED)
    for rule in SHIPPED:
        assert rule.why.endswith(".")
        assert rule.actions
        assert rule.runbook


class Machine(RuleBasedStateMachine):
    """The engine as the monitor runs it, beside the naive model, through anything that may happen in between.

    The model sees a past in which the time between two judged samples is left out where the server was down or a reading failed, and a
    reading that is rightly missing is a good one. From the first flapping on, which the model does not know, only the episodes and the
    invariants are checked. Clocks that are set back are in the test above.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.stored = "{}"
        self.past: list[tuple[float, float]] = []
        self.is_open: dict[tuple[str, bool], Severity] = {}
        self.seconds = 0.0
        self.unseen = 0.0
        self.down = False
        self.over = False

    @initialize(chosen=rules)
    def choose(self, chosen: Rule) -> None:
        self.watched = (next(one for one in SHIPPED if one.id == "up"), chosen)
        self.model = Model(chosen)

    def look(self, metrics: DatabaseMetrics) -> list[tuple[str, str, Severity]]:
        states = {name: RuleState.from_dict(data) for name, data in json.loads(self.stored).items()}
        found = step(self.watched, metrics, states, self.now)
        self.stored = json.dumps({name: state.to_dict() for name, state in found.states.items()})
        for change in found.transitions:
            _check(change, self.is_open)
            self.over = self.over or change.flapping
        return [(one.kind, one.metric, one.severity) for one in found.transitions]

    @action(apart=st.sampled_from([1.0, 15.0, 30.0, 600.0]), value=readings)
    def sample(self, apart: float, value: float) -> None:
        self.now += timedelta(seconds=apart)
        # Where the server was down, the clocks stood from the last judged sample until now.
        self.seconds += 0.0 if self.down else self.unseen + apart
        self.unseen = 0.0
        changes = self.look(DatabaseMetrics("shop", self.now, True, connection_usage=value))
        wanted: list[tuple[str, str, Severity]] = [("resolved", "up", "critical")] if self.down else []
        self.down = False
        self.past.append((self.seconds, value))
        verdict = self.model.judge(self.past)
        if verdict is not None:
            wanted.append((verdict[0], USAGE, verdict[1]))
        if not self.over:
            assert changes == wanted
            assert self.is_open.get((USAGE, False)) == self.model.firing

    @action(apart=st.sampled_from([1.0, 30.0, 7200.0]))
    def fall(self, apart: float) -> None:
        self.now += timedelta(seconds=apart)
        changes = self.look(DatabaseMetrics("shop", self.now, False))
        assert self.over or changes == ([] if self.down else [("fired", "up", "critical")])
        self.down = True

    @action(apart=st.sampled_from([1.0, 30.0]))
    def fail_to_look(self, apart: float) -> None:
        """The monitor itself failed: nothing is judged, and time goes on as between two samples."""
        self.now += timedelta(seconds=apart)
        self.unseen += apart
        before = self.stored
        assert self.look(DatabaseMetrics("shop", self.now, None)) == []
        assert json.loads(self.stored) == json.loads(before)

    @precondition(lambda self: not self.down and self.model.firing is None)
    @action()
    def read_nothing(self) -> None:
        """No reading, and nothing wrong about that: what was pending is dropped."""
        self.now += timedelta(seconds=1)
        self.seconds += self.unseen + 1
        self.unseen = 0.0
        changes = self.look(DatabaseMetrics("shop", self.now, True))
        assert self.over or changes == []
        self.past.append((self.seconds, 0.0))
        assert self.over or USAGE not in json.loads(self.stored)

    @precondition(lambda self: not self.down)
    @action(failing=st.sampled_from([30.0, 119.0, 130.0]), value=readings)
    def go_blind(self, failing: float, value: float) -> None:
        """The reading fails for some time: its own alert after two minutes, and the level's clocks stand."""
        blind = (Failure("status", "denied", "GRANT PROCESS"),)
        self.now += timedelta(seconds=1)
        changes = self.look(DatabaseMetrics("shop", self.now, True, failures=blind))
        assert self.over or changes == []
        self.now += timedelta(seconds=failing)
        told = self.look(DatabaseMetrics("shop", self.now, True, failures=blind))
        assert self.over or told == ([("fired", USAGE, "warning")] if failing >= 120 else [])
        self.now += timedelta(seconds=1)
        changes = self.look(DatabaseMetrics("shop", self.now, True, connection_usage=value))
        self.unseen = 0.0
        self.past.append((self.seconds, value))
        verdict = self.model.judge(self.past)
        wanted: list[tuple[str, str, Severity]] = [("resolved", USAGE, "warning")] if told else []
        if verdict is not None:
            wanted.append((verdict[0], USAGE, verdict[1]))
        if not self.over:
            assert changes == wanted

    @invariant()
    def pending_does_not_outlive_a_good_sample(self) -> None:
        state = json.loads(self.stored).get(USAGE, {})
        if self.past and self.past[-1][1] < 80.0 and not self.down:
            assert "warning_since" not in state
            assert "critical_since" not in state

    @invariant()
    def there_is_nothing_to_remember_of_what_is_well(self) -> None:
        for data in json.loads(self.stored).values():
            assert not RuleState.from_dict(data).idle


TestMachine = Machine.TestCase
