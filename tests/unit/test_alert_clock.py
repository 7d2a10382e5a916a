"""The clock is set an hour forward or back while something waits: nothing is stuck, nothing doubled, nothing over before it fired."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime

import pytest

from dbvigil.alert import EscalationStep
from dbvigil.alerting import clock, outbox, quieting
from dbvigil.alerting.outbox import LEASE_SECONDS, Claim
from dbvigil.alerting.plan import Plan
from dbvigil.alerting.selfwatch import SelfWatch
from dbvigil.alerting.sweep import sweep
from dbvigil.alerts.engine import step
from dbvigil.alerts.rule import Rule
from dbvigil.alerts.states import RuleState
from dbvigil.channels.base import Outcome
from dbvigil.models import AuditEvent, Delivery, Episode, MonitorProcess, TargetState
from dbvigil.types import DatabaseMetrics
from tests.support.evaluations import Kept, active, at, evaluated, fire, resolve, write
from tests.support.sinks import HttpSink

HOUR = 3600.0
MINUTE = 60.0
either_way = pytest.mark.parametrize("leap", [HOUR, -HOUR], ids=["forward", "back"])
on_record = pytest.mark.django_db(transaction=True)

HOOK = Kept("hook")
PLAN = Plan(("hook",))
ONCE = Plan(("hook",), (EscalationStep(0),))
RULE = Rule("connection_usage", "connection_usage", "", (), 80.0, 95.0, hold=60, critical_hold=60, keep=60)


def swept(plan: Plan, now: datetime) -> list[str]:
    """One round of the thread that sweeps; what the alerts that changed are about."""
    clock.follow(plan, now)
    plan = Plan(plan.channels, plan.escalation, quieting.quiet_times(now))
    return [alert.metric for alert in sweep(plan, now)]


def sent(now: datetime, ok: bool = True) -> list[tuple[str, str]]:
    """Everything that is due, claimed and settled at once: types and messages' ids."""
    found = []
    while (claimed := outbox.claim(HOOK, "a", now, 10.0)) is not None:
        outbox.settle(claimed, Outcome(ok, "so it went"), "a", now, 0.5, None)
        found.append((str(claimed.type), claimed.message_id))
    return found


def claim(now: datetime, worker: str = "a") -> Claim:
    found = outbox.claim(HOOK, worker, now, 10.0)
    assert found is not None
    return found


# -- (a) a rule is pending, or clearing


@either_way
@pytest.mark.parametrize("leap_at", [30, 90, 150])
def test_a_rule_fires_once_and_is_over_once(leap: float, leap_at: int) -> None:
    """The leap comes while it is pending, while it fires, and while it clears."""
    stored, found = "{}", []
    for second in range(0, 300, 10):
        now = at(second + (leap if second >= leap_at else 0))
        usage = 97.0 if second < 120 else 10.0
        states = {name: RuleState.from_dict(data) for name, data in json.loads(stored).items()}
        seen = step([RULE], DatabaseMetrics("shop", now, up=True, connection_usage=usage), states, now)
        stored = json.dumps({name: state.to_dict() for name, state in seen.states.items()})
        found += [(one.kind, second) for one in seen.transitions]
    assert [kind for kind, _ in found] == ["fired", "resolved"]
    (_, fired), (_, over) = found
    # A hold, and where the leap tore it apart, another one.
    assert fired <= 30 + 60
    assert 120 <= over <= 120 + 30 + 60


# -- (b) an escalation is due


@on_record
@either_way
def test_an_escalation_comes_no_later_than_its_step_is_long(leap: float) -> None:
    alert = fire(PLAN, "shop", "up", 0)
    assert [kind for kind, _ in sent(at(0))] == ["alert.fired"]
    told: list[tuple[str, str]] = []
    second = 10 * MINUTE
    while second < 60 * MINUTE:
        now = at(second + leap)
        swept(PLAN, now)
        told += sent(now)
        second += 30
    # Forward both steps are overdue; back each comes a step's length after the leap at the latest.
    assert [kind for kind, _ in told] == ["alert.escalated"] * 2
    assert len({message for _, message in told}) == 2
    assert Episode.objects.get(pk=alert.id).escalation_level == 2


