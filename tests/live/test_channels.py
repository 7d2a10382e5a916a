"""Every channel against a real server that behaves, and against one that does not."""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_django import Settings
from standardwebhooks import Webhook as Verifier

from dbvigil.alerting.outbox import LEASE_SECONDS
from dbvigil.channels import email, transport, wire
from dbvigil.channels.addresses import Reach
from dbvigil.channels.apprise import Apprise
from dbvigil.channels.base import Channel, Notice, NoticeType, Outcome
from dbvigil.channels.build import from_settings
from dbvigil.channels.email import Email
from dbvigil.channels.sample import sample_alert
from dbvigil.channels.slack import Slack
from dbvigil.channels.transport import Undelivered, post
from dbvigil.channels.webhook import Webhook
from tests.support import ports
from tests.support.sinks import SECRET_PATH, HttpSink, RawSink, SmtpSink, certificate_of
from tests.support.waiting import BOUNDED, PATIENCE, wait_for

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LOOPBACK = Reach(networks=(ipaddress.ip_network("127.0.0.1/32"),))


def notice(
    kind: NoticeType = "alert.fired", databases: tuple[str, ...] = ("shop",), message_id: str = "msg_42"
) -> Notice:
    now = datetime.now(UTC)
    alerts = tuple(
        {**sample_alert(now), "id": number, "database": name} for number, name in enumerate(databases, 7)
    )
    links = tuple(
        {"page": f"https://v.example/{n}", "acknowledge": f"https://v.example/a/{n}"}
        for n, _ in enumerate(alerts)
    )
    return Notice(message_id, kind, now, alerts, links)


@pytest.fixture(scope="module")
def listening() -> Iterator[HttpSink]:
    with HttpSink() as found:
        yield found


@pytest.fixture
def sink(listening: HttpSink) -> HttpSink:
    """Stopping a server takes half a second: one serves all, and forgets in between."""
    listening.received.clear()
    listening.answers(200)
    return listening


@pytest.fixture
def smtp(settings: Settings) -> Iterator[SmtpSink]:
    with SmtpSink() as found:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", found.port
        settings.DEFAULT_FROM_EMAIL = "dbvigil <dbvigil@shop.example>"
        yield found


# -- webhook


def test_a_webhook_arrives_signed(sink: HttpSink) -> None:
    assert Webhook(sink.url, SECRET).send(notice()) == Outcome(True, "delivered (HTTP 200)")
    (got,) = sink.received
    body = Verifier(SECRET).verify(got.body, dict(got.headers))
    assert body["type"] == "alert.fired"
    assert body["data"]["database"] == "shop"
    assert got.headers["webhook-id"] == "msg_42"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["host"] == f"127.0.0.1:{sink.port}"


def test_a_webhook_without_a_secret_is_not_signed(sink: HttpSink) -> None:
    assert Webhook(sink.url).send(notice()).ok
    assert "webhook-signature" not in sink.received[0].headers
    assert sink.received[0].headers["webhook-id"] == "msg_42"


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (429, {"Retry-After": "17"}, Outcome(False, "the receiver answered HTTP 429", retry_after=17.0)),
        (
            503,
            {"Retry-After": "Fri, 31 Dec 2099 23:59:59 GMT"},
            Outcome(False, "the receiver answered HTTP 503", retry_after=86400.0),
        ),
        (500, {}, Outcome(False, "the receiver answered HTTP 500")),
        (404, {}, Outcome(False, "the receiver answered HTTP 404")),
        (410, {}, Outcome(False, "the receiver wants nothing more (HTTP 410)", permanent=True, disable=True)),
        (
            302,
            {"Location": "/elsewhere"},
            Outcome(False, "redirected (HTTP 302); redirects are not followed"),
        ),
        (204, {}, Outcome(True, "delivered (HTTP 204)")),
    ],
)
def test_what_a_receiver_answers(
    sink: HttpSink, status: int, headers: dict[str, str], expected: Outcome
) -> None:
    sink.answers(status, headers, "" if status == 204 else "no")
    assert Webhook(sink.url).send(notice()) == expected
    assert [one.path for one in sink.received] == [SECRET_PATH]


def test_200_with_an_error_in_its_body_is_delivered(sink: HttpSink) -> None:
    sink.answers(200, body='{"error": "no such thing"}')
    assert Webhook(sink.url).send(notice()).ok


