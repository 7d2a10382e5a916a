"""The settings of alerting: where messages go, and how."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from dbvigil.alert import DEFAULT_ESCALATION, MESSAGE_PARTS, EscalationStep
from dbvigil.conf.values import from_json, mapping, number
from dbvigil.errors import ConfigurationError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_ADDRESS = re.compile(r"[^@\s<>,;]{1,64}@[^@\s<>,;]{1,255}")
_CHANNEL = re.compile(r"[a-z][a-z0-9-]{0,63}")
_SECRET_BYTES = range(24, 65)
_LONGEST_MINUTES = 7 * 24 * 60
_MASK = "***"
_STEPS = 'allowed: a list of steps such as {"after": 15, "channels": ["email"], "severity": "critical"}, "after" in minutes and growing'
_TEMPLATES = f'allowed: {{part: "source", or {{"file": "path"}}}} for the parts {", ".join(MESSAGE_PARTS)}'
_RUNBOOKS = (
    "allowed: an http or https URL, in whose path or query {runbook} and {metric} may stand, or nothing"
)
_RULES = 'allowed: {rule: {"enabled": false, "hold": seconds, "keep": seconds}}'


@dataclass(frozen=True, slots=True)
class TemplateFile:
    """A template that is read from a file each time that its channels are looked at."""

    path: str


Templates = Mapping[str, str | TemplateFile]
"""Templates of messages by part: their source, or where it stands."""


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Every setting of alerting, read and checked."""

    recipients: tuple[str, ...] = ()
    webhook_url: str = ""
    webhook_secret: str = ""
    slack_webhook: str = ""
    apprise_urls: tuple[str, ...] = ()
    allowed_networks: tuple[Network, ...] = ()
    escalation: tuple[EscalationStep, ...] = DEFAULT_ESCALATION
    fallback: str = ""
    base_url: str = ""
    heartbeat_url: str = ""
    rules: Mapping[str, Mapping[str, Any]] | None = None
    templates: Templates = field(default_factory=dict)
    runbook_url: str = ""


def _words(name: str, value: object, what: str) -> tuple[str, ...]:
    """A list of strings; in the environment separated by spaces or commas."""
    if isinstance(value, str):
        return tuple(word for word in re.split(r"[\s,]+", value) if word)
    if isinstance(value, Sequence) and all(isinstance(word, str) for word in value):
        return tuple(value)
    raise ConfigurationError(name, type(value).__name__, f"allowed: a list of {what}")


def recipients(name: str, value: object) -> tuple[str, ...]:
    found = _words(name, value, "e-mail addresses")
    for address in found:
        if not _ADDRESS.fullmatch(address):
            raise ConfigurationError(name, address, "allowed: a list of e-mail addresses")
    return found


def url(name: str, value: object) -> str:
    """An http(s) URL or nothing. What was given is never shown: such URLs hold secrets."""
    allowed = "allowed: an http or https URL with a host, or nothing"
    if not isinstance(value, str):
        raise ConfigurationError(name, type(value).__name__, allowed)
    value = value.strip()
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\x00-\x20]", value):
        raise ConfigurationError(name, "a URL", allowed)
    return value


def runbooks(name: str, value: object) -> str:
    """Where runbooks are: a URL with the places of the runbook's name and of the metric, or nothing."""
    found = url(name, value)
    rest = found.replace("{runbook}", "").replace("{metric}", "")
    if "{" in rest or "}" in rest or "{" in urlsplit(found).netloc:
        raise ConfigurationError(name, "a URL", _RUNBOOKS)
    return found