@on_record
def test_set_back_an_alert_of_a_monitor_that_ran_before_is_escalated() -> None:
    MonitorProcess.objects.create(identity="m", started_at=at(0), seen_at=at(10))
    TargetState.objects.create(alias="shop", holder="m", sampled_at=at(-HOUR + 20))
    fire(PLAN, "shop", "up", -HOUR + 20)
    assert swept(PLAN, at(-HOUR + 20 + 15 * MINUTE)) == ["up"]


@on_record
def test_set_back_an_alert_that_goes_on_shows_what_is_true_now() -> None:
    fire(PLAN, "shop", "connection_usage", 0)
    write(PLAN, evaluated("shop", -HOUR, (), [active("connection_usage", value=99.0)]))
    row = Episode.objects.get()
    assert (row.value, row.occurrences, row.last_seen_at) == (99.0, 2, at(-HOUR))


@on_record
@either_way
def test_over_is_told_after_fired_and_lasts_no_less_than_nothing(leap: float) -> None:
    alert = fire(PLAN, "shop", "up", 0)
    over = resolve(PLAN, "shop", "up", leap + 5)
    clock.follow(PLAN, at(leap + 5))
    assert over.duration_seconds is not None
    assert over.duration_seconds >= 0
    assert [kind for kind, _ in sent(at(leap + 6))] in (["alert.fired", "alert.resolved"], [])
    events = list(AuditEvent.objects.filter(episode=alert.id).order_by("id").values_list("event", flat=True))
    assert events[:2] == ["fired", "resolved"]


@on_record
def test_the_next_reminder_is_no_further_away_than_a_reminder_is() -> None:
    fire(PLAN, "shop", "query_time", 0, "warning")
    assert swept(PLAN, at(-HOUR)) == []
    assert swept(PLAN, at(-HOUR + 4 * HOUR)) == ["query_time"]


# -- (c) a suppression runs


@on_record
@either_way
def test_a_suppression_keeps_quiet_and_ends(leap: float) -> None:
    quieting.suppress("shop", "", 90, "", "ada", at(0))
    quiet = Plan(("hook",), PLAN.escalation, quieting.quiet_times(at(1)))
    fire(quiet, "shop", "up", 1)
    swept(PLAN, at(leap + 10))
    assert sent(at(leap + 10)) == []
    assert Episode.objects.get().suppressed_until is not None
    # Forward it ends at the hour that was promised, back when its time is up.
    end = 90 * MINUTE if leap > 0 else leap + 10 + 90 * MINUTE
    swept(PLAN, at(end - 30))
    assert sent(at(end - 30)) == []
    swept(PLAN, at(end + 1))
    assert [kind for kind, _ in sent(at(end + 1))] == ["alert.fired"]
    row = Episode.objects.get()
    assert (row.suppressed_until, row.quiet_since) == (None, None)


@on_record
def test_set_back_no_time_is_taken_from_an_escalation_that_stood() -> None:
    fire(PLAN, "shop", "up", 0)
    sent(at(0))
    made = quieting.suppress("shop", "", 30, "", "ada", at(5 * MINUTE))
    quieting.end_suppression(made.suppression_id, "ada", at(-HOUR))
    assert swept(PLAN, at(-HOUR)) == ["up"]
    assert swept(PLAN, at(-HOUR + 1)) == []
    assert swept(PLAN, at(-HOUR + 14 * MINUTE)) == [], "sooner than its step after the leap"
    assert swept(PLAN, at(-HOUR + 16 * MINUTE)) == ["up"]


# -- (d) a delivery is leased, or waits


