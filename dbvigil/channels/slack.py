"""Slack, by an incoming webhook: Block Kit in one coloured attachment."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dbvigil.channels import answers, masks, templates
from dbvigil.channels.addresses import OPERATOR, Reach
from dbvigil.channels.base import Notice, Outcome
from dbvigil.channels.slack_blocks import attachment, escape, names
from dbvigil.channels.text import compose
from dbvigil.channels.transport import TOTAL_SECONDS, Answer, Undelivered, post
from dbvigil.channels.webhook import USER_AGENT, clock

# The words Slack answers with; anything else it says is not repeated.
_GONE = frozenset(
    {
        "no_service",
        "no_active_hooks",
        "no_service_id",
        "no_team",
        "team_disabled",
        "invalid_token",
        "channel_is_archived",
        "channel_not_found",
    }
)
_REFUSED = frozenset({"action_prohibited", "posting_to_general_channel_denied", "user_not_found"})
_UNREADABLE = frozenset(
    {
        "invalid_payload",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_attachments",
        "msg_blocks_too_long",
        "no_text",
        "too_many_attachments",
    }
)


@dataclass(frozen=True, slots=True)
class Slack:
    """An incoming webhook's URL. Slack takes about one message a second."""

    url: str = field(repr=False)
    reach: Reach = OPERATOR
    name: str = "slack"
    rate: float = 60.0
    bundles: bool = True
    seconds: float = TOTAL_SECONDS
    custom: Mapping[str, templates.Source] = field(default_factory=dict, repr=False)
    now: Callable[[], datetime] = field(default=clock, repr=False)

    @property
    def fingerprint(self) -> str:
        return masks.fingerprint("slack", self.url, *templates.mark(self.custom))

    def shown(self) -> Mapping[str, Any]:
        return {"name": self.name, "kind": "slack", "target": masks.origin(self.url)}

    def send(self, notice: Notice) -> Outcome:
        """Delivered only where Slack says `200 ok`. What it finds malformed goes again at once, as plain text."""
        message = compose(notice)
        own = templates.words(self.custom, message, notice)
        subject = escape(own.subject(message))
        above = "\n".join(part for part in (subject, names(message)) if part)
        found = self._post({"text": above, "attachments": [attachment(message, own.parts.get("text"))]})
        if isinstance(found, Answer) and _word(found) in _UNREADABLE:
            found = self._post({"text": f"{subject}\n{escape(own.text(message))}"[:39_000]})
        return own.told(found if isinstance(found, Outcome) else self._outcome(found))

    def _post(self, body: Mapping[str, Any]) -> Answer | Outcome:
        content = json.dumps(body, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": USER_AGENT}
        try:
            return post(
                self.url, content, headers, reach=self.reach, read=True, total_seconds=self.seconds / 2
            )
        except Undelivered as trouble:
            return Outcome(False, str(trouble), permanent=trouble.permanent)

    def _outcome(self, answer: Answer) -> Outcome:
        word = _word(answer)
        if answer.status == 200 and word == "ok":
            return Outcome(True, "delivered")
        if word in _GONE:
            return Outcome(False, f"Slack wants nothing more here: {word}", permanent=True, disable=True)
        if word in _REFUSED or word in _UNREADABLE:
            return Outcome(False, f"Slack refused the message: {word}", permanent=True)
        if answer.status == 200:
            return Outcome(False, "Slack answered 200, but not ok")
        return answers.outcome(answer, self.now())


def _word(answer: Answer) -> str:
    """Slack's answer where it is one of the words it is known for; else ""."""
    text = answer.body.decode("ascii", "replace").strip()
    return text if text == "ok" or text in _GONE | _REFUSED | _UNREADABLE else ""
