"""Signatures, bodies and waits of the webhook, without a network."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook as Verifier

from dbvigil.channels.answers import LONGEST_WAIT, outcome, retry_after
from dbvigil.channels.base import Notice
from dbvigil.channels.sample import sample_alert
from dbvigil.channels.transport import Answer
from dbvigil.channels.webhook import Webhook, payload, sign

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_vector_of_standard_webhooks() -> None:
    signed = sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_their_own_verifier_accepts_what_is_signed_here_and_nothing_else() -> None:
    now = datetime.now(UTC)
    body = payload(Notice("msg_1", "alert.fired", now, (sample_alert(now),)))
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": sign(SECRET, "msg_1", int(now.timestamp()), body),
    }
    assert Verifier(SECRET).verify(body, headers)["type"] == "alert.fired"
    for name, other in (("webhook-id", "msg_2"), ("webhook-timestamp", str(int(now.timestamp()) + 1))):
        with pytest.raises(Exception, match="No matching signature"):
            Verifier(SECRET).verify(body, {**headers, name: other})


def test_one_alert_is_the_data_and_several_are_a_list() -> None:
    alert = sample_alert(NOW)
    one = json.loads(payload(Notice("msg_1", "alert.fired", NOW, (alert,))))
    assert one == {
        "type": "alert.fired",
        "timestamp": "2026-11-23T10:00:00.000Z",
        "data": {**alert, "runbook": ""},
    }
    two = json.loads(payload(Notice("msg_1", "alert.resolved", NOW, (alert, alert))))
    assert two["data"] == {"alerts": [{**alert, "runbook": ""}] * 2}


def test_links_go_along_where_there_are_some() -> None:
    links = {
        "page": "https://dbvigil.example/1",
        "runbook": "https://dbvigil.example/r",
        "acknowledge": "https://dbvigil.example/a",
    }
    sent = json.loads(payload(Notice("msg_1", "alert.fired", NOW, (sample_alert(NOW),), (links,))))
    assert sent["data"]["links"] == links
    assert sent["data"]["runbook"] == links["runbook"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("999999999", LONGEST_WAIT),
        ("Mon, 23 Nov 2026 10:00:30 GMT", 30.0),
        ("Monday, 23-Nov-26 10:01:00 GMT", 60.0),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2099 09:00:00 GMT", LONGEST_WAIT),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("1e999", None),
        ("9" * 400, None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_in_both_forms(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


@pytest.mark.parametrize(
    ("status", "ok", "permanent", "disable"),
    [
        (200, True, False, False),
        (202, True, False, False),
        (204, True, False, False),
        (301, False, False, False),
        (302, False, False, False),
        (400, False, False, False),
        (401, False, False, False),
        (404, False, False, False),
        (410, False, True, True),
        (429, False, False, False),
        (500, False, False, False),
        (503, False, False, False),
    ],
)
def test_what_an_answer_means(status: int, ok: bool, permanent: bool, disable: bool) -> None:
    found = outcome(Answer(status, {}), NOW)
    assert (found.ok, found.permanent, found.disable) == (ok, permanent, disable)


def test_the_fingerprint_changes_with_the_configuration_alone() -> None:
    first = Webhook("https://hooks.example/a", SECRET)
    assert first.fingerprint == Webhook("https://hooks.example/a", SECRET, seconds=1).fingerprint
    assert first.fingerprint != Webhook("https://hooks.example/b", SECRET).fingerprint
    assert first.fingerprint != Webhook("https://hooks.example/a", "").fingerprint


def test_an_attempt_is_signed_with_its_own_time_and_a_message_keeps_its_bytes() -> None:
    notice = Notice("msg_1", "alert.fired", NOW, (sample_alert(NOW),))
    later = NOW + timedelta(hours=1)
    body = payload(notice)
    assert body == payload(notice)
    assert sign(SECRET, notice.id, int(NOW.timestamp()), body) != sign(
        SECRET, notice.id, int(later.timestamp()), body
    )
