"""Addresses in messages: an alert's page, and a signed one where it can be acknowledged once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.core import signing
from django.urls import NoReverseMatch, reverse

from dbvigil.errors import AlertError

_SALT = "dbvigil.acknowledge"
_VALID_SECONDS = 7 * 86_400


class ExpiredLink(AlertError):
    """A link that was good once."""

    def __init__(self) -> None:
        super().__init__("token", "this link is more than a week old")


@dataclass(frozen=True, slots=True)
class Signed:
    """What a link says: the alert, and how often it had been acknowledged when the link was made."""

    alert: int
    generation: int


def links_of(base_url: str, alert: int, generation: int) -> Mapping[str, str]:
    """`{"page", "acknowledge"}` of an alert, absolute; empty where it is not known under which address people reach the service."""
    if not base_url or not alert:
        return {}
    try:
        page = reverse("dbvigil:dbvigil-alert", args=(alert,))
        acknowledge = reverse("dbvigil:dbvigil-acknowledge", args=(sign(alert, generation),))
    except NoReverseMatch:
        # The host project has not included the pages.
        return {}
    root = base_url.rstrip("/")
    return {"page": root + page, "acknowledge": root + acknowledge}


def sign(alert: int, generation: int) -> str:
    return signing.dumps([alert, generation], salt=_SALT)


def read(token: str) -> Signed:
    """Raises `ExpiredLink` for one that is too old, `AlertError` for one that was not made here."""
    try:
        alert, generation = signing.loads(token, salt=_SALT, max_age=_VALID_SECONDS)
        return Signed(int(alert), int(generation))
    except signing.SignatureExpired:
        raise ExpiredLink from None
    except (signing.BadSignature, ValueError, TypeError):
        raise AlertError("token", "this link was not made here, or was cut off") from None
