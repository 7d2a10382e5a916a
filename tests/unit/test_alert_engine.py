"""When a rule is pending, fires, gets worse or better, and is over: a table of pure cases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dbvigil.alerts.engine import step
from dbvigil.alerts.rule import Rule
from dbvigil.alerts.rules import for_database
from dbvigil.alerts.shipped import SHIPPED
from dbvigil.alerts.states import RuleState, Transition
from dbvigil.types import DatabaseMetrics, Failure, Threshold

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOWN = next(rule for rule in SHIPPED if rule.id == "up")
STOPPED = next(rule for rule in SHIPPED if rule.id == "replication_running")
USAGE = Rule("connection_usage", "connection_usage", "", (), 80.0, 95.0, hold=60, critical_hold=20, keep=60)
HITS = replace(
    USAGE, id="buffer_pool_hit_rate", metric="buffer_pool_hit_rate", warning=95.0, critical=90.0, bad="low"
)
AT_ONCE = replace(USAGE, hold=0, critical_hold=0, keep=0)
LAG = Rule("replication_lag", "replication_lag", "", (), 5.0, 30.0, hold=0, keep=0)
UNREADABLE = Failure("status", "denied", "GRANT PROCESS", permanent=True)


class Watch:
    """Steps through samples as the monitor does: what the engine remembers goes through JSON each time."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = rules
        self.stored = "{}"
        self.active: list[tuple[str, str, str]] = []

    def see(
        self, second: float, usage: float | None = None, up: bool | None = True, **figures: Any
    ) -> list[str]:
        metrics = DatabaseMetrics("shop", at(second), up, connection_usage=usage, **figures)
        return [_short(found) for found in self.look(second, metrics)]

    def look(self, second: float, metrics: DatabaseMetrics) -> Sequence[Transition]:
        states = {name: RuleState.from_dict(data) for name, data in json.loads(self.stored).items()}
        found = step(self.rules, metrics, states, at(second))
        self.stored = json.dumps({name: state.to_dict() for name, state in found.states.items()})
        self.active = [(one.metric, one.severity, one.inhibited_by) for one in found.active]
        return found.transitions


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


def _short(found: Transition) -> str:
    missing = " (no data)" if found.no_data else ""
    return f"{found.kind} {found.metric} {found.severity}{missing}"


def run(rule: Rule, samples: Sequence[tuple[float, float | None]]) -> list[tuple[float, str]]:
    """What changes at which second, over samples of (second, value of the rule's metric)."""
    watch = Watch(rule)
    name = "usage" if rule.metric == "connection_usage" else rule.metric
    return [
        (second, change)
        for second, value in samples
        for change in watch.see(second, **{name: value})  # type: ignore[arg-type]
    ]


