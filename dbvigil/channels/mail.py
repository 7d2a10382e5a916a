"""An alert as an e-mail: subject, text, HTML, and the headers that thread it. No sending here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from dbvigil.channels.base import Notice
from dbvigil.channels.text import WARNING, Message

if TYPE_CHECKING:
    from jinja2 import Template

MOST_SHOWN = 8
"""Alerts of one message that are told in full; the others are named. Some readers cut what is beyond 102 KB."""

_TEMPLATES = Path(__file__).parents[1] / "templates" / "dbvigil" / "mail"


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - only who sends mail pays for loading it

    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("alert.html")


def html(message: Message, at: datetime) -> str:
    """The message as a page of tables with inline style, 600 px wide, for light and dark readers."""
    return _template().render(
        subject=message.subject,
        intro=message.intro,
        color=message.color,
        on_color="#1b1f24" if message.color == WARNING else "#ffffff",
        alerts=message.alerts,
        shown=message.alerts[:MOST_SHOWN],
        groups=message.groups,
        at=f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
    )


def headers(notice: Notice, domain: str) -> Mapping[str, str]:
    """`Message-ID` from the notice, the same at every attempt; and for one alert the id of its episode as the root of the thread.

    The root itself is never sent: of the messages of an episode none is sure to reach every channel and every reader first.
    """
    found = {
        "Message-ID": f"<{_atom(notice.id)}@{domain}>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
    }
    if len(notice.alerts) == 1:
        body = notice.alerts[0]
        root = f"<alert.{_atom(body.get('id'))}.{_atom(body.get('started_at'))}@{domain}>"
        found |= {"References": root, "In-Reply-To": root}
    if any(body.get("severity") == "critical" for body in notice.alerts) and notice.type == "alert.fired":
        found |= {"Importance": "high", "X-Priority": "1"}
    return found


def domain_of(sender: str) -> str:
    """The domain of the address in a From header."""
    found = re.search(r"@([A-Za-z0-9.-]+)", sender)
    return found[1] if found else "dbvigil.invalid"


def _atom(value: object) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "", str(value)) or "none"
