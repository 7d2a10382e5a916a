"""The service's own sign-in page: who gets in, where it leads, what it keeps out, and how one gets out again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.raised import HTML, fire
from tests.unit.test_pages import PAGES, check_headers, signed_in

PATH = "/sign-in/"
PASSWORD = "correct horse 9"


@pytest.fixture
def ada(users: dict[str, User]) -> Iterator[User]:
    """A reader with a password. Tries are counted afresh."""
    cache.clear()
    user = users["reader"]
    user.set_password(PASSWORD)
    user.save()
    yield user
    cache.clear()


def sign_in(client: Client, name: str = "ada", password: str = PASSWORD, **more: str) -> Any:
    return client.post(PATH, {"username": name, "password": password, **more})


def token_of(answer: Any) -> str:
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', answer.content.decode())
    return str(token)


def test_a_reader_signs_in_and_is_led_to_the_alert(ada: User) -> None:
    path = f"{PAGES}/alerts/{fire()}/"
    client = Client(enforce_csrf_checks=True)
    sent_away = client.get(path)
    assert sent_away["Location"] == f"{PATH}?next={path}"
    form = client.get(sent_away["Location"])
    check_headers(form)
    assert f'name="next" value="{path}"' in form.content.decode()
    assert sign_in(client, next=path).status_code == 403, "without the form's token"
    answer = sign_in(client, next=path, csrfmiddlewaretoken=token_of(form))
    assert (answer.status_code, answer["Location"]) == (302, path)
    shown = client.get(path)
    assert shown.status_code == 200
    assert (
        f'<a class="account" href="{PATH}"><span class="hidden">Signed in as </span>ada</a>'
        in shown.content.decode()
    )


@pytest.mark.parametrize(
    ("name", "password"),
    [("ada", "guess"), ("ada", ""), ("", PASSWORD), ("nobody", PASSWORD), ("ADA", PASSWORD)],
)
def test_whoever_is_not_known_stays_outside(ada: User, name: str, password: str) -> None:
    client = Client()
    answer = sign_in(client, name, password)
    assert answer.status_code == 400
    check_headers(answer)
    text = answer.content.decode()
    assert "is wrong" in text and 'role="alert"' in text
    assert f'value="{name}"' in text and (not password or password not in text)
    assert "_auth_user_id" not in client.session


def test_a_user_who_is_switched_off_is_told_no_more_than_anyone(ada: User) -> None:
    User.objects.update(is_active=False)
    switched_off = sign_in(Client()).content.decode()
    unknown = sign_in(Client(), "eda").content.decode()
    hide = re.compile(r'value="\w+"')
    assert hide.sub("", switched_off) == hide.sub("", unknown)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "http:///evil.example",
        "javascript:alert(1)",
        " https://evil.example",
        "https:evil.example",
        "\x00//evil.example",
        "ftp://testserver/",
    ],
)
def test_it_leads_to_this_site_only(ada: User, elsewhere: str) -> None:
    client = Client()
    assert "evil" not in client.get(PATH, {"next": elsewhere}).content.decode()
    assert sign_in(client, next=elsewhere)["Location"] == "/"
    assert "evil" not in client.get(PATH, {"next": elsewhere}).content.decode()
    assert client.post("/sign-out/", {"next": elsewhere})["Location"] == PATH


def test_one_who_is_signed_in_sees_as_whom_and_signs_out(ada: User) -> None:
    client = signed_in(ada, enforce_csrf_checks=True)
    path = f"{PAGES}/alerts/{fire()}/"
    page = client.get(PATH, {"next": path})
    check_headers(page)
    text = page.content.decode()
    assert "You are signed in as ada" in text and f'href="{path}"' in text and 'action="/sign-out/"' in text
    assert client.get("/sign-out/").status_code == 405
    assert client.post("/sign-out/").status_code == 403
    assert client.get(path).status_code == 200, "neither signs out"
    out = client.post("/sign-out/", {"csrfmiddlewaretoken": token_of(page)})
    assert (out.status_code, out["Location"]) == (302, PATH)
    assert client.get(path).status_code == 302


def test_guessing_is_stopped_for_a_while(ada: User) -> None:
    start = datetime.now(UTC)
    with time_machine.travel(start, tick=False):
        for _ in range(10):
            assert sign_in(Client(), password="guess").status_code == 400
        refused = sign_in(Client())
        assert refused.status_code == 429, "the right password too"
        check_headers(refused)
        assert 0 < int(refused["Retry-After"]) <= 300
        assert "Try again in" in refused.content.decode()
        assert sign_in(Client(REMOTE_ADDR="192.0.2.7")).status_code == 302, "from elsewhere"
        assert sign_in(Client(), "eve").status_code == 400, "another name"
    with time_machine.travel(start + timedelta(seconds=301), tick=False):
        assert sign_in(Client()).status_code == 302


def test_names_are_not_tried_one_after_the_other(ada: User) -> None:
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        statuses = [sign_in(Client(), f"user{number}", "").status_code for number in range(101)]
    assert statuses == [400] * 100 + [429]


def test_what_was_typed_is_text(ada: User) -> None:
    text = sign_in(Client(), HTML).content.decode()
    assert "<script>alert" not in text and "&lt;script&gt;" in text


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200), st.text(max_size=50), st.text(max_size=50))
def test_any_text_is_answered(ada: User, name: str, password: str, next_page: str) -> None:
    cache.clear()
    form = {"username": name, "password": password, "next": next_page}
    sendable = {key: value.encode("utf-8", "ignore").decode() for key, value in form.items()}
    assert Client().post(PATH, sendable).status_code == 400
