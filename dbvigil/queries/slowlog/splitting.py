"""From bytes to entries: which headers are real, and where each statement ends.

A header is real where its grammar holds and the statement before it has ended (`closing`). Besides:

- It is no weaker than those before it: where a log has named accounts or set timestamps, a header without them is a client's.
- One that follows another without a statement between them is the beginning of that other's statement: a client's comment.

A statement that is never closed (a syntax error is logged too) would swallow what follows. So where `LOOKAHEAD` bytes do not close it, it
ends at the first header after all, and is counted as unclosed: what follows such a statement cannot be told from a forgery.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator

from dbvigil.queries.slowlog.grammar import ADDRESS, HEADER, TIMESTAMP
from dbvigil.queries.slowlog.resolving import HEADER_LIMIT, Ending, Resolver, Window

CHUNK = 1 << 20
LOOKAHEAD = 64 << 20
"""As long as a statement can be where max_allowed_packet is MySQL's default."""

# Plain: nothing in it could matter to anyone. A number in the place of an escaped character would.
_LITERALS = re.compile(rb"""'[^'\\"`#*;\n-]*+(?:-[^'\\"`#*;\n-]++)*+'|\b(?<!\\)\d++""")
# Of names and values; pt-query-digest's own marks in a comment, which make another fingerprint, have neither.
_SQLCOMMENTER = re.compile(rb"/\*[A-Za-z_][^*\n;]*'\*/([\s;]*+)\Z")
_MARGINALIA = re.compile(rb"/\*[A-Za-z_]\w*+:[A-Za-z_][^*\n;/]*+\*/([\s;]*+)\Z")
_CLOSED = re.compile(rb"''|`[^`'\"\\#*;\n-]*+`")
_UNSURE = re.compile(rb"""['"`\\#]|--|/\*""")
_KEYED = 4000
_KEY_LIMIT = 1000
_KEYS = 20_000
_SHOWN = 1 << 20

Found = tuple["re.Match[bytes]", bytes, bytes]
"""A header, its statement with the `;` and line end behind it, and the statement's key."""


def key_of(statement: bytes) -> bytes:
    """The statement without its plain strings and numbers: where it ends and its fingerprint are the key's alone."""
    if len(statement) > _KEYED:
        return statement
    if b"/*" in statement:
        return _without_comment(statement)
    return _LITERALS.sub(b"''", statement)


def _without_comment(statement: bytes) -> bytes:
    """The key of one that ends in a comment as clients write it into each statement, so that it says who they are.

    Only where the comment cannot be anything else: what is before it has nothing open, and no line break is in it.
    """
    place = statement.rfind(b"/*")
    comment = _SQLCOMMENTER.match(statement, place) or _MARGINALIA.match(statement, place)
    if comment is None:
        return statement
    key = _LITERALS.sub(b"''", statement[:place].rstrip())
    return statement if _UNSURE.search(_CLOSED.sub(b"", key)) else key + b"/**/" + comment[1]


