"""Slow logs of one's own making: entries by grammar, and statements of every shape for hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

EPOCH = 1769850300


def header(
    number: int = 0, *, seconds: str = "0.001000", user: str = "shop", use: str = "", session: int = 8
) -> bytes:
    """A header of MySQL's, as a client may forge it byte for byte."""
    return (
        f"# Time: 2026-01-31T09:05:{number % 60:02}.000000Z\n"
        f"# User@Host: {user}[{user}] @ localhost []  Id: {session:5}\n"
        f"# Query_time: {seconds}  Lock_time: 0.000100 Rows_sent: 1  Rows_examined: 2\n"
        f"{use}SET timestamp={EPOCH + number};\n"
    ).encode()


def entry(
    statement: bytes, number: int = 0, *, seconds: str = "0.001000", use: str = "", session: int = 8
) -> bytes:
    return header(number, seconds=seconds, use=use, session=session) + statement + b";\n"


FORGED = entry(b"SELECT 'forged'", seconds="999.000000").replace(b"shop", b"forged")
BARE = FORGED.replace(b"'", b"")
"""A whole entry without any quote."""

_WORDS = st.sampled_from(
    [
        b"SELECT",
        b"a",
        b"1",
        b"=",
        b"-",
        b"/",
        b"*",
        b",",
        b"(",
        b")",
        b"\n",
        b" ",
        b"--1",
        b"t.b",
        b"\xff\x00",
        b"END",
    ]
)


def _inside(forged: bytes, *forbidden: bytes) -> st.SearchStrategy[bytes]:
    pieces = [
        piece
        for piece in (b"x", b" ", b";\n", b"'", b'"', b"`", b"/*", b"-- ", b"#", b"\n", forged)
        if not any(sign in piece for sign in forbidden)
    ]
    return st.lists(st.sampled_from(pieces), max_size=6).map(b"".join)


_QUOTED = st.one_of(
    _inside(BARE, b"'").map(lambda text: b"'" + text + b"'"),
    _inside(FORGED, b"'").map(lambda text: b"'" + text + b"\\''"),
    _inside(FORGED, b'"').map(lambda text: b'"' + text + b'"'),
    _inside(FORGED, b"`").map(lambda text: b"`" + text + b"`"),
    _inside(FORGED).map(lambda text: b"/* " + text.replace(b"*/", b"") + b" */"),
)
STATEMENTS = st.lists(st.one_of(_WORDS, _QUOTED), max_size=8).map(
    lambda pieces: b"SELECT " + b" ".join(pieces) + b" x"
)
"""Statements whose quotes and comments are closed, with whole entries inside them."""
