"""Where literals, names and comments of a statement begin and end, read as the servers read them.

    'text' and "text"     a backslash escapes; a doubled quote is two texts side by side; an open one ends with the statement
    `name`                no escapes; an open back-quote is a character like any other
    /* … */ # … -- …      comments; `--` begins one before white space, and elsewhere where no quote follows on its line
    /*! … */              code, not a comment

Every byte is looked at a bounded number of times: a hostile statement costs what its length costs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

Kind = Literal["plain", "string", "name", "comment", "open_comment"]
Piece = tuple[Kind, bytes]

SINGLE = rb"'[^'\\]*+(?:\\.[^'\\]*+)*+'"
DOUBLE = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'

_PLAIN = re.compile(
    rb"(?:[^'\"`\\#/-]++|`[^`'\"]*+`|" + SINGLE + rb"|" + DOUBLE + rb"|/(?!\*)|-(?!-))*+",
    re.DOTALL,
)
_MARK = re.compile(
    rb"""'[^'\\]*+(?:\\.[^'\\]*+)*+(?:\\?\Z|')|"[^"\\]*+(?:\\.[^"\\]*+)*+(?:\\?\Z|")|`[^`]*+`|/\*(?!!)|\#|--""",
    re.DOTALL | re.VERBOSE,
)
_LINE_END = re.compile(rb"[\r\n]|\Z")
_QUOTE = re.compile(rb"['\"]|\Z")
_KINDS: dict[int, Kind] = {ord("'"): "string", ord('"'): "string", ord("`"): "name"}


def is_plain(statement: bytes) -> bool:
    """No comments, nothing open, no quotes inside names: then a quote always begins or ends a text."""
    return _PLAIN.fullmatch(statement) is not None


def pieces(statement: bytes) -> Iterator[Piece]:
    """The statement in its pieces, in order; joined they are the statement."""
    place = start = 0
    next_quote = -1
    while (mark := _MARK.search(statement, place)) is not None:
        at = mark.start()
        kind = _KINDS.get(statement[at])
        end = mark.end()
        if kind is None:
            kind = "comment"
            if statement.startswith(b"/*", at):
                closing = statement.find(b"*/", end)
                end = closing + 2 if closing >= 0 else len(statement)
                if closing < 0:
                    kind = "open_comment"
            else:
                end = _end_of(_LINE_END, statement, end)
                if statement[at] == ord("-") and not statement[at + 2 : at + 3].isspace():
                    # The next quote is looked for once for all dashes before it.
                    if next_quote < at:
                        next_quote = _end_of(_QUOTE, statement, at)
                    if next_quote < end:
                        place = mark.end()
                        continue
        if start < at:
            yield "plain", statement[start:at]
        yield kind, statement[at:end]
        place = start = end
    if start < len(statement):
        yield "plain", statement[start:]


def without_literals(statement: bytes) -> bytes:
    """The statement with `?` for each text and without comments. Numbers are left."""
    return b"".join(
        piece if kind in {"plain", "name"} else b"?"
        for kind, piece in pieces(statement)
        if kind not in {"comment", "open_comment"}
    )


def _end_of(what: re.Pattern[bytes], statement: bytes, place: int) -> int:
    found = what.search(statement, place)
    return len(statement) if found is None else found.start()