@on_record
@either_way
def test_a_message_of_a_worker_that_died_is_sent_by_another_under_its_id(leap: float) -> None:
    fire(ONCE, "shop", "up", 0)
    first = claim(at(0))
    now = at(leap + 1)
    swept(ONCE, now)
    outbox.release_abandoned(now)
    later = at(leap + 2 + LEASE_SECONDS)
    swept(ONCE, later)
    outbox.release_abandoned(later)
    second = claim(later, "b")
    assert (second.message_id, second.attempt) == (first.message_id, 2)
    assert outbox.settle(second, Outcome(True, "taken"), "b", later, 0.5, None)
    assert not outbox.settle(first, Outcome(True, "taken"), "a", later, 0.5, None)
    assert Delivery.objects.get().status == "sent"


@on_record
@either_way
def test_a_message_that_waits_for_its_retry_is_tried_again_under_its_id(leap: float) -> None:
    fire(ONCE, "shop", "up", 0)
    (first,) = sent(at(0), ok=False)
    swept(ONCE, at(leap + 1))
    assert sent(at(leap + 7)) == [first]


@on_record
@either_way
def test_what_waits_for_company_goes_out(leap: float) -> None:
    fire(PLAN, "shop", "query_time", 0, "warning")
    swept(PLAN, at(leap + 1))
    assert [kind for kind, _ in sent(at(leap + 12))] == ["alert.fired"]


@on_record
def test_hosts_whose_clocks_differ_a_little_disturb_nothing() -> None:
    fire(PLAN, "shop", "query_time", 30, "warning")
    fire(PLAN, "shop", "up", 30)
    quieting.suppress("other", "", 10, "", "ada", at(30))
    claim(at(30))
    before = list(Delivery.objects.order_by("id").values_list("due_at", "claim_until"))
    assert clock.follow(PLAN, at(0)) == 0
    assert list(Delivery.objects.order_by("id").values_list("due_at", "claim_until")) == before


@on_record
def test_an_escalation_of_longer_steps_than_todays_is_left_alone() -> None:
    patient = Plan(("hook",), (EscalationStep(0), EscalationStep(6 * HOUR)))
    fire(patient, "shop", "up", 0)
    assert clock.follow(PLAN, at(60)) == 0
    assert Episode.objects.get().next_step_at == at(6 * HOUR)


# -- what watches the house


class Quiet:
    """An alerting that is woken by nobody."""

    def plan(self, now: datetime) -> Plan:
        return PLAN

    def wake(self) -> None:
        """Nothing waits here."""


@on_record
@either_way
def test_the_heartbeat_goes_on_after_a_leap(leap: float) -> None:
    with HttpSink() as sink:
        watch = SelfWatch(Quiet(), sink.url)
        watch.look(at(0))
        watch.look(at(leap))
        assert len(sink.received) == 2


@on_record
@either_way
def test_a_leap_is_no_trouble_of_the_house(leap: float) -> None:
    MonitorProcess.objects.create(identity="m", started_at=at(-60), seen_at=at(0))
    TargetState.objects.create(alias="shop", holder="m", sampled_at=at(0))
    fire(PLAN, "shop", "query_time", 0, "warning")
    watch = SelfWatch(Quiet(), "")
    watch.look(at(5))
    MonitorProcess.objects.update(seen_at=at(leap + 9))
    watch.look(at(leap + 10))
    assert not Episode.objects.filter(database="dbvigil").exists()
    # Nothing comes after it: that is found all the same, a little later.
    for second in range(15, 400, 5):
        MonitorProcess.objects.update(seen_at=at(leap + second))
        watch.look(at(leap + second))
    late = Counter(Episode.objects.filter(database="dbvigil").values_list("metric", flat=True))
    assert late["sampling"] == (1 if leap > 0 else 0), (
        "set back, the newest sample is of the future for an hour"
    )
    assert all(count == 1 for count in late.values())
