"""The alert's page and the acknowledge page: who sees and does what, what a link is good for, and hostile text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.test import Client, override_settings
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from dbvigil.alert import Alert
from dbvigil.alerting import links
from dbvigil.alerting.service import get_database_alerting
from dbvigil.alerts.shipped import RUNBOOK_OF
from dbvigil.pages import runbooks, urls
from dbvigil.pages.base import one_line, some_lines
from tests.support.raised import HTML, LINES, fire

PAGES = "/core/monitoring"


def stored(number: int) -> Alert:
    found = get_database_alerting().get_alert(number)
    assert found is not None
    return found


def link(number: int) -> str:
    """The acknowledge address that a message about the alert as it stands now would carry."""
    made = links.links_of("https://x.example/", stored(number).to_dict(), datetime.now(UTC))
    assert made["page"] == f"https://x.example{PAGES}/alerts/{number}/"
    return made["acknowledge"].removeprefix("https://x.example")


def signed_in(user: User, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(user)
    return client


def check_headers(answer: Any) -> None:
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert "no-store" in answer["Cache-Control"]
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "noindex" in answer["X-Robots-Tag"]
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "style-src 'self'" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy and "script-src" not in policy
    text = answer.content.decode()
    assert "<script" not in text and " style=" not in text and "http-equiv" not in text
    assert not re.findall(r'(?:src|href)="https?:', text)


# the alert's page


def test_the_page_needs_a_user_who_is_signed_in_and_active(users: dict[str, User]) -> None:
    number = fire()
    path = f"{PAGES}/alerts/{number}/"
    for method in ("get", "post"):
        answer = getattr(Client(), method)(path)
        assert answer.status_code == 302
        assert answer["Location"] == f"/sign-in/?next={path}"
    client = signed_in(users["reader"])
    assert client.get(path).status_code == 200
    User.objects.update(is_active=False)
    assert client.get(path).status_code == 302
    assert stored(number).acknowledged_at is None


def test_the_page_has_all_the_facts(users: dict[str, User]) -> None:
    number = fire(
        evidence={
            "connections": [{"user": "web", "host": "app1", "held": 140}, {"user": "etl", "idle": 12.5}],
            "locks": {"unavailable": "you need PROCESS"},
        }
    )
    get_database_alerting().acknowledge_alert(number, "grace", "disk ordered\nsecond line")
    answer = signed_in(users["reader"]).get(f"{PAGES}/alerts/{number}/")
    check_headers(answer)
    text = answer.content.decode()
    for fact in (
        "Connection use is 96.2\N{NO-BREAK SPACE}%, critical from 95.0\N{NO-BREAK SPACE}%",
        "<strong>shop</strong>",
        "connection_usage",
        '<dd class="critical">96.2 %</dd>',
        "<dd>95.0 %</dd>",
        "<strong>grace</strong>",
        "disk ordered<br>second line",
        "find who holds connections",
        '<td data-name="user">web</td><td data-name="host">app1</td>',
        '">140</td>',
        '">n/a</td>',
        "Not to be had: you need PROCESS",
        "<strong>Fired</strong>",
        "<strong>Acknowledged</strong>",
        "Nothing yet.",
    ):
        assert fact in text, fact
    assert "<form" not in text


def test_staff_take_an_alert_up_there(users: dict[str, User]) -> None:
    number = fire()
    path = f"{PAGES}/alerts/{number}/"
    client = signed_in(users["staff"], enforce_csrf_checks=True)
    page = client.get(path).content.decode()
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert client.post(path, {"note": "mine"}).status_code == 403
    assert stored(number).acknowledged_at is None
    answer = client.post(path, {"note": "mine", "csrfmiddlewaretoken": token})
    assert (answer.status_code, answer["Location"]) == (302, path)
    assert (stored(number).acknowledged_by, stored(number).note) == ("grace", "mine")
    assert "Take it over" in client.get(path).content.decode()


def test_readers_do_not(users: dict[str, User]) -> None:
    number = fire()
    assert signed_in(users["reader"]).post(f"{PAGES}/alerts/{number}/").status_code == 403
    assert stored(number).acknowledged_at is None


def test_one_that_is_over_has_no_form(users: dict[str, User]) -> None:
    number = fire()
    get_database_alerting().resolve_alert(number, "it is fine")
    client, path = signed_in(users["superuser"]), f"{PAGES}/alerts/{number}/"
    text = client.get(path).content.decode()
    assert "<form" not in text and "Over since" in text and "Lasted" in text
    answer = client.post(path)
    assert answer.status_code == 409
    assert "is over since" in answer.content.decode()


@pytest.mark.parametrize("number", [0, 999, 2**63, 10**40])
def test_alerts_that_are_not(users: dict[str, User], number: int) -> None:
    client = signed_in(users["superuser"])
    for answer in (client.get(f"{PAGES}/alerts/{number}/"), client.post(f"{PAGES}/alerts/{number}/")):
        assert answer.status_code == 404
        check_headers(answer)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods(users: dict[str, User], method: str) -> None:
    number = fire()
    client = signed_in(users["superuser"])
    for path in (f"{PAGES}/alerts/{number}/", link(number)):
        assert client.generic(method, path).status_code == 405


def test_text_from_servers_and_people_is_shown_and_never_obeyed(users: dict[str, User]) -> None:
    number = fire(
        database=HTML[:90],
        metric="<b>metric</b>",
        message=HTML,
        value=HTML,
        recommendations=(HTML,),
        evidence={HTML: [{HTML: HTML}], "plain": HTML, "more": {HTML: HTML}, "odd": [1, None], "none": []},
    )
    get_database_alerting().acknowledge_alert(number, HTML[:150], HTML)
    for client, path in ((signed_in(users["staff"]), f"{PAGES}/alerts/{number}/"), (Client(), link(number))):
        answer = client.get(path)
        assert answer.status_code == 200
        check_headers(answer)
        text = answer.content.decode()
        assert "<img" not in text and "<b>" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert "{{ 7|add:7 }}" in text


# the acknowledge page


def test_a_link_shows_what_it_is_about_and_changes_nothing(db: None) -> None:
    number = fire()
    path, before = link(number), stored(number).events
    for _ in range(3):
        for method in ("get", "head"):
            answer = getattr(Client(), method)(path)
            assert answer.status_code == 200
    check_headers(Client().get(path))
    text = Client().get(path).content.decode()
    assert "Connection use is 96.2\N{NO-BREAK SPACE}%" in text and 'name="name" required' in text
    assert stored(number).events == before and stored(number).acknowledged_at is None


def test_a_link_acknowledges_once(db: None) -> None:
    number = fire()
    path = link(number)
    client = Client(enforce_csrf_checks=True)
    (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(path).content.decode())
    form = {"name": "  Ada\r\nLovelace ", "note": "on it\r\nnow", "csrfmiddlewaretoken": token}
    assert Client(enforce_csrf_checks=True).post(path, form).status_code == 403
    answer = client.post(path, form)
    assert answer.status_code == 200
    check_headers(answer)
    assert "You are on it" in answer.content.decode()
    assert stored(number).acknowledged_by == "Ada Lovelace (by link)"
    assert stored(number).note == "on it\nnow"
    for again in (client.get(path), client.post(path, form | {"name": "Eve"})):
        assert again.status_code == 410
        assert "used" in again.content.decode()
    assert stored(number).acknowledged_by == "Ada Lovelace (by link)"
    # A message that came later has a link of its own.
    assert client.get(link(number)).status_code == 200


def test_whoever_is_signed_in_is_known_already(users: dict[str, User]) -> None:
    number = fire()
    client = signed_in(users["reader"])
    assert 'name="name"' not in client.get(link(number)).content.decode()
    assert client.post(link(number), {"name": "root", "note": ""}).status_code == 200
    assert stored(number).acknowledged_by == "ada"


@pytest.mark.parametrize("name", ["", "   ", "\r\n", "\u200b\u202e", "x" * 101])
def test_a_name_is_needed(db: None, name: str) -> None:
    number = fire()
    answer = Client().post(link(number), {"name": name, "note": "<keep this>"})
    assert answer.status_code == 400
    assert "Your name is needed" in answer.content.decode() and "&lt;keep this&gt;" in answer.content.decode()
    assert stored(number).acknowledged_at is None


def test_an_old_link_is_gone(db: None) -> None:
    number = fire()
    path = link(number)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=8)):
        for answer in (Client().get(path), Client().post(path, {"name": "ada"})):
            assert answer.status_code == 410
            assert "more than a week old" in answer.content.decode()
    assert stored(number).acknowledged_at is None


def test_a_link_to_what_is_over_is_gone(db: None) -> None:
    number = fire()
    path = link(number)
    get_database_alerting().resolve_alert(number)
    assert "nothing is left" in Client().get(path).content.decode()
    for answer in (Client().get(path), Client().post(path, {"name": "ada"})):
        assert answer.status_code == 410


def test_links_that_were_not_made_here(db: None) -> None:
    number = fire()
    path = link(number)
    token = path.rstrip("/").rpartition("/")[2]
    wrong = [
        token[:-1],
        token + "x",
        token.swapcase(),
        "x",
        "%00",
        "é",
        ":::",
        "x" * 5000,
        links.sign(number + 1, 0, datetime.now(UTC)),
    ]
    with override_settings(SECRET_KEY="another site's key, which signs other links"):
        wrong.append(links.sign(number, 0, datetime.now(UTC)))
    for text in wrong:
        for answer in (
            Client().get(f"{PAGES}/acknowledge/{text}/"),
            Client().post(f"{PAGES}/acknowledge/{text}/", {"name": "eve"}),
        ):
            assert answer.status_code == 404, text
            check_headers(answer)
    assert stored(number).acknowledged_at is None


def test_another_signature_of_the_same_site_is_no_link(db: None) -> None:
    from django.core import signing

    number = fire()
    for value in ([number, 0], [number], "text", None, {"alert": number}):
        for salt in ("dbvigil.acknowledge", "other"):
            if (value, salt) == ([number, 0], "dbvigil.acknowledge"):
                continue
            path = reverse("dbvigil:dbvigil-acknowledge", args=(signing.dumps(value, salt=salt),))
            assert Client().post(path, {"name": "eve"}).status_code == 404


def test_what_people_write_keeps_its_words() -> None:
    assert one_line(LINES) == "first Bcc: everyone@example.com second[2J evil"
    assert some_lines(LINES) == "first\nBcc: everyone@example.com\n\nsecond[2J evil"
    assert one_line("Zoë Ångström 王小明 👍") == "Zoë Ångström 王小明 👍"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=200), note=st.text(max_size=3000))
def test_any_text_is_taken_or_refused(users: dict[str, User], name: str, note: str) -> None:
    number = fire()
    answer = Client().post(link(number), {"name": _sendable(name), "note": _sendable(note)})
    assert answer.status_code in (200, 400)
    taken = stored(number)
    if answer.status_code == 200:
        assert re.fullmatch(r"[^\x00-\x1f\x7f]+ \(by link\)", taken.acknowledged_by)
        assert "\r" not in taken.note and "\x00" not in taken.note
        assert signed_in(users["reader"]).get(f"{PAGES}/alerts/{number}/").status_code == 200


def _sendable(text: str) -> str:
    return text.encode("utf-8", "ignore").decode()


@pytest.mark.parametrize("name", runbooks.names())
def test_every_runbook_is_a_page_and_leads_to_others(users: dict[str, User], name: str) -> None:
    client = signed_in(users["reader"])
    answer = client.get(f"{PAGES}/runbooks/{name}/")
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "<h2>First</h2>" in text and "](" not in text and ".md" not in text
    assert "unsafe" not in answer["Content-Security-Policy"]
    for other in re.findall(r'href="\.\./([a-z-]+)/"', text):
        assert client.get(f"{PAGES}/runbooks/{other}/").status_code == 200


def test_runbooks_are_for_who_is_signed_in(users: dict[str, User]) -> None:
    answer = Client().get(f"{PAGES}/runbooks/server-down/")
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/sign-in/")
    for name in ("nothing", "README", "-"):
        assert signed_in(users["reader"]).get(f"{PAGES}/runbooks/{name}/").status_code == 404
    assert signed_in(users["reader"]).post(f"{PAGES}/runbooks/server-down/").status_code == 405


def test_every_shipped_rule_and_any_other_metric_has_a_runbook(users: dict[str, User]) -> None:
    for metric in (*RUNBOOK_OF, "load1"):
        number = fire(metric=metric)
        made = links.links_of("https://x.example", stored(number).to_dict(), datetime.now(UTC))
        path = made["runbook"].removeprefix("https://x.example")
        assert signed_in(users["reader"]).get(path).status_code == 200
        shown = signed_in(users["reader"]).get(f"{PAGES}/alerts/{number}/").content.decode()
        assert f'href="{path}"' in shown
    assert "runbook" not in links.links_of(
        "https://x.example", stored(fire(metric="of a program")).to_dict(), datetime.now(UTC)
    )


@pytest.mark.parametrize(
    ("runbooks", "metric", "address"),
    [
        ("https://wiki.example/{runbook}?of={metric}", "up", "https://wiki.example/server-down?of=up"),
        (
            "https://wiki.example/{metric}",
            "a/b {runbook}&c",
            "https://wiki.example/a%2Fb%20%7Brunbook%7D%26c",
        ),
        ("https://wiki.example/alerts", "load1", "https://wiki.example/alerts"),
    ],
)
def test_runbooks_may_be_elsewhere(
    users: dict[str, User], settings: Settings, runbooks: str, metric: str, address: str
) -> None:
    settings.DB_ALERT_RUNBOOK_URL = runbooks
    number = fire(metric=metric)
    body = stored(number).to_dict()
    assert links.links_of("", body, datetime.now(UTC), runbooks) == {"runbook": address}
    assert links.links_of("https://x.example", body, datetime.now(UTC), runbooks)["runbook"] == address
    shown = signed_in(users["reader"]).get(f"{PAGES}/alerts/{number}/").content.decode()
    assert f'href="{address}"' in shown


def test_an_alert_without_a_runbook_leads_to_none_elsewhere(db: None) -> None:
    body = stored(fire(metric="of a program")).to_dict()
    assert links.links_of("", body, datetime.now(UTC), "https://wiki.example/{runbook}/") == {}


def test_the_style_is_found() -> None:
    assert finders.find("dbvigil/pages.css")


def test_there_are_no_other_pages() -> None:
    """Everything else below dbvigil's URLs is an address for programs, which tests/unit/test_api_access.py walks."""
    assert {str(entry.pattern) for entry in urls.urlpatterns} == {
        "alerts/<int:alert_id>/",
        "acknowledge/<str:token>/",
        "runbooks/<slug:name>/",
        "connections/",
        "backups/",
        "locks/",
        "recovery/",
        "replication/",
        "slow-queries/",
    }
