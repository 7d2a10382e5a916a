"""What the engine finds becomes episodes, events and orders, once, and whoever is told that it fired is told that it is over."""

from __future__ import annotations

from datetime import datetime

import pytest

from dbvigil.alert import EscalationStep
from dbvigil.alerting import quieting
from dbvigil.alerting.plan import Plan
from dbvigil.alerting.sweep import sweep
from dbvigil.models import AuditEvent, Delivery, Episode, MonitorProcess, TargetState
from tests.support.evaluations import active, at, evaluated, fire, resolve, transition, write

pytestmark = pytest.mark.django_db(transaction=True)

PLAN = Plan(("mail", "hook"))
MINUTE = 60.0


def events(number: int) -> list[str]:
    return list(AuditEvent.objects.filter(episode=number).order_by("id").values_list("event", flat=True))


def orders(number: int) -> list[tuple[str, str, str, datetime]]:
    rows = Delivery.objects.filter(episode=number).order_by("id")
    return list(rows.values_list("type", "channel", "status", "due_at"))


def test_a_critical_alert_is_told_at_once_and_what_follows_waits_for_company() -> None:
    first = fire(PLAN, "shop", "up", 0)
    second = fire(PLAN, "shop", "query_time", 3, "warning")
    other = fire(PLAN, "warehouse", "query_time", 3, "warning")
    assert orders(first.id) == [
        ("alert.fired", "mail", "pending", at(0)),
        ("alert.fired", "hook", "pending", at(0)),
    ]
    assert {due for *_, due in orders(second.id)} == {at(13)}
    assert {due for *_, due in orders(other.id)} == {at(13)}
    graver = fire(PLAN, "warehouse", "up", 4)
    assert {due for *_, due in orders(graver.id)} == {at(4)}, "a warning before it does not hold it up"


def test_an_episode_goes_on_and_ends_as_one_row() -> None:
    alert = fire(PLAN, "shop", "connection_usage", 0)
    for second in (30, 60):
        write(PLAN, evaluated("shop", second, (), [active("connection_usage", value=98.0 + second)]))
    row = Episode.objects.get()
    assert (row.id, row.occurrences, row.value, row.last_seen_at) == (alert.id, 3, 158.0, at(60))
    over = resolve(PLAN, "shop", "connection_usage", 90)
    assert (over.status, over.value, over.duration_seconds, over.resolved_at) == (
        "resolved",
        40.0,
        90.0,
        at(90),
    )
    assert events(alert.id) == ["fired", "resolved"]
    assert [row[0] for row in orders(alert.id)] == ["alert.fired"] * 2 + ["alert.resolved"] * 2
    again = fire(PLAN, "shop", "connection_usage", 120)
    assert again.id != alert.id


def test_the_same_trouble_is_not_raised_twice() -> None:
    fire(PLAN, "shop", "up", 0)
    write(PLAN, evaluated("shop", 5, [transition("fired", "up", 5)], [active("up")]))
    assert Episode.objects.count() == 1


def test_what_is_over_before_it_was_due_is_told_to_nobody() -> None:
    alert = fire(PLAN, "shop", "query_time", 0, "warning")
    resolve(PLAN, "shop", "query_time", 5)
    assert {(kind, status) for kind, _, status, _ in orders(alert.id)} == {("alert.fired", "cancelled")}


def test_what_was_due_and_not_yet_sent_is_told_with_its_end() -> None:
    alert = fire(PLAN, "shop", "query_time", 0, "warning")
    resolve(PLAN, "shop", "query_time", 11)
    assert [kind for kind, _, status, _ in orders(alert.id) if status == "pending"] == [
        "alert.fired",
        "alert.fired",
        "alert.resolved",
        "alert.resolved",
    ]


def test_fire_and_end_within_one_write() -> None:
    both = (
        evaluated("shop", 0, [transition("fired", "up", 0)], [active("up")]),
        evaluated("shop", 1, [transition("resolved", "up", 1)]),
    )
    (alert,) = write(PLAN, *both)
    assert alert.status == "resolved"
    assert [kind for kind, *_ in orders(alert.id)] == ["alert.fired"] * 2 + ["alert.resolved"] * 2


