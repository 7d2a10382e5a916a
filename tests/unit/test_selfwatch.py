"""The watch over the house itself: what it finds wrong, that it says so once and again when it is over, and the heartbeat."""

from __future__ import annotations

from datetime import datetime

import pytest
from pytest_django import Settings

from dbvigil.alerting.plan import Plan
from dbvigil.alerting.selfwatch import OWN, SelfWatch, troubles
from dbvigil.models import (
    AuditEvent,
    ChannelState,
    Delivery,
    Episode,
    MonitorControl,
    MonitorProcess,
    TargetState,
)
from tests.support.evaluations import at, fire
from tests.support.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)


def monitor(seen: float) -> None:
    """A monitor process that gave a sign of life at that second."""
    MonitorProcess.objects.update_or_create(
        identity="host:1:0", defaults={"started_at": at(-3600), "seen_at": at(seen)}
    )


def sampled(alias: str, second: float, *, active: bool = True) -> None:
    TargetState.objects.update_or_create(alias=alias, defaults={"sampled_at": at(second), "active": active})


def found(second: float, channels: tuple[str, ...] = ()) -> dict[str, str]:
    return {trouble.metric: trouble.message for trouble in troubles(at(second), channels)}


def test_nothing_is_wrong_with_a_service_that_never_ran_or_was_told_to_stop() -> None:
    assert found(0) == {}


def test_a_monitor_that_vanished() -> None:
    monitor(0)
    assert found(14) == {}
    (message,) = found(15).values()
    assert message == "the monitor vanished at 12:00:00 UTC without being told to stop: nothing is sampled"
    assert found(601) == {}, "what was found ten minutes ago is told; a row that is older is of another life"


def test_a_standby_that_lives_is_enough() -> None:
    monitor(0)
    MonitorProcess.objects.create(identity="host:2:0", started_at=at(0), seen_at=at(20))
    assert "monitor_running" not in found(21)


@pytest.mark.parametrize(("interval", "late"), [(None, 110), (5.0, 35)])
def test_targets_that_nobody_samples(interval: float | None, late: float) -> None:
    if interval is not None:
        MonitorControl.objects.update_or_create(pk=1, defaults={"interval": interval})
    for second in (late - 1, late):
        monitor(second)
    for number in range(12):
        sampled(f"db{number:02}", 0)
    sampled("gone", -9_999, active=False)
    assert found(late - 1) == {}
    message = found(late)["sampling"]
    assert "db00, db01" in message
    assert message.endswith("and more")
    assert "gone" not in message


def test_messages_that_nobody_tries_to_send() -> None:
    fire(Plan(("email", "hook")), "shop", "up")
    assert found(119) == {}
    message = found(120)["delivery_running"]
    assert "email, hook" in message
    ChannelState.objects.create(name="hook", disabled_at=at(0))
    assert found(120)["delivery_running"].endswith(": email"), (
        "a disabled channel is no delivery that stands still"
    )
    Delivery.objects.filter(channel="email").update(attempts=1)
    assert found(120) == {}


def test_a_channel_that_keeps_failing_or_was_switched_off_by_its_receiver() -> None:
    ChannelState.objects.create(name="hook", failing_since=at(0), last_error="it answered 500")
    ChannelState.objects.create(name="chat", disabled_at=at(0), last_error="it answered 410")
    ChannelState.objects.create(name="gone", failing_since=at(0), last_error="it answered 500")
    assert set(found(599, ("hook", "chat"))) == {"channel_chat"}
    later = found(600, ("hook", "chat"))
    assert later["channel_hook"] == "channel hook has failed since 12:00 UTC (it answered 500)"
    assert "wants nothing more" in later["channel_chat"]
    assert "channel_gone" not in later, "it is configured no more"


def test_channels_that_the_settings_name_and_that_there_are_not(settings: Settings) -> None:
    settings.DB_ALERT_ESCALATION = [{"after": 0}, {"after": 15, "channels": ["oncall", "email"]}]
    settings.DB_ALERT_FALLBACK_CHANNEL = "sms"
    assert "oncall, sms" in found(0, ("email",))["channels"]
    assert found(0, ("email", "oncall", "sms")) == {}


class Alerting:
    """Plans without channels, and counts how often it was woken."""

    woken = 0

    def plan(self, now: datetime) -> Plan:
        return Plan()

    def wake(self) -> None:
        self.woken += 1


def events() -> list[tuple[str, str | None]]:
    return list(AuditEvent.objects.order_by("id").values_list("event", "episode__metric"))


def test_it_is_said_once_and_again_when_it_is_over() -> None:
    alerting = Alerting()
    watch = SelfWatch(alerting, "")
    monitor(0)
    for second in (16, 22, 28):
        watch.look(at(second))
    assert events() == [("fired", "monitor_running")]
    row = Episode.objects.get()
    assert (row.database, row.severity, row.resolved_at) == (OWN, "critical", None)
    assert row.recommendations == ["start it again and read the end of its log"]
    monitor(33)
    watch.look(at(34))
    watch.look(at(40))
    assert events() == [("fired", "monitor_running"), ("resolved", "monitor_running")]
    assert alerting.woken == 2


def test_it_looks_every_few_seconds() -> None:
    watch = SelfWatch(Alerting(), "")
    watch.look(at(0))
    monitor(-30)
    watch.look(at(4))
    assert events() == []
    watch.look(at(5))
    assert len(events()) == 1


def test_a_heartbeat_is_sent_while_all_is_well_and_only_then(receiver: Receiver) -> None:
    watch = SelfWatch(Alerting(), receiver.url.replace("/hook", "/beat"))
    for second in (0, 30, 55, 60, 65):
        watch.look(at(second))
    assert receiver.beats == 2
    monitor(100)
    for second in (120, 180, 240):
        watch.look(at(second))
    assert receiver.beats == 2
    MonitorProcess.objects.all().delete()
    watch.look(at(300))
    assert receiver.beats == 3


def test_a_heartbeat_that_cannot_be_sent_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    watch = SelfWatch(Alerting(), "http://127.0.0.1:1/very-secret")
    for minute in range(3):
        watch.look(at(60 * minute))
    (line,) = [record.getMessage() for record in caplog.records if "heartbeat" in record.getMessage()]
    assert line == "the heartbeat cannot be delivered: the receiver refused the connection"
