"""The name of a fingerprint: sixteen hexadecimal digits."""

from __future__ import annotations

import hashlib


def query_id(text: str | bytes) -> str:
    """The last 16 digits of the MD5, upper case: go-mysql's ID, and the end of the 32 digits that pt-query-digest 3 prints."""
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return hashlib.md5(data, usedforsecurity=False).hexdigest()[16:].upper()