@pytest.mark.parametrize(
    ("behaviour", "seconds", "detail"),
    [
        ("hang", 1, "the receiver did not answer within 1 s"),
        ("slow head", 1, "the receiver did not answer within 1 s"),
        # These answer in the time that a busy machine gives them.
        ("reset", PATIENCE, "the receiver closed the connection without an answer"),
        ("garbage", PATIENCE, "the receiver closed the connection without an answer"),
    ],
)
def test_a_receiver_that_does_not_answer_costs_a_bounded_time(
    behaviour: str, seconds: float, detail: str
) -> None:
    with RawSink(behaviour) as raw:
        started = time.monotonic()
        assert Webhook(raw.url, seconds=seconds).send(notice()) == Outcome(False, detail)
        assert time.monotonic() - started < BOUNDED
        wait_for(lambda: raw.connections, "the connection to be taken")
        assert raw.connections == 1


def test_the_body_of_an_answer_is_not_waited_for_where_it_says_nothing() -> None:
    with RawSink("slow body") as raw:
        started = time.monotonic()
        assert Webhook(raw.url).send(notice()).ok
        assert time.monotonic() - started < BOUNDED


def test_a_body_that_is_read_is_bounded_in_time_and_size() -> None:
    with RawSink("slow body") as raw, pytest.raises(Undelivered, match="within 1 s"):
        post(raw.url, b"{}", {}, read=True, total_seconds=1)
    with RawSink("endless body") as raw:
        assert post(raw.url, b"{}", {}, read=True).body == b"y" * 4096


def test_a_receiver_that_is_not_there() -> None:
    with ports.hold() as taken:
        port = taken.getsockname()[1]
        found = Webhook(f"http://127.0.0.1:{port}{SECRET_PATH}").send(notice())
    assert found == Outcome(False, "the receiver refused the connection")


def test_a_certificate_nobody_vouches_for_is_not_accepted(tmp_path: Path) -> None:
    with HttpSink(certificate_of("127.0.0.1", tmp_path)[0]) as sink:
        found = Webhook(sink.url).send(notice())
        assert sink.received == []
    assert found == Outcome(False, "the receiver's TLS certificate was not accepted")


def test_the_certificate_must_name_the_host_and_not_the_pinned_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving, authority = certificate_of("hooks.example", tmp_path)
    monkeypatch.setattr(wire, "_trust", lambda: ssl.create_default_context(cafile=authority))
    with HttpSink(serving) as sink:
        for host in ("hooks.example", "other.example"):
            url = f"https://{host}:{sink.port}{SECRET_PATH}"
            if host == "hooks.example":
                assert post(url, b"{}", {}, reach=LOOPBACK, resolver=lambda *_: ["127.0.0.1"]).status == 200
            else:
                with pytest.raises(Undelivered, match="certificate"):
                    post(url, b"{}", {}, reach=LOOPBACK, resolver=lambda *_: ["127.0.0.1"])
        assert len(sink.received) == 1


# -- where a URL may lead


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0",
        "0.0.0.0",
    ],
)
def test_no_way_of_writing_this_machine_is_reached(sink: HttpSink, host: str) -> None:
    with pytest.raises(Undelivered, match=r"not allowed|not valid"):
        post(f"http://{host}:{sink.port}{SECRET_PATH}", b"{}", {}, reach=Reach())
    assert sink.received == []


@pytest.mark.parametrize("host", ["[fe80::1%25lo]", "[fe80::1%25eth0]"])
def test_a_link_local_address_with_its_scope_is_not_reached(host: str) -> None:
    with pytest.raises(Undelivered):
        post(f"http://{host}/", b"{}", {}, reach=Reach(), resolver=lambda *_: ["fe80::1%lo"])


@pytest.mark.parametrize(
    "addresses",
    [
        ["10.0.0.1"],
        ["169.254.169.254"],
        ["::ffff:127.0.0.1"],
        ["100.64.0.1"],
        ["8.8.8.8", "10.0.0.1"],
        ["fe80::1%eth0"],
        [],
    ],
)
def test_a_name_with_any_address_that_is_not_allowed_is_not_reached(addresses: list[str]) -> None:
    with pytest.raises(Undelivered, match="DB_ALERT_ALLOWED_NETWORKS"):
        post("http://hooks.example/", b"{}", {}, reach=Reach(), resolver=lambda *_: addresses)