class Splitter:
    """The entries of the bytes that `read(size)` gives, to be iterated once.

    `base` is the offset of the first byte. With `stop` it ends before the first real header at or behind that offset. With `follow` the
    last statement is an entry only where it has ended; otherwise all that there is of it. `started`: the log is known to name accounts
    and to set timestamps.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        *,
        base: int = 0,
        stop: int | None = None,
        follow: bool = False,
        started: bool = False,
        lookahead: int = LOOKAHEAD,
    ) -> None:
        self._read = read
        self._base = base
        self._stop = stop
        self._follow = follow
        self._lookahead = lookahead
        self.skipped = 0
        """Bytes that belong to no entry, so far."""
        self.unclosed = 0
        """Entries whose statement is never closed, so far."""
        self.next_start: int | None = None
        """With `stop`: the offset of the next header; None where the input has ended before."""
        self.consumed = base
        """The offset behind the last entry that was given."""
        self._has_user = self._has_timestamp = started
        self._ended: set[bytes] = set()
        self._resolver = Resolver(self._as_strong, lookahead=lookahead, follow=follow)

    def __iter__(self) -> Iterator[Found]:
        buffer, size, final = b"", CHUNK, False
        while not final:
            data = self._read(size)
            final = not data
            buffer = buffer + data if buffer else data
            used = yield from self._entries(buffer, final)
            if self.next_start is not None:
                return
            buffer = buffer[used:]
            self._base += used
            # A statement that has not ended yet is looked at anew: in doubling steps that stays linear.
            size = max(CHUNK, len(buffer))

    @property
    def started(self) -> bool:
        """Whether the log names accounts and sets timestamps, as far as it was read."""
        return self._has_user and self._has_timestamp

    def _entries(self, buffer: bytes, final: bool) -> Generator[Found, None, int]:
        """Gives what is certain; returns how many bytes are done with."""
        search, ended = HEADER.search, self._ended
        # Of a header that touches the last line it is not known yet how it goes on.
        certain = len(buffer) if final else max(buffer.rfind(b"\n"), len(buffer) - HEADER_LIMIT)
        place = 0
        header: re.Match[bytes] | None = None
        while True:
            found = search(buffer, place)
            if header is None:
                if found is None or found.end() > certain:
                    return self._without_header(buffer, found, final)
                self.skipped += found.start()
                if self._reached(found):
                    return 0
                header, place = self._accepted(found), found.end()
                continue
            statement = key = b""
            if found is not None and found.end() <= certain:
                statement = buffer[header.end() : found.start()]
                key = key_of(statement)
            if found is not None and key in ended and self._as_strong(found):
                self.consumed = self._base + found.start()
                yield header, statement, key
            else:
                ending = self._resolver.resolve(Window(buffer, self._base, certain, final), header, found)
                if ending is None:
                    return header.start()
                found = ending.next
                statement = self._slowly(buffer, header, ending)
                if statement:
                    yield header, statement, key_of(statement)
            if found is None:
                return len(buffer)
            if self._reached(found):
                return 0
            header, place = self._accepted(found), found.end()

    def _slowly(self, buffer: bytes, header: re.Match[bytes], ending: Ending) -> bytes:
        """The statement that was looked at closely, empty where there is none; keeps the books about it."""
        until = len(buffer) if ending.next is None else ending.next.start()
        if ending.next is None and self._follow:
            # What is behind it may be the beginning of the next.
            until = ending.end
        statement = buffer[header.end() : min(ending.end, header.end() + _SHOWN)]
        self.unclosed += ending.unclosed
        self.consumed = self._base + until
        if not statement.strip():
            self.skipped += until - header.start()
            return b""
        self.skipped += until - ending.end
        if ending.plain:
            key = key_of(statement)
            if len(key) <= _KEY_LIMIT:
                if len(self._ended) >= _KEYS:
                    self._ended.clear()
                self._ended.add(key)
        return statement

    def _as_strong(self, found: re.Match[bytes]) -> bool:
        address, timestamp = found.group(ADDRESS, TIMESTAMP)
        return (address is not None or not self._has_user) and (
            timestamp is not None or not self._has_timestamp
        )

    def _accepted(self, found: re.Match[bytes]) -> re.Match[bytes]:
        if not self._has_timestamp:
            self._has_timestamp = found[TIMESTAMP] is not None
        if not self._has_user:
            self._has_user = found[ADDRESS] is not None
        return found

    def _reached(self, found: re.Match[bytes]) -> bool:
        at = self._base + found.start()
        if self._stop is None or at < self._stop:
            return False
        self.next_start = at
        return True

    def _without_header(self, buffer: bytes, found: re.Match[bytes] | None, final: bool) -> int:
        """Of text that is no entry only so much is kept as may be the beginning of a header."""
        if final:
            done = 0 if self._follow else len(buffer)
        elif found is not None:
            done = found.start()
        else:
            done = buffer.rfind(b"\n", 0, max(0, len(buffer) - HEADER_LIMIT)) + 1
            if not done and len(buffer) > self._lookahead:
                done = len(buffer) - HEADER_LIMIT
        self.skipped += done
        self.consumed = self._base + done
        return done
