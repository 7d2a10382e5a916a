"""An operator's own words for messages: read where the settings say they stand, and shown before they are sent."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from dbvigil import conf
from dbvigil.alert import MESSAGE_PARTS
from dbvigil.alerting import bodies
from dbvigil.alerting.links import links_of
from dbvigil.channels import templates
from dbvigil.channels.base import Notice
from dbvigil.channels.sample import sample_alert
from dbvigil.channels.templates import MOST_SOURCE, Source, TemplateTrouble, Unreadable
from dbvigil.conf.alerts import TemplateFile, Templates
from dbvigil.errors import AlertError, UnknownAlert
from dbvigil.models import Episode


def sources(wanted: Templates) -> dict[str, Source]:
    """The templates' source by part, or why it cannot be read: each message that it is missed in says so."""
    found: dict[str, Source] = {}
    for part, source in wanted.items():
        try:
            found[part] = read(source)
        except TemplateTrouble as trouble:
            found[part] = Unreadable(str(trouble))
    return found


def read(source: str | TemplateFile) -> str:
    """A template's source. Raises `TemplateTrouble` where its file cannot be read."""
    if isinstance(source, str):
        return source
    try:
        with Path(source.path).open(encoding="utf-8") as file:
            # One character more than it may have: `render` then says that it is too large.
            return file.read(MOST_SOURCE + 1)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise TemplateTrouble(f"{source.path} cannot be read ({reason})") from None


def preview(part: str, template: str | None, alert_id: int | None, now: datetime) -> str:
    """What a message says in `part` of an alert (a sample where none is named), by `template`, else by the settings' own, else built in.

    Raises `AlertError` naming what is wrong, `UnknownAlert` for an alert there is not.
    """
    if part not in MESSAGE_PARTS:
        raise AlertError("part", f"{part[:40]!r} is not allowed; allowed: {', '.join(MESSAGE_PARTS)}")
    notice = _notice(alert_id, now)
    configured = conf.load().alerts.templates.get(part)
    try:
        if template is None and configured is None:
            return templates.built_in(part, notice)
        source = template if template is not None else read(configured or "")
        return templates.preview(source, notice, part)
    except TemplateTrouble as trouble:
        raise AlertError("template", str(trouble)) from None


def _notice(alert_id: int | None, now: datetime) -> Notice:
    body = sample_alert(now)
    if alert_id is not None:
        episode = Episode.objects.filter(pk=alert_id).first()
        if episode is None:
            raise UnknownAlert(alert_id)
        body = bodies.alert(episode, now).to_dict()
    over = body["status"] == "resolved"
    settings = conf.load().alerts
    links = links_of(settings.base_url, body, now, settings.runbook_url)
    return Notice("msg_preview", "alert.resolved" if over else "alert.fired", now, (body,), (links,))