def test_an_allowed_network_is_reached_under_the_names_host(sink: HttpSink) -> None:
    url = f"http://hooks.example:{sink.port}{SECRET_PATH}"
    assert post(url, b"{}", {}, reach=LOOPBACK, resolver=lambda *_: ["127.0.0.1"]).status == 200
    assert sink.received[0].headers["host"] == f"hooks.example:{sink.port}"


def test_a_name_that_is_rebound_is_asked_for_once(sink: HttpSink) -> None:
    """The first answer may be reached, every later one is this machine: only the first one counts."""
    answers = [["192.0.2.1"], ["127.0.0.1"], ["127.0.0.1"]]
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    first = Reach(networks=(ipaddress.ip_network("192.0.2.0/24"),))
    url = f"http://hooks.example:{sink.port}{SECRET_PATH}"
    with pytest.raises(Undelivered, match=r"reached|refused"):
        post(url, b"{}", {}, reach=first, resolver=rebinding, connect_seconds=0.5)
    assert asked == ["hooks.example"]
    assert sink.received == []
    with pytest.raises(Undelivered, match="not allowed"):
        post(url, b"{}", {}, reach=first, resolver=rebinding, connect_seconds=BOUNDED)
    assert sink.received == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_private_address_is_not_followed(sink: HttpSink, status: int) -> None:
    with HttpSink() as private:
        sink.answers(status, {"Location": private.url})
        assert post(sink.url, b"{}", {}, reach=LOOPBACK).status == status
        assert private.received == []


def test_the_proxies_of_the_environment_are_not_used(sink: HttpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpSink() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert post(sink.url, b"{}", {}).status == 200
        assert proxy.received == []
    assert len(sink.received) == 1


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://",
        "hooks.example",
        "http://[::1",
        "unix:///x",
    ],
)
def test_only_http_is_spoken(url: str) -> None:
    with pytest.raises(Undelivered, match="URL is not") as caught:
        post(url, b"{}", {})
    assert caught.value.permanent


def test_a_name_that_does_not_exist_and_one_that_is_never_answered() -> None:
    with pytest.raises(Undelivered, match="could not be resolved"):
        # How soon a name is denied is up to the machine's resolver.
        post("http://nowhere.invalid/", b"{}", {}, connect_seconds=PATIENCE, total_seconds=PATIENCE)
    never = threading.Event()

    def silent(host: str, port: int) -> list[str]:
        never.wait(20)
        return []

    started = time.monotonic()
    with pytest.raises(Undelivered, match="not resolved in time"):
        post("http://hooks.example/", b"{}", {}, resolver=silent, connect_seconds=0.3)
    assert time.monotonic() - started < BOUNDED
    never.set()


def test_a_password_in_the_url_is_sent_as_a_header(sink: HttpSink) -> None:
    url = f"http://ada:p%40ss@127.0.0.1:{sink.port}{SECRET_PATH}"
    assert post(url, b"{}", {}).status == 200
    assert sink.received[0].headers["authorization"] == "Basic YWRhOnBAc3M="


# -- Slack


def test_slack_takes_a_coloured_attachment(sink: HttpSink) -> None:
    assert Slack(sink.url).send(notice()) == Outcome(True, "delivered")
    (attachment,) = sink.received[0].json["attachments"]
    assert attachment["color"] == "#d32f2f"
    assert Slack(sink.url).send(notice("alert.resolved")).ok
    assert sink.received[1].json["attachments"][0]["color"] == "#2e7d32"


@pytest.mark.parametrize(
    ("status", "body", "permanent", "disable"),
    [
        (200, "something else", False, False),
        (404, "no_service", True, True),
        (404, "channel_not_found", True, True),
        (410, "channel_is_archived", True, True),
        (403, "action_prohibited", True, False),
        (400, "invalid_payload", True, False),
        (500, "rollup_error", False, False),
        (403, "<html>a proxy in between</html>", False, False),
    ],
)
def test_slacks_own_words(sink: HttpSink, status: int, body: str, permanent: bool, disable: bool) -> None:
    sink.answers(status, body=body)
    found = Slack(sink.url).send(notice())
    assert not found.ok
    assert (found.permanent, found.disable) == (permanent, disable)
    assert "proxy" not in found.detail


