"""The command's words: its flags against its documentation, its JSON, and its one line of error."""

from __future__ import annotations

import argparse
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, OperationalError, ProgrammingError
from pytest_django import Settings

from dbvigil.errors import UnknownDatabase
from dbvigil.management.actions import NAMES
from dbvigil.management.commands.database_monitor import Command, _needed
from dbvigil.management.trouble import explain
from dbvigil.monitoring import get_database_monitor

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "command.md"
TARGETS = {"shop": "mysql://u:secret@127.0.0.1:1/", "other": "mysql://u:secret@127.0.0.1:1/"}


def flags_of(action: str) -> set[str]:
    """The flags that the parser takes for `action` and tells of in its help, with their values' names."""
    parser = Command().create_parser("manage.py", "database_monitor")
    (actions,) = [entry for entry in parser._actions if isinstance(entry, argparse._SubParsersAction)]
    return {
        f"{option.option_strings[-1]} {option.metavar or ''}".strip()
        for option in actions.choices[action]._actions
        if option.option_strings
        and option.help is not argparse.SUPPRESS
        and option.dest not in ("help", "json")
    }


def documented() -> dict[str, set[str]]:
    """Each action of the page's table, with its flags."""
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*?) \|", PAGE.read_text(), re.MULTILINE)
    return {action: set(re.findall(r"`(--[^`]+)`", flags)) for action, flags in rows}


def test_the_page_names_every_action_and_flag_and_no_other() -> None:
    assert documented() == {name: flags_of(name) for name in NAMES}


def test_the_page_tells_of_every_flag_in_its_actions_section() -> None:
    sections = dict(
        re.findall(r"^## ([a-z-]+)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    )
    for name in NAMES:
        for flag in flags_of(name):
            assert f"`{flag}`" in sections[name]


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        (["status", "--json"], ("status",)),
        (["--json", "status"], ("status",)),
        # A settings module may be called as an action is.
        (["--settings", "config", "start", "--interval", "5"], ("start", "config")),
        (["--verbosity", "2", "locks"], ("locks",)),
        (["-h", "status"], NAMES),
        (["status", "--help"], NAMES),
        (["frob"], NAMES),
        ([], NAMES),
    ],
)
def test_only_actions_that_are_named_are_loaded(words: list[str], needed: tuple[str, ...]) -> None:
    assert _needed(words) == needed


def test_the_pages_pictures_exist() -> None:
    for name in re.findall(r"!\[.*?\]\((.*?)\)", PAGE.read_text()):
        assert (PAGE.parent / name).read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["frob"], "invalid choice: 'frob'"),
        (["frob"], "metrics"),
        (["metrics", "--hours", "abc"], "--hours: invalid float value: 'abc'"),
        (["metrics", "--hours", "-1"], "hours: -1.0 is not allowed; allowed: more than 0"),
        (["metrics", "--hours", "nan"], "hours: nan is not allowed"),
        (["metrics", "--database", "nope"], "no monitored database is named 'nope'; known: other, shop"),
        (["start", "--interval", "0.2"], "interval: 0.2 is not allowed; allowed: a number from 1 to 86400"),
        (["start", "--interval", "inf"], "interval: inf is not allowed"),
        (["start", "--watch", "--json"], "--watch and --json exclude each other"),
        (["status", "--watch", "--json"], "--watch and --json exclude each other"),
        (["start", "--watch", "--once"], "not allowed with argument --watch"),
        (["alerts", "--hours", "0"], "hours: 0.0 is not allowed; allowed: more than 0"),
        (["alerts", "--hours", "nan"], "hours: nan is not allowed"),
        (["alerts", "--database", "nope"], "no monitored database is named 'nope'"),
        (["test-alerts", "--channel", "fax"], "no channel is named 'fax'; there are: none is configured"),
        (["acknowledge", "7"], "there is no alert 7"),
        (["acknowledge", "x"], "ID: invalid int value: 'x'"),
        (["suppress", "--database", "shop"], "--minutes is missing: a suppression has an end"),
        (["suppress", "--database", "nope", "--minutes", "5"], "no monitored database is named 'nope'"),
        (["suppress", "--metric", "nope", "--minutes", "5"], "metric: no alert is about 'nope'"),
        (["suppress", "--minutes", "0"], "duration_minutes: 0.0 is not allowed"),
        (["suppress", "--minutes", "nan"], "duration_minutes: nan is not allowed"),
        (["suppress", "--minutes", "43201"], "at most 43200"),
        (["suppress", "--end", "1", "--metric", "up"], "--end and --metric exclude each other"),
        (["suppress", "--end", "1"], "there is no suppression 1"),
        (["stop", "--interval", "3"], "unrecognized arguments: --interval 3"),
    ],
)
@pytest.mark.django_db
def test_what_cannot_be_done_is_said_in_one_line(arguments: list[str], says: str, settings: Settings) -> None:
    settings.DB_MONITORING_TARGETS = TARGETS
    with pytest.raises(CommandError) as caught:
        call_command("database_monitor", *arguments)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.django_db
