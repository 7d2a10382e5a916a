"""The webhook: JSON by POST, signed as Standard Webhooks has it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dbvigil import __version__
from dbvigil.channels import answers, masks
from dbvigil.channels.addresses import OPERATOR, Reach
from dbvigil.channels.base import Notice, Outcome
from dbvigil.channels.transport import TOTAL_SECONDS, Undelivered, post
from dbvigil.types import iso_utc

USER_AGENT = f"dbvigil/{__version__}"


def clock() -> datetime:
    return datetime.now(UTC)


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: HMAC-SHA256 of `id.timestamp.body` under the secret (`whsec_` and base64)."""
    encoded = secret.removeprefix("whsec_")
    key = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    signed = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode("ascii")


def payload(notice: Notice) -> bytes:
    """`{"type", "timestamp", "data"}`: an alert, or `{"alerts": […]}` of several. The same bytes at every attempt."""
    alerts = [_with_links(notice, place) for place in range(len(notice.alerts))]
    data = alerts[0] if len(alerts) == 1 else {"alerts": alerts}
    body = {"type": notice.type, "timestamp": iso_utc(notice.at), "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _with_links(notice: Notice, place: int) -> Mapping[str, Any]:
    links = notice.links[place] if place < len(notice.links) else {}
    body = {**notice.alerts[place], "runbook": links.get("runbook", "")}
    return {**body, "links": dict(links)} if links else body


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver's URL and the secret that signs for it; "" sends unsigned."""

    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    reach: Reach = OPERATOR
    name: str = "webhook"
    rate: float = 600.0
    bundles: bool = False
    seconds: float = TOTAL_SECONDS
    now: Callable[[], datetime] = field(default=clock, repr=False)

    @property
    def fingerprint(self) -> str:
        return masks.fingerprint("webhook", self.url, self.secret)

    def shown(self) -> Mapping[str, Any]:
        return {
            "name": self.name,
            "kind": "webhook",
            "target": masks.origin(self.url),
            "signed": bool(self.secret),
        }

    def send(self, notice: Notice) -> Outcome:
        """One POST. The signature's time is that of this attempt, so that a receiver can refuse old ones."""
        body, now = payload(notice), self.now()
        timestamp = int(now.timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "webhook-id": notice.id,
            "webhook-timestamp": str(timestamp),
        }
        if self.secret:
            headers["webhook-signature"] = sign(self.secret, notice.id, timestamp, body)
        try:
            answer = post(self.url, body, headers, reach=self.reach, total_seconds=self.seconds)
        except Undelivered as trouble:
            return Outcome(False, str(trouble), permanent=trouble.permanent)
        return answers.outcome(answer, now)
