"""The settings of backups: what is allowed, one clear error for what is not, and no secret in any of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dbvigil import conf
from dbvigil.conf import from_environment
from dbvigil.conf.accounts import Account
from dbvigil.conf.backups import BackupSchedule
from dbvigil.errors import ConfigurationError

TARGETS = dict.fromkeys(("shop", "shop-replica"), "mysql://u:p@127.0.0.1:1/")
SECRET = "s3cret-" * 6


@pytest.fixture(autouse=True)
def monitored(settings: Any) -> None:
    settings.DB_MONITORING_TARGETS = TARGETS


def test_nothing_is_backed_up_by_itself() -> None:
    found = conf.load().backups
    assert (found.enabled, found.schedules, found.keys, found.seals) == (False, {}, (), False)


def test_what_is_said_is_read(settings: Any) -> None:
    settings.BACKUP_SCHEDULER_ENABLED = True
    settings.DB_BACKUP_FOLDER = "/var/backups/dbvigil"
    settings.DB_BACKUP_SCHEDULES = {
        "shop": {
            "cron": "15 3 * * *",
            "from": "shop-replica",
            "databases": ["shop"],
            "keep_days": 14,
            "verify": False,
        },
        "shop-replica": {"cron": "0 4 * * 0", "tool": "physical"},
    }
    settings.DB_BACKUP_ACCOUNTS = {"shop": "mysql://keeper:k%40eper@"}
    settings.DB_BACKUP_KEY, settings.DB_BACKUP_KEY_FALLBACKS = SECRET, ["old" * 20]
    found = conf.load().backups
    assert found.schedules == {
        "shop": BackupSchedule("15 3 * * *", "shop-replica", ("shop",), keep_days=14, verify=False),
        "shop-replica": BackupSchedule("0 4 * * 0", tool="physical"),
    }
    assert found.schedules["shop-replica"].source == "auto"
    assert found.accounts == {"shop": Account("keeper", "k@eper")}
    assert found.keys == (SECRET, "old" * 20)
    assert found.seals


def test_the_environment_says_the_same_as_text(settings: Any) -> None:
    for name, value in from_environment(
        {
            "BACKUP_SCHEDULER_ENABLED": "yes",
            "DB_BACKUP_FOLDER": "/b",
            "DB_BACKUP_SCHEDULES": json.dumps({"shop": "15 3 * * *"}),
            "DB_BACKUP_KEY_FALLBACKS": f"{'a' * 32} {'b' * 32}",
            "DB_BACKUP_ACCOUNTS": "shop=mysql://keeper:k@",
        }
    ).items():
        setattr(settings, name, value)
    found = conf.load().backups
    assert found.enabled
    assert list(found.schedules) == ["shop"]
    # Former keys alone open, and seal nothing.
    assert (len(found.keys), found.seals) == (2, False)


def test_secrets_are_shown_nowhere(settings: Any) -> None:
    settings.DB_BACKUP_ACCOUNTS = {"shop": f"mysql://keeper:{SECRET}@"}
    settings.DB_BACKUP_KEY = settings.DB_BACKUP_KEY_FALLBACKS = SECRET
    found = conf.load()
    assert "s3cret" not in repr(found) + json.dumps(found.shown)
    assert found.shown["DB_BACKUP_ACCOUNTS"]["value"] == {"shop": "mysql://keeper:***@"}
    assert found.shown["DB_BACKUP_KEY"]["value"] == "***"
    assert found.shown["DB_BACKUP_KEY_FALLBACKS"]["value"] == ["***"]


@pytest.mark.parametrize(
    ("name", "value", "field", "said"),
    [
        ("DB_BACKUP_SCHEDULES", ["shop"], "DB_BACKUP_SCHEDULES", "list"),
        ("DB_BACKUP_SCHEDULES", "{", "DB_BACKUP_SCHEDULES", "as text in JSON"),
        ("DB_BACKUP_SCHEDULES", {"shop": 5}, "DB_BACKUP_SCHEDULES[shop]", "5"),
        ("DB_BACKUP_SCHEDULES", {"shop": {}}, "DB_BACKUP_SCHEDULES[shop]", "cron"),
        ("DB_BACKUP_SCHEDULES", {"shop": "at noon"}, "DB_BACKUP_SCHEDULES[shop][cron]", "five fields"),
        ("DB_BACKUP_SCHEDULES", {"shop": "61 3 * * *"}, "DB_BACKUP_SCHEDULES[shop][cron]", "61 3"),
        ("DB_BACKUP_SCHEDULES", {"shop": "0 0 30 2 *"}, "DB_BACKUP_SCHEDULES[shop][cron]", "comes about"),
        ("DB_BACKUP_SCHEDULES", {"other": "15 3 * * *"}, "DB_BACKUP_SCHEDULES", "shop, shop-replica"),
        ("DB_BACKUP_SCHEDULES", {"a b": "15 3 * * *"}, "DB_BACKUP_SCHEDULES", "alias"),
        (
            "DB_BACKUP_SCHEDULES",
            {"shop": {"cron": "15 3 * * *", "tool": "physical", "databases": ["shop"]}},
            "DB_BACKUP_SCHEDULES[shop][databases]",
            "all of a server's files are copied",
        ),
        *(
            (
                "DB_BACKUP_SCHEDULES",
                {"shop": {"cron": "15 3 * * *", key: value}},
                f"DB_BACKUP_SCHEDULES[shop]{place}",
                said,
            )
            for key, value, place, said in (
                ("fast", True, "", "cron, from, databases"),
                ("tool", "xtrabackup", "[tool]", "allowed: dump, physical"),
                ("tool", ["physical"], "[tool]", "allowed: dump, physical"),
                ("from", "nobody", "[from]", "nobody"),
                ("from", 5, "[from]", "5"),
                ("databases", "shop", "[databases]", "list"),
                ("databases", ["--all-databases"], "[databases]", "--all-databases"),
                ("keep_days", 0, "[keep_days]", "from 1 to 3650"),
                ("keep_weeks", -1, "[keep_weeks]", "from 0 to 520"),
                ("verify", "maybe", "[verify]", "True or False"),
                ("compare_seconds", "x", "[compare_seconds]", "from 0 to 86400"),
                ("most_hours", 0, "[most_hours]", "from 0.01 to 168"),
                ("megabytes_per_second", float("nan"), "[megabytes_per_second]", "from 0 to 100000"),
            )
        ),
        ("DB_BACKUP_FOLDER", "backups", "DB_BACKUP_FOLDER", "absolute path"),
        ("DB_BACKUP_FOLDER", None, "DB_BACKUP_FOLDER", "absolute path"),
        ("DB_BACKUP_KEY", "s3cret-too-short", "DB_BACKUP_KEY", "at least 32"),
        ("DB_BACKUP_KEY", 5, "DB_BACKUP_KEY", "at least 32"),
        ("DB_BACKUP_KEY_FALLBACKS", ["s3cret"], "DB_BACKUP_KEY_FALLBACKS", "at least 32"),
        ("DB_BACKUP_KEY_FALLBACKS", 5, "DB_BACKUP_KEY_FALLBACKS", "list"),
        (
            "DB_BACKUP_ACCOUNTS",
            {"shop": "mysql://keeper:s3cret@host/"},
            "DB_BACKUP_ACCOUNTS['shop']",
            "user:password@",
        ),
        ("DB_BACKUP_ACCOUNTS", {"shop": "s3cret"}, "DB_BACKUP_ACCOUNTS['shop']", "user:password@"),
        (
            "DB_BACKUP_ACCOUNTS",
            {"other": "mysql://keeper:s3cret@"},
            "DB_BACKUP_ACCOUNTS",
            "shop, shop-replica",
        ),
        ("DB_BACKUP_ACCOUNTS", "s3cret", "DB_BACKUP_ACCOUNTS", "pairs"),
        ("BACKUP_SCHEDULER_ENABLED", "perhaps", "BACKUP_SCHEDULER_ENABLED", "True or False"),
    ],
)
def test_what_cannot_be_used_is_told_once(
    settings: Any, name: str, value: object, field: str, said: str
) -> None:
    setattr(settings, name, value)
    with pytest.raises(ConfigurationError) as caught:
        conf.load()
    assert caught.value.field == field
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert [problem.field for problem in conf.problems()] == [field]


def test_a_scheduler_without_a_folder_is_told(settings: Any) -> None:
    settings.BACKUP_SCHEDULER_ENABLED = True
    settings.DB_BACKUP_FOLDER = ""
    (problem,) = conf.problems()
    assert problem.field == "DB_BACKUP_FOLDER"