def test_start_without_a_target_says_what_to_set() -> None:
    for flags in ([], ["--once"], ["--json"]):
        with pytest.raises(CommandError, match="nothing to monitor; set DB_MONITORING_TARGETS"):
            call_command("database_monitor", "start", *flags)


@pytest.mark.django_db
def test_a_wrong_setting_is_named_without_its_secret(settings: Settings) -> None:
    settings.DB_MONITORING_TARGETS = {"shop": "mysql://u:secret@h/?ssl-mode=sometimes"}
    with pytest.raises(CommandError) as caught:
        call_command("database_monitor", "status")
    assert "ssl-mode" in str(caught.value) and "secret" not in str(caught.value)


def document(*arguments: str) -> Any:
    out = io.StringIO()
    call_command("database_monitor", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.mark.django_db
def test_the_documents_are_the_bodies_of_the_api(settings: Settings) -> None:
    settings.DB_MONITORING_TARGETS = TARGETS
    monitor = get_database_monitor()
    status = document("status")
    assert status | {"timestamp": ""} == monitor.get_health_summary() | {"timestamp": ""}
    assert document("config") == json.loads(json.dumps(monitor.get_configuration()))
    assert document("alerts") == {"count": 0, "results": []}
    assert document("alerts", "--hours", "2") == {"count": 0, "results": [], "hours": 2, "history": []}
    assert document("test-alerts") == {"results": {}}
    assert document("verify-audit") == {"events": 0, "faults": []}
    metrics = document("metrics")
    assert set(metrics) == {"timestamp", "databases"} and set(metrics["databases"]) == set(TARGETS)
    assert metrics["databases"]["shop"]["status"] == "unknown"
    assert set(document("metrics", "--database", "shop")["databases"]) == {"shop"}
    assert document("metrics", "--hours", "1")["history"] == {"other": {}, "shop": {}}
    assert document("stop") == {**monitor.get_status(), "was_running": False}


@pytest.mark.django_db
def test_json_may_stand_before_the_action(settings: Settings) -> None:
    settings.DB_MONITORING_TARGETS = TARGETS
    out = io.StringIO()
    call_command("database_monitor", "--json", "status", stdout=out)
    assert set(json.loads(out.getvalue())["databases"]) == set(TARGETS)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OperationalError("no such table: dbvigil_targetstate"), "run: python manage.py migrate"),
        (
            ProgrammingError('relation "dbvigil_sample" does not exist\nLINE 1: SELECT'),
            "run: python manage.py migrate",
        ),
        (ProgrammingError(1146, "Table 'x.dbvigil_sample' doesn't exist"), "run: python manage.py migrate"),
        (OperationalError("unable to open database file"), "check that its folder exists"),
        (OperationalError("database is locked"), "try again in a moment"),
        (OperationalError("attempt to write a readonly database"), "let this user write"),
        (OperationalError("database or disk is full"), "free some space"),
        (DatabaseError("file is not a database"), "damaged or another program's"),
        (OperationalError('password authentication failed for user "x"'), "check user and password"),
        (OperationalError("connection refused"), "check that it runs"),
        (OperationalError(), "check that it runs"),
    ],
)
def test_trouble_with_the_services_database_names_its_remedy(error: DatabaseError, remedy: str) -> None:
    line = explain(error)
    assert line.startswith("the service's own database cannot be used: ")
    assert remedy in line and "\n" not in line


def test_other_trouble_is_told_as_it_is_and_cannot_steer_the_terminal() -> None:
    assert (
        explain(UnknownDatabase("a\x1b[2J", ())) == r"no monitored database is named 'a\x1b[2J'; known: none"
    )
