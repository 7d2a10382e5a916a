"""Whether the text after a header is a whole statement, or a header found behind it is still inside.

Servers write statements as clients sent them and end each with `;` and a new line. So a statement has ended where such a `;` stands outside
of quotes, comments and the bodies of stored programs. Quotes are followed as the default sql_mode has them: a backslash escapes.

Texts come piece by piece, each piece is looked at once, and all loops over characters are the regex engine's.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from dbvigil.queries.slowlog.blocks import Blocks, is_stored_program
from dbvigil.queries.slowlog.grammar import ADMINISTRATOR

_QUOTED = rb"""'(?:[^'\\]++|\\.)*+'|"(?:[^"\\]++|\\.)*+"|`[^`]*+`|/\*(?!M?!)(?:[^*]++|\*(?!/))*+\*/|(?:\#|--(?=[\x00-\x20]))[^\n]*+\n"""
_PASSED = re.compile(
    rb"(?:[^'\"`;#/*-]++|" + _QUOTED + rb"|/(?!\*)|-(?!-(?:[\x00-\x20]|\Z))|\*(?!/)|;(?!\n))*+", re.DOTALL
)
_QUOTES = re.compile(_QUOTED, re.DOTALL)
_REST_OF = {
    b"'": re.compile(rb"(?:[^'\\]++|\\.)*+", re.DOTALL),
    b'"': re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL),
    b"`": re.compile(rb"[^`]*+"),
    b"/*": re.compile(rb"(?:[^*]++|\*(?!/))*+"),
    b"#": re.compile(rb"[^\n]*+"),
}
"""By what is open, all up to what closes it."""

_EXECUTABLE = re.compile(rb"/\*M?!(\d{5,6})?")


class Verdict(Enum):
    """What stands before a possible header.

    ENDED: a whole statement. WEAKLY: a whole statement if what closes it, a `;` in a line comment, is the server's own. OPEN: inside
    quotes, a comment or a stored program. UNENDED: nothing is open, but no `;` ends it.
    """

    ENDED = "ended"
    WEAKLY = "weakly"
    OPEN = "open"
    UNENDED = "unended"


class State(NamedTuple):
    mode: bytes
    executable: bool
    stored: bool
    depth: int


class Closing:
    """Follows one statement from `start` in `buffer`; `at` is asked for growing places, each the start of a line."""

    __slots__ = (
        "_blocks",
        "_buffer",
        "_executable",
        "_head",
        "_pieces",
        "_stored",
        "ended_at",
        "mode",
        "place",
        "start",
    )

    def __init__(self, buffer: bytes, start: int) -> None:
        self._buffer = buffer
        self.start = start
        self.place = start
        self.mode = b""
        """What is open: a quote, `/*`, `#` for both line comments; empty where nothing is."""
        self.ended_at = -1
        """Behind the last `;` and new line outside of everything; what follows is no statement. -1 where there is none."""
        self._executable = False
        self._pieces: list[bytes] = []
        self._head = b""
        self._stored: bool | None = None
        self._blocks = Blocks()

    def at(self, end: int) -> Verdict:
        """The state of the text up to `end`."""
        buffer = self._buffer
        if self.place == self.start and ADMINISTRATOR.fullmatch(buffer, self.start, end):
            return Verdict.WEAKLY
        while self.place < end:
            if self.mode:
                self._pass_quoted(end)
            else:
                self._pass_plain(end)
        if self.mode or self._executable or self._in_stored_program():
            return Verdict.OPEN
        if self.ended_at >= 0:
            return Verdict.ENDED
        if buffer[end - 2 : end] == b";\n" and end - 2 > self.start:
            return Verdict.WEAKLY
        return Verdict.UNENDED

    @property
    def state(self) -> State:
        """What all that follows depends on; `depth` is how many blocks of a stored program are open."""
        return State(self.mode, self._executable, bool(self._stored), self._blocks.depth)

    def jump(self, place: int, state: State) -> None:
        """Goes on at `place`, where `state` is known."""
        self.place, self.mode, self._executable = place, state.mode, state.executable
        self._blocks.depth = state.depth
        self._pieces.clear()

    def _pass_plain(self, end: int) -> None:
        match = _PASSED.match(self._buffer, self.place, end)
        stop = match.end() if match else self.place
        self._pieces.append(self._buffer[self.place : stop])
        self.place = stop
        if stop < end:
            self._pass_sign(end)

    def _pass_sign(self, end: int) -> None:
        buffer, place = self._buffer, self.place
        sign = buffer[place : place + 1]
        if sign == b";":
            self._pieces.append(b";")
            if buffer[place + 1 : place + 2] == b"\n" and not self._executable:
                self.ended_at = place + 2
            self.place += 1
        elif sign == b"*":
            self._executable = False
            self.place = min(place + 2, end)
        elif sign == b"/":
            self._open_comment(end)
        else:
            self.mode = b"#" if sign in b"#-" else sign
            self.place += 1

    def _open_comment(self, end: int) -> None:
        executable = _EXECUTABLE.match(self._buffer, self.place, end)
        if executable is None or _skipped_everywhere(executable[1]):
            self.mode = b"/*"
            self.place = min(self.place + 2, end)
        else:
            self._executable = True
            self.place = executable.end()
        # In what a server skips for its version, one comment may be nested: the first end is then not the last.
        if executable is not None and self.mode:
            inside = _REST_OF[b"/*"].match(self._buffer, self.place, end)
            self._executable = inside is not None and b"/*" in inside[0]

    def _pass_quoted(self, end: int) -> None:
        match = _REST_OF[self.mode].match(self._buffer, self.place, end)
        stop = match.end() if match else self.place
        if stop >= end:
            self.place = end
        elif self._buffer[stop : stop + 1] == b"\\":
            # A backslash right at the border.
            self.place = end
        else:
            self.place = min(stop + (2 if self.mode == b"/*" else 1), end)
            self.mode = b""
            self._pieces.append(b" ")

    def _in_stored_program(self) -> bool:
        """Inside the blocks of one: there a `;` ends no more than a step."""
        if self.ended_at < 0 or self._stored is False:
            return False
        text = _QUOTES.sub(b" ", b"".join(self._pieces))
        self._pieces = []
        if self._stored is None:
            self._stored = is_stored_program(text)
        if self._stored:
            self._blocks.feed(text)
        return self._blocks.depth > 0


def _skipped_everywhere(version: bytes | None) -> bool:
    """Whether no server that there is executes a comment for this version: 9.90 of MySQL, 20 of MariaDB."""
    return version is not None and (99_000 <= int(version) < 100_000 or int(version) >= 200_000)