def test_an_end_and_the_same_trouble_again_within_one_write() -> None:
    first = fire(PLAN, "shop", "up", 0)
    write(
        PLAN,
        evaluated("shop", 30, [transition("resolved", "up", 30)]),
        evaluated("shop", 60, [transition("fired", "up", 60)], [active("up")]),
        evaluated("shop", 90, [transition("resolved", "up", 90)]),
        evaluated("shop", 120, [transition("fired", "up", 120)], [active("up")]),
    )
    assert Episode.objects.count() == 3
    (last,) = Episode.objects.filter(resolved_at=None)
    assert last.started_at == at(120)
    assert Episode.objects.get(id=first.id).resolved_at == at(30)


def test_a_graver_trouble_clears_the_acknowledgement_and_is_told_again() -> None:
    alert = fire(PLAN, "shop", "connection_usage", 0, "warning")
    quieting.acknowledge(alert.id, "ada", "mine", PLAN, at(20))
    worse = evaluated(
        "shop", 30, [transition("severity_changed", "connection_usage", 30)], [active("connection_usage")]
    )
    (changed,) = write(PLAN, worse)
    assert (changed.severity, changed.status, changed.acknowledged_by) == ("critical", "firing", "")
    assert ("alert.severity_changed", "mail", "pending", at(30)) in orders(alert.id)
    better = transition("severity_changed", "connection_usage", 60, "warning")
    before = len(orders(alert.id))
    write(PLAN, evaluated("shop", 60, [better], [active("connection_usage", "warning")]))
    assert Episode.objects.get().severity == "warning"
    assert len(orders(alert.id)) == before, "nobody is paged because it got better"


def test_flapping_is_one_notice_and_then_quiet() -> None:
    alert = fire(PLAN, "shop", "up", 0)
    unsteady = transition("flapping", "up", 30)
    write(PLAN, evaluated("shop", 30, [unsteady], [active("up", flapping=True)]))
    assert [kind for kind, *_ in orders(alert.id)] == ["alert.fired"] * 2 + ["alert.severity_changed"] * 2
    assert sweep(PLAN, at(24 * 60 * MINUTE)) == []


def test_what_follows_from_a_graver_trouble_is_on_record_and_not_told() -> None:
    down = evaluated("shop", 0, [transition("fired", "up", 0)], [active("up")])
    lag = evaluated(
        "shop",
        30,
        [transition("fired", "replication_lag", 30)],
        [active("up"), active("replication_lag", inhibited_by="up")],
    )
    write(PLAN, down, lag)
    row = Episode.objects.get(metric="replication_lag")
    assert (row.inhibited_by, row.told, orders(row.id)) == ("up", False, [])
    assert sweep(PLAN, at(60 * MINUTE)) != [], "the graver one escalates"
    assert orders(row.id) == []
    up_again = evaluated("shop", 3700, [transition("resolved", "up", 3700)], [active("replication_lag")])
    write(PLAN, up_again)
    assert [kind for kind, *_ in orders(row.id)] == ["alert.fired"] * 2, "now it stands for itself"


def test_escalation_reaches_its_channels_in_time_until_somebody_takes_it_up() -> None:
    plan = Plan(
        ("mail", "hook", "phone"),
        (
            EscalationStep(0, ("mail",)),
            EscalationStep(15 * MINUTE, ("hook",)),
            EscalationStep(30 * MINUTE, ("phone",)),
        ),
    )
    alert = fire(plan, "shop", "up", 0)
    assert sweep(plan, at(15 * MINUTE - 1)) == []
    (escalated,) = sweep(plan, at(15 * MINUTE))
    assert (escalated.escalation_level, escalated.escalated_at) == (1, at(15 * MINUTE))
    assert orders(alert.id)[-1] == ("alert.escalated", "hook", "pending", at(15 * MINUTE))
    assert sweep(plan, at(16 * MINUTE)) == []
    taken = quieting.acknowledge(alert.id, "ada", "on it", plan, at(20 * MINUTE))
    assert (taken.status, taken.acknowledged_by, taken.note) == ("acknowledged", "ada", "on it")
    assert sweep(plan, at(31 * MINUTE)) == []
    assert not Delivery.objects.filter(channel="phone").exists()
    (reminded,) = sweep(plan, at(20 * MINUTE + 4 * 3600))
    assert reminded.status == "acknowledged"
    assert events(alert.id) == ["fired", "escalated", "acknowledged", "reminded"]