@pytest.mark.parametrize(
    ("rule", "samples", "changes"),
    [
        pytest.param(USAGE, [(0, 85), (30, 85), (59, 85)], [], id="pending until it has held"),
        pytest.param(USAGE, [(0, 85), (30, 85), (60, 85)], [(60, "fired W")], id="warning after its hold"),
        pytest.param(USAGE, [(0, 85), (30, 79), (60, 85), (90, 85)], [], id="one good sample drops pending"),
        pytest.param(USAGE, [(0, 96), (20, 96)], [(20, "fired C")], id="critical has a hold of its own"),
        pytest.param(
            USAGE, [(0, 96), (10, 85), (60, 85)], [(60, "fired W")], id="worse for a moment is a warning"
        ),
        pytest.param(
            USAGE,
            [(0, 85), (60, 85), (70, 96), (90, 96)],
            [(60, "fired W"), (90, "severity_changed C")],
            id="gets worse",
        ),
        pytest.param(
            USAGE,
            [(0, 96), (20, 96), (30, 91), (90, 91), (100, 89), (160, 89)],
            [(20, "fired C"), (160, "severity_changed W")],
            id="gets better only behind critical's leave level, for a while",
        ),
        pytest.param(
            USAGE,
            [(0, 85), (60, 85), (70, 77), (130, 77), (190, 75), (249, 75), (250, 75)],
            [(60, "fired W"), (250, "resolved W")],
            id="77 is not yet clear of 80; 75 has to stay",
        ),
        pytest.param(
            USAGE,
            [(0, 96), (20, 96), (30, 10), (90, 10)],
            [(20, "fired C"), (90, "resolved C")],
            id="from critical to over without a stop at warning",
        ),
        pytest.param(
            USAGE,
            [(0, 85), (60, 85), (70, 10), (100, 85), (130, 10), (160, 10)],
            [(60, "fired W")],
            id="back within keep",
        ),
        pytest.param(
            replace(USAGE, critical_hold=0),
            [(0, 85), (60, 85), (70, 10), (80, 96), (90, 10), (149, 10), (150, 10)],
            [(60, "fired W"), (80, "severity_changed C"), (150, "resolved C")],
            id="worse at once: what was clear before does not count",
        ),
        pytest.param(HITS, [(0, 94), (60, 94)], [(60, "fired W")], id="low is bad"),
        pytest.param(HITS, [(0, 89), (20, 89)], [(20, "fired C")], id="lower is worse"),
        pytest.param(HITS, [(0, 96), (60, 96)], [], id="high is good where low is bad"),
        pytest.param(USAGE, [(0, 85), (30, None), (60, 85), (90, 85)], [], id="no reading is no breach"),
        pytest.param(replace(USAGE, warning=None), [(0, 85), (90, 85)], [], id="a level that is off"),
        pytest.param(
            USAGE, [(0, 85), (3600, 85)], [(3600, "fired W")], id="a pause of an hour goes on where it stood"
        ),
        pytest.param(USAGE, [(0, 85), (3601, 85), (3631, 85)], [], id="a longer one starts afresh"),
        pytest.param(
            USAGE, [(0, 85), (-600, 85), (-540, 85)], [(-540, "fired W")], id="a clock that was moved back"
        ),
        pytest.param(
            AT_ONCE, [(0, 85), (1, 10)], [(0, "fired W"), (1, "resolved W")], id="without hold and keep"
        ),
    ],
)
def test_levels(
    rule: Rule, samples: Sequence[tuple[float, float | None]], changes: Sequence[tuple[float, str]]
) -> None:
    letters = {"W": "warning", "C": "critical"}
    wanted = [(second, f"{text[:-1]}{rule.metric} {letters[text[-1]]}") for second, text in changes]
    assert run(rule, samples) == wanted


def test_a_healthy_database_is_nothing_to_remember() -> None:
    watch = Watch(*for_database({"connection_usage": Threshold("connection_usage", 80, 95)}))
    assert watch.see(0, 20, uptime=86_400.0) == []
    assert watch.stored == "{}"


def test_a_breach_that_went_away_is_forgotten() -> None:
    watch = Watch(USAGE)
    watch.see(0, 85)
    for second in range(1, 30):
        watch.see(second, 20)
    assert watch.stored == "{}"


def test_down_fires_at_once_and_is_over_at_once() -> None:
    watch = Watch(DOWN)
    assert watch.see(0, up=False) == ["fired up critical"]
    assert watch.see(5, up=False) == []
    assert watch.see(6, up=True) == ["resolved up critical"]


def test_while_a_server_is_down_everything_else_stays_as_it_is() -> None:
    watch = Watch(DOWN, USAGE)
    assert watch.see(0, 85) == []
    assert watch.see(60, 85) == ["fired connection_usage warning"]
    assert watch.see(70, up=False) == ["fired up critical"]
    assert watch.active == [("up", "critical", ""), ("connection_usage", "warning", "up")]
    assert watch.see(700, up=False) == []
    assert watch.see(710, 85) == ["resolved up critical"]
    assert watch.active == [("connection_usage", "warning", "")]


def test_clocks_stand_while_a_server_is_down() -> None:
    watch = Watch(DOWN, USAGE)
    watch.see(0, 85)
    watch.see(10, up=False)
    watch.see(500, up=False)
    assert watch.see(510, 85) == ["resolved up critical"], "what was pending for no time yet is so still"
    assert watch.see(569, 85) == []
    assert watch.see(570, 85) == ["fired connection_usage warning"]


def test_nothing_is_judged_when_the_monitor_itself_failed() -> None:
    watch = Watch(DOWN, AT_ONCE)
    watch.see(0, 85)
    before = watch.stored
    assert watch.see(30, up=None) == []
    assert watch.stored == before
    assert watch.active == [("connection_usage", "warning", "")]


