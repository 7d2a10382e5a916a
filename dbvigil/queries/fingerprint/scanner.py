"""Where literals, names and comments of a statement begin and end, read as the servers read them.

    'text' and "text"     a backslash escapes; a doubled quote is two texts side by side; an open one ends with the statement
    `name`                no escapes; an open back-quote is a character like any other
    /* … */ # … -- …      comments; `--` begins one before white space; with `loose`, elsewhere too where no quote follows on its line
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


def is_plain(statement: bytes) -> bool:
    """No comments, nothing open, no quotes inside names: then a quote always begins or ends a text."""
    return _PLAIN.fullmatch(statement) is not None


def pieces(statement: bytes, *, loose: bool = False) -> Iterator[Piece]:
    """The statement in its pieces, in order; joined they are the statement. `loose`: as pt-query-digest takes dashes."""
    place = start = 0
    dashes = _Dashes(statement, loose)
    while (mark := _MARK.search(statement, place)) is not None:
        at, end = mark.span()
        kind: Kind
        match statement[at]:
            case 39 | 34:
                kind = "string"
            case 96:
                kind = "name"
            case 47:
                closing = statement.find(b"*/", end)
                kind = "comment" if closing >= 0 else "open_comment"
                end = closing + 2 if closing >= 0 else len(statement)
            case 35:
                kind, end = "comment", _next(_LINE_END, statement, end)
            case _:
                kind, end = "comment", dashes.comment_end(at)
                if end < 0:
                    place = at + 1
                    continue
        if start < at:
            yield "plain", statement[start:at]
        yield kind, statement[at:end]
        place = start = end
    if start < len(statement):
        yield "plain", statement[start:]


class _Dashes:
    """Where the comment of two dashes ends, if they begin one. Asked in order, it looks at each byte twice at most."""

    def __init__(self, statement: bytes, loose: bool) -> None:
        self._statement = statement
        self._loose = loose
        self._quote = self._line_end = -1

    def comment_end(self, at: int) -> int:
        """-1: no comment."""
        statement = self._statement
        behind = at + 2
        # White space, a control character or the end.
        begins = behind >= len(statement) or statement[behind] <= 32
        if not begins and not self._loose:
            return -1
        if self._line_end < behind:
            self._line_end = _next(_LINE_END, statement, behind)
        if not begins:
            if self._quote < behind:
                self._quote = _next(_QUOTE, statement, behind)
            if self._quote < self._line_end:
                return -1
        return self._line_end


def without_literals(statement: bytes) -> bytes:
    """The statement with `?` for each text and without comments. Numbers are left."""
    return b"".join(
        piece if kind in {"plain", "name"} else b"?"
        for kind, piece in pieces(statement, loose=True)
        if kind not in {"comment", "open_comment"}
    )


def _next(what: re.Pattern[bytes], statement: bytes, place: int) -> int:
    found = what.search(statement, place)
    return len(statement) if found is None else found.start()
