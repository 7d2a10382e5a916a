"""Where a statement ends in a report of InnoDB, which prints clients' text as it came, header-like lines and all.

A client can imitate every line of a report, but only inside a string, a quoted name or a comment: anywhere else the statement would not
have run. So quotes and comments are followed. What that cannot settle is a statement that was cut inside one; those are cut at a known
length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# MySQL prints 3000 bytes of a statement. MariaDB prints 3072 of statement and session line together, but no more than 3000 of the former.
LONGEST = 3000
_LONGEST_TOGETHER = 3072

_MARKER = re.compile(
    r"^(?:\*\*\* (?:\(\d+\) (?:TRANSACTION:|HOLDS THE LOCK|WAITING FOR THIS LOCK)|WAITING FOR THIS LOCK|CONFLICTING WITH|WE ROLL BACK)"
    r"|-{5,}\n[A-Z][A-Z ]+\n-{5,}$|Foreign key constraint fails for table|Trying to (?:add|update|delete) in)",
    re.MULTILINE,
)
_ESCAPES = re.compile(
    r"""'(?:[^'\\]|\\.|'')*+' | "(?:[^"\\]|\\.|"")*+" | `(?:[^`]|``)*+` | --(?=[\x00-\x20])[^\n]* | \#[^\n]*
      | /\*M?!\d* | /\*.*?\*/ | (?P<open>['"`]|/\*)""",
    re.DOTALL | re.VERBOSE,
)
# With sql_mode NO_BACKSLASH_ESCAPES.
_PLAIN = re.compile(
    _ESCAPES.pattern.replace(r"[^'\\]|\\.|", "[^']|").replace(r'[^"\\]|\\.|', '[^"]|'), _ESCAPES.flags
)
_DUMP = re.compile(r"^ \d+: len \d+; hex |^Record lock, heap no \d+ PHYSICAL RECORD", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class End:
    """`text` is the statement, None where it cannot be told from what follows it; `position` is where the report goes on."""

    text: str | None
    position: int


def statement_end(report: str, start: int, session_line: str) -> End:
    """The statement that begins at `start` in `report`, right after `session_line`."""
    markers = [found.start() for found in _MARKER.finditer(report, start)]
    for tokens in (_ESCAPES, _PLAIN):
        end = _outside(report, start, markers, tokens)
        if end is not None and _plausible(report[start:end]):
            return End(_text(report, start, end), end)
    for end in markers:
        if _cut(report[start:end], session_line):
            return End(_text(report, start, end), end)
    # What follows may be rows of tables: nothing of it is taken for a statement.
    return End(None, markers[0] if markers else len(report))


def _outside(report: str, start: int, markers: list[int], tokens: re.Pattern[str]) -> int | None:
    """The first marker that stands in no string, name or comment; None where one of these has no end."""
    left = iter(markers)
    marker = next(left, None)
    for token in tokens.finditer(report, start):
        while marker is not None and marker <= token.start():
            return marker
        if token.lastgroup == "open":
            return None
        while marker is not None and marker < token.end():
            marker = next(left, None)
    return marker


def _plausible(text: str) -> bool:
    return len(text.rstrip("\n").encode()) <= LONGEST and not _DUMP.search(text)


def _cut(text: str, session_line: str) -> bool:
    """Whether a statement is as long as one that was cut."""
    if _DUMP.search(text):
        return False
    # The line breaks at the end are the report's, unless the cut fell on one of the statement's own.
    longest, shortest = len(text.encode()), len(text.rstrip("\n").encode())
    together = len(session_line.encode()) + 1
    # A character that was cut in two is shown as another, up to two bytes longer.
    return any(
        shortest - 3 <= length <= longest + 3
        for length in (LONGEST, _LONGEST_TOGETHER - together, _LONGEST_TOGETHER - together - 1)
    )


def _text(report: str, start: int, end: int) -> str | None:
    return report[start:end].strip() or None
