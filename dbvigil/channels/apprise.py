"""Any further service, by Apprise. One channel a URL, so that one service that fails holds up no other."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import apprise

from dbvigil.channels import masks, templates
from dbvigil.channels.base import Notice, Outcome
from dbvigil.channels.text import CRITICAL, RESOLVED, compose

MOST_TEXT = 8_000
_TYPES = {CRITICAL: apprise.NotifyType.FAILURE, RESOLVED: apprise.NotifyType.SUCCESS}


@dataclass(frozen=True, slots=True)
class Apprise:
    """An Apprise URL. Nothing of it but its scheme is ever shown: what stands in the host's place is often a token."""

    url: str = field(repr=False)
    name: str = "apprise"
    rate: float = 30.0
    bundles: bool = True
    custom: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def fingerprint(self) -> str:
        return masks.fingerprint("apprise", self.url)

    def shown(self) -> Mapping[str, Any]:
        return {"name": self.name, "kind": "apprise", "target": masks.scheme(self.url)}

    def send(self, notice: Notice) -> Outcome:
        """Title and text, cut to what the service takes. Apprise says no more than that it failed, and sometimes an HTTP status."""
        message = compose(notice)
        own = templates.words(self.custom, message, notice)
        with _unheard() as heard:
            try:
                service = apprise.Apprise.instantiate(self.url)
            except Exception as error:  # noqa: BLE001 - of a hundred services each has errors of its own, whose texts quote the URL
                return Outcome(False, f"Apprise cannot read the URL ({type(error).__name__})", permanent=True)
            if not isinstance(service, apprise.NotifyBase):
                return Outcome(
                    False, "Apprise knows no such service, or its URL is not complete", permanent=True
                )
            subject = own.get("subject", message.subject)
            # A service without titles puts them above the text.
            room = min(MOST_TEXT, service.body_maxlen - (0 if service.title_maxlen else len(subject) + 2))
            try:
                taken = service.notify(
                    title=subject,
                    body=templates.text(message, own, max(room, 100)),
                    notify_type=_TYPES.get(message.color, apprise.NotifyType.WARNING),
                    body_format=apprise.NotifyFormat.TEXT,
                )
            except Exception as error:  # noqa: BLE001 - as above
                return Outcome(False, f"the service could not be used ({type(error).__name__})")
        if taken:
            return Outcome(True, "delivered")
        status = heard.status()
        return Outcome(
            False, f"the service answered HTTP {status}" if status else "the service did not take it"
        )


class _Heard:
    """What Apprise logs while it sends: it is kept from the log, for it may quote the URL. A status is all that is taken from it."""

    def __init__(self) -> None:
        self._said: list[str] = []

    def hear(self, record: logging.LogRecord) -> None:
        self._said.append(record.getMessage())

    def status(self) -> int | None:
        for text in reversed(self._said):
            found = re.search(r"error[=: ]+([1-5]\d\d)\b", text)
            if found:
                return int(found[1])
        return None


_sending = threading.local()


class _Ours(logging.Filter):
    """Takes the records of a thread that sends a message of ours; all others pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        heard: _Heard | None = getattr(_sending, "heard", None)
        if heard is None:
            return True
        heard.hear(record)
        return False


_OURS = _Ours()
# A filter holds for the logger it is on, not for those below: all that say what is sent where.
_TALKERS = (
    "apprise",
    "urllib3.connectionpool",
    "urllib3.util.retry",
    "requests_oauthlib.oauth1_auth",
    "charset_normalizer",
)


@contextmanager
def _unheard() -> Iterator[_Heard]:
    for name in _TALKERS:
        logging.getLogger(name).addFilter(_OURS)
    before, _sending.heard = getattr(_sending, "heard", None), _Heard()
    try:
        yield _sending.heard
    finally:
        _sending.heard = before
