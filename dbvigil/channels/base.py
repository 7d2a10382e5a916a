"""What a channel is: how a notice is handed to it, and what it says became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

NoticeType = Literal[
    "alert.fired",
    "alert.severity_changed",
    "alert.acknowledged",
    "alert.escalated",
    "alert.resolved",
    "alert.recovery_succeeded",
    "alert.recovery_failed",
    "alert.test",
]


@dataclass(frozen=True, slots=True)
class Notice:
    """One message for one channel.

    `id` is the same on every attempt to send it. `alerts` are bodies of `Alert.to_dict()`, as they stood when the event
    happened; more than one only where a storm or a group was bundled. `links` maps the place of an alert in `alerts` to its
    page (`"page"`), to its runbook (`"runbook"`) and to the signed address where it can be acknowledged (`"acknowledge"`); each
    is absent where there is none.
    """

    id: str
    type: NoticeType
    at: datetime
    alerts: tuple[Mapping[str, Any], ...]
    links: Sequence[Mapping[str, str]] = field(default=())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt. `detail` is one line fit for everyone: no secret, no body of an answer.

    Where it failed: `permanent` says that trying again is pointless, `disable` that the receiver wants nothing more at all (410),
    `retry_after` (seconds) is what the receiver asked for. `trouble`, where it succeeded: what somebody should put right all the same.
    """

    ok: bool
    detail: str
    permanent: bool = False
    disable: bool = False
    retry_after: float | None = None
    trouble: str = ""


class Channel(Protocol):
    """A way to people. Immutable; `send` may be called from several threads at once.

    `rate` is how many messages a minute it takes before notices are bundled. `bundles`: whether
    several alerts of one database are better told in one message even in quiet times. `fingerprint` changes with the configuration,
    shows nothing of it, and is the same in every process.
    """

    @property
    def name(self) -> str: ...
    @property
    def rate(self) -> float: ...
    @property
    def bundles(self) -> bool: ...
    @property
    def fingerprint(self) -> str: ...

    def shown(self) -> Mapping[str, Any]:
        """Its configuration for people, secrets masked: `{"name", "kind", "target"}`."""

    def send(self, notice: Notice) -> Outcome:
        """Hands `notice` over, within its time limit. Trouble is an outcome, never an exception."""