def test_the_policy_is_that_of_the_episodes_start() -> None:
    alert = fire(PLAN, "shop", "up", 0)
    harder = Plan(("mail", "hook"), (EscalationStep(0), EscalationStep(60)))
    assert sweep(harder, at(120)) == []
    assert [event for event in events(alert.id) if event == "escalated"] == []


def test_a_warning_is_not_escalated_by_default() -> None:
    fire(PLAN, "shop", "query_time", 0, "warning")
    assert sweep(PLAN, at(60 * MINUTE)) == []


def test_an_unacknowledged_alert_is_told_again_every_four_hours() -> None:
    alert = fire(PLAN, "shop", "query_time", 0, "warning")
    for hour in (4, 8):
        assert len(sweep(PLAN, at(hour * 3600))) == 1
        assert sweep(PLAN, at(hour * 3600 + 1)) == []
    assert [kind for kind, *_ in orders(alert.id)] == ["alert.fired"] * 6


def test_escalation_waits_until_a_new_monitor_has_looked() -> None:
    fire(PLAN, "shop", "up", 0)
    MonitorProcess.objects.create(identity="new", started_at=at(900), seen_at=at(910))
    TargetState.objects.create(alias="shop", holder="new", sampled_at=at(800))
    assert sweep(PLAN, at(905)) == []
    TargetState.objects.update(sampled_at=at(906))
    assert len(sweep(PLAN, at(907))) == 1


def test_what_a_new_monitor_finds_over_is_closed_and_what_it_finds_firing_is_not_raised_again() -> None:
    fire(PLAN, "shop", "up", 0)
    fire(PLAN, "shop", "disk_usage", 0)
    write(PLAN, evaluated("shop", 600, (), [active("disk_usage")], first=True))
    assert list(Episode.objects.filter(resolved_at=None).values_list("metric", flat=True)) == ["disk_usage"]


def test_rows_that_were_lost_are_made_anew_from_what_the_engine_remembers() -> None:
    write(PLAN, evaluated("shop", 600, (), [active("disk_usage")], first=True))
    row = Episode.objects.get()
    assert (row.metric, row.started_at, row.told) == ("disk_usage", at(600), True)


def test_alerts_of_a_database_that_is_monitored_no_more_end() -> None:
    fire(PLAN, "shop", "up", 0)
    TargetState.objects.create(alias="shop", active=False)
    (over,) = sweep(PLAN, at(60))
    assert (over.status, over.message) == ("resolved", "the database is monitored no more")


def test_evidence_is_kept_with_the_alert() -> None:
    seen = {"connection_usage": {"connections": [{"user": "shop", "count": 140}]}}
    fired = evaluated(
        "shop", 0, [transition("fired", "connection_usage", 0)], [active("connection_usage")], evidence=seen
    )
    (alert,) = write(PLAN, fired)
    assert alert.evidence == {"connections": [{"user": "shop", "count": 140}]}


def test_a_storm_is_written_in_few_statements(django_assert_max_num_queries: object) -> None:
    storm = [evaluated(f"db{n}", 0, [transition("fired", "up", 0)], [active("up")]) for n in range(1_000)]
    with django_assert_max_num_queries(100):  # type: ignore[operator]
        assert len(write(PLAN, *storm)) == 1_000
    assert Delivery.objects.count() == 2_000
    assert AuditEvent.objects.order_by("-id").values_list("id", flat=True).first() == 1_000
