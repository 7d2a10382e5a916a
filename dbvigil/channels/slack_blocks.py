"""A message in Slack's Block Kit, inside Slack's limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

from dbvigil.channels.evidence import clip
from dbvigil.channels.text import CRITICAL, RESOLVED, Group, Message, Told

HEADER, SECTION, FIELD, FIELDS, BLOCKS, BUTTON_URL = 150, 3000, 2000, 10, 50, 3000
# All text of a message's blocks together. Not in Slack's reference: its makers name it in slackapi/bolt-js#2509, where messages
# were refused from some 13,000 characters on.
NAMES = 8_000
MOST_GROUPS = 20
TEXT = 38_000
"""Of the text above an attachment, which Slack cuts at 40,000 characters."""


def escape(text: str) -> str:
    """`text` without any of the signs that Slack reads as a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def names(message: Message) -> str:
    """The names of a message that are too many for its blocks; "" where they fit. They stand in the text above it, which takes 40,000
    characters.
    """
    if not message.several:
        return ""
    text = "\n".join(
        f"*{escape(group.heading)}*\n{escape(', '.join(group.databases))}" for group in message.groups
    )
    return _shortened(text, TEXT) if len(text) > NAMES or len(message.groups) > MOST_GROUPS else ""


def attachment(message: Message, own: str | None = None) -> dict[str, Any]:
    """The one attachment of a message: its colour and its blocks. `own` stands in place of facts, evidence and actions."""
    blocks = _several(message) if message.several else _one(message, own)
    return {
        "color": message.color,
        "fallback": escape(message.subject),
        "blocks": [block.to_dict() for block in blocks],
    }


def _one(message: Message, own: str | None) -> Iterator[Block]:
    told = message.alerts[0]
    yield _header(f"{_sign(told)} {told.state} · {told.database} · {told.title}")
    if message.intro:
        yield ContextBlock(elements=[MarkdownTextObject(text=_cut(message.intro, 300))])
    if own is not None:
        yield _section(_cut(own, SECTION))
    else:
        yield from _body(told)
    buttons = [
        ButtonElement(text=PlainTextObject(text=label), url=url, action_id=action, style=style)
        for label, url, action, style in (
            ("Acknowledge", told.acknowledge, "acknowledge", "primary"),
            ("Open", told.page, "open", None),
            ("Runbook", told.runbook, "runbook", None),
        )
        if url and len(url) <= BUTTON_URL
    ]
    if buttons:
        yield ActionsBlock(elements=buttons)


def _body(told: Told) -> Iterator[Block]:
    if told.summary:
        yield _section(_cut(told.summary, SECTION))
    fields = [f"*{escape(name)}*\n{_cut(value, FIELD - 100)}" for name, value in told.facts[:FIELDS]]
    if fields:
        yield SectionBlock(fields=[MarkdownTextObject(text=text) for text in fields])
    for title, rows in told.evidence:
        yield _section(_listed(f"*{escape(title)}*", [f"• {escape(row)}" for row in rows]))
    if told.actions:
        lines = [f"{number}. {escape(text)}" for number, text in enumerate(told.actions, 1)]
        yield _section(_listed("*What to do*", lines))


def _several(message: Message) -> Iterator[Block]:
    """Every name first; then as many alerts, each in a line, as one section holds."""
    yield _header(message.subject)
    if message.intro:
        yield ContextBlock(elements=[MarkdownTextObject(text=_cut(message.intro, 300))])
    if not names(message):
        for group in message.groups:
            yield from _named(group)
    lines = []
    for told in message.alerts:
        link = f" <{told.page}|open>" if told.page else ""
        lines.append(f"{_sign(told)} *{escape(told.database)}*: {escape(told.line)}{link}")
    yield _section(_listed("*In detail*", lines))


def _named(group: Group) -> Iterator[Block]:
    text = f"*{escape(group.heading)}*\n"
    last = len(group.databases) - 1
    for number, name in enumerate(group.databases):
        part = escape(name) + (", " if number < last else "")
        if len(text) + len(part) > SECTION:
            yield _section(text.rstrip())
            text = ""
        text += part
    yield _section(text)


def _shortened(text: str, longest: int) -> str:
    """Cut between two names, with how many are left out."""
    if len(text) <= longest:
        return text
    kept = text[: longest - 40].rsplit(", ", 1)[0]
    return f"{kept}, and {text[len(kept) :].count(', ')} more"


def _header(text: str) -> HeaderBlock:
    return HeaderBlock(text=PlainTextObject(text=clip(text, HEADER), emoji=False))


def _section(text: str) -> SectionBlock:
    return SectionBlock(text=MarkdownTextObject(text=text))


def _listed(title: str, lines: Sequence[str]) -> str:
    text = title
    for number, line in enumerate(lines):
        if len(text) + len(line) + 1 > SECTION - 40:
            return f"{text}\nand {len(lines) - number} more"
        text += "\n" + line
    return text


def _cut(text: str, longest: int) -> str:
    """Escaped, and cut before it is: half an escape would show."""
    while len(escape(text)) > longest:
        text = text[: len(text) - max(1, (len(escape(text)) - longest) // 5) - 1] + "…"
    return escape(text)


def _sign(told: Told) -> str:
    if told.color == RESOLVED:
        return "✅"
    return "🔴" if told.color == CRITICAL else "🟡"
