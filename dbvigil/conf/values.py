"""How a setting's value is read: from a Python value or an environment's text, with one clear error where it cannot be used."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from dbvigil import targets
from dbvigil.errors import ConfigurationError

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")


def boolean(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _TRUE + _FALSE:
        return value.strip().lower() in _TRUE
    raise ConfigurationError(name, value, "allowed: True or False")


def number(name: str, value: object, least: float, most: float) -> float:
    allowed = f"allowed: a number from {least:g} to {most:g}"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ConfigurationError(name, value, allowed)
    try:
        found = float(value)
    except ValueError:
        raise ConfigurationError(name, value, allowed) from None
    if not math.isfinite(found) or not least <= found <= most:
        raise ConfigurationError(name, value, allowed)
    return found


def from_json(name: str, value: object, allowed: str) -> Any:
    """What a text in JSON says, and any other value as it is; raises `ConfigurationError` naming `name`, with nothing of the text in it."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ConfigurationError(name, "this text", f"{allowed}, as text in JSON ({error})") from None


def mapping(name: str, value: object, allowed: str) -> Mapping[Any, Any]:
    """A mapping, also as text in JSON; no text is an empty one."""
    found = {} if value == "" else from_json(name, value, allowed)
    if not isinstance(found, Mapping):
        raise ConfigurationError(name, type(found).__name__, allowed)
    return found


def check_interval(name: str, value: object) -> float:
    """Seconds between two samples of one target, as a float; raises `ConfigurationError` naming `name`."""
    return number(name, value, 1, 86_400)


def check_level(name: str, value: object) -> float:
    """A threshold's level as a float; raises `ConfigurationError` naming `name`."""
    return number(name, value, -1e15, 1e15)


def days(name: str, value: object) -> float:
    return number(name, value, 1, 3_650)


def level(name: str, value: object) -> float:
    return number(name, value, 0, 1e15)


def targets_urls(name: str, value: object) -> Mapping[str, str]:
    allowed = "allowed: {alias: 'mysql://user:password@host:3306/'}, or alias=url pairs separated by spaces"
    if isinstance(value, str):
        return targets.parse_pairs(value)
    if not isinstance(value, Mapping):
        raise ConfigurationError(name, type(value).__name__, allowed)
    for alias, url in value.items():
        if not isinstance(alias, str) or not isinstance(url, str):
            raise ConfigurationError(name, alias, allowed)
        targets.parse_url(alias, url)
    return dict(value)


def history_url(name: str, value: object) -> str:
    if value != "":
        raise ConfigurationError(name, "a URL", 'allowed: "", which keeps history in the Django database')
    return ""


def sandbox_url(name: str, value: object) -> str:
    """A server's URL as a target has it, or "" for a private server; raises `ConfigurationError` naming `name`."""
    if value == "":
        return ""
    if not isinstance(value, str):
        raise ConfigurationError(name, type(value).__name__, 'allowed: "", or a URL; ' + targets.EXAMPLE)
    try:
        targets.parse_url("sandbox", value)
    except ConfigurationError as error:
        raise ConfigurationError(name, error.given, f'{error.allowed}; or ""') from None
    return value


def mask_url(value: str) -> str:
    """One URL fit to be shown."""
    return mask_urls({"": value})[""]


def mask_urls(value: Mapping[str, str]) -> dict[str, str]:
    """Targets' URLs fit to be shown: without password and query."""
    return {
        alias: re.sub(r"//([^:@/]*)(:[^@/]*)?@", r"//\1:***@", url.split("?")[0])
        for alias, url in value.items()
    }
