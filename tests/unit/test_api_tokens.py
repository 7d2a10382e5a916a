"""Tokens: made once shown, hashed at rest, listed without themselves, gone when revoked; by command and in the admin."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from knox.models import AuthToken

from dbvigil.api import tokens
from dbvigil.models import StoredThreshold
from tests.support.api import BASE

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def run(*arguments: str) -> tuple[str, str]:
    out, error = StringIO(), StringIO()
    call_command("dbvigil_token", *arguments, stdout=out, stderr=error)
    return out.getvalue(), error.getvalue()


def test_a_token_is_strong_prefixed_and_kept_only_as_a_hash(users: dict[str, User]) -> None:
    row, token = tokens.create(users["reader"], NOW)
    assert re.fullmatch(r"dbvigil_[0-9a-f]{64}", token)
    assert row.expiry == NOW + timedelta(days=365)
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM knox_authtoken")
        stored = repr(cursor.fetchall())
    assert token not in stored
    assert token[tokens.KEY_LENGTH :] not in stored
    assert tokens.find(token, NOW).user == users["reader"]  # type: ignore[union-attr]


def test_it_ends_on_time(users: dict[str, User]) -> None:
    _, token = tokens.create(users["reader"], NOW, days=1)
    assert tokens.find(token, NOW + timedelta(days=1, seconds=-1))
    assert tokens.find(token, NOW + timedelta(days=1)) is None


def test_expired_ones_go_and_others_stay(users: dict[str, User]) -> None:
    tokens.create(users["reader"], NOW, days=1)
    tokens.create(users["staff"], NOW, days=1)
    AuthToken.objects.create(users["reader"], expiry=timedelta(seconds=-1))
    tokens.create(users["reader"], NOW + timedelta(days=2))
    assert AuthToken.objects.count() == 3


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf"), 3651])
def test_days_have_bounds(users: dict[str, User], days: float) -> None:
    with pytest.raises(ValueError, match="at most 3650 days"):
        tokens.create(users["reader"], NOW, days=days)


def test_the_command_makes_lists_and_revokes(users: dict[str, User]) -> None:
    out, error = run("create", "ada", "--days", "7")
    token = out.strip()
    assert "not shown again" in error and token not in error
    client = Client(headers={"authorization": f"Bearer {token}"})
    assert client.get(f"{BASE}health/").status_code == 200
    listed, _ = run("list")
    assert "ada" in listed and token[:15] in listed and token not in listed
    assert run("revoke", listed.split()[0])[0] == "Revoked 1 token.\n"
    assert client.get(f"{BASE}health/").status_code == 401
    run("create", "ada")
    run("create", "ada")
    assert run("revoke", "--user", "ada")[0] == "Revoked 2 tokens.\n"
    assert run("list")[0] == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "nobody"),
        ("create", "ada", "--days", "0"),
        ("create", "ada", "--days", "soon"),
        ("revoke", "dbvigil_"),
        ("revoke", "dbvigil_0000000"),
        ("revoke", "--user", "nobody"),
        ("revoke", "--user", "ada"),
        ("revoke",),
        (),
    ],
)
def test_the_command_refuses(users: dict[str, User], arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)


@pytest.fixture
def admin(users: dict[str, User]) -> Client:
    client = Client()
    client.force_login(users["superuser"])
    return client


def test_the_admin_shows_a_new_token_once(admin: Client, users: dict[str, User]) -> None:
    page = "/admin/knox/authtoken/"
    added = admin.post(f"{page}add/", {"user": users["reader"].pk, "days": "30"}, follow=True)
    found = re.search(r"dbvigil_[0-9a-f]{64}", added.content.decode())
    assert found, added.content.decode()
    token = found[0]
    client = Client(headers={"authorization": f"Bearer {token}"})
    assert client.get(f"{BASE}health/").status_code == 200
    again = admin.get(page).content.decode()
    assert token not in again and token[:15] in again
    key = tokens.find(token, datetime.now(UTC)).pk  # type: ignore[union-attr]
    admin.post(f"{page}{key}/delete/", {"post": "yes"})
    assert client.get(f"{BASE}health/").status_code == 401


def test_staff_with_every_permission_make_no_tokens(users: dict[str, User]) -> None:
    from django.contrib.auth.models import Permission

    users["staff"].user_permissions.set(Permission.objects.all())
    client = Client()
    client.force_login(users["staff"])
    assert client.get("/admin/knox/authtoken/add/").status_code == 403
    assert client.get("/admin/knox/authtoken/").status_code == 403


def test_thresholds_are_shown_and_not_changed(admin: Client) -> None:
    row = StoredThreshold.objects.create(metric="load1", warning=1, critical=2, changed_at=NOW)
    page = "/admin/dbvigil/storedthreshold/"
    assert "load1" in admin.get(page).content.decode()
    assert admin.get(f"{page}add/").status_code == 403
    assert admin.post(f"{page}{row.pk}/change/", {"warning": 5}).status_code == 403
    assert admin.post(f"{page}{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_role_is_the_users(api: Callable[..., Client], users: dict[str, User]) -> None:
    client = api("superuser")
    User.objects.filter(pk=users["superuser"].pk).update(is_superuser=False)
    answer = client.post(f"{BASE}control/", {"action": "collect"}, content_type="application/json")
    assert answer.status_code == 403
