"""The channels there are: those of the settings and those that people made, how each fares, and a test of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from dbvigil import conf
from dbvigil.alerting import own_channels, words
from dbvigil.alerting.links import links_of
from dbvigil.alerting.own_channels import Change, Stored
from dbvigil.channels import build
from dbvigil.channels.base import Channel, Notice
from dbvigil.channels.sample import sample_alert
from dbvigil.channels.templates import Source
from dbvigil.errors import AlertError, UnknownChannel
from dbvigil.models import ChannelState
from dbvigil.types import iso_utc


class Switchboard:
    """The channels as one process knows them. Thread-safe; a change that another process made is seen at the next look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[conf.AlertSettings, tuple[Stored, ...], dict[str, Source]] | None = None
        self._channels: dict[str, Channel] = {}

    def channels(self) -> dict[str, Channel]:
        """By name. The objects are the same for as long as their configuration is."""
        settings, own = conf.load().alerts, own_channels.stored()
        templates = words.sources(settings.templates)
        with self._lock:
            if self._known != (settings, own, templates):
                made = (
                    *build.from_settings(
                        recipients=settings.recipients,
                        webhook_url=settings.webhook_url,
                        webhook_secret=settings.webhook_secret,
                        slack_webhook=settings.slack_webhook,
                        apprise_urls=settings.apprise_urls,
                        templates=templates,
                    ),
                    *own_channels.built(own, settings.allowed_networks, templates),
                )
                self._channels = {channel.name: channel for channel in made}
                self._known = settings, own, templates
            return self._channels

    def shown(self) -> list[dict[str, Any]]:
        """Every channel for people, also one that is switched off: its configuration with secrets masked, and how it fares."""
        states = {row.name: row for row in ChannelState.objects.all()}
        own = own_channels.listed(words.sources(conf.load().alerts.templates))
        names = {one.channel.name for one in own}
        of_settings = [channel for name, channel in self.channels().items() if name not in names]
        return [
            *(_shown(channel, states.get(channel.name)) for channel in of_settings),
            *(_shown(one.channel, states.get(one.channel.name), one.created_by, one.active) for one in own),
        ]

    def add(
        self, name: str, kind: str, url: str, secret: str = "", *, active: bool = True, user: str
    ) -> dict[str, Any]:
        """Makes a channel, `webhook` or `slack`, as it is shown: URL and secret are not seen again. Raises `AlertError`."""
        own_channels.add(name, kind, url, secret, active, user, datetime.now(UTC))
        return self._one(name)

    def change(self, name: str, wanted: Change, *, user: str) -> dict[str, Any]:
        """Changes one that was made so, everywhere within a second. Raises `UnknownChannel` or `AlertError`."""
        own_channels.change(name, wanted, user, datetime.now(UTC))
        return self._one(name)

    def remove(self, name: str, *, user: str) -> dict[str, Any]:
        """Removes one that was made so, as it was; what waits for it is told on another. Raises `UnknownChannel`."""
        own_channels.found(name)
        before = self._one(name)
        own_channels.remove(name, user, datetime.now(UTC))
        return before

    def test(self, names: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
        """Sends a test message on each channel now: by name `{"ok", "detail", "latency_ms"}`. Raises `AlertError` for an unknown one.

        A channel that was disabled and takes the message is used again.
        """
        channels = self.channels()
        for name in names or ():
            if name not in channels:
                known = ", ".join(channels) or "none is configured"
                raise AlertError("channels", f"no channel is named {name!r}; there are: {known}")
        now = datetime.now(UTC)
        return {name: _tested(channels[name], now) for name in names or channels}

    def _one(self, name: str) -> dict[str, Any]:
        for one in self.shown():
            if one["name"] == name:
                return one
        raise UnknownChannel(name)


def _tested(channel: Channel, now: datetime) -> dict[str, Any]:
    started = time.monotonic()
    number = f"msg_test{now.timestamp():.6f}".replace(".", "")
    settings, body = conf.load().alerts, sample_alert(now)
    links = links_of(settings.base_url, body, now, settings.runbook_url)
    outcome = channel.send(Notice(number, "alert.test", now, (body,), (links,)))
    if outcome.ok:
        ChannelState.objects.filter(pk=channel.name).update(
            disabled_at=None, failing_since=None, last_error=outcome.trouble
        )
    return {
        "ok": outcome.ok,
        "detail": outcome.detail,
        "latency_ms": round((time.monotonic() - started) * 1000, 1),
    }


def _shown(
    channel: Channel, state: ChannelState | None, created_by: str = "", active: bool = True
) -> dict[str, Any]:
    """A state that is about another configuration says nothing about this one."""
    known = state if state is not None and state.fingerprint == channel.fingerprint else ChannelState()
    return {
        **channel.shown(),
        "active": active,
        "created_by": created_by,
        "disabled": known.disabled_at is not None,
        "failing_since": known.failing_since and iso_utc(known.failing_since),
        "last_sent_at": known.last_sent_at and iso_utc(known.last_sent_at),
        "last_error": known.last_error,
    }
