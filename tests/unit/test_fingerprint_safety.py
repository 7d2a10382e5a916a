"""No literal survives, whatever the statement, and no statement crashes or hangs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbvigil.queries.fingerprint import DIALECTS, canonical, fingerprint, pair_key, server_text

WORD, NUMBER = "zqzqsecret", "7731377"

TEXTS: dict[str, Callable[[bytes], bytes]] = {
    "percona": DIALECTS["percona"],
    "go-mysql": DIALECTS["go-mysql"],
    "canonical": lambda statement: canonical(statement).encode(),
    "canonical, mariadb": lambda statement: canonical(statement, "mariadb").encode(),
}

# Before and behind the secret, inside a text: whatever a text may hold in these quotes.
INSIDE = st.text(st.sampled_from("ab1 ,()*/#-;\n%_"), max_size=6)
ESCAPED = st.sampled_from(["", "\\\\", "\\'", '\\"', "\\n", "\\0"])


@st.composite
def literals(draw: st.DrawFn) -> str:
    before, behind, escape = draw(INSIDE), draw(INSIDE), draw(ESCAPED)
    content = f"{before}{escape}{WORD}{behind}{escape}"
    form = draw(st.sampled_from([
        "'{}'", '"{}"', "x'{}'", "_utf8mb4'{}'", "N'{}'", "'it''s {}'", "'`{}'", "'\"{}'", '"\'{}"', "'a' '{}'",
        "number", "hex", "HEX", "bits", "comment", "line", "hash",
    ]))  # fmt: skip
    match form:
        case "number":
            sign, point = (
                draw(st.sampled_from(["", "-", "+"])),
                draw(st.sampled_from(["", ".5", "e3", "E+3"])),
            )
            return f" {sign}{NUMBER}{point} "
        case "hex":
            return f" 0x{NUMBER}abcdef "
        case "HEX":
            return f" 0x{NUMBER}ABCDEF "
        case "bits":
            return " 0b1011010111 "
        case "comment":
            return f"/* {before.replace('*/', '')} it's {WORD} \"*/"
        case "line":
            return f" -- it's {WORD}\n"
        case "hash":
            return f'# say "{WORD}\n'
        case _:
            return form.format(content)


CODE = r"""
select insert into replace values value in ( ) , = < > ! + - * / % . ; ? @ := null not is order by asc limit union all call use where a
t1 `n` `o-p` `it's` update key on duplicate true a.b /*!40001 */ && || \ 5 'x' "y" x'1f' _utf8 case when then end 0x1F
"""
SPACE = st.sampled_from(["", " ", "\n", "  ", "\t"])
STATEMENTS = st.lists(
    st.one_of(st.tuples(st.sampled_from(CODE.split()), SPACE), st.tuples(literals(), SPACE)), max_size=16
).map(lambda parts: "".join(part + space for part, space in parts))


def survives(text: bytes) -> bool:
    lower = text.lower()
    return any(secret in lower for secret in (b"zqzq", b"77313", b"abcdef", b"1011010111"))


@pytest.mark.parametrize("dialect", TEXTS)
@settings(max_examples=400)
@given(statement=STATEMENTS, share=st.floats(0, 1))
def test_no_literal_survives(dialect: str, statement: str, share: float) -> None:
    data = statement.encode()
    assert not survives(TEXTS[dialect](data))
    # A log may be cut anywhere, and so inside any quote.
    assert not survives(TEXTS[dialect](data[: int(len(data) * share)]))


@pytest.mark.parametrize("dialect", TEXTS)
@given(
    statement=st.binary(max_size=80)
    | st.text(st.sampled_from("'\"`\\/*-#! \n\0(),.0x1ab@?;éINin"), max_size=60).map(str.encode)
)
def test_any_bytes_have_a_fingerprint(dialect: str, statement: bytes) -> None:
    TEXTS[dialect](statement)
    assert len(pair_key(statement)) == 16
    server_text(statement.decode("utf-8", "replace"))


def test_what_is_no_utf8_is_replaced() -> None:
    text, query_id = fingerprint(b"SELECT \xff\0 FROM t WHERE a = '\xfe'")
    assert text == "select \ufffd\0 from t where a = ?"
    assert len(query_id) == 16


def test_a_text_with_half_a_surrogate_is_taken() -> None:
    assert fingerprint("select '\ud800' from t") == fingerprint("select 'x' from t")


LENGTH = 1 << 18
UNITS = (
    " ", "-", "--a", "--a ", "--\n", "'", "''", "\"", "\\", "'\\", "/*", "/*!", "/*!1", "/**/", "/*a.b:1/", "#", "#\n", "`", "`a", "`' ",
    "(", "()", "in (", "in ,,", "in (?,", "in (1) ", "values(", "values", "values(1)", "(1,'a'),", ") ,", "union ", "select a union ",
    "select select union ", " union a", "a asc, ", " asc", "order by ", "0x", "0xA", "xb", "1", "1a", "+", "null ", "true", "limit ?",
    "_utf8 ", "_u''", "_", "\0", "\v ", "@", "... ", "(?) , ", "é", "in (select ", "case ", "-+", ". ", ":", "b'",
)  # fmt: skip
BEGINNINGS = (
    "",
    "select a ",
    "insert into t values ",
    "insert into t values (",
    "'",
    "/*",
    "call ",
    "use ",
    "order by a",
    "`",
)


@pytest.mark.parametrize("unit", UNITS)
def test_the_work_grows_with_the_length_alone(unit: str) -> None:
    """Work that grows with its square would take minutes here, and the test's time limit ends it."""
    for beginning in BEGINNINGS:
        for end in ("", "'"):
            statement = (beginning + unit * (LENGTH // len(unit) // len(BEGINNINGS)) + end).encode()
            for text in TEXTS.values():
                text(statement)
            server_text(statement.decode())


def test_unions_that_differ_late() -> None:
    arms = (b"select %s%d from t" % (b"a, " * 50, number) for number in range(5_000))
    DIALECTS["percona"](b" union ".join(arms).replace(b"0", b"z"))
