"""Who may do what: anonymous nobody, readers read, superusers change, and nothing but a valid token or session counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver
from knox.models import AuthToken

from dbvigil import urls
from dbvigil.api import tokens
from tests.support.api import BASE, seed

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")


def addresses(entries: list[Any], prefix: str = "/core/") -> Iterator[str]:
    """Every address for programs that a project gets by including `dbvigil.urls`."""
    for entry in entries:
        if str(entry.pattern) == "monitoring/":
            # Pages answer people; tests/unit/test_pages.py has who may see them.
            continue
        path = prefix + str(entry.pattern).replace("<str:database>", "shop").replace(
            "<int:window_id>", "1"
        ).replace("<str:channel>", "ops")
        if isinstance(entry, URLResolver):
            yield from addresses(entry.url_patterns, path)
        else:
            assert isinstance(entry, URLPattern)
            yield path


ALL = [*addresses(urls.urlpatterns), "/metrics", f"{BASE}no/such/thing", f"{BASE}health", f"{BASE}a%0Ab"]


def test_the_walk_sees_the_contract() -> None:
    names = ["metrics/", "metrics/shop/history/", "health/", "dashboard/", "config/", "config/threshold/"]
    names += [
        f"alerts/{name}"
        for name in ("", "history/", "acknowledge/", "suppress/", "windows/1/", "test-channels/")
    ]
    assert {BASE + name for name in [*names, "control/", "schema/", "docs/"]} < set(ALL)


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize("method", METHODS)
def test_anonymous_is_denied_everywhere(db: None, method: str, path: str) -> None:
    answer = Client().generic(method, path)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="dbvigil"'
    assert answer["Cache-Control"] == "no-store"
    if method != "HEAD":
        assert answer["Content-Type"] == "application/problem+json"
        assert set(answer.json()) == {"type", "title", "status", "detail"}


# By method: the least role that is not refused, and what that role then gets.
MATRIX = {
    "metrics/": {"GET": ("reader", 200)},
    "metrics/shop/history/": {"GET": ("reader", 200)},
    "health/": {"GET": ("reader", 200)},
    "dashboard/": {"GET": ("reader", 200)},
    "alerts/": {"GET": ("reader", 200)},
    "alerts/history/": {"GET": ("reader", 200)},
    "alerts/acknowledge/": {"POST": ("staff", 400)},
    "alerts/suppress/": {"POST": ("staff", 400)},
    "alerts/suppress/end/": {"POST": ("staff", 400)},
    "alerts/suppressions/": {"GET": ("reader", 200)},
    "alerts/windows/": {"GET": ("reader", 200), "POST": ("superuser", 400)},
    "alerts/windows/1/": {"PATCH": ("superuser", 404), "DELETE": ("superuser", 404)},
    "alerts/channels/": {"GET": ("reader", 200), "POST": ("superuser", 400)},
    "alerts/channels/ops/": {"PATCH": ("superuser", 404), "DELETE": ("superuser", 404)},
    "alerts/preview/": {"POST": ("superuser", 400)},
    "alerts/test-channels/": {"POST": ("superuser", 200)},
    "recovery/": {"GET": ("reader", 200), "POST": ("superuser", 400)},
    "backups/": {"GET": ("reader", 200), "POST": ("superuser", 400)},
    "config/": {"GET": ("reader", 200)},
    "config/threshold/": {"POST": ("superuser", 400), "DELETE": ("superuser", 400)},
    "control/": {"POST": ("superuser", 400)},
    "schema/": {"GET": ("reader", 200)},
    "docs/": {"GET": ("reader", 200)},
}
RANK = ("reader", "staff", "superuser")


@pytest.mark.parametrize("role", RANK)
@pytest.mark.parametrize("path", MATRIX)
def test_roles_by_method(api: Callable[..., Client], role: str, path: str) -> None:
    seed("shop")
    client = api(role)
    for method in METHODS:
        answer = client.generic(method, BASE + path, b"{}", content_type="application/json")
        least, status = MATRIX[path].get("GET" if method == "HEAD" else method, ("reader", 405))
        if method == "OPTIONS":
            status = 204
        expected = status if RANK.index(role) >= RANK.index(least) else 403
        assert answer.status_code == expected, (method, answer.content)
        if expected == 405:
            assert method not in answer["Allow"]


def test_tokens_that_do_not_count(api: Callable[..., Client], users: dict[str, User]) -> None:
    now = datetime.now(UTC)
    reader = users["reader"]
    _, expired = tokens.create(reader, now - timedelta(days=2), days=1)
    row, revoked = tokens.create(reader, now)
    assert tokens.revoke(row.token_key) == 1
    _, of_the_host = AuthToken.objects.create(reader)
    good = api("reader").token  # type: ignore[attr-defined]
    wrong = [
        expired,
        revoked,
        of_the_host,
        good[:-1],
        good + "0",
        good.upper(),
        tokens.PREFIX + "0" * 64,
        "",
        "é",
        "\x00",
        f"{good} {good}",
        "x" * 5000,
    ]
    for token in wrong:
        answer = Client(headers={"authorization": f"Bearer {token}"}).get(f"{BASE}health/")
        assert answer.status_code == 401, token
        assert 'error="invalid_token"' in answer["WWW-Authenticate"]


def test_only_the_header_is_read(api: Callable[..., Client]) -> None:
    token = api("superuser").token  # type: ignore[attr-defined]
    for query in ({"token": token}, {"access_token": token}, {"Authorization": f"Bearer {token}"}):
        assert Client().get(f"{BASE}health/", query).status_code == 401
    assert Client(headers={"authorization": f"Token {token}"}).get(f"{BASE}health/").status_code == 401
    assert Client(headers={"authorization": f"bearer {token}"}).get(f"{BASE}health/").status_code == 200


def test_a_revoked_token_and_an_inactive_user_are_refused_at_once(
    api: Callable[..., Client], users: dict[str, User]
) -> None:
    client, other = api("reader"), api("staff")
    assert client.get(f"{BASE}health/").status_code == other.get(f"{BASE}health/").status_code == 200
    tokens.revoke(client.token)  # type: ignore[attr-defined]
    User.objects.filter(pk=users["staff"].pk).update(is_active=False)
    assert client.get(f"{BASE}health/").status_code == other.get(f"{BASE}health/").status_code == 401


def test_a_session_reads_and_needs_csrf_to_change(users: dict[str, User]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(users["superuser"])
    assert client.get(f"{BASE}health/").status_code == 200
    body = {"metric": "connection_usage", "warning": 70, "critical": 90}
    path = f"{BASE}config/threshold/"
    refused = client.post(path, body, content_type="application/json")
    assert refused.status_code == 403
    assert "CSRF" in refused.json()["detail"]
    token = "a" * 32
    client.cookies["csrftoken"] = token
    allowed = client.post(path, body, content_type="application/json", headers={"x-csrftoken": token})
    assert allowed.status_code == 200


def test_a_bad_token_is_not_saved_by_a_session(users: dict[str, User]) -> None:
    client = Client(headers={"authorization": "Bearer dbvigil_bad"})
    client.force_login(users["superuser"])
    assert client.get(f"{BASE}health/").status_code == 401


def test_a_token_needs_no_csrf_and_sets_no_cookie(api: Callable[..., Client]) -> None:
    client = api("superuser", enforce_csrf_checks=True)
    answer = client.post(f"{BASE}control/", {"action": "nonsense"}, content_type="application/json")
    assert answer.status_code == 400
    assert not answer.cookies
    assert "Cookie" not in answer.get("Vary", "")


def test_a_browser_that_is_not_signed_in_is_shown_the_way(db: None) -> None:
    answer = Client().get(f"{BASE}docs/", headers={"accept": "text/html"})
    assert answer.status_code == 401
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert f'href="/sign-in/?next={BASE}docs/"' in answer.content.decode()
