"""DB_SANDBOX_URL: read, checked, and shown without its password."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from dbvigil import conf
from dbvigil.checks import check_settings

URL = "mysql://trier:s3cret@spare.example:3307/"


def test_it_is_empty_by_default() -> None:
    assert conf.load().sandbox_url == ""


def test_its_password_is_not_shown(settings: Settings) -> None:
    settings.DB_SANDBOX_URL = URL
    found = conf.load()
    assert found.sandbox_url == URL
    assert found.shown["DB_SANDBOX_URL"]["value"] == "mysql://trier:***@spare.example:3307/"
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    "value", [5, None, "spare.example", "http://a:s3cret@b/", "mysql://a:s3cret@b/?nonsense=1"]
)
def test_what_is_no_url_is_said(settings: Settings, value: object) -> None:
    settings.DB_SANDBOX_URL = value
    (message,) = check_settings()
    assert message.msg.startswith("DB_SANDBOX_URL:")
    assert "s3cret" not in message.msg
