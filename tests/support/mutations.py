"""Recorded texts, damaged: what a parser meets where a file was cut, overwritten, or written by somebody who means harm."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

RECORDED = Path(__file__).parents[1] / "recorded"
STATEMENTS: tuple[str, ...] = tuple(
    line
    for name in ("django", "tpch", "rental")
    for line in (RECORDED / "statements" / f"{name}.sql").read_text().splitlines()
    if line
)
LOGS: tuple[bytes, ...] = tuple(
    file.read_bytes()[:20_000] for file in sorted((RECORDED / "slowlog").glob("*.log"))
)

SIGNS: tuple[bytes, ...] = (
    b"'", b'"', b"`", b"\\", b"/*", b"*/", b"/*!", b"/*M!", b"/*+", b"--", b"-- ", b"#", b"\n", b"\r", b"\0", b";", b"(", b")", b",", b"?",
    b"...", b"\xff", b"\xc3", "é".encode(), b"0x", b"1e", b"9" * 40, b"NULL", b"SELECT ", b" UNION ", b" IN (", b" LIKE '%", b" LIMIT ",
    b" OR ", b" NOT ", b" CASE ", b"WITH RECURSIVE a AS (", b"INTERVAL ", b"@", b":=", b".", b"-", b"# Time: ", b"# User@Host: ",
    b"# Query_time: ", b"SET timestamp=", b"use ", b"# administrator command: ",
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, originals: Sequence[bytes]) -> bytes:
    """One of `originals` with up to six places cut out, doubled, filled with signs or noise, or with a piece of another one."""
    text = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(text)))
        end = min(len(text), place + draw(st.integers(0, 60)))
        match draw(st.sampled_from(("cut", "end", "double", "sign", "noise", "other"))):
            case "cut":
                piece = b""
            case "end":
                piece, end = b"", len(text)
            case "double":
                piece = text[place:end] * 2
            case "sign":
                piece, end = draw(st.sampled_from(SIGNS)), place
            case "noise":
                piece = draw(st.binary(max_size=8))
            case _:
                other = draw(st.sampled_from(originals))
                start = draw(st.integers(0, len(other)))
                piece = other[start : start + 60]
        text = text[:place] + piece + text[end:]
    return text


DAMAGED_STATEMENTS = damaged([sql.encode() for sql in STATEMENTS])
DAMAGED_TEXTS = DAMAGED_STATEMENTS.map(lambda data: data.decode("utf-8", "replace"))
DAMAGED_LOGS = damaged(LOGS)
