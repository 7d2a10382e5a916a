"""Secrets at rest: sealed under a key that is derived from SECRET_KEY, so that a copy of the database alone opens nothing."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_PURPOSE = b"dbvigil: secrets of alert channels"


class CannotOpenError(Exception):
    """It was sealed under a SECRET_KEY that is neither the present one nor among SECRET_KEY_FALLBACKS."""


def seal(text: str) -> str:
    """`text` for the database; "" stays "", since there is nothing to hide."""
    return _keys().encrypt(text.encode()).decode("ascii") if text else ""


def unseal(sealed: str) -> str:
    """What `seal` was given, under the present key or an earlier one. Raises `CannotOpenError`."""
    if not sealed:
        return ""
    try:
        return _keys().decrypt(sealed.encode("ascii")).decode()
    except InvalidToken:
        raise CannotOpenError from None


def _keys() -> MultiFernet:
    """The first seals, all of them open: a key is rotated as Django's signatures are."""
    known = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(key)) for key in known])


def _derived(key: str | bytes) -> bytes:
    material = key.encode() if isinstance(key, str) else key
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(material)
    return base64.urlsafe_b64encode(derived)
