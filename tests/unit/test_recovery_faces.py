"""Recovery in the API, the command, on its page and in messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from dbvigil.channels.base import Notice, NoticeType
from dbvigil.channels.sample import sample_alert
from dbvigil.channels.text import compose, plain
from dbvigil.channels.webhook import payload
from dbvigil.models import RecoveryAttempt, RecoveryChange
from tests.support.api import BASE, seed
from tests.support.own_action import DrainQueue

pytestmark = pytest.mark.django_db

URL = f"{BASE}recovery/"
OWN = DrainQueue.name
BODY = {"action": OWN, "database": "shop", "reason": "the queue is full"}
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def shop(settings: Settings) -> None:
    # Nothing listens there: what is tried here needs no server.
    settings.DB_MONITORING_TARGETS = {"shop": "mysql://dbvigil:s3cret@127.0.0.1:1/"}
    settings.DB_RECOVERY_ACCOUNTS = {"shop": "mysql://mender:s3cret@"}
    settings.DB_RECOVERY_ACTIONS = {OWN: "dry_run", "end_blockers": "off"}
    DrainQueue.drained.clear()
    seed("shop")


def post(client: Client, **changes: Any) -> Any:
    return client.post(URL, json.dumps({**BODY, **changes}), content_type="application/json")


def test_a_dry_run_is_what_is_asked_for_unless_it_is_said(api: Callable[..., Client]) -> None:
    answer = post(api("superuser"))
    assert answer.status_code == 200
    body = answer.json()
    assert (body["dry_run"], body["outcome"], body["plan"]) == (True, "planned", [{"text": "drain mail"}])
    assert (body["done"], body["verified"], body["undo_at"]) == ([], None, None)
    assert DrainQueue.drained == []


def test_live_is_done_on_record_and_within_bounds(api: Callable[..., Client]) -> None:
    client = api("superuser")
    body = post(client, dry_run=False).json()
    assert (body["outcome"], body["verified"], body["actor"]) == ("succeeded", True, "root")
    assert body["done"] == [{"text": "drain mail", "done": True, "detail": ""}]
    assert DrainQueue.drained == ["mail"]
    again = post(client, dry_run=False)
    assert again.status_code == 409
    assert again.json()["type"] == "urn:dbvigil:problem:recovery-refused"
    assert 0 < int(again["Retry-After"]) <= 300
    assert DrainQueue.drained == ["mail"]
    shown = client.get(URL).json()
    assert [one["outcome"] for one in shown["attempts"]] == ["succeeded"]
    assert shown["enabled"] is False


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"action": "end_everything"}, 400, "action"),
        ({"action": ""}, 400, "action"),
        ({"action": 5}, 400, "action"),
        ({"database": "blog"}, 404, "database"),
        ({"reason": ""}, 400, "reason"),
        ({"reason": " \n"}, 400, "reason"),
        ({"reason": "x" * 1001}, 400, "reason"),
        ({"dry_run": "false"}, 400, "dry_run"),
        ({"dry_run": None}, 400, "dry_run"),
        ({"force": True}, 400, "force"),
        ({"action": "end_blockers"}, 409, "action"),
    ],
)
def test_what_cannot_be_done_is_named(
    api: Callable[..., Client], changes: Any, status: int, field: str
) -> None:
    answer = post(api("superuser"), **changes)
    assert answer.status_code == status, answer.content
    assert list(answer.json()["errors"]) == [field]
    assert not RecoveryAttempt.objects.exists()


def test_a_server_that_does_not_answer_is_a_failed_attempt(api: Callable[..., Client]) -> None:
    answer = post(api("superuser"), action="end_long_statements", dry_run=False)
    assert answer.status_code == 200
    body = answer.json()
    assert body["outcome"] == "failed"
    assert "connection refused" in body["error"]
    assert "s3cret" not in answer.content.decode()


@pytest.mark.parametrize(("role", "status"), [("reader", 403), ("staff", 403), ("superuser", 200)])
def test_who_may(api: Callable[..., Client], role: str, status: int) -> None:
    assert post(api(role)).status_code == status
    assert api(role).get(URL).status_code == 200


def test_a_permission_of_its_own_is_enough(api: Callable[..., Client], users: dict[str, User]) -> None:
    users["reader"].user_permissions.add(Permission.objects.get(codename="recover_database"))
    assert post(api("reader")).status_code == 200


def test_readers_see_no_secret(api: Callable[..., Client]) -> None:
    answer = api("reader").get(URL, {"database": "shop"})
    assert answer.status_code == 200
    assert "s3cret" not in answer.content.decode()
    assert "s3cret" not in api("reader").get(f"{BASE}config/").content.decode()
    assert api("reader").get(URL, {"database": "blog"}).status_code == 404


# -- the command


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("database_monitor", "recover", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_command_does_the_same() -> None:
    planned = json.loads(command(OWN, "--database", "shop", "--reason", "full", "--json"))
    assert (planned["outcome"], planned["dry_run"]) == ("planned", True)
    said = command(OWN, "--database", "shop", "--reason", "full", "--live", "--user", "ada")
    assert said.splitlines()[0].startswith(f"{OWN} on shop: succeeded, attempt")
    assert "  done: drain mail" in said
    listed = command()
    assert "recovery is not enabled: nothing is done by itself" in listed
    assert "succeeded" in listed
    assert "ada" in listed
    assert len(json.loads(command("--json"))["attempts"]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((OWN,), "--database is missing"),
        ((OWN, "--database", "shop"), "--reason is missing"),
        ((OWN, "--database", "blog", "--reason", "x"), "no monitored database is named 'blog'"),
        (
            ("nothing", "--database", "shop", "--reason", "x"),
            "action: 'nothing' is not allowed; allowed: reset_connections",
        ),
        (("end_blockers", "--database", "shop", "--reason", "x"), "end_blockers is switched off"),
        (("--live",), "--live says how to do something: ACTION is missing"),
        (("--reason", "x"), "--reason says how to do something: ACTION is missing"),
        (("end_long_statements", "--database", "shop", "--reason", "x"), "failed: connection refused"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError) as caught:
        command(*arguments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_command_names_what_is_still_to_be_put_back() -> None:
    attempt = RecoveryAttempt.objects.create(
        action="speed_up_replica",
        database="shop",
        mode="live",
        outcome="succeeded",
        actor="ada\x1b[2J",
        started_at=NOW,
        ended_at=NOW,
    )
    RecoveryChange.objects.create(
        attempt=attempt, database="shop", kind="setting", name="sync_binlog", old="1", new="0", uptime=1,
        created_at=NOW, undo_at=NOW + timedelta(minutes=15), result="connection refused",
    )  # fmt: skip
    said = command()
    assert "! shop: sync_binlog is 0 and becomes 1 again by" in said
    assert "(connection refused)" in said
    assert "\x1b" not in said


# -- the page


def test_the_page_shows_actions_and_attempts(users: dict[str, User], api: Callable[..., Client]) -> None:
    post(api("superuser"), dry_run=False, reason="<script>alert(1)</script>")
    client = Client()
    client.force_login(users["reader"])
    text = client.get("/core/monitoring/recovery/").content.decode()
    assert "end_long_statements" in text
    assert "drain mail" in text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert Client().get("/core/monitoring/recovery/").status_code == 302


# -- messages

RECOVERED = {
    "action": "end_long_statements",
    "actor": "dbvigil",
    "done": ["end the statement of session 5 of reports: a statement that only reads, for 90 s (done)"],
    "error": "",
    "reason": "Query time is 9 s",
}


@pytest.mark.parametrize(
    ("kind", "changes", "subject", "said"),
    [
        (
            "alert.recovery_succeeded",
            {},
            "[RECOVERY DONE] shop: ",
            "end the statement of session 5 of reports",
        ),
        (
            "alert.recovery_failed",
            {"done": [], "error": "it lacks CONNECTION_ADMIN"},
            "[RECOVERY FAILED] shop: ",
            "nothing was changed. it lacks CONNECTION_ADMIN.",
        ),
    ],
)
def test_a_message_says_what_was_done(kind: NoticeType, changes: Any, subject: str, said: str) -> None:
    body = {**sample_alert(NOW), "recovery": {**RECOVERED, **changes}}
    notice = Notice("msg_1", kind, NOW, (body,))
    message = compose(notice)
    assert message.subject.startswith(subject)
    assert said in plain(message)
    sent = json.loads(payload(notice))
    assert sent["type"] == kind
    assert sent["data"]["recovery"]["action"] == "end_long_statements"


@pytest.mark.parametrize("recovery", [None, 5, [], {}, {"done": None, "error": None}])
def test_a_message_without_its_facts_is_sent_all_the_same(recovery: Any) -> None:
    body = {**sample_alert(NOW), "recovery": recovery}
    assert plain(compose(Notice("msg_1", "alert.recovery_failed", NOW, (body,))))
