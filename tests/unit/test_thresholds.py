"""Thresholds: what settings, defaults and people say of them, in which order, and what is on record."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from pytest_django import Settings

from dbvigil import conf
from dbvigil.errors import ConfigurationError, UnknownDatabase, UnknownMetric, UnknownThreshold
from dbvigil.models import AuditEvent, StoredThreshold
from dbvigil.monitoring import DatabaseMonitor, get_database_monitor
from dbvigil.monitoring.thresholds import Thresholds
from tests.support.api import BASE, seed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def monitor(settings: Settings) -> DatabaseMonitor:
    settings.DB_MONITORING_TARGETS = dict.fromkeys(("shop", "reports"), "mysql://u:p@127.0.0.1:1/")
    return get_database_monitor()


def levels(database: str, metric: str) -> tuple[float | None, float | None, str]:
    found = Thresholds(conf.load().thresholds).of(database)[metric]
    return found.warning, found.critical, found.source


def test_settings_give_levels_to_any_metric_of_any_database(
    monitor: DatabaseMonitor, settings: Settings
) -> None:
    settings.DB_ALERT_THRESHOLDS = {
        "*": {"load1": {"warning": 8, "critical": 16}, "disk_usage": {"critical": 97}},
        "reports": {
            "replication_lag": {"warning": 60, "critical": 600},
            "buffer_pool_hit_rate": {"warning": 90},
        },
    }
    assert levels("shop", "load1") == (8.0, 16.0, "settings")
    assert levels("shop", "disk_usage") == (None, 97.0, "settings")
    assert levels("shop", "replication_lag") == (5.0, 30.0, "default")
    assert levels("reports", "replication_lag") == (60.0, 600.0, "settings")
    assert levels("reports", "buffer_pool_hit_rate") == (90.0, None, "settings")


def test_the_environment_gives_them_as_json(settings: Settings) -> None:
    given = conf.from_environment({"DB_ALERT_THRESHOLDS": '{"*": {"load1": {"warning": 8}}}'})
    for name, value in given.items():
        setattr(settings, name, value)
    assert levels("shop", "load1") == (8.0, None, "environment")


def test_what_people_set_goes_before_the_settings_and_one_database_before_all(
    monitor: DatabaseMonitor, settings: Settings
) -> None:
    settings.DB_ALERT_THRESHOLDS = {"*": {"load1": {"warning": 8}}, "reports": {"load1": {"warning": 20}}}
    monitor.update_threshold("load1", warning=9, critical=None, by="ada")
    assert levels("shop", "load1") == (9.0, None, "stored")
    assert levels("reports", "load1") == (20.0, None, "settings"), (
        "what is said of one database is more exact"
    )
    monitor.update_threshold("load1", warning=30, critical=40, database="reports", by="ada")
    assert levels("reports", "load1") == (30.0, 40.0, "stored")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("{", "DB_ALERT_THRESHOLDS"),
        ("[]", "DB_ALERT_THRESHOLDS"),
        (3, "DB_ALERT_THRESHOLDS"),
        ({"": {}}, "DB_ALERT_THRESHOLDS"),
        ({"*": 3}, "DB_ALERT_THRESHOLDS[*]"),
        ({"*": {"nothing": {"warning": 1}}}, "DB_ALERT_THRESHOLDS[*]"),
        ({"*": {"flavor": {"warning": 1}}}, "DB_ALERT_THRESHOLDS[*]"),
        ({"*": {"load1": {}}}, "DB_ALERT_THRESHOLDS[*][load1]"),
        ({"*": {"load1": {"warn": 1}}}, "DB_ALERT_THRESHOLDS[*][load1]"),
        ({"*": {"load1": [1, 2]}}, "DB_ALERT_THRESHOLDS[*][load1]"),
        ({"*": {"load1": {"warning": "high"}}}, "DB_ALERT_THRESHOLDS[*][load1][warning]"),
        ({"*": {"load1": {"warning": True}}}, "DB_ALERT_THRESHOLDS[*][load1][warning]"),
        ({"shop": {"load1": {"warning": 2, "critical": 1}}}, "DB_ALERT_THRESHOLDS[shop][load1][critical]"),
        (
            {"*": {"buffer_pool_hit_rate": {"warning": 90, "critical": 95}}},
            "DB_ALERT_THRESHOLDS[*][buffer_pool_hit_rate][critical]",
        ),
    ],
)
def test_a_wrong_setting_names_its_place(settings: Settings, value: Any, place: str) -> None:
    settings.DB_ALERT_THRESHOLDS = value
    (problem,) = conf.problems()
    assert problem.field == place


def test_a_change_is_on_record_with_what_held_before(monitor: DatabaseMonitor) -> None:
    changed = monitor.update_threshold("disk_usage", warning=70, critical=80, database="shop", by="ada")
    assert changed["previous"] == {"warning": 85.0, "critical": 95.0, "source": "default"}
    again = monitor.update_threshold("disk_usage", warning=60, critical=80, database="shop")
    assert again["previous"] == {"warning": 70.0, "critical": 80.0, "source": "stored"}
    told = AuditEvent.objects.order_by("id").values_list("event", "actor", "detail")
    assert [(event, actor) for event, actor, _ in told] == [
        ("threshold_changed", "ada"),
        ("threshold_changed", "dbvigil"),
    ]
    assert json.loads(told[0][2]) == changed


def test_what_was_set_can_be_taken_back(monitor: DatabaseMonitor) -> None:
    with pytest.raises(UnknownThreshold, match="nothing to reset"):
        monitor.reset_threshold("disk_usage")
    monitor.update_threshold("disk_usage", warning=70, critical=80)
    back = monitor.reset_threshold("disk_usage", by="ada")
    assert (back["warning"], back["critical"], back["previous"]["warning"]) == (85.0, 95.0, 70.0)
    assert levels("shop", "disk_usage") == (85.0, 95.0, "default")
    assert AuditEvent.objects.count() == 2
    monitor.update_threshold("load1", warning=8, critical=None)
    assert monitor.reset_threshold("load1")["warning"] is None, "nothing says anything about it by default"


def test_what_there_is_not_cannot_be_set(monitor: DatabaseMonitor) -> None:
    with pytest.raises(UnknownMetric):
        monitor.reset_threshold("nothing")
    with pytest.raises(UnknownDatabase):
        monitor.reset_threshold("disk_usage", "shpo")
    with pytest.raises(ConfigurationError):
        monitor.update_threshold("disk_usage", warning=90, critical=80)
    assert not StoredThreshold.objects.exists()
    assert not AuditEvent.objects.exists()


# the command


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command("database_monitor", "threshold", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_shows_sets_and_resets(monitor: DatabaseMonitor) -> None:
    assert said("disk_usage") == "disk_usage of every database: warning 85.0 %, critical 95.0 % (default)\n"
    assert said("load1") == "load1 has no threshold: nothing alerts on it.\n"
    change = said("disk_usage", "--warning", "70", "--critical", "off", "--database", "shop", "--user", "ada")
    assert change == "disk_usage of shop: warning 70.0 %; it was warning 85.0 %, critical 95.0 %.\n"
    assert StoredThreshold.objects.get().changed_by == "ada"
    assert said("disk_usage").splitlines()[1] == "disk_usage of shop: warning 70.0 % (stored)"
    assert json.loads(said("disk_usage", "--json"))["thresholds"][1]["source"] == "stored"
    body = json.loads(said("disk_usage", "--reset", "--database", "shop", "--json"))
    assert (body["warning"], body["previous"]["warning"]) == (85.0, 70.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "nothing"),
        (["disk_usage", "--warning", "70"], "--critical is missing"),
        (["disk_usage", "--warning", "70", "--critical", "x"], "--critical"),
        (["disk_usage", "--warning", "off", "--critical", "off"], "at least one"),
        (["disk_usage", "--warning", "90", "--critical", "80"], "at least the warning level"),
        (["disk_usage", "--reset", "--warning", "1"], "exclude each other"),
        (["disk_usage", "--reset"], "nothing to reset"),
        (["disk_usage", "--database", "shpo"], "shpo"),
        (["flavor", "--warning", "1", "--critical", "2"], "a metric that is a number"),
    ],
)
def test_the_command_says_in_one_line_what_is_wrong(
    monitor: DatabaseMonitor, arguments: list[str], words: str
) -> None:
    with pytest.raises(CommandError) as refused:
        said(*arguments)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


# the API


def test_the_api_resets(api: Callable[..., Client]) -> None:
    seed("shop")
    root, path = api("superuser"), f"{BASE}config/threshold/"
    body = {"metric": "disk_usage", "warning": 70, "critical": 80, "database": "shop"}
    assert root.post(path, body, "application/json").status_code == 200
    back = root.delete(f"{path}?metric=disk_usage&database=shop")
    assert (back.status_code, back.json()["warning"], back.json()["previous"]["source"]) == (
        200,
        85.0,
        "stored",
    )
    gone = root.delete(f"{path}?metric=disk_usage&database=shop")
    assert (gone.status_code, gone.json()["type"]) == (404, "urn:dbvigil:problem:unknown-threshold")
    for query, field in (("", "metric"), ("?metric=x", "metric"), ("?metric=load1&more=1", "more")):
        answer = root.delete(f"{path}{query}")
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert root.delete(f"{path}?metric=load1&database=shpo").status_code == 404
