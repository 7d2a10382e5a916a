"""The administrator and the token of a first run, and where they are kept: `$DBVIGIL_HOME`, for its owner's eyes.

Import it when Django is set up.
"""

from __future__ import annotations

import os
import secrets
from datetime import datetime
from pathlib import Path

from django.contrib.auth import get_user_model

from dbvigil.api import tokens

ADMINISTRATOR = "admin"
CHANGED = "(as you set it)"


def administrator(home: Path) -> str:
    """The administrator's password, the account made where there is none; `CHANGED` where somebody changed it."""
    path = home / "admin_password"
    users = get_user_model().objects
    user = users.filter(username=ADMINISTRATOR).first()
    if user is not None:
        saved = path.read_text().strip() if path.exists() else ""
        return saved if saved and user.check_password(saved) else CHANGED
    password = secrets.token_urlsafe(12)
    # Saved first: a password without an account is replaced next time, an account without one locks its owner out.
    _write_secret(path, password)
    users.create_superuser(ADMINISTRATOR, "", password)
    return password


def token(home: Path, now: datetime) -> str:
    """The token in `$DBVIGIL_HOME/token` where it still holds at `now`, else a new one, written there alone."""
    path = home / "token"
    if path.exists():
        path.chmod(0o600)
        saved = path.read_text().strip()
        if tokens.find(saved, now) is not None:
            return saved
    _row, made = tokens.create(get_user_model().objects.get(username=ADMINISTRATOR), now)
    _write_secret(path, made)
    return made


def _write_secret(path: Path, secret: str) -> None:
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(secret + "\n")
