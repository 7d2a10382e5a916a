"""The channels that the settings name."""

from __future__ import annotations

from collections.abc import Sequence

from dbvigil.channels.base import Channel


def from_settings(
    *,
    recipients: Sequence[str],
    webhook_url: str,
    webhook_secret: str,
    slack_webhook: str,
    apprise_urls: Sequence[str],
) -> tuple[Channel, ...]:
    """One channel for each way that is configured, in the order in which they are tried as a fallback."""
    return ()
