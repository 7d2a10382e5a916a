"""What becomes of a message whose receiver misbehaves: judged from the outbox's rows, the API, and what reached real receivers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from dbvigil.alerting.delivery import Deliverer, Delivering
from dbvigil.alerting.plan import Plan
from dbvigil.channels.base import Channel
from dbvigil.channels.email import Email
from dbvigil.channels.slack import Slack
from dbvigil.channels.webhook import Webhook
from dbvigil.models import AuditEvent, ChannelState, Delivery
from tests.support import evaluations
from tests.support.api import BASE
from tests.support.sinks import HttpSink, RawSink, SmtpSink
from tests.support.waiting import BOUNDED, wait_for

pytestmark = pytest.mark.django_db(transaction=True)

EVERYBODY = ("ada@shop.example", "bob@shop.example")


@dataclass
class Outbox:
    """The real outbox and delivery, on the channels that a test puts in; messages go to `channels[told]`."""

    channels: dict[str, Channel] = field(default_factory=dict)
    fallback: str = ""

    def put_in(self, *channels: Channel) -> None:
        self.channels.update({channel.name: channel for channel in channels})

    def fire(self, channel: str, database: str = "shop") -> int:
        """A critical alert that is to be told on one channel; its number."""
        return evaluations.fire(Plan((channel,)), database, "up", _second()).id

    def resolve(self, database: str = "shop") -> None:
        evaluations.resolve(Plan(), database, "up", _second())

    def attempt(self) -> int:
        """Everything that is due is tried once; how many messages."""
        return self._deliverer().drain()

    def attempt_again(self) -> int:
        """The same, when the waits are over."""
        Delivery.objects.filter(status="pending").update(due_at=datetime.now(UTC))
        return self.attempt()

    def sweep(self) -> None:
        """One round of the thread that sweeps."""
        deliverer = self._deliverer()
        deliverer.drain()
        deliverer._sweep_once()

    def _deliverer(self) -> Deliverer:
        return Deliverer(
            Delivering(lambda: self.channels, self.fallback, "", lambda now: Plan(tuple(self.channels)))
        )


def _second() -> float:
    return (datetime.now(UTC) - evaluations.NOW).total_seconds()


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture(scope="module")
def listening() -> Iterator[tuple[HttpSink, HttpSink]]:
    with HttpSink() as first, HttpSink() as second:
        yield first, second


@pytest.fixture
def sink(listening: tuple[HttpSink, HttpSink]) -> HttpSink:
    """The receiver that misbehaves. Stopping a server takes half a second: one serves all, and forgets in between."""
    listening[0].received.clear()
    listening[0].answers(200)
    return listening[0]


@pytest.fixture
def second(listening: tuple[HttpSink, HttpSink]) -> HttpSink:
    """Where the fallback channel leads."""
    listening[1].received.clear()
    return listening[1]


@pytest.fixture
def smtp(settings: Settings) -> Iterator[SmtpSink]:
    with SmtpSink() as found:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", found.port
        yield found


def rows() -> list[tuple[str, str, str]]:
    return list(Delivery.objects.order_by("id").values_list("type", "channel", "status"))


def ids(sink: HttpSink) -> list[str]:
    return [one.headers["webhook-id"] for one in sink.received]


def notifications(client: Client) -> list[Mapping[str, Any]]:
    """What the API says was sent of the one alert that is open."""
    (alert,) = client.get(f"{BASE}alerts/").json()["results"]
    found: list[Mapping[str, Any]] = alert["notifications"]
    return found


# -- faults that pass


@pytest.mark.parametrize(
    ("status", "headers", "error", "least"),
    [
        (429, {"Retry-After": "90"}, "the receiver answered HTTP 429", 89),
        (500, {}, "the receiver answered HTTP 500", 4),
        (503, {"Retry-After": "20"}, "the receiver answered HTTP 503", 19),
        (302, {"Location": "/elsewhere"}, "redirected (HTTP 302); redirects are not followed", 4),
    ],
)
def test_an_answer_that_is_no_delivery_is_tried_again_under_its_id(
    outbox: Outbox, sink: HttpSink, status: int, headers: dict[str, str], error: str, least: float
) -> None:
    outbox.put_in(Webhook(sink.url))
    outbox.fire("webhook")
    sink.answers(status, headers)
    before = datetime.now(UTC)
    assert outbox.attempt() == 1
    waiting = Delivery.objects.get()
    assert (waiting.status, waiting.attempts, waiting.error) == ("pending", 1, error)
    assert waiting.due_at >= before + timedelta(seconds=least)
    # However long the next lines take, they come before it.
    Delivery.objects.update(due_at=waiting.due_at + timedelta(hours=1))
    assert outbox.attempt() == 0, "before its wait is over"
    # What is over meanwhile waits behind it.
    outbox.resolve()
    assert outbox.attempt() == 0
    sink.answers(204)
    outbox.attempt_again()
    assert rows() == [("alert.fired", "webhook", "sent"), ("alert.resolved", "webhook", "sent")]
    first, again, over = ids(sink)
    assert first == again == waiting.message_id != over
    assert [one.path for one in sink.received] == [sink.received[0].path] * 3
    assert sink.received[0].body == sink.received[1].body


@pytest.mark.parametrize(
    ("behaviour", "seconds", "error"),
    [
        ("hang", 1, "the receiver did not answer within 1 s"),
        ("reset", BOUNDED, "the receiver closed the connection without an answer"),
    ],
)
def test_no_answer_is_tried_again_under_its_id(
    outbox: Outbox, sink: HttpSink, behaviour: str, seconds: float, error: str
) -> None:
    with RawSink(behaviour) as raw:
        outbox.put_in(Webhook(raw.url, seconds=seconds))
        outbox.fire("webhook")
        assert outbox.attempt() == 1
        # The sender connects to the system; the receiver's own thread comes by later.
        wait_for(lambda: raw.connections, "the connection")
        assert raw.connections == 1
    waiting = Delivery.objects.get()
    assert (waiting.status, waiting.error) == ("pending", error)
    state = ChannelState.objects.get()
    assert (state.last_error, state.disabled_at) == (error, None)
    assert state.failing_since is not None
    outbox.put_in(Webhook(sink.url))
    assert outbox.attempt_again() == 1
    assert ids(sink) == [waiting.message_id]
    assert rows() == [("alert.fired", "webhook", "sent")]
    assert ChannelState.objects.get().failing_since is None


def test_mail_that_is_put_off_is_tried_again_under_its_id(outbox: Outbox, smtp: SmtpSink) -> None:
    outbox.put_in(Email(EVERYBODY))
    outbox.fire("email")
    smtp.defers = set(EVERYBODY)
    assert outbox.attempt() == 1
    waiting = Delivery.objects.get()
    assert (waiting.status, waiting.error) == ("pending", "the mail server put it off (451)")
    smtp.defers = set()
    assert outbox.attempt_again() == 1
    assert [address for address, _ in smtp.received] == list(EVERYBODY)
    assert {message["Message-ID"].split("@")[0] for _, message in smtp.received} == {f"<{waiting.message_id}"}
    assert rows() == [("alert.fired", "email", "sent")]


def test_mail_whose_connection_drops_within_the_message_is_tried_again_under_its_id(
    outbox: Outbox, smtp: SmtpSink
) -> None:
    outbox.put_in(Email(("ada@shop.example",)))
    outbox.fire("email")
    # Once is made good within the attempt.
    smtp.drops = 2
    assert outbox.attempt() == 1
    waiting = Delivery.objects.get()
    assert (waiting.status, waiting.error) == ("pending", "the mail server dropped the connection")
    assert smtp.received == []
    assert outbox.attempt_again() == 1
    ((address, message),) = smtp.received
    assert address == "ada@shop.example"
    assert message["Message-ID"].startswith(f"<{waiting.message_id}@")
    assert rows() == [("alert.fired", "email", "sent")]


def test_a_mail_server_that_drips_is_left_in_time_and_tried_again(
    outbox: Outbox, smtp: SmtpSink, settings: Settings
) -> None:
    outbox.put_in(Email(("ada@shop.example",), total_seconds=1))
    outbox.fire("email")
    with RawSink("smtp drip at the end") as raw:
        settings.EMAIL_PORT = raw.port
        assert outbox.attempt() == 1
    assert Delivery.objects.get().error == "the mail server did not answer in time"
    settings.EMAIL_PORT = smtp.port
    # What works may take its time.
    outbox.put_in(Email(("ada@shop.example",)))
    assert outbox.attempt_again() == 1
    assert rows() == [("alert.fired", "email", "sent")]


# -- faults that stay


@pytest.mark.parametrize(
    ("fault", "said"),
    [("refuses", "the mail server refused it (550)"), ("defers", "the mail server put it off (451)")],
)
def test_one_recipient_who_gets_nothing_leaves_the_message_delivered_and_is_on_record(
    outbox: Outbox, smtp: SmtpSink, fault: str, said: str
) -> None:
    outbox.put_in(Email(EVERYBODY))
    number = outbox.fire("email")
    setattr(smtp, fault, {"bob@shop.example"})
    assert outbox.attempt() == 1
    assert [address for address, _ in smtp.received] == ["ada@shop.example"]
    assert rows() == [("alert.fired", "email", "sent")]
    detail = AuditEvent.objects.get(event="notified", episode=number).detail
    assert f"taken for 1 of 2 recipients; not for 1: {said}" in detail


def _gone(outbox: Outbox, stack: ExitStack, sink: HttpSink, settings: Settings) -> str:
    outbox.put_in(Webhook(sink.url))
    sink.answers(410)
    return "webhook"


def _no_such_hook(outbox: Outbox, stack: ExitStack, sink: HttpSink, settings: Settings) -> str:
    outbox.put_in(Slack(sink.url))
    sink.answers(200, body="no_service")
    return "slack"


def _nobody_there(outbox: Outbox, stack: ExitStack, sink: HttpSink, settings: Settings) -> str:
    smtp = stack.enter_context(SmtpSink(refuses=set(EVERYBODY)))
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", smtp.port
    outbox.put_in(Email(EVERYBODY))
    return "email"


def _unreadable(outbox: Outbox, stack: ExitStack, sink: HttpSink, settings: Settings) -> str:
    outbox.put_in(Slack(sink.url))
    sink.answers(200, body="invalid_payload")
    return "slack"


@pytest.mark.parametrize(
    ("fault", "disables", "error"),
    [
        (_gone, True, "the receiver wants nothing more (HTTP 410)"),
        (_no_such_hook, True, "Slack wants nothing more here: no_service"),
        (_unreadable, False, "Slack refused the message: invalid_payload"),
        (_nobody_there, False, "the mail server refused it (550)"),
    ],
    ids=["410", "slack 200 no_service", "slack 200 invalid_payload", "smtp 550"],
)
def test_what_cannot_be_delivered_is_told_by_the_fallback_and_shown(
    outbox: Outbox,
    sink: HttpSink,
    second: HttpSink,
    settings: Settings,
    api: Callable[..., Client],
    fault: Callable[[Outbox, ExitStack, HttpSink, Settings], str],
    disables: bool,
    error: str,
) -> None:
    with ExitStack() as stack:
        name = fault(outbox, stack, sink, settings)
        outbox.put_in(Webhook(second.url, name="pager"))
        outbox.fallback = "pager"
        outbox.fire(name)
        outbox.attempt()
        assert rows() == [("alert.fired", name, "failed"), ("alert.fired", "pager", "sent")]
        assert len(second.received) == 1
        shown = notifications(api("reader"))
        assert [(one["channel"], one["status"], one["error"]) for one in shown] == [
            (name, "failed", error),
            ("pager", "sent", ""),
        ]
        assert (ChannelState.objects.get(pk=name).disabled_at is not None) is disables
        tried = len(sink.received)
        outbox.fire(name, "warehouse")
        outbox.sweep()
        outbox.attempt()
        assert len(second.received) == 2, "the next one is not told"
        if disables:
            assert len(sink.received) == tried, "a receiver that wants nothing more was sent something"


def test_what_fails_for_a_day_is_kept_as_failed_shown_and_told_by_the_fallback(
    outbox: Outbox, sink: HttpSink, second: HttpSink, api: Callable[..., Client]
) -> None:
    outbox.put_in(Webhook(sink.url), Webhook(second.url, name="pager"))
    outbox.fire("webhook")
    sink.answers(500)
    outbox.attempt()
    Delivery.objects.update(created_at=datetime.now(UTC) - timedelta(hours=24))
    assert outbox.attempt_again() == 2
    assert ids(sink) == [ids(sink)[0]] * 2
    assert rows() == [("alert.fired", "webhook", "failed"), ("alert.fired", "pager", "sent")]
    shown = notifications(api("reader"))
    assert [(one["status"], one["attempts"], one["error"]) for one in shown] == [
        ("failed", 2, "the receiver answered HTTP 500"),
        ("sent", 1, ""),
    ]
    assert outbox.attempt_again() == 0, "what was given up is not tried again"


def test_slack_that_says_200_and_not_ok_is_not_taken_for_delivered(outbox: Outbox, sink: HttpSink) -> None:
    outbox.put_in(Slack(sink.url))
    outbox.fire("slack")
    sink.answers(200, body='{"ok": false, "error": "fatal_error"}')
    assert outbox.attempt() == 1
    waiting = Delivery.objects.get()
    assert (waiting.status, waiting.attempts) == ("pending", 1)
    sink.answers(200, body="ok")
    assert outbox.attempt_again() == 1
    assert rows() == [("alert.fired", "slack", "sent")]
    assert Delivery.objects.get().message_id == waiting.message_id
