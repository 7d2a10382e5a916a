"""Settings that are mappings: Python's or text in JSON, with one clear error that shows nothing of a text."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from dbvigil import conf
from dbvigil.checks import check_settings

MAPPINGS = (
    "DB_ALERT_RULES",
    "DB_ALERT_TEMPLATES",
    "DB_ALERT_THRESHOLDS",
    "DB_BACKUP_SCHEDULES",
    "DB_RECOVERY_ACTIONS",
)


@pytest.mark.parametrize("name", MAPPINGS)
def test_no_text_is_nothing(settings: Settings, name: str) -> None:
    setattr(settings, name, "")
    conf.load()


@pytest.mark.parametrize("name", ["DB_ALERT_RULES", "DB_ALERT_TEMPLATES"])
def test_none_is_nothing(settings: Settings, name: str) -> None:
    setattr(settings, name, None)
    conf.load()


@pytest.mark.parametrize("name", MAPPINGS)
def test_where_a_text_is_no_json_is_said_and_nothing_of_it(settings: Settings, name: str) -> None:
    setattr(settings, name, '{"a": hunter2}')
    (message,) = check_settings()
    assert message.msg.startswith(f"{name}: 'this text' is not allowed; allowed: {{")
    assert "as text in JSON (Expecting value: line 1 column 7 (char 6))" in message.msg
    assert "hunter2" not in message.msg


@pytest.mark.parametrize("name", MAPPINGS)
def test_what_is_no_mapping_is_said(settings: Settings, name: str) -> None:
    for given in ("[1]", [1]):
        setattr(settings, name, given)
        (message,) = check_settings()
        assert message.msg.startswith(f"{name}: 'list' is not allowed; allowed: {{")