def test_slacks_rate_limit(sink: HttpSink) -> None:
    sink.answers(429, {"Retry-After": "30"}, "rate_limited")
    assert Slack(sink.url).send(notice()) == Outcome(
        False, "the receiver answered HTTP 429", retry_after=30.0
    )


def test_what_slack_finds_malformed_goes_again_as_text(sink: HttpSink) -> None:
    sink.answers_in_turn((400, "invalid_blocks"), (200, "ok"))
    assert Slack(sink.url).send(notice()).ok
    assert "attachments" not in sink.received[1].json
    assert "connection usage 96 %" in sink.received[1].json["text"]


# -- e-mail


def test_an_email_has_text_and_html_and_threads(smtp: SmtpSink) -> None:
    channel = Email(("ada@shop.example", "bob@shop.example"))
    assert channel.send(notice()) == Outcome(True, "taken by the mail server for 2 recipients")
    assert channel.send(notice("alert.resolved", message_id="msg_43")).ok
    fired, resolved = smtp.messages("ada@shop.example")
    assert fired["Subject"].strip() == "[CRITICAL] shop: connection usage 96 % (≥ 95 %)"
    assert fired["Message-ID"] == "<msg_42@shop.example>"
    assert fired["Auto-Submitted"] == "auto-generated"
    assert fired["To"] == "ada@shop.example"
    assert resolved["Subject"].strip() == "[RESOLVED] shop: connection usage 96 %"
    text, page = fired.get_body(("plain",)), fired.get_body(("html",))
    assert text is not None
    assert page is not None
    for part in (text.get_content(), page.get_content()):
        for words in (
            "Connection usage",
            "≥ 95 %",
            "shop_web@10.0.4.17",
            "End idle sessions",
            "https://v.example/a/0",
        ):
            assert words in part


def test_every_message_of_an_episode_has_the_same_root(smtp: SmtpSink) -> None:
    now, alert = datetime.now(UTC), sample_alert(datetime.now(UTC))
    channel = Email(("ada@shop.example",))
    for number, kind in enumerate(("alert.fired", "alert.escalated", "alert.resolved")):
        assert channel.send(Notice(f"msg_{number}", kind, now, (alert,))).ok  # type: ignore[arg-type]
    sent = smtp.messages("ada@shop.example")
    assert len({message["Message-ID"] for message in sent}) == 3
    assert len({message["References"] for message in sent}) == 1
    assert sent[0]["References"] == sent[0]["In-Reply-To"]
    assert channel.send(Notice("msg_9", "alert.fired", now, ({**alert, "id": 8},))).ok
    assert smtp.messages("ada@shop.example")[3]["References"] != sent[0]["References"]


def test_a_recipient_who_is_refused_does_not_stop_the_others(smtp: SmtpSink) -> None:
    smtp.refuses = {"gone@shop.example"}
    found = Email(("gone@shop.example", "ada@shop.example", "bob@shop.example")).send(notice())
    assert found == Outcome(True, "taken for 2 of 3 recipients; not for 1: the mail server refused it (550)")
    assert [address for address, _ in smtp.received] == ["ada@shop.example", "bob@shop.example"]


def test_all_refused_for_good_and_all_put_off(smtp: SmtpSink) -> None:
    channel = Email(("ada@shop.example", "bob@shop.example"))
    smtp.refuses = set(channel.recipients)
    assert channel.send(notice()) == Outcome(False, "the mail server refused it (550)", permanent=True)
    smtp.refuses, smtp.defers = set(), set(channel.recipients)
    assert channel.send(notice()) == Outcome(False, "the mail server put it off (451)")
    smtp.refuses, smtp.defers = {"ada@shop.example"}, {"bob@shop.example"}
    assert not channel.send(notice()).permanent


@pytest.mark.parametrize(("code", "permanent"), [(451, False), (452, False), (552, True), (554, True)])
def test_a_message_that_is_refused_at_its_end(smtp: SmtpSink, code: int, permanent: bool) -> None:
    smtp.data_code = code
    found = Email(("ada@shop.example",)).send(notice())
    assert (found.ok, found.permanent) == (False, permanent)
    assert str(code) in found.detail


@pytest.mark.parametrize("code", [451, 530, 550])
def test_a_sender_who_is_refused_may_be_put_right(smtp: SmtpSink, code: int) -> None:
    smtp.sender_code = code
    found = Email(("ada@shop.example", "bob@shop.example")).send(notice())
    assert found == Outcome(False, f"the mail server refused the sender ({code})")


