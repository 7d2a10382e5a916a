"""The header of one entry, in every form that servers write it, and the values in it.

A header counts only as a whole: its lines in their order, each by its grammar. Every repetition is bounded or possessive, so hostile text
costs no more than its length.
"""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime
from typing import NamedTuple

_TIME = rb"(\d{6} [ \d]?\d:\d\d:\d\d(?:\.\d{1,6})?|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)|)"
_USER = rb"(?:([^\n\[]{0,160}+)\[([^\n\]]{0,160}+)\] ?| {0,2})@ {0,2}([^\n\[]{0,260}+)\[([^\n\]]{0,260}+)\](?: +Id: +(\d{1,20}))?[ \t]*\n"
_SESSION = rb"(?:# (?=Thread_id: |Schema: )(?:Thread_id: (\d{1,20}) *)?(?:Schema: ((?:[^\n ]++| (?! ))*+)(  [^\n]{0,200}+)?)?\n)?"
_COSTS = (
    rb"Query_time: (\d{1,20})(?:\.(\d{1,6})\d{0,12})? +Lock_time: (\d{1,20})(?:\.(\d{1,6})\d{0,12})?"
    rb" +Rows_sent: (\d{1,20}) +Rows_examined: (\d{1,20})"
)
_MORE = (
    rb"((?: [^\n]{0,4000}+)?+\n"
    rb"(?:# {0,4}(?!Time:|User@Host:|Query_time:)"
    rb"(?:[A-Z][A-Za-z_]{1,40}: [^\n]{0,4000}+|No InnoDB statistics[^\n]{0,80}|explain: [^\n]{0,20000}+)\n"
    rb"|#[ \t]?\n)*+)"
)
_SCHEMA = rb"(?:use ([^\n]{1,260}+)(?<=;)\n)?"
_SET = (
    rb"(?:SET (?:last_)?insert_id=\d{1,20};\n)?"
    rb"(?:SET (?:(?:last_)?insert_id=\d{1,20},)*+timestamp=(\d{1,10})(?:\.\d{1,6})?;\n)?"
)

HEADER = re.compile(
    rb"# (?<![^\n]# )(?:Time: " + _TIME + rb"[ \t]*(?:\n# |# ))?"
    rb"(?:User@Host: " + _USER + _SESSION + rb"# )?" + _COSTS + _MORE + _SCHEMA + _SET
)
"""A whole header, from its first `# ` to where the statement begins. Its groups are those of `Header`, in order.

It starts with literal bytes, which lets the regex engine skip through statements at the speed of a memory search.
"""

BANNER = re.compile(
    rb"[^\n]{1,500}?, Version: [^\n]{1,300}? started with:\nTcp port: [^\n]{0,400}+\nTime[ \t]+Id Command[ \t]+Argument\n"
)
"""What a server writes when it opens the log."""

BANNER_MARK = b" started with:\nTcp port: "

ADMINISTRATOR = re.compile(rb"# administrator command: [A-Z][A-Za-z_ ]{1,40};\n")
"""What is in a statement's place for a command that is none: a ping, a goodbye."""


class Header(NamedTuple):
    """The groups of `HEADER`. What is missing is None."""

    time: bytes | None
    user: bytes | None
    account: bytes | None
    host: bytes | None
    address: bytes | None
    session: bytes | None
    thread: bytes | None
    schema: bytes | None
    session_tail: bytes | None
    query_seconds: bytes
    query_fraction: bytes | None
    lock_seconds: bytes
    lock_fraction: bytes | None
    rows_sent: bytes
    rows_examined: bytes
    rest: bytes
    use: bytes | None
    timestamp: bytes | None


TIME, USER, ADDRESS, TIMESTAMP = 1, 2, 5, 18
"""Numbers of groups in `HEADER`."""

_SANE_DIGITS = 9


def microseconds(seconds: bytes, fraction: bytes | None) -> int | None:
    """A time of the log in whole microseconds; None where a server's arithmetic ran below zero (decades)."""
    if len(seconds) > _SANE_DIGITS:
        return None
    if fraction is None:
        return int(seconds) * 1_000_000
    return int(seconds + (fraction if len(fraction) == 6 else fraction.ljust(6, b"0")))


def name(quoted: bytes) -> bytes:
    """The schema of a `use` line, with the semicolon and quotes that it may have taken away."""
    bare = quoted.removesuffix(b";")
    if len(bare) >= 2 and bare[:1] == b"`" == bare[-1:]:
        bare = bare[1:-1].replace(b"``", b"`")
    return bare


def text_of(statement: bytes) -> bytes:
    """A statement as the client sent it: without the end that the log gives it, a command without its comment sign."""
    bare = statement.removesuffix(b"\n").removesuffix(b";")
    return bare[2:] if ADMINISTRATOR.fullmatch(statement) else bare


def epoch(written: bytes) -> int | None:
    """Seconds since 1970 of a `# Time:`; the old form names no zone and is taken as UTC. None where it is empty or no date."""
    if not written:
        return None
    text = written.decode("ascii")
    try:
        if b"T" in written:
            return int(datetime.fromisoformat(text).timestamp())
        day, clock = text.split(maxsplit=1)
        hours, minutes, seconds = clock.split(":")
        year = 2000 + int(day[:2])
        moment = datetime(
            year, int(day[2:4]), int(day[4:]), int(hours), int(minutes), int(seconds[:2]), tzinfo=UTC
        )
    except ValueError:
        return None
    return timegm(moment.utctimetuple())
