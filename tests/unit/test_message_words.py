"""Words of an operator's own: the setting, what a check says of it, previews, and that no fault in them costs an alert."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from pytest_django import Settings

from dbvigil import conf
from dbvigil.alerting.service import get_database_alerting
from dbvigil.channels.base import Notice
from dbvigil.channels.build import from_settings
from dbvigil.channels.sample import sample_alert
from dbvigil.channels.templates import context_of, preview
from dbvigil.channels.text import compose
from dbvigil.checks import check_settings
from dbvigil.models import AuditEvent, Episode
from tests.support.api import BASE
from tests.support.raised import HTML, fire

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("patient_rendering")]

JSON = "application/json"
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "alert-channels.md"


@pytest.fixture
def mailed(settings: Settings, mailoutbox: list[Any]) -> list[Any]:
    settings.DB_ALERT_EMAIL_RECIPIENTS = ["ada@example.org"]
    return mailoutbox


def test_the_settings_words_are_sent(settings: Settings, mailed: list[Any], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p>{{ alerts[0].database }}: {{ alerts[0].summary }}</p>")
    settings.DB_ALERT_TEMPLATES = {
        "subject": "{{ state }} on {{ alerts[0].database }}",
        "text": "{{ bodies[0].metric }}",
        "html": {"file": str(page)},
    }
    assert get_database_alerting().switchboard.test()["email"]["ok"]
    (letter,) = mailed
    assert (letter.subject, letter.body) == ("TEST on shop", "connection_usage")
    assert letter.alternatives[0].content.startswith("<p>shop: Connection usage")
    page.write_text("<p>changed</p>")
    get_database_alerting().switchboard.test()
    assert mailed[1].alternatives[0].content == "<p>changed</p>", "no restart is needed"


@pytest.mark.parametrize("broken", ["{{ nope }}", "{% for %}", "{{ 'x' * 10 ** 9 }}"])
def test_a_template_that_fails_costs_no_alert_and_is_said(
    settings: Settings, mailed: list[Any], broken: str
) -> None:
    settings.DB_ALERT_TEMPLATES = {"subject": broken}
    result = get_database_alerting().switchboard.test()["email"]
    assert result["ok"]
    assert "built-in words, since a template failed: " in result["detail"]
    assert mailed[0].subject.startswith("[TEST] shop: ")


def test_what_a_template_makes_can_be_sent_whatever_it_is(settings: Settings, mailed: list[Any]) -> None:
    settings.DB_ALERT_TEMPLATES = {
        "subject": "{{ '\\ud800' }}!",
        "text": "{{ '\\udfff' }}\x00.",
        "html": "{# #}",
    }
    result = get_database_alerting().switchboard.test()["email"]
    assert "html: it makes no text" in result["detail"]
    settings.DB_ALERT_TEMPLATES = {"subject": "{{ '\\ud800' }}!", "text": "{{ '\\udfff' }}\x00."}
    assert get_database_alerting().switchboard.test()["email"]["ok"]
    assert (mailed[1].subject, mailed[1].body) == ("?!", "?.")
    mailed[1].message().as_bytes()


def test_a_file_that_went_away_costs_no_alert(settings: Settings, mailed: list[Any], tmp_path: Path) -> None:
    settings.DB_ALERT_TEMPLATES = {"subject": {"file": str(tmp_path / "gone.txt")}, "text": "own"}
    result = get_database_alerting().switchboard.test()["email"]
    assert result["ok"]
    assert "subject: " in result["detail"]
    assert "gone.txt cannot be read (No such file or directory)" in result["detail"]
    assert mailed[0].subject.startswith("[TEST] shop: ")
    assert mailed[0].body == "own"


def test_the_channel_tells_of_its_template_until_it_is_put_right(
    settings: Settings, mailed: list[Any]
) -> None:
    settings.DB_ALERT_TEMPLATES = {"subject": "{{ bodies[0].nope.more }}"}
    number = fire("till", "disk_usage")
    alerting = get_database_alerting()
    assert alerting.deliverer().drain() == 1
    assert mailed[0].subject.startswith("[CRITICAL] till: ")
    (shown,) = alerting.switchboard.shown()
    assert "subject line 1: " in shown["last_error"]
    assert shown["failing_since"] is None
    (told,) = [event for event in AuditEvent.objects.all() if event.event == "notified"]
    assert "subject line 1: " in told.detail
    settings.DB_ALERT_TEMPLATES = {"subject": "{{ state }}"}
    (shown,) = alerting.switchboard.shown()
    assert shown["last_error"] == "", "what was said was about another template"
    alerting.resolve_alert(number)
    assert alerting.deliverer().drain() == 1
    assert mailed[1].subject == "RESOLVED"


def test_a_template_is_part_of_the_fingerprint_of_who_uses_it() -> None:
    def prints(templates: dict[str, str] | None) -> dict[str, str]:
        made = from_settings(
            recipients=["ada@example.org"],
            webhook_url="https://hooks.example.org/",
            slack_webhook="https://hooks.example.org/s",
            apprise_urls=["json://hooks.example.org/"],
            templates=templates,
        )
        return {channel.name: channel.fingerprint for channel in made}

    none, one, other = prints(None), prints({"text": "a"}), prints({"text": "b"})
    assert none == prints({})
    assert one == prints({"text": "a"})
    for name in ("email", "slack", "apprise"):
        assert len({none[name], one[name], other[name]}) == 3
    assert none["webhook"] == one["webhook"] == other["webhook"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3, "DB_ALERT_TEMPLATES"),
        ("{", "DB_ALERT_TEMPLATES"),
        ({"body": "x"}, "allowed: {part:"),
        ({"text": 3}, "DB_ALERT_TEMPLATES[text]"),
        ({"text": {"path": "x"}}, "DB_ALERT_TEMPLATES[text]"),
        ({"text": {"file": "/nowhere/at/all"}}, "DB_ALERT_TEMPLATES[text]: /nowhere/at/all cannot be read"),
        ({"text": "{{ nope }}"}, "DB_ALERT_TEMPLATES[text]: text line 1: 'nope' is undefined"),
        ({"html": "a\n{% if %}"}, "DB_ALERT_TEMPLATES[html]: html line 2:"),
        ({"text": "x" * 20_000}, "larger than 16 KiB"),
    ],
)
def test_a_check_says_what_is_wrong_with_the_setting(settings: Settings, value: Any, words: str) -> None:
    settings.DB_ALERT_TEMPLATES = value
    (found,) = check_settings()
    assert words in str(found)


@pytest.mark.parametrize(
    "value",
    [
        3,
        "wiki",
        "ftp://wiki.example/",
        "https://wiki.example/{rule}",
        "https://wiki.example/{runbook",
        "https://{metric}.example/",
    ],
)
def test_a_check_says_what_a_runbooks_address_may_be(settings: Settings, value: Any) -> None:
    settings.DB_ALERT_RUNBOOK_URL = value
    (found,) = check_settings()
    assert "DB_ALERT_RUNBOOK_URL" in str(found)
    assert "allowed: an http or https URL" in str(found)


def test_every_message_leads_to_the_runbook(settings: Settings, mailed: list[Any]) -> None:
    settings.DB_ALERT_RUNBOOK_URL = "https://wiki.example/{runbook}/"
    fire("till", "up")
    assert get_database_alerting().deliverer().drain() == 1
    get_database_alerting().switchboard.test()
    for letter, runbook in zip(mailed, ("server-down", "connection-usage"), strict=True):
        assert f"Runbook: https://wiki.example/{runbook}/\n" in letter.body + "\n"
        assert f'href="https://wiki.example/{runbook}/"' in letter.alternatives[0].content
    assert "Runbook: https://wiki.example/connection-usage/" in said(), "the preview shows it as well"
    settings.DB_ALERT_TEMPLATES = {"text": "see {{ alerts[0].runbook }}"}
    assert said() == "see https://wiki.example/connection-usage/\n"


def test_right_settings_pass_the_check(settings: Settings) -> None:
    given = conf.from_environment({"DB_ALERT_TEMPLATES": '{"subject": "{{ alerts[0].line }}"}'})
    for name, value in given.items():
        setattr(settings, name, value)
    assert check_settings() == []


def test_the_page_names_everything_that_a_template_sees() -> None:
    notice = Notice(
        "msg",
        "alert.fired",
        datetime(2026, 1, 1, tzinfo=UTC),
        (sample_alert(datetime(2026, 1, 1, tzinfo=UTC)),),
    )
    seen = context_of(compose(notice), notice)
    text = PAGE.read_text()
    for name in (*seen, *seen["alerts"][0], *seen["groups"][0]):
        assert f"`{name}`" in text, name
    (source,) = re.findall(r"```jinja\n(.*?)```", text, re.DOTALL)
    assert "CRITICAL shop: Connection usage is at 96 %" in preview(source, notice)
    (source,) = re.findall(r"```html\+jinja\n(.*?)```", text, re.DOTALL)
    assert "CRITICAL: shop, Connection usage</h1>" in preview(source, notice, "html")


# previews


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command("database_monitor", "preview-alert", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_shows_what_a_message_says(settings: Settings, tmp_path: Path) -> None:
    settings.DB_ALERT_BASE_URL = "https://monitor.example.org"
    assert said("--part", "subject") == "[CRITICAL] shop: connection usage 96 % (≥ 95 %)\n"
    assert "What to do:" in said()
    assert "<table" in said("--part", "html")
    settings.DB_ALERT_TEMPLATES = {"subject": "configured {{ state }}"}
    assert said("--part", "subject") == "configured CRITICAL\n"
    tried = tmp_path / "tried.txt"
    tried.write_text("tried {{ alerts[0].database }}")
    assert json.loads(said("--part", "subject", "--template", str(tried), "--json")) == {
        "part": "subject",
        "rendered": "tried shop",
    }
    number = fire("till", "disk_usage")
    assert said("--part", "subject", "--template", str(tried), "--alert", str(number)) == "tried till\n"
    assert f"https://monitor.example.org/core/monitoring/alerts/{number}/" in said("--alert", str(number))


def test_a_preview_of_an_alert_that_is_over(settings: Settings) -> None:
    number = fire("till", "disk_usage")
    get_database_alerting().resolve_alert(number)
    assert Episode.objects.get().resolved_at is not None
    assert said("--part", "subject", "--alert", str(number)).startswith("[RESOLVED] till")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--part", "body"], "allowed: subject, text, html"),
        (["--alert", "999"], "there is no alert 999"),
        (["--template", "/nowhere/at/all"], "cannot be read"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words) as refused:
        said(*arguments)
    assert "\n" not in str(refused.value)


def test_the_api_previews_for_superusers(api: Callable[..., Client]) -> None:
    root, path = api("superuser"), f"{BASE}alerts/preview/"
    number = fire("till", "disk_usage", message=HTML)
    answer = root.post(
        path, {"part": "html", "template": "{{ bodies[0].message }}", "alert_id": number}, JSON
    )
    assert answer.status_code == 200
    assert "<script>" not in answer.json()["rendered"], "values are escaped"
    assert root.post(path, {"part": "subject"}, JSON).json()["rendered"].startswith("[CRITICAL] shop")
    wrong = root.post(path, {"part": "text", "template": "a\n{{ nope }}"}, JSON)
    assert (wrong.status_code, list(wrong.json()["errors"])) == (400, ["template"])
    assert "line 2" in wrong.json()["detail"]
    assert root.post(path, {"part": "text", "alert_id": 999}, JSON).status_code == 404
    for body, field in (({"part": "x"}, "part"), ({}, "part"), ({"part": "text", "template": 3}, "template")):
        answer = root.post(path, body, JSON)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert api("staff").post(path, {"part": "text"}, JSON).status_code == 403