def test_a_dropped_connection_is_made_again_once(smtp: SmtpSink) -> None:
    smtp.drops = 1
    assert Email(("ada@shop.example", "bob@shop.example")).send(notice()).ok
    assert len(smtp.received) == 2
    smtp.drops = 2
    found = Email(("ada@shop.example", "bob@shop.example")).send(notice())
    assert found == Outcome(False, "the mail server dropped the connection")


def test_a_mail_server_that_says_nothing(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with RawSink("hang") as raw:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", raw.port
        started = time.monotonic()
        found = Email(("ada@shop.example", "bob@shop.example"), step_seconds=0.5).send(notice())
        assert time.monotonic() - started < BOUNDED
    assert found == Outcome(False, "the mail server did not answer in time")


@pytest.mark.parametrize("behaviour", ["smtp drip", "smtp lines", "smtp drip at the end"])
def test_a_mail_server_that_never_comes_to_an_end(settings: Settings, behaviour: str) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with RawSink(behaviour) as raw:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", raw.port
        started = time.monotonic()
        found = Email(("ada@shop.example", "bob@shop.example"), step_seconds=1, total_seconds=1).send(
            notice()
        )
        # By a limit for each piece that comes it would be minutes.
        assert time.monotonic() - started < BOUNDED
        wait_for(lambda: raw.connections, "the connection to be taken")
        assert raw.connections == 1
    assert found == Outcome(False, "the mail server did not answer in time")


@pytest.mark.parametrize("starttls", [False, True], ids=["tls", "starttls"])
def test_mail_goes_encrypted_to_the_host_that_the_certificate_names(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starttls: bool
) -> None:
    serving, authority = certificate_of("localhost", tmp_path)
    trusting = ssl.create_default_context(cafile=authority)
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_USE_TLS, settings.EMAIL_USE_SSL = starttls, not starttls
    with SmtpSink(starttls_context=serving) if starttls else SmtpSink(ssl_context=serving) as sink:
        # Django's backend asks for the system's trust, and has no setting for another.
        monkeypatch.setattr(ssl, "create_default_context", lambda *_, **__: trusting)
        settings.EMAIL_HOST, settings.EMAIL_PORT = "localhost", sink.port
        channel = Email(("ada@shop.example",))
        assert channel.send(notice()) == Outcome(True, "taken by the mail server for 1 recipient")
        assert len(sink.messages("ada@shop.example")) == 1
        settings.EMAIL_HOST = "127.0.0.1"
        assert not channel.send(notice()).ok
        assert len(sink.received) == 1


def test_no_attempt_outlasts_the_lease_on_its_message() -> None:
    assert max(transport.TOTAL_SECONDS, email.TOTAL_SECONDS) <= LEASE_SECONDS - 5


def test_a_header_cannot_be_smuggled_in(smtp: SmtpSink) -> None:
    bad = notice(
        databases=("shop\r\nBcc: eve@evil.example\r\n\r\nhello",), message_id="msg_1\r\nBcc: eve@evil.example"
    )
    assert Email(("ada@shop.example",)).send(bad).ok
    (message,) = smtp.messages("ada@shop.example")
    assert message["Bcc"] is None
    assert [address for address, _ in smtp.received] == ["ada@shop.example"]


def test_an_operators_own_words(smtp: SmtpSink, sink: HttpSink) -> None:
    templates = {
        "subject": "{{ alerts[0].database }} needs you",
        "text": "See {{ alerts[0].page }} <!channel>",
        "html": "<b>{{ alerts[0].line }}</b>",
    }
    email, slack = from_settings(recipients=["ada@shop.example"], slack_webhook=sink.url, templates=templates)
    assert email.send(notice()).ok
    assert slack.send(notice()).ok
    (message,) = smtp.messages("ada@shop.example")
    assert message["Subject"] == "shop needs you"
    page = message.get_body(("html",))
    assert page is not None
    assert page.get_content().strip() == "<b>connection usage 96 % (≥ 95 %)</b>"
    assert "See https://v.example/0 &lt;!channel&gt;" in str(sink.received[0].json)


# -- Apprise


def test_apprise_reaches_a_service(sink: HttpSink) -> None:
    channel = Apprise(f"json://127.0.0.1:{sink.port}{SECRET_PATH}")
    assert channel.send(notice()) == Outcome(True, "delivered")
    got = sink.received[0].json
    assert got["title"] == "[CRITICAL] shop: connection usage 96 % (≥ 95 %)"
    assert "End idle sessions" in got["message"]
    assert got["type"] == "failure"


def test_apprise_says_what_it_knows(sink: HttpSink) -> None:
    sink.answers(503)
    found = Apprise(f"json://127.0.0.1:{sink.port}{SECRET_PATH}").send(notice())
    assert found == Outcome(False, "the service answered HTTP 503")
    assert Apprise("nosuchservice://token-x7Qd").send(notice()).permanent


# -- nothing leaks

PASSWORD = "hunter2-p4ss"
MARKS = ("x7Qd", "T0SECRET", PASSWORD, SECRET, SECRET.removeprefix("whsec_"), "ada@secret.example")


@pytest.mark.parametrize("status", [200, 302, 400, 404, 410, 429, 500])
def test_no_secret_is_said_logged_or_shown(
    sink: HttpSink, caplog: pytest.LogCaptureFixture, settings: Settings, status: int
) -> None:
    caplog.set_level(logging.DEBUG)
    sink.answers(status, {"Location": f"/{PASSWORD}"}, f"no, not {PASSWORD}")
    with (
        RawSink("garbage") as raw,
        RawSink("reset") as resetting,
        socket.create_server(("127.0.0.1", 0)) as closed,
    ):
        dead = closed.getsockname()[1]
        closed.close()
        said = []
        for port in (sink.port, raw.port, resetting.port, dead):
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
            settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "dbvigil", PASSWORD
            for channel in _all(port):
                outcome = channel.send(notice())
                said += [
                    outcome.detail,
                    repr(outcome),
                    repr(channel),
                    str(channel.shown()),
                    channel.fingerprint,
                ]
    with SmtpSink(refuses={"ada@secret.example"}) as smtp:
        settings.EMAIL_PORT, settings.EMAIL_HOST_USER = smtp.port, ""
        said.append(Email(("ada@secret.example",)).send(notice()).detail)
    assert len(said) > 40
    everything = "\n".join(said) + "\n" + "\n".join(_full(record) for record in caplog.records)
    assert [mark for mark in MARKS if mark in everything] == []


def test_no_secret_is_in_an_exception(sink: HttpSink) -> None:
    with pytest.raises(Undelivered) as caught:
        post(f"http://ada:{PASSWORD}@127.0.0.1:{sink.port}{SECRET_PATH}", b"{}", {}, reach=Reach())
    told: list[str] = []
    error: BaseException | None = caught.value
    while error is not None:
        told.append(repr(error))
        error = error.__cause__ or error.__context__
    assert [mark for mark in MARKS if mark in "".join(told)] == []


def _all(port: int) -> tuple[Channel, ...]:
    url = f"http://ada:{PASSWORD}@127.0.0.1:{port}{SECRET_PATH}"
    made = from_settings(
        recipients=["ada@secret.example", "bob@secret.example"],
        webhook_url=url,
        webhook_secret=SECRET,
        slack_webhook=url,
        apprise_urls=[
            f"json://ada:{PASSWORD}@127.0.0.1:{port}{SECRET_PATH}",
            "tgram://123456789:x7Qd-bad/",
            f"nosuch://{PASSWORD}",
        ],
    )
    return tuple(
        dataclasses.replace(channel, step_seconds=0.5) if isinstance(channel, Email) else channel
        for channel in made
    )


def _full(record: logging.LogRecord) -> str:
    """A record as a log would have it, trace and all. Names of test settings aside: only what our side writes counts."""
    if record.name.startswith(("mail.log", "aiosmtpd", "werkzeug", "pytest_httpserver", "asyncio")):
        return ""
    return logging.Formatter("%(name)s %(message)s").format(record)


def test_the_names_and_masks_of_every_channel() -> None:
    made = _all(80)
    assert [channel.name for channel in made] == [
        "email",
        "webhook",
        "slack",
        "apprise",
        "apprise-2",
        "apprise-3",
    ]
    assert [channel.shown()["target"] for channel in made] == [
        "a…@secret.example, b…@secret.example",
        "http://127.0.0.1",
        "http://127.0.0.1",
        "json://***",
        "tgram://***",
        "nosuch://***",
    ]
    assert len({channel.fingerprint for channel in made}) == 6
    assert from_settings() == ()
