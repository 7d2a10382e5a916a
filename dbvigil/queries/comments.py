"""Who sent a statement, as a comment in it says: the forms of sqlcommenter and of Marginalia, at its end or at its beginning.

SELECT … /*controller='shop.views.basket',route='basket/%3Cint:id%3E/'*/
SELECT … /*application:Shop,controller:basket,action:show*/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

NAMES = ("application", "controller", "view", "action", "route", "task", "job")
"""The tags that are read, in the order in which they are told. Others, like `traceparent`, differ with every execution."""
OTHERS = "others"
"""Under which name callers are counted beyond the number that is kept apart."""
LONGEST_VALUE = 100
_LONGEST_COMMENT = 2_000

# Not of code that servers execute, nor of optimizer hints.
_LAST = re.compile(rb"/\*(?![!+M])([^*]{3,%d})\*/[\s;]*\Z" % _LONGEST_COMMENT)
_FIRST = re.compile(rb"\A[\s(]*/\*(?![!+M])([^*]{3,%d})\*/" % _LONGEST_COMMENT)
_SQLCOMMENTER = re.compile(rb"([A-Za-z_][\w.-]{0,63})='((?:[^'\\]|\\.){0,600})'")
_MARGINALIA = re.compile(rb"(?:\A|,)\s*([A-Za-z_][\w-]{0,63}):([^,']{0,600})")
# What is of one request, not of the code that serves it: numbers, addresses, tokens.
_PRIVATE = re.compile(
    r"[\w.+-]+@[\w-]+\.[\w.-]+|\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b|\b(?=\w*\d)[0-9a-fA-F]{16,}\b"
    r"|\d{3,}|(?<=/)\d+(?=/|\Z)"
)


def tags(statement: bytes | str) -> dict[str, str]:
    """The known tags of a statement's comment, in the order of `NAMES`; none where it has no such comment."""
    raw = statement.encode("utf-8", "replace") if isinstance(statement, str) else statement
    comment = _comment(raw)
    return {} if comment is None else _tags(comment)


def caller(statement: bytes | str) -> str:
    """The tags as one line, `controller=shop.views.basket route=basket/<int:id>/`; "" where there are none."""
    return told(tags(statement))


def told(found: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in found.items())


def _comment(raw: bytes) -> bytes | None:
    end = raw.rfind(b"/*")
    if end < 0:
        return None
    found = _LAST.match(raw, end) or _FIRST.match(raw)
    return None if found is None else found[1]


def _tags(comment: bytes) -> dict[str, str]:
    pairs = _SQLCOMMENTER.findall(comment)
    if pairs:
        values = {
            name: unquote(value.replace(b"\\'", b"'").decode("utf-8", "replace")) for name, value in pairs
        }
    else:
        values = {name: value.decode("utf-8", "replace") for name, value in _MARGINALIA.findall(comment)}
    known = {name.decode().lower(): _shown(value) for name, value in values.items()}
    return {name: known[name] for name in NAMES if known.get(name)}


def _shown(value: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in value)
    text = _PRIVATE.sub("?", " ".join(printable.split()))
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def commonest(callers: Mapping[str, int], most: int) -> dict[str, int]:
    """The `most` commonest, the commonest first, and all others together under `OTHERS`."""
    rest = dict(callers)
    others = rest.pop(OTHERS, 0)
    ordered = sorted(rest.items(), key=lambda item: (-item[1], item[0]))
    others += sum(count for _name, count in ordered[most:])
    return dict(ordered[:most]) | ({OTHERS: others} if others else {})
