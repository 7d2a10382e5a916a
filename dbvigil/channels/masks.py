"""What may be shown of a channel's configuration, and how a change of it is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from urllib.parse import urlsplit


def origin(url: str) -> str:
    """Scheme and host of a URL; its path, its query and its password may be secrets."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}"
    except ValueError:
        return "a URL that is not valid"


def scheme(url: str) -> str:
    """The scheme alone: what stands where a host does in an Apprise URL is often a token."""
    return f"{url.split('://', 1)[0]}://***"


def address(text: str) -> str:
    """`ada@example.org` as `a…@example.org`."""
    name, _, domain = text.rpartition("@")
    return f"{name[:1]}…@{domain}"


def addresses(found: Sequence[str]) -> str:
    return ", ".join(address(one) for one in found)


def fingerprint(*parts: str) -> str:
    """The same for the same configuration in every process; nothing can be read from it."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
