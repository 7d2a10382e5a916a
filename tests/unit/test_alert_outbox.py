"""One worker a message, the same id on every attempt, in order, bundled in a storm, and given up in the end."""

from __future__ import annotations

from datetime import datetime
from typing import cast

import pytest

from dbvigil.alert import EscalationStep
from dbvigil.alerting import outbox, quieting
from dbvigil.alerting.outbox import LEASE_SECONDS, Claim
from dbvigil.alerting.plan import Plan
from dbvigil.alerting.sweep import sweep
from dbvigil.alerts.routing import retry_wait
from dbvigil.channels.base import Channel, Outcome
from dbvigil.models import AuditEvent, ChannelState, Delivery
from tests.support.evaluations import Kept, at, fire, resolve

pytestmark = pytest.mark.django_db(transaction=True)

HOOK = Kept("hook")
PLAN = Plan(("hook",))
DELIVERED = Outcome(True, "200")
FAILED = Outcome(False, "it answered 500")
BURST = 10.0


def claim(channel: Kept = HOOK, now: datetime | None = None, worker: str = "a") -> Claim | None:
    return outbox.claim(channel, worker, now or at(0), BURST)


def claimed(channel: Kept = HOOK, now: datetime | None = None, worker: str = "a") -> Claim:
    found = claim(channel, now, worker)
    assert found is not None
    return found


def settle(
    found: Claim, outcome: Outcome, now: datetime, worker: str = "a", fallback: str | None = None
) -> bool:
    return outbox.settle(found, outcome, worker, now, 0.5, fallback)


def statuses() -> list[tuple[str, str, str]]:
    return list(Delivery.objects.order_by("id").values_list("type", "channel", "status"))


def metrics(found: Claim) -> list[str]:
    return [cast(str, alert["metric"]) for alert in found.alerts]


def test_a_message_has_one_worker_and_is_sent_once() -> None:
    alert = fire(PLAN, "shop", "up")
    found = claimed()
    assert claim(worker="b") is None
    assert (found.type, found.attempt, metrics(found)) == ("alert.fired", 1, ["up"])
    assert settle(found, DELIVERED, at(1))
    assert claim(now=at(3600)) is None
    assert Delivery.objects.get().sent_at == at(1)
    assert AuditEvent.objects.get(event="notified").episode_id == alert.id


def test_a_worker_that_dies_is_followed_by_another_with_the_same_message() -> None:
    fire(PLAN, "shop", "up")
    first = claimed()
    assert outbox.release_abandoned(at(LEASE_SECONDS - 1)) == 0
    assert outbox.release_abandoned(at(LEASE_SECONDS)) == 1
    second = claimed(now=at(LEASE_SECONDS), worker="b")
    assert (second.message_id, second.alerts, second.at) == (first.message_id, first.alerts, first.at)
    assert second.attempt == 2
    assert not settle(first, DELIVERED, at(LEASE_SECONDS + 1)), "the first one has no say any more"
    assert statuses() == [("alert.fired", "hook", "sending")]
    assert settle(second, DELIVERED, at(LEASE_SECONDS + 2), "b")


def test_over_never_overtakes_fired() -> None:
    fire(PLAN, "shop", "up", 0)
    first = claimed()
    resolve(PLAN, "shop", "up", 1)
    assert claim(now=at(2)) is None, "fired is still on its way"
    settle(first, FAILED, at(2))
    assert claim(now=at(3)) is None, "and waits for its next attempt"
    again = claimed(now=at(20))
    assert again.message_id == first.message_id
    settle(again, DELIVERED, at(20))
    assert claimed(now=at(21)).type == "alert.resolved"


def test_over_is_told_where_fired_was_given_up() -> None:
    fire(PLAN, "shop", "up", 0)
    settle(claimed(), Outcome(False, "no such address", permanent=True), at(1))
    resolve(PLAN, "shop", "up", 2)
    assert claimed(now=at(3)).type == "alert.resolved"


def test_waits_grow_and_honour_what_the_receiver_asked_for() -> None:
    waits = [retry_wait(attempt, None, 0.5) for attempt in range(1, 9)]
    assert waits == [5, 30, 120, 600, 1800, 3600, 3600, 3600]
    assert {retry_wait(2, None, jitter) for jitter in (0.0, 1.0)} == {27.0, 33.0}
    assert retry_wait(1, 90, 0.5) == 90
    assert retry_wait(1, 1e9, 0.5) == 6 * 3600
    fire(PLAN, "shop", "up", 0)
    settle(claimed(), Outcome(False, "it answered 429", retry_after=90), at(0))
    assert Delivery.objects.get().due_at == at(90)


