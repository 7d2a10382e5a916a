"""Any further service, by Apprise. One channel a URL, so that one service that fails holds up no other."""

from __future__ import annotations

import contextlib
import importlib
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import apprise

from dbvigil.channels import masks, templates
from dbvigil.channels.base import Notice, Outcome
from dbvigil.channels.hush import unheard
from dbvigil.channels.text import CRITICAL, RESOLVED, compose

# Apprise imports this when it is first used, and a host that turns warnings into errors would get no message out. It is the import
# that warns, once a process, so it is made here. From Python 3.13 on there is none, and Apprise has its own.
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "'imghdr' is deprecated", DeprecationWarning)
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("imghdr")

MOST_TEXT = 8_000
_TYPES = {CRITICAL: apprise.NotifyType.FAILURE, RESOLVED: apprise.NotifyType.SUCCESS}


@dataclass(frozen=True, slots=True)
class Apprise:
    """An Apprise URL. Nothing of it but its scheme is ever shown: what stands in the host's place is often a token."""

    url: str = field(repr=False)
    name: str = "apprise"
    rate: float = 30.0
    bundles: bool = True
    custom: Mapping[str, templates.Source] = field(default_factory=dict, repr=False)

    @property
    def fingerprint(self) -> str:
        return masks.fingerprint("apprise", self.url, *templates.mark(self.custom))

    def shown(self) -> Mapping[str, Any]:
        return {"name": self.name, "kind": "apprise", "target": masks.scheme(self.url)}

    def send(self, notice: Notice) -> Outcome:
        """Title and text, cut to what the service takes. Apprise says no more than that it failed, and sometimes an HTTP status."""
        message = compose(notice)
        own = templates.words(self.custom, message, notice)
        with unheard() as said:
            try:
                service = apprise.Apprise.instantiate(self.url)
            except Exception as error:  # noqa: BLE001 - of a hundred services each has errors of its own, whose texts quote the URL
                return Outcome(False, f"Apprise cannot read the URL ({type(error).__name__})", permanent=True)
            if not isinstance(service, apprise.NotifyBase):
                return Outcome(
                    False, "Apprise knows no such service, or its URL is not complete", permanent=True
                )
            subject = own.subject(message)
            # A service without titles puts them above the text.
            room = min(MOST_TEXT, service.body_maxlen - (0 if service.title_maxlen else len(subject) + 2))
            try:
                taken = service.notify(
                    title=subject,
                    body=own.text(message, max(room, 100)),
                    notify_type=_TYPES.get(message.color, apprise.NotifyType.WARNING),
                    body_format=apprise.NotifyFormat.TEXT,
                )
            except Exception as error:  # noqa: BLE001 - as above
                return Outcome(False, f"the service could not be used ({type(error).__name__})")
        if taken:
            return own.told(Outcome(True, "delivered"))
        status = _status(said)
        return Outcome(
            False, f"the service answered HTTP {status}" if status else "the service did not take it"
        )


def _status(said: Sequence[str]) -> int | None:
    for text in reversed(said):
        found = re.search(r"error[=: ]+([1-5]\d\d)\b", text)
        if found:
            return int(found[1])
    return None
