"""The settings of recovery: what is off, what an option may be, and that no password is ever shown."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from dbvigil import conf
from dbvigil.checks import check_settings
from dbvigil.conf.recovery import MODES, NEVER_SAFE, OPTIONS, SAFE_ERRORS
from dbvigil.recovery.catalogue import actions


def test_nothing_is_live_by_default() -> None:
    found = conf.load().recovery
    assert not found.enabled
    assert {found.automatic(name) for name in found.actions} == {"dry_run"}
    assert set(found.actions) == set(OPTIONS)


@pytest.mark.parametrize(
    ("enabled", "mode", "automatic"),
    [
        (False, "off", "off"),
        (False, "dry_run", "dry_run"),
        (False, "live", "dry_run"),
        (True, "off", "off"),
        (True, "dry_run", "dry_run"),
        (True, "live", "live"),
    ],
)
def test_two_switches_make_live(settings: Settings, enabled: bool, mode: str, automatic: str) -> None:
    settings.DB_RECOVERY_ENABLED = enabled
    settings.DB_RECOVERY_ACTIONS = {"end_blockers": mode}
    found = conf.load().recovery
    assert found.automatic("end_blockers") == automatic
    assert found.automatic("end_long_statements") == "dry_run"


def test_options_have_their_defaults_and_text_is_json(settings: Settings) -> None:
    settings.DB_RECOVERY_ACTIONS = (
        '{"end_long_statements": {"mode": "live", "limit_seconds": 120, "users": ["reports"]}}'
    )
    found = conf.load().recovery.actions["end_long_statements"]
    assert (found.mode, found["limit_seconds"], found["users"]) == ("live", 120.0, ("reports",))
    assert (found["at_most"], found["writes"], found["severity"]) == (5, False, "critical")
    shown = conf.load().shown["DB_RECOVERY_ACTIONS"]["value"]["end_long_statements"]
    assert shown["users"] == ["reports"]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (5, "DB_RECOVERY_ACTIONS"),
        ("{", "DB_RECOVERY_ACTIONS"),
        ({"end_everything": "live"}, "DB_RECOVERY_ACTIONS"),
        ({"os.nothing": "live"}, "DB_RECOVERY_ACTIONS"),
        ({"os.path": "live"}, "DB_RECOVERY_ACTIONS"),
        ({"end_blockers": "on"}, "DB_RECOVERY_ACTIONS[end_blockers][mode]"),
        ({"end_blockers": {"mode": True}}, "DB_RECOVERY_ACTIONS[end_blockers][mode]"),
        ({"end_blockers": 5}, "DB_RECOVERY_ACTIONS[end_blockers]"),
        ({"end_blockers": {"limit_seconds": 5}}, "DB_RECOVERY_ACTIONS[end_blockers]"),
        (
            {"end_long_statements": {"limit_seconds": 1}},
            "DB_RECOVERY_ACTIONS[end_long_statements][limit_seconds]",
        ),
        (
            {"end_long_statements": {"limit_seconds": "x"}},
            "DB_RECOVERY_ACTIONS[end_long_statements][limit_seconds]",
        ),
        ({"end_long_statements": {"users": "reports"}}, "DB_RECOVERY_ACTIONS[end_long_statements][users]"),
        ({"end_long_statements": {"users": [5]}}, "DB_RECOVERY_ACTIONS[end_long_statements][users]"),
        ({"end_long_statements": {"writes": 2}}, "DB_RECOVERY_ACTIONS[end_long_statements][writes]"),
        ({"end_long_statements": {"at_most": 1.5}}, "DB_RECOVERY_ACTIONS[end_long_statements][at_most]"),
        ({"end_long_statements": {"at_most": 0}}, "DB_RECOVERY_ACTIONS[end_long_statements][at_most]"),
        ({"end_long_statements": {"severity": "info"}}, "DB_RECOVERY_ACTIONS[end_long_statements][severity]"),
        ({"restart_replication": {"errors": [1062]}}, "DB_RECOVERY_ACTIONS[restart_replication][errors]"),
        ({"restart_replication": {"errors": "2003"}}, "DB_RECOVERY_ACTIONS[restart_replication][errors]"),
        ({"restart_replication": {"errors": [True]}}, "DB_RECOVERY_ACTIONS[restart_replication][errors]"),
    ],
)
def test_what_cannot_be_used_is_named_with_what_is_allowed(
    settings: Settings, value: Any, place: str
) -> None:
    settings.DB_RECOVERY_ACTIONS = value
    (message,) = check_settings()
    assert message.msg.startswith(f"{place}: ")
    assert "is not allowed; allowed: " in message.msg


def test_what_harms_is_never_safe() -> None:
    assert not set(SAFE_ERRORS) & set(NEVER_SAFE)
    assert 1062 in NEVER_SAFE
    assert MODES == ("off", "dry_run", "live")


@pytest.mark.parametrize(
    "value",
    [
        "shop=mysql://mender:s%40cret@",
        {"shop": "mysql://mender:s%40cret@"},
        {"shop": "mariadb://mender:s%40cret@/"},
    ],
)
def test_accounts_are_read_and_their_passwords_are_not_shown(settings: Settings, value: Any) -> None:
    settings.DB_RECOVERY_ACCOUNTS = value
    found = conf.load()
    assert (found.recovery.accounts["shop"].user, found.recovery.accounts["shop"].password) == (
        "mender",
        "s@cret",
    )
    assert found.shown["DB_RECOVERY_ACCOUNTS"]["value"] == {"shop": "mysql://mender:***@"}
    assert "@cret" not in repr(found)


@pytest.mark.parametrize(
    "value",
    [
        5,
        "mysql://mender:s3cret@",
        "shop=mysql://mender:s3 cret@",
        "shop=mysql://a:s3cret@ shop=mysql://b:s3cret@",
        {"shop": "mysql://mender:s3cret@elsewhere:3306/"},
        {"shop": "mysql://:s3cret@"},
        {"shop": "http://mender:s3cret@"},
        {"shop": "mysql://mender:s3cret@?ssl-ca=x"},
        {"shop": None},
    ],
)
def test_what_is_no_account_is_said_without_showing_it(settings: Settings, value: Any) -> None:
    settings.DB_RECOVERY_ACCOUNTS = value
    (message,) = check_settings()
    assert message.msg.startswith("DB_RECOVERY_ACCOUNTS")
    assert "s3cret" not in message.msg


def test_a_project_names_its_own_action_by_its_dotted_path(settings: Settings) -> None:
    name = "tests.support.own_action.DrainQueue"
    settings.DB_RECOVERY_ACTIONS = {name: {"mode": "live", "queue": "orders", "per_hour": 1}}
    found = conf.load().recovery
    assert found.actions[name]["queue"] == "orders"
    assert list(actions(found)) == [*OPTIONS, name]
