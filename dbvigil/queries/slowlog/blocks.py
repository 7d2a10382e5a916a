"""How many blocks of a stored program are open: inside one, a `;` ends no more than a step.

No parser, but a count that a client cannot bring down: END closes a block only where a step could begin, and nothing else that may stand
there is called END (as a column may be elsewhere). What opens a block is counted rather once too often.
"""

from __future__ import annotations

import re

_HEAD = re.compile(
    rb"(?:(?:CREATE|ALTER)\b(?! (?:OR REPLACE )?(?:TEMPORARY |UNIQUE |FULLTEXT |SPATIAL )?(?:TABLE|INDEX|VIEW|DATABASE|SCHEMA|USER|ROLE)\b)"
    rb"[^;]{0,2000}?\b(?:PROCEDURE|FUNCTION|TRIGGER|EVENT|PACKAGE)\b|BEGIN NOT ATOMIC\b"
    rb"|(?:DECLARE|IF|CASE|LOOP|REPEAT|WHILE|FOR)\b|[\w$]{0,66} ?:)",
    re.IGNORECASE,
)
_TOKEN = re.compile(rb"[\w$]++|[;:().,=@]")
_OPENING = frozenset((b"IF", b"CASE", b"LOOP", b"WHILE", b"REPEAT", b"FOR"))
_BEFORE_STEP = frozenset((b";", b":", b"BEGIN", b"DO", b"LOOP", b"REPEAT"))
# What the one step of a program without BEGIN may follow.
_BEFORE_BODY = frozenset(
    (b"", b"ROW", b"DO", b")", b"DETERMINISTIC", b"DATA", b"SQL", b"DEFINER", b"INVOKER", b"COMMENT")
)


def is_stored_program(text: bytes) -> bool:
    """Whether a statement, without quotes and comments, is one in which a `;` may be a step's."""
    return _HEAD.match(b" ".join(text[:20_000].split())) is not None


class Blocks:
    """Counts over pieces of one statement, quotes and comments taken out; pieces end where words do."""

    __slots__ = ("_cases", "_handler", "_head", "_opened", "_previous", "depth")

    def __init__(self) -> None:
        self.depth = 0
        self._previous = b""
        self._opened = False
        self._head = True
        self._handler = False
        self._cases = 0

    def feed(self, text: bytes) -> None:
        """Goes on with the next piece."""
        for match in _TOKEN.finditer(text):
            token = match[0].upper()
            opened = False
            if token == b";":
                self._head = self._handler = False
                self._cases = 0
            elif token == b"HANDLER":
                self._handler = True
            elif token == b"END":
                self._end()
            elif token == b"BEGIN":
                opened = self._previous != b"."
            elif token in _OPENING:
                opened = self._opens()
                if token == b"REPEAT" and self._previous == b"UNTIL END":
                    self.depth -= 1
                elif token == b"CASE" and not opened and self._previous != b"END":
                    self._cases += 1
            self.depth += opened
            # `UNTIL … END REPEAT` is the one end that a condition stands before.
            self._previous = (
                b"UNTIL END" if token == b"END" and self._previous not in (b";", b"BEGIN") else token
            )
            self._opened = opened

    def _end(self) -> None:
        if self._previous == b";" or (self._previous == b"BEGIN" and self._opened):
            self.depth -= 1
        elif self._cases:
            self._cases -= 1

    def _opens(self) -> bool:
        before = self._previous
        if before in _BEFORE_STEP or (self._handler and before != b"HANDLER"):
            return True
        if before in (b"THEN", b"ELSE"):
            return not self._cases
        return self._head and not self.depth and before in _BEFORE_BODY
