"""Channels that people make, change and remove in the service. They reach public addresses, and networks that the operator allows.

Only a webhook or Slack can be made so: whatever Apprise speaks makes connections of its own, which nobody could hold to these addresses.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from django.db import transaction

from dbvigil.alert import EventName
from dbvigil.alerting import sealed
from dbvigil.alerting.audit import Trail
from dbvigil.channels import masks
from dbvigil.channels.addresses import Reach
from dbvigil.channels.base import Channel, Notice, Outcome
from dbvigil.channels.templates import Source
from dbvigil.channels.webhook import Webhook
from dbvigil.conf import alerts
from dbvigil.errors import AlertError, ConfigurationError, UnknownChannel
from dbvigil.models import AlertChannel

Kind = Literal["webhook", "slack"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_CHANNELS = 50
LONGEST_URL = 2_000

_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")
_OF_THE_SETTINGS = re.compile(r"email|webhook|slack|apprise(-\d+)?")


@dataclass(frozen=True, slots=True)
class Stored:
    """A channel's row as it stands, for comparing: its secrets are sealed here too."""

    name: str
    kind: str
    url: str
    secret: str


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be different about a channel; None leaves it as it is. `secret` "" sends unsigned."""

    url: str | None = None
    secret: str | None = None
    active: bool | None = None


def stored() -> tuple[Stored, ...]:
    """The active ones, by name."""
    rows = AlertChannel.objects.filter(active=True).order_by("name")
    return tuple(Stored(*row) for row in rows.values_list("name", "kind", "url", "secret"))


def built(
    rows: Sequence[Stored], networks: Sequence[alerts.Network], templates: Mapping[str, Source]
) -> list[Channel]:
    """The channels of rows. `templates` are the operator's own words, for Slack."""
    reach = Reach(networks=networks)
    return [_channel(row, reach, templates) for row in rows]


@dataclass(frozen=True, slots=True)
class Listed:
    """A channel, in use or switched off, and who made it."""

    channel: Channel
    created_by: str
    active: bool


def listed(templates: Mapping[str, Source]) -> list[Listed]:
    """All of them, by name; to be shown, not to be sent on."""
    return [
        Listed(
            _channel(Stored(row.name, row.kind, row.url, row.secret), Reach(), templates),
            row.created_by,
            row.active,
        )
        for row in AlertChannel.objects.order_by("name")
    ]


def _channel(row: Stored, reach: Reach, templates: Mapping[str, Source]) -> Channel:
    try:
        url, secret = sealed.unseal(row.url), sealed.unseal(row.secret)
    except sealed.CannotOpenError:
        return Locked(row.name, row.kind)
    if row.kind == "slack":
        from dbvigil.channels.slack import Slack  # noqa: PLC0415 - its models take a while to import

        return Slack(url, reach=reach, name=row.name, custom=templates)
    return Webhook(url, secret, reach=reach, name=row.name)


@dataclass(frozen=True, slots=True)
class Locked:
    """A channel whose secrets cannot be read any more. What is meant for it goes to another channel, and says why."""

    name: str
    kind: str
    rate: float = 600.0
    bundles: bool = False

    @property
    def fingerprint(self) -> str:
        return masks.fingerprint("locked", self.name)

    def shown(self) -> Mapping[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "target": "cannot be read: SECRET_KEY has changed; set it again",
        }

    def send(self, notice: Notice) -> Outcome:
        detail = "the channel's URL cannot be read, since SECRET_KEY has changed; set it again"
        return Outcome(False, detail, permanent=True)


# what people do


def check_new(name: str, kind: str, url: str, secret: str) -> None:
    """Raises `AlertError` naming what is wrong with a channel that is to be made."""
    if not _NAME.fullmatch(name):
        raise AlertError(
            "name", f"{name[:80]!r} is not allowed; allowed: a-z, 0-9 and -, a letter first, at most 64"
        )
    if _OF_THE_SETTINGS.fullmatch(name):
        raise AlertError("name", f"{name!r} is the name of a channel of the settings; choose another")
    if kind not in KINDS:
        raise AlertError("kind", f"{kind[:80]!r} is not allowed; allowed: {', '.join(KINDS)}")
    _check_url(url)
    _check_secret(kind, secret)