def apprise_urls(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split()
    found = _words(name, value, "Apprise URLs")
    if not all(re.match(r"[A-Za-z0-9+-]{2,30}://", one) for one in found):
        raise ConfigurationError(name, "a URL", "allowed: a list of Apprise URLs, as service://...")
    return found


def secret(name: str, value: object) -> str:
    """A signing secret as Standard Webhooks writes it, or nothing."""
    allowed = "allowed: whsec_ and 24 to 64 bytes in base64, or nothing"
    if value == "":
        return ""
    if not isinstance(value, str) or not value.startswith("whsec_"):
        raise ConfigurationError(name, "a secret", allowed)
    try:
        key = base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ConfigurationError(name, "a secret", allowed) from None
    if len(key) not in _SECRET_BYTES:
        raise ConfigurationError(name, f"a secret of {len(key)} bytes", allowed)
    return value


def networks(name: str, value: object) -> tuple[Network, ...]:
    allowed = "allowed: a list of networks such as 10.1.0.0/16"
    found = []
    for text in _words(name, value, "networks"):
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise ConfigurationError(name, text, f"{allowed} ({error})") from None
    return tuple(found)


def escalation(name: str, value: object) -> tuple[EscalationStep, ...]:
    """Steps in the order of their minutes; as text, JSON."""
    if value is None or value == "":
        return DEFAULT_ESCALATION
    steps = from_json(name, value, _STEPS)
    if not isinstance(steps, Sequence) or not steps:
        raise ConfigurationError(name, steps, _STEPS)
    found = [_step(name, step) for step in steps]
    if any(later.after <= earlier.after for earlier, later in pairwise(found)):
        raise ConfigurationError(name, [step.after / 60 for step in found], _STEPS)
    return tuple(found)


def _step(name: str, step: object) -> EscalationStep:
    if isinstance(step, EscalationStep):
        return step
    if not isinstance(step, Mapping) or not {"after"} <= set(step) <= {"after", "channels", "severity"}:
        raise ConfigurationError(name, step, _STEPS)
    channels = _words(name, step.get("channels", ()), "channels' names")
    if not all(_CHANNEL.fullmatch(channel) for channel in channels):
        raise ConfigurationError(name, list(channels), _STEPS)
    after = 60 * number(name, step["after"], 0, _LONGEST_MINUTES)
    match step.get("severity", "warning"):
        case "warning":
            return EscalationStep(after, channels)
        case "critical":
            return EscalationStep(after, channels, ("critical",))
        case other:
            raise ConfigurationError(name, other, 'allowed: "warning" (and worse), or "critical"')


def channel(name: str, value: object) -> str:
    if value == "" or (isinstance(value, str) and _CHANNEL.fullmatch(value)):
        return str(value)
    raise ConfigurationError(name, value, "allowed: a channel's name, or nothing")


def rules(name: str, value: object) -> Mapping[str, Mapping[str, Any]]:
    """Changes of the rules that ship, by rule."""
    found = mapping(name, value or {}, _RULES)
    checks: Mapping[str, Callable[[str, object], object]] = {
        "enabled": _flag,
        "hold": _seconds,
        "critical_hold": _seconds,
        "keep": _seconds,
    }
    for rule, changes in found.items():
        if not isinstance(changes, Mapping) or not set(changes) <= set(checks):
            raise ConfigurationError(f"{name}[{rule}]", changes, _RULES)
        for key, given in changes.items():
            checks[key](f"{name}[{rule}][{key}]", given)
    return {rule: dict(changes) for rule, changes in found.items()}


def templates(name: str, value: object) -> Templates:
    """Templates of messages. Whether they can be rendered is a check's to say."""
    found = mapping(name, value or {}, _TEMPLATES)
    return {_part(name, part): _source(f"{name}[{part}]", source) for part, source in found.items()}


def _part(name: str, part: object) -> str:
    if part not in MESSAGE_PARTS:
        raise ConfigurationError(name, part, _TEMPLATES)
    return str(part)


def _source(name: str, source: object) -> str | TemplateFile:
    if isinstance(source, str):
        return source
    if isinstance(source, Mapping) and set(source) == {"file"} and isinstance(source["file"], str):
        return TemplateFile(source["file"])
    raise ConfigurationError(name, source, _TEMPLATES)


def shown_templates(value: Templates) -> dict[str, Any]:
    """As they are written in the settings."""
    return {
        part: {"file": source.path} if isinstance(source, TemplateFile) else source
        for part, source in value.items()
    }


def _flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(name, value, "allowed: true or false")


def _seconds(name: str, value: object) -> None:
    number(name, value, 0, 86_400)


def masked(value: str) -> str:
    """Whether a secret is set, and nothing of it."""
    return _MASK if value else ""


def masked_url(value: str) -> str:
    """A URL's scheme and host: the rest may be its secret."""
    if not value:
        return ""
    parts = urlsplit(value)
    return f"{parts.scheme}://{parts.hostname}/{_MASK}"


def masked_urls(value: Sequence[str]) -> list[str]:
    return [f"{one.split('://', 1)[0]}://{_MASK}" for one in value]


def masked_addresses(value: Sequence[str]) -> list[str]:
    return [f"{address[0]}{_MASK}@{address.rsplit('@', 1)[1]}" for address in value]


def shown_networks(value: Sequence[Network]) -> list[str]:
    return [str(network) for network in value]


def shown_steps(value: Sequence[EscalationStep]) -> list[dict[str, Any]]:
    """In minutes, as they are written."""
    return [
        {
            "after": step.after / 60,
            "channels": list(step.channels),
            "severity": "warning" if "warning" in step.severities else "critical",
        }
        for step in value
    ]
