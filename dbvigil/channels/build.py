"""The channels that are configured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dbvigil.channels.base import Channel
from dbvigil.channels.email import Email
from dbvigil.channels.templates import Source
from dbvigil.channels.webhook import Webhook


def from_settings(
    *,
    recipients: Sequence[str] = (),
    webhook_url: str = "",
    webhook_secret: str = "",
    slack_webhook: str = "",
    apprise_urls: Sequence[str] = (),
    templates: Mapping[str, Source] | None = None,
) -> tuple[Channel, ...]:
    """A channel for everything that is set: `email`, `webhook`, `slack`, and for each Apprise URL `apprise`, `apprise-2` ….

    The URLs are the operator's own and may lead anywhere. `templates` are sources by part (see `templates.PARTS`), for all but the
    webhook, whose body is public interface.
    """
    custom = dict(templates or {})
    found: list[Channel] = []
    if recipients:
        found.append(Email(tuple(recipients), custom=custom))
    if webhook_url:
        found.append(Webhook(webhook_url, webhook_secret))
    # Slack's models and Apprise's hundred services take a while to import: who uses none does not wait for them.
    if slack_webhook:
        from dbvigil.channels.slack import Slack  # noqa: PLC0415

        found.append(Slack(slack_webhook, custom=custom))
    if apprise_urls:
        from dbvigil.channels.apprise import Apprise  # noqa: PLC0415

        for number, url in enumerate(apprise_urls, 1):
            found.append(Apprise(url, f"apprise-{number}" if number > 1 else "apprise", custom=custom))
    return tuple(found)
