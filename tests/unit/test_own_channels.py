"""Channels that people make: checked, sealed, on record, held to allowed addresses, and used within a moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from dbvigil.alerting import sealed
from dbvigil.alerting.own_channels import LONGEST_URL, MOST_CHANNELS, Change
from dbvigil.alerting.service import get_database_alerting
from dbvigil.alerting.switchboard import Switchboard
from dbvigil.errors import AlertError, UnknownChannel
from dbvigil.models import AlertChannel, AuditEvent
from tests.support.api import BASE
from tests.support.receiver import Receiver

pytestmark = pytest.mark.django_db(transaction=True)

URL = "https://hooks.example.org/T0/secret-path"
SECRET = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
JSON = "application/json"
ADMIN = "/admin/dbvigil/alertchannel"


@pytest.fixture
def board() -> Switchboard:
    return Switchboard()


def events() -> list[tuple[str, str]]:
    return list(AuditEvent.objects.order_by("id").values_list("event", "actor"))


def test_a_channel_is_made_changed_and_removed_on_record(board: Switchboard) -> None:
    made = board.add("ops", "webhook", URL, SECRET, user="root")
    assert (made["name"], made["kind"], made["target"]) == ("ops", "webhook", "https://hooks.example.org")
    assert (made["active"], made["created_by"], made["signed"]) == (True, "root", True)
    changed = board.change("ops", Change(url="https://other.example.org/x", secret=""), user="ada")
    assert (changed["target"], changed["signed"]) == ("https://other.example.org", False)
    board.remove("ops", user="root")
    assert board.shown() == []
    assert events() == [("channel_added", "root"), ("channel_changed", "ada"), ("channel_removed", "root")]
    assert get_database_alerting().verify_audit().faults == []


def test_one_that_is_switched_off_is_shown_and_not_used(board: Switchboard) -> None:
    board.add("ops", "slack", URL, active=False, user="root")
    assert board.channels() == {}
    assert [(one["name"], one["active"]) for one in board.shown()] == [("ops", False)]
    board.change("ops", Change(active=True), user="root")
    assert list(board.channels()) == ["ops"]


def test_nothing_shows_a_secret_again(board: Switchboard) -> None:
    board.add("ops", "webhook", URL, SECRET, user="root")
    row = AlertChannel.objects.get()
    told = list(AuditEvent.objects.values_list("detail", flat=True))
    for text in (row.url, row.secret, str(board.shown()), str(told), repr(board.channels())):
        assert "secret-path" not in text
        assert SECRET[6:] not in text


def test_a_key_is_rotated_and_a_lost_one_is_said(board: Switchboard, settings: Settings) -> None:
    board.add("ops", "webhook", URL, user="root")
    first = settings.SECRET_KEY
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another-key-that-is-long-enough-" * 2, [first]
    assert sealed.unseal(AlertChannel.objects.get().url) == URL
    settings.SECRET_KEY_FALLBACKS = []
    lost = Switchboard()
    assert "SECRET_KEY has changed" in lost.shown()[0]["target"]
    result = lost.test()["ops"]
    assert not result["ok"]
    assert "SECRET_KEY has changed" in result["detail"]
    lost.change("ops", Change(url=URL), user="root")
    assert lost.shown()[0]["target"] == "https://hooks.example.org"


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("name", {"name": "Ops"}),
        ("name", {"name": "9"}),
        ("name", {"name": ""}),
        ("name", {"name": "a" * 65}),
        ("name", {"name": "ops\n"}),
        ("name", {"name": "email"}),
        ("name", {"name": "apprise-7"}),
        ("kind", {"kind": "pager"}),
        ("url", {"url": ""}),
        ("url", {"url": "ftp://example.org/"}),
        ("url", {"url": "https://"}),
        ("url", {"url": "https://example.org:99999/"}),
        ("url", {"url": "https://example.org/a b"}),
        ("url", {"url": "https://example.org/" + "a" * LONGEST_URL}),
        ("url", {"url": "http://169.254.169.254/latest/meta-data"}),
        ("url", {"url": "http://[fd00:ec2::254]/"}),
        ("url", {"url": "http://[::ffff:169.254.169.254]/"}),
        ("secret", {"secret": "whsec_short"}),
        ("secret", {"secret": "plain"}),
        ("secret", {"kind": "slack", "secret": SECRET}),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(
    board: Switchboard, field: str, given: dict[str, str]
) -> None:
    values = {"name": "ops", "kind": "webhook", "url": URL, "secret": ""} | given
    with pytest.raises(AlertError) as refused:
        board.add(values["name"], values["kind"], values["url"], values["secret"], user="root")
    assert refused.value.field == field
    assert values["url"] not in refused.value.detail or not values["url"]
    assert not AlertChannel.objects.exists()
    assert events() == []


def test_names_are_unique_and_their_number_is_limited(board: Switchboard) -> None:
    for number in range(MOST_CHANNELS):
        board.add(f"ops-{number}", "webhook", URL, user="root")
    with pytest.raises(AlertError, match="which is the most"):
        board.add("ops", "webhook", URL, user="root")
    board.remove("ops-0", user="root")
    with pytest.raises(AlertError, match="already"):
        board.add("ops-1", "webhook", URL, user="root")


def test_what_is_not_there_and_what_changes_nothing(board: Switchboard) -> None:
    with pytest.raises(UnknownChannel):
        board.change("ops", Change(active=True), user="x")
    with pytest.raises(UnknownChannel):
        board.remove("ops", user="x")
    board.add("ops", "webhook", URL, user="root")
    with pytest.raises(AlertError, match="nothing to change"):
        board.change("ops", Change(), user="root")


def test_a_private_address_is_reached_only_where_it_is_allowed(
    board: Switchboard, receiver: Receiver, settings: Settings
) -> None:
    board.add("ops", "webhook", receiver.url, user="root")
    refused = board.test()["ops"]
    assert not refused["ok"]
    assert "DB_ALERT_ALLOWED_NETWORKS" in refused["detail"]
    assert receiver.messages == []
    settings.DB_ALERT_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    assert board.test()["ops"]["ok"]
    assert len(receiver.messages) == 1


# the admin


@pytest.fixture
def client_of(users: dict[str, User]) -> Callable[[str], Client]:
    def client(role: str) -> Client:
        made = Client()
        made.force_login(users[role])
        return made

    return client


FORM: dict[str, Any] = {"name": "ops", "kind": "webhook", "url": URL, "secret": SECRET, "active": "on"}


def test_superusers_make_channels_in_the_admin(client_of: Callable[[str], Client]) -> None:
    client = client_of("superuser")
    assert client.post(f"{ADMIN}/add/", FORM).status_code == 302
    row = AlertChannel.objects.get()
    assert (row.name, row.created_by, sealed.unseal(row.url)) == ("ops", "root", URL)
    page = client.get(f"{ADMIN}/{row.pk}/change/").content.decode()
    assert "secret-path" not in page
    assert row.url not in page
    assert client.post(f"{ADMIN}/{row.pk}/change/", {"url": "", "secret": ""}).status_code == 302
    row.refresh_from_db()
    assert (row.active, sealed.unseal(row.url), sealed.unseal(row.secret)) == (False, URL, SECRET)
    assert client.post(f"{ADMIN}/{row.pk}/delete/", {"post": "yes"}).status_code == 302
    assert [name for name, _ in events()] == ["channel_added", "channel_changed", "channel_removed"]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("name", {"name": "email"}),
        ("url", {"url": "ftp://x"}),
        ("secret", {"secret": "x"}),
        ("kind", {"kind": "x"}),
    ],
)
def test_the_admin_says_what_is_wrong(
    client_of: Callable[[str], Client], field: str, wrong: dict[str, str]
) -> None:
    answer = client_of("superuser").post(f"{ADMIN}/add/", FORM | wrong)
    assert answer.status_code == 200
    assert set(answer.context["adminform"].form.errors) == {field}
    assert not AlertChannel.objects.exists()


# the API


def test_superusers_make_change_and_remove_channels_in_the_api(
    api: Callable[..., Client], receiver: Receiver
) -> None:
    root, path = api("superuser"), f"{BASE}alerts/channels/"
    made = root.post(path, {"name": "ops", "kind": "webhook", "url": URL, "secret": SECRET}, JSON)
    assert made.status_code == 200
    assert (made.json()["name"], made.json()["target"]) == ("ops", "https://hooks.example.org")
    listed = api("reader").get(path)
    assert [one["name"] for one in listed.json()["results"]] == ["ops"]
    for answer in (made, listed):
        assert "secret-path" not in answer.content.decode()
        assert SECRET[6:] not in answer.content.decode()
    changed = root.patch(f"{path}ops/", {"active": False}, JSON)
    assert (changed.status_code, changed.json()["active"]) == (200, False)
    removed = root.delete(f"{path}ops/")
    assert (removed.status_code, removed.json()["name"]) == (200, "ops")
    gone = root.delete(f"{path}ops/")
    assert (gone.status_code, gone.json()["type"]) == (404, "urn:dbvigil:problem:unknown-channel")


def test_the_api_names_what_is_wrong(api: Callable[..., Client]) -> None:
    root, path = api("superuser"), f"{BASE}alerts/channels/"
    right = {"name": "ops", "kind": "webhook", "url": URL}
    for field, wrong in (
        ("name", "email"),
        ("kind", "pager"),
        ("url", "ftp://x"),
        ("secret", "x"),
        ("active", 1),
    ):
        answer = root.post(path, right | {field: wrong}, JSON)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert not AlertChannel.objects.exists()


def test_nobody_else_sees_channels_in_the_admin(client_of: Callable[[str], Client]) -> None:
    client = client_of("staff")
    for path in ("", "add/"):
        assert client.get(f"{ADMIN}/{path}").status_code == 403