def check_change(kind: str, wanted: Change) -> None:
    """Raises `AlertError` naming what is wrong with a change of a channel of this kind."""
    if wanted == Change():
        raise AlertError("url", "nothing to change was given; allowed: url, secret, active")
    if wanted.url is not None:
        _check_url(wanted.url)
    if wanted.secret is not None:
        _check_secret(kind, wanted.secret)


def add(name: str, kind: str, url: str, secret: str, active: bool, user: str, now: datetime) -> None:
    """Makes a channel. Raises `AlertError` naming what is wrong."""
    check_new(name, kind, url, secret)
    with transaction.atomic():
        trail = Trail()
        trail.hold()
        if AlertChannel.objects.count() >= MOST_CHANNELS:
            raise AlertError("name", f"there are {MOST_CHANNELS} channels already, which is the most")
        if AlertChannel.objects.filter(name=name).exists():
            raise AlertError("name", f"there is a channel {name!r} already")
        AlertChannel.objects.create(
            name=name,
            kind=kind,
            url=sealed.seal(url),
            secret=sealed.seal(secret),
            active=active,
            created_by=user,
            created_at=now,
        )
        _tell(
            trail,
            "channel_added",
            name,
            {"kind": kind, "target": masks.origin(url), "active": active},
            user,
            now,
        )


def change(name: str, wanted: Change, user: str, now: datetime) -> None:
    """Changes a channel. Raises `UnknownChannel`, or `AlertError` naming what is wrong."""
    with transaction.atomic():
        trail = Trail()
        trail.hold()
        row = found(name)
        check_change(row.kind, wanted)
        detail: dict[str, Any] = {}
        if wanted.url is not None:
            row.url, detail["target"] = sealed.seal(wanted.url), masks.origin(wanted.url)
        if wanted.secret is not None:
            row.secret, detail["signed"] = sealed.seal(wanted.secret), bool(wanted.secret)
        if wanted.active is not None:
            row.active = detail["active"] = wanted.active
        row.changed_by, row.changed_at = user, now
        row.save()
        _tell(trail, "channel_changed", name, detail, user, now)


def remove(name: str, user: str, now: datetime) -> None:
    """Removes a channel; what waits for it is told on another. Raises `UnknownChannel`."""
    with transaction.atomic():
        trail = Trail()
        trail.hold()
        found(name).delete()
        _tell(trail, "channel_removed", name, {}, user, now)


def found(name: str) -> AlertChannel:
    """The row of a channel that people made. Raises `UnknownChannel`."""
    row = AlertChannel.objects.filter(name=name).first()
    if row is None:
        raise UnknownChannel(name)
    return row


def _tell(
    trail: Trail, event: EventName, name: str, detail: Mapping[str, Any], user: str, now: datetime
) -> None:
    trail.add(None, event, now, user, {"channel": name, **detail})
    trail.write()


def _check_url(url: str) -> None:
    """A name is resolved and checked each time something is sent; an address that can never be allowed is refused at once."""
    if len(url) > LONGEST_URL:
        raise AlertError("url", f"{len(url)} characters are too many; allowed: {LONGEST_URL}")
    try:
        checked = alerts.url("url", url)
    except ConfigurationError as error:
        raise AlertError("url", error.allowed) from None
    if not checked:
        raise AlertError("url", "allowed: an http or https URL with a host")
    host = urlsplit(checked).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return
    if not Reach(networks=(ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))).allows(host):
        raise AlertError("url", "this address is the machine's own and nobody's receiver")


def _check_secret(kind: str, secret: str) -> None:
    if secret and kind != "webhook":
        raise AlertError("secret", "only a webhook is signed; allowed for others: nothing")
    try:
        alerts.secret("secret", secret)
    except ConfigurationError as error:
        raise AlertError("secret", error.allowed) from None