def test_a_stopped_replica_is_why_it_lags() -> None:
    watch = Watch(STOPPED, LAG)
    replica: dict[str, Any] = {
        "replication_role": "replica",
        "replication_io_running": True,
        "replication_lag": 8.0,
    }
    assert watch.see(0, replication_sql_running=True, **replica) == ["fired replication_lag warning"]
    watch.see(10, replication_sql_running=False, **replica)
    stopped = watch.see(70, replication_sql_running=False, **replica)
    assert stopped == ["fired replication_running critical"]
    assert ("replication_lag", "warning", "replication_running") in watch.active


def test_a_metric_that_cannot_be_read_is_told_after_two_minutes_on_its_own() -> None:
    watch = Watch(AT_ONCE)
    assert watch.see(0, 85) == ["fired connection_usage warning"]
    blind: dict[str, Any] = {"failures": (UNREADABLE,)}
    assert watch.see(30, None, **blind) == []
    assert watch.see(149, None, **blind) == []
    assert watch.see(150, None, **blind) == ["fired connection_usage warning (no data)"]
    assert len(watch.active) == 2, "what fired before fires still"
    assert watch.see(180, 20) == [
        "resolved connection_usage warning (no data)",
        "resolved connection_usage warning",
    ]


def test_a_subject_that_the_server_lacks_is_no_trouble() -> None:
    watch = Watch(USAGE)
    lacking = replace(UNREADABLE, lacking=True)
    for second in range(0, 600, 30):
        assert watch.see(second, None, failures=(lacking,)) == []


def test_a_metric_without_a_value_ends_after_a_while() -> None:
    watch = Watch(AT_ONCE)
    watch.see(0, 85)
    assert watch.see(30, None) == []
    assert watch.see(629, None) == []
    assert watch.see(630, None) == ["resolved connection_usage warning"]


def test_what_comes_and_goes_is_told_once_and_stays_until_it_is_steady() -> None:
    watch = Watch(AT_ONCE)
    changes = [
        change.split()[0] for second in range(40) for change in watch.see(second, 85 if second % 2 else 20)
    ]
    assert changes == ["fired", "resolved", "fired", "resolved", "fired", "flapping"]
    (unsteady,) = watch.active
    assert unsteady == ("connection_usage", "warning", "")
    assert json.loads(watch.stored)["connection_usage"]["flapping"] is True
    steady = [(second, change) for second in range(40, 70) for change in watch.see(second, 20)]
    assert steady == [(60, "resolved connection_usage warning")], "twenty steady samples later"


def test_what_becomes_unsteady_while_it_fires_says_so() -> None:
    watch = Watch(replace(AT_ONCE, keep=10))
    changes = [change for second in range(12) for change in watch.see(second, 20 if second % 2 else 85)]
    assert changes == ["fired connection_usage warning", "flapping connection_usage warning"]


def test_a_rule_that_there_is_no_more_ends_what_it_raised() -> None:
    watch = Watch(AT_ONCE)
    watch.see(0, 85)
    watch.rules = ()
    assert watch.see(30, 85) == ["resolved connection_usage warning"]
    assert watch.stored == "{}"


def test_thresholds_make_rules_and_operators_change_them() -> None:
    thresholds = {
        "connection_usage": Threshold("connection_usage", 50, None),
        "load1": Threshold("load1", 4, 8),
        "buffer_pool_hit_rate": Threshold("buffer_pool_hit_rate", 95, 90),
    }
    changes: Mapping[str, Mapping[str, Any]] = {"up": {"hold": 30}, "restarted": {"enabled": False}}
    rules = {rule.id: rule for rule in for_database(thresholds, changes)}
    assert (rules["connection_usage"].warning, rules["connection_usage"].critical) == (50, None)
    assert (rules["load1"].warning, rules["load1"].bad) == (4, "high")
    assert rules["buffer_pool_hit_rate"].bad == "low"
    assert rules["up"].hold == 30
    assert "restarted" not in rules
    assert "query_time" not in rules, "a metric without a level has no rule"


def test_messages_say_what_is_wrong_and_what_was() -> None:
    watch = Watch(AT_ONCE)
    (fired,) = watch.look(0, DatabaseMetrics("shop", NOW, True, connection_usage=96.2))
    (over,) = watch.look(1, DatabaseMetrics("shop", NOW, True, connection_usage=40.0))
    assert (fired.value, fired.threshold, over.value) == (96.2, 95.0, 40.0)
    assert fired.message.endswith("is 96.2 %, critical from 95.0 %")
    assert over.message.endswith("is 40.0 % again; it was critical from 95.0 %")
