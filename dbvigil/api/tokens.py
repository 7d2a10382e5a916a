"""API tokens: 256 random bits behind a recognizable prefix, hashed at rest, expiring, revocable at once.

They are kept by django-rest-knox. A host project may use knox for tokens of its own: those lack the prefix,
and neither kind opens the other's doors.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from knox.crypto import hash_token
from knox.models import get_token_model
from knox.settings import CONSTANTS

PREFIX = "dbvigil_"
DEFAULT_DAYS = 365
MOST_DAYS = 3650
KEY_LENGTH: int = CONSTANTS.TOKEN_KEY_LENGTH

_FORM = re.compile(rf"{PREFIX}[0-9a-f]{{64}}")


def create(user: Any, now: datetime, days: float = DEFAULT_DAYS) -> tuple[Any, str]:
    """A new token of `user` as (row, token); the token is kept nowhere. The user's expired tokens go."""
    if not 0 < days <= MOST_DAYS:
        raise ValueError(f"a token lives more than 0 and at most {MOST_DAYS} days")
    token = PREFIX + secrets.token_hex(32)
    rows = get_token_model().objects
    rows.filter(user=user, token_key__startswith=PREFIX, expiry__lt=now).delete()
    # Not the manager's `create`: the length of its tokens is a setting of the host project.
    row = rows.model(
        digest=hash_token(token), token_key=token[:KEY_LENGTH], user=user, expiry=now + timedelta(days=days)
    )
    row.save(force_insert=True)
    return row, token


def find(token: str, now: datetime) -> Any | None:
    """The row of a token that is valid at `now` and whose user is active, or None; writes nothing."""
    if not _FORM.fullmatch(token):
        return None
    # By the digest of 256 random bits: what the look-up's time tells about a digest leads nobody to a token.
    row = get_token_model().objects.select_related("user").filter(pk=hash_token(token)).first()
    if row is None or row.expiry is None or row.expiry <= now or not row.user.is_active:
        return None
    return row


def listing() -> QuerySet[Any]:
    """Every API token, newest first, expired ones included."""
    rows: QuerySet[Any] = get_token_model().objects.select_related("user")
    return rows.filter(token_key__startswith=PREFIX).order_by("-created")


def revoke(key: str) -> int:
    """Removes the tokens that begin with `key`, prefix included; how many they were."""
    if len(key) < KEY_LENGTH or not key.startswith(PREFIX):
        return 0
    removed, _ = listing().filter(token_key=key[:KEY_LENGTH]).delete()
    return int(removed)


def revoke_user(user: Any) -> int:
    """Removes every API token of `user`; how many they were."""
    removed, _ = listing().filter(user=user).delete()
    return int(removed)
