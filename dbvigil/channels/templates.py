"""Words of an operator's own: templates in Jinja2's sandbox, rendered in a process of its own.

A process, because only a process can be ended in the middle of a long step (`"x" * 10 ** 10` is one) and be held to a size of
memory; and it has no secret to give away should the sandbox ever leak. It costs about a tenth of a second a message, and only
where there are templates.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dbvigil.alert import MESSAGE_PARTS
from dbvigil.channels import mail
from dbvigil.channels.base import Notice, Outcome
from dbvigil.channels.evidence import clip
from dbvigil.channels.text import Message, compose, plain

logger = logging.getLogger("dbvigil.alerts")

PARTS = MESSAGE_PARTS
"""What a template may be given for. Values are escaped in `html`."""

MOST_SOURCE = 16 * 1024
MOST_OUTPUT = 64 * 1024
SECONDS = 3.0

_WORKER = Path(__file__).with_name("template_worker.py")
_LONGEST_SUBJECT = 250
# A mail server may refuse a message for one of these, and would refuse it for good.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """In place of a template that could not be read; `reason` says why."""

    reason: str


Source = str | Unreadable
"""A template as a channel has it."""


class TemplateTrouble(Exception):
    """A template that cannot be used; one line that says which part, where and why."""


def render(
    sources: Mapping[str, str], context: Mapping[str, Any], *, seconds: float = SECONDS
) -> dict[str, str]:
    """Every template of `sources` (by part) with `context`. Raises `TemplateTrouble`: too large, wrong, too slow, or too much of it."""
    for part, source in sources.items():
        if part not in PARTS:
            raise TemplateTrouble(f"there is no part {clip(part, 40)!r}; there are: {', '.join(PARTS)}")
        if len(source.encode("utf-8", "replace")) > MOST_SOURCE:
            raise TemplateTrouble(f"{part}: the template is larger than {MOST_SOURCE // 1024} KiB")
    if not sources:
        return {}
    asked = {"sources": dict(sources), "context": context, "output": MOST_OUTPUT, "seconds": seconds}
    try:
        done = subprocess.run(  # noqa: S603 - this Python, and a program of ours
            [sys.executable, "-P", "-S", str(_WORKER)],
            input=json.dumps(asked, default=str).encode(),
            capture_output=True,
            timeout=seconds,
            check=False,
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
    except subprocess.TimeoutExpired:
        raise TemplateTrouble(f"it took longer than {seconds:g} s") from None
    except OSError as error:
        raise TemplateTrouble(f"it could not be rendered ({type(error).__name__})") from None
    if done.returncode != 0:
        raise TemplateTrouble(f"it took more time or memory than the {seconds:g} s and 256 MiB it may")
    answer = json.loads(done.stdout)
    if "error" in answer:
        raise TemplateTrouble(clip(answer["error"], 300))
    return {part: _fit(part, text) for part, text in answer["rendered"].items()}


def _fit(part: str, text: str) -> str:
    """`text` as every service takes it: encodable, without control characters, a subject in one line. Raises where nothing is left."""
    text = _CONTROL.sub("", text.encode("utf-8", "replace").decode())
    if part == "subject":
        text = clip(text, _LONGEST_SUBJECT)
    if not text.strip():
        raise TemplateTrouble(f"{part}: it makes no text")
    return text


def context_of(message: Message, notice: Notice) -> dict[str, Any]:
    """What a template sees: the message's words (`subject`, `intro`, `state`, `color`, `alerts`, `groups`), and beside them the notice's
    `type` and the `bodies` of its alerts as the webhook sends them.
    """
    words = dataclasses.asdict(message)
    return {
        **words,
        "type": notice.type,
        "at": notice.at.isoformat(),
        "bodies": [dict(one) for one in notice.alerts],
    }


def preview(source: str, sample: Notice, part: str = "text") -> str:
    """What a template for `part` makes of `sample`. Raises `TemplateTrouble`."""
    return render({part: source}, context_of(compose(sample), sample))[part]


@dataclass(frozen=True, slots=True)
class Words:
    """The parts of a message in an operator's own words; `trouble` says which could not be had, and why: ours are sent."""

    parts: Mapping[str, str] = field(default_factory=dict)
    trouble: str = ""

    def subject(self, message: Message) -> str:
        """The subject, the operator's own or ours."""
        return self.parts.get("subject", message.subject)

    def text(self, message: Message, longest: int = 20_000) -> str:
        """The text, the operator's own or ours, of at most `longest` characters."""
        own = self.parts.get("text")
        return plain(message, longest=longest) if own is None else own[:longest]

    def told(self, outcome: Outcome) -> Outcome:
        """The outcome of a message that was sent in these words: whoever reads it learns of templates that failed."""
        if not self.trouble:
            return outcome
        return replace(
            outcome,
            detail=f"{outcome.detail}; in the built-in words, since a template failed: {self.trouble}",
            trouble=f"a template failed, the built-in words were sent: {self.trouble}",
        )


def words(sources: Mapping[str, Source], message: Message, notice: Notice) -> Words:
    """The parts that an operator has templates for. Where one cannot be rendered: none, and the alert goes out in our own words.

    One that cannot be read costs itself alone: the others are known to be good.
    """
    if not sources:
        return Words()
    readable = {part: source for part, source in sources.items() if isinstance(source, str)}
    troubles = [
        f"{part}: {source.reason}" for part, source in sources.items() if isinstance(source, Unreadable)
    ]
    parts: Mapping[str, str] = {}
    try:
        parts = render(readable, context_of(message, notice))
    except TemplateTrouble as trouble:
        troubles.append(str(trouble))
    for said in troubles:
        logger.error("a message template cannot be used, the built-in words are sent instead: %s", said)
    return Words(parts, "; ".join(troubles))


def mark(sources: Mapping[str, Source]) -> tuple[str, ...]:
    """What templates add to the fingerprint of a channel: nothing where there are none."""
    if not sources:
        return ()
    plainly = {
        part: source if isinstance(source, str) else [source.reason] for part, source in sources.items()
    }
    return (json.dumps(plainly, sort_keys=True),)


def built_in(part: str, notice: Notice) -> str:
    """What a message says in `part` without a template of an operator's own."""
    message = compose(notice)
    if part == "subject":
        return message.subject
    return mail.html(message, notice.at) if part == "html" else plain(message)
