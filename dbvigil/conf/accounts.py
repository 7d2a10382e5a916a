"""Accounts beside the monitoring one, by alias: who may do what the monitor's own must not be able to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from dbvigil.errors import ConfigurationError
from dbvigil.targets import PERCENT

_ALLOWED = (
    "allowed: {alias: 'mysql://user:password@'}, or alias=url pairs separated by spaces; no host: the account is used at the "
    f"target's own address; {PERCENT}"
)


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a server knows us as."""

    user: str
    password: str = field(repr=False)


def accounts(name: str, value: object) -> Mapping[str, Account]:
    """By alias the account; raises `ConfigurationError` naming `name`, with nothing of a URL in it."""
    if isinstance(value, str):
        pairs = [pair.partition("=") for pair in value.split()]
        if any(not equals or not alias for alias, equals, _ in pairs):
            # A password with a space in it would be the next "alias", so none is shown.
            raise ConfigurationError(name, "a pair", _ALLOWED)
        if len({alias for alias, _, _ in pairs}) != len(pairs):
            raise ConfigurationError(name, "an alias that comes twice", _ALLOWED)
        value = {alias: url for alias, _, url in pairs}
    if not isinstance(value, Mapping):
        raise ConfigurationError(name, type(value).__name__, _ALLOWED)
    return {str(alias): _account(f"{name}[{alias!r}]", url) for alias, url in value.items()}


def shown(value: Mapping[str, Account]) -> dict[str, str]:
    """Whose accounts they are, and no password."""
    return {alias: f"mysql://{account.user}:***@" for alias, account in value.items()}


def _account(place: str, url: object) -> Account:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        bare = parts is not None and not (
            parts.hostname or parts.port or parts.path.strip("/") or parts.query or parts.fragment
        )
    except ValueError:
        parts, bare = None, False
    if parts is None or not bare or parts.scheme not in ("mysql", "mariadb") or not parts.username:
        raise ConfigurationError(place, "this URL", _ALLOWED)
    return Account(unquote(parts.username), unquote(parts.password or ""))