def test_after_a_day_it_is_given_up_and_another_channel_tells_it() -> None:
    alert = fire(PLAN, "shop", "up", 0)
    settle(claimed(), FAILED, at(0))
    last = claimed(now=at(24 * 3600))
    settle(last, FAILED, at(24 * 3600 + 1), fallback="mail")
    assert statuses() == [("alert.fired", "hook", "failed"), ("alert.fired", "mail", "pending")]
    failed = AuditEvent.objects.get(event="notify_failed")
    assert failed.episode_id == alert.id
    assert "it answered 500" in failed.detail
    told = claimed(Kept("mail"), at(24 * 3600 + 2))
    assert metrics(told) == ["up"]


def test_a_receiver_that_wants_nothing_more_gets_nothing_more_until_it_changes() -> None:
    fire(PLAN, "shop", "up", 0)
    settle(claimed(), Outcome(False, "it answered 410", disable=True), at(0), fallback="mail")
    fire(PLAN, "warehouse", "up", 10)
    assert claim(now=at(11)) is None
    outbox.sweep_disabled(lambda: {"hook": HOOK, "mail": Kept("mail")}, at(12), lambda name: "mail")
    assert [row for row in statuses() if row[2] == "pending"] == [("alert.fired", "mail", "pending")] * 2
    fire(PLAN, "office", "up", 20)
    moved = Kept("hook", fingerprint="another address")
    assert metrics(claimed(moved, at(21))) == ["up"]


def test_what_waits_for_a_channel_that_is_gone_is_told_by_another() -> None:
    fire(Plan(("pager",)), "shop", "up", 0)
    outbox.sweep_disabled(lambda: {"hook": HOOK}, at(1), lambda name: "hook")
    assert statuses() == [("alert.fired", "pager", "failed"), ("alert.fired", "hook", "pending")]


def test_a_channel_that_is_made_during_a_sweep_keeps_its_message() -> None:
    fire(Plan(("gone",)), "warehouse", "up", 0)

    def look() -> dict[str, Channel]:
        """What is there when the sweep looks; right afterwards `pager` is made, and something happens."""
        there: dict[str, Channel] = {"hook": HOOK}
        fire(Plan(("pager",)), "shop", "up", 0)
        return there

    outbox.sweep_disabled(look, at(1), lambda name: "hook")
    assert sorted(statuses()) == [
        ("alert.fired", "gone", "failed"),
        ("alert.fired", "hook", "pending"),
        ("alert.fired", "pager", "pending"),
    ]


def test_a_storm_is_a_handful_of_messages_that_name_everything() -> None:
    slow = Kept("slow", rate=6)
    plan = Plan(("slow",))
    for number in range(100):
        fire(plan, f"db{number}", "up", 0)
    first = claimed(slow)
    assert len(first.alerts) == 100
    settle(first, DELIVERED, at(0))
    assert {alert["database"] for alert in first.alerts} == {f"db{number}" for number in range(100)}


def test_a_trickle_goes_out_one_by_one_and_then_bundled() -> None:
    slow = Kept("slow", rate=6)
    plan = Plan(("slow",))
    sizes = []
    for number in range(40):
        fire(plan, f"db{number}", "up", number)
        while (found := claim(slow, at(number))) is not None:
            settle(found, DELIVERED, at(number))
            sizes.append(len(found.alerts))
    while (found := claim(slow, at(60))) is not None:
        settle(found, DELIVERED, at(60))
        sizes.append(len(found.alerts))
    assert sizes[:10] == [1] * 10
    assert sum(sizes) == 40
    assert len(sizes) < 20


def test_a_bundle_that_failed_is_sent_again_as_it_was() -> None:
    slow = Kept("slow", rate=6)
    plan = Plan(("slow",))
    for number in range(30):
        fire(plan, f"db{number}", "up", 0)
    first = claimed(slow)
    settle(first, FAILED, at(0))
    fire(plan, "late", "up", 1)
    again = claimed(slow, at(30))
    assert (again.message_id, again.alerts) == (first.message_id, first.alerts)


def test_what_concerns_one_database_is_told_together_where_the_channel_likes_it() -> None:
    chat = Kept("chat", bundles=True)
    plan = Plan(("chat",))
    fire(plan, "shop", "query_time", 0, "warning")
    fire(plan, "shop", "slow_queries", 1, "warning")
    fire(plan, "other", "slow_queries", 1, "warning")
    assert claim(chat, at(9)) is None
    assert metrics(claimed(chat, at(12))) == ["query_time", "slow_queries"]
    assert metrics(claimed(chat, at(12))) == ["slow_queries"]


def test_an_escalation_is_not_sent_when_somebody_took_it_up_meanwhile() -> None:
    plan = Plan(("hook",), (EscalationStep(0), EscalationStep(60)))
    alert = fire(plan, "shop", "up", 0)
    settle(claimed(), DELIVERED, at(0))
    sweep(plan, at(60))
    quieting.acknowledge(alert.id, "ada", "", plan, at(61))
    assert claimed(now=at(62)).type == "alert.acknowledged"
    assert ("alert.escalated", "hook", "cancelled") in statuses()


def test_nothing_to_send_writes_nothing() -> None:
    assert claim() is None
    assert not ChannelState.objects.exists()
