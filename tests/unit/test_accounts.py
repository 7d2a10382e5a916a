"""The administrator and the token of `make run`: made once, kept for their owner, replaced when they no longer hold."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from dbvigil.api import tokens
from service import accounts

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_password_is_kept_and_opens_the_site(tmp_path: Path) -> None:
    password = accounts.administrator(tmp_path)
    user = User.objects.get(username="admin")
    assert user.is_superuser
    assert user.check_password(password)
    assert len(password) >= 16
    assert (tmp_path / "admin_password").read_text() == f"{password}\n"
    assert mode(tmp_path / "admin_password") == 0o600
    assert accounts.administrator(tmp_path) == password


@pytest.mark.parametrize("change", ["password", "file"])
def test_a_password_that_is_no_longer_known_is_not_shown(tmp_path: Path, change: str) -> None:
    accounts.administrator(tmp_path)
    if change == "file":
        (tmp_path / "admin_password").unlink()
    else:
        user = User.objects.get(username="admin")
        user.set_password("my own, and longer")
        user.save()
    assert accounts.administrator(tmp_path) == accounts.CHANGED


def test_a_token_is_kept_while_it_holds(tmp_path: Path) -> None:
    accounts.administrator(tmp_path)
    token = accounts.token(tmp_path, NOW)
    path = tmp_path / "token"
    assert path.read_text() == f"{token}\n"
    assert mode(path) == 0o600
    path.chmod(0o644)
    assert accounts.token(tmp_path, NOW + timedelta(days=1)) == token
    assert mode(path) == 0o600


def test_a_token_that_expired_or_was_revoked_is_replaced(tmp_path: Path) -> None:
    accounts.administrator(tmp_path)
    first = accounts.token(tmp_path, NOW)
    second = accounts.token(tmp_path, NOW + timedelta(days=tokens.DEFAULT_DAYS + 1))
    tokens.revoke_user(User.objects.get(username="admin"))
    third = accounts.token(tmp_path, NOW + timedelta(days=tokens.DEFAULT_DAYS + 2))
    assert len({first, second, third}) == 3
    found = tokens.find(
        (tmp_path / "token").read_text().strip(), NOW + timedelta(days=tokens.DEFAULT_DAYS + 2)
    )
    assert found is not None
    assert found.user.username == "admin"
