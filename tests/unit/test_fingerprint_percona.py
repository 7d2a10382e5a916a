"""Fingerprints are pt-query-digest's own, as it was recorded and where it is installed; the exceptions are named."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbvigil.errors import ConfigurationError
from dbvigil.queries.fingerprint import fingerprint, percona_bytes, query_id
from tests.recorded.fingerprint import percona_tool

FOLDER = Path(__file__).parent.parent / "recorded" / "fingerprint"
RECORDED: dict[str, list[str]] = json.loads((FOLDER / "percona.json").read_text())

# What the tool gets wrong, and what is given here.
BETTER = {
    "SELECT * FROM t WHERE a = 0xFF": "select * from t where a = ?",
    "SELECT * FROM t WHERE a = 0xdeadBEEF": "select * from t where a = ?",
    "SELECT * FROM t WHERE a = 'back\\\\'": "select * from t where a = ?",
    "select 0xFF": "select ?",
    "select 0xdeadBEEF": "select ?",
    "select 'back\\\\'": "select ?",
    "UPDATE t SET a = a WHERE b IN (0xFF, 5) AND id = 99": "update t set a = a where b in(?+) and id = ?",
    "UPDATE t SET a = a WHERE b IN (0xdeadBEEF, 5) AND id = 99": "update t set a = a where b in(?+) and id = ?",
    "UPDATE t SET a = a WHERE b IN ('back\\\\', 5) AND id = 99": "update t set a = a where b in(?+) and id = ?",
    "SELECT a/**/FROM t": "select afrom t",
    "SELECT * FROM `order item` WHERE `group` = 1 AND `it's` = 2 AND `a#b` = 3": (
        "select * from `order item` where `group` = ? and `it's` = ? and `a#b` = ?"
    ),
}

# (statement, what the tool prints of it that it should not, what is given here)
LEAKS = (
    (r"select 'a\\', 'secret'", "secret", "select ?, ?"),
    ("select 1 -- it's\n, 'secret'", "secret", "select ? , ?"),
    ("select 1 /* it's", "it's", "select ? "),
    ("""select 'say "hi', "secret" from t""", "secret", "select ?, ? from t"),
    ("select `it's`, 'secret'", "secret", "select `it's`, ?"),
    ("select a from t where b = 'secret", "secret", "select a from t where b = ?"),
    ('select a from t where b = "secret', "secret", "select a from t where b = ?"),
    ("call p('secret',f(1))", "secret", "call p"),
    ("insert into t values ('secret), (', 2)", "secret", "insert into t values(?+)"),
    ("select 0xCAFE", "cafe", "select ?"),
    ("select -0xCAFE, 5+0x1CAFE", "cafe", "select ?, ?"),
    (r"select \'secret\'", "secret", "select \\?"),
    ("administrator command: 'secret'", "secret", "administrator command: ?"),
    ("call secret5'5(", "secret5'5", "call secret??"),
)

WORDS = r"""
select SELECT insert INSERT into INTO replace ignore values VALUES value ( ) ( ) , , in IN ( 1 , 2 ) not null NULL is = < > <> != + - *
/ % . 1 2.5 1e10 .5 -3 +4 0x1f x'1f' X'1F' b'01' 'a' "b" 'it''s' 'x\'y' `t` `a.b`.`c` t1 foo_1_2 tab1 a.b1 union all union select from
where a b limit LIMIT 5 , 10 offset order by ORDER BY asc ASC desc ascii(x) group true TRUE false xfalse ? @v && || ! set update on
duplicate key db p(1) _utf8'a' 1abc
"""
SPACES = (" ", " ", " ", " ", "", "\n", "  ", "\t")
SALAD = st.lists(st.tuples(st.sampled_from(WORDS.split()), st.sampled_from(SPACES)), max_size=25).map(
    lambda parts: "".join(word + space for word, space in parts)
)


@pytest.mark.parametrize("statement", RECORDED)
def test_as_recorded(statement: str) -> None:
    text, recorded_id = RECORDED[statement]
    if statement in BETTER:
        assert text != BETTER[statement], "the tool has learned it"
        assert percona_bytes(statement.encode()).decode() == BETTER[statement]
        return
    assert percona_bytes(statement.encode()).decode() == text
    assert query_id(text) == recorded_id


@pytest.fixture(scope="module")
def tool() -> str:
    found = percona_tool.installed()
    if found is None:
        pytest.skip("pt-query-digest is not installed")
    return found


def test_the_recording_is_what_the_tool_says(tool: str) -> None:
    answers = percona_tool.fingerprints(tool, [statement.encode() for statement in RECORDED])
    assert [[text.decode(), an_id] for text, an_id in answers] == list(RECORDED.values())


@settings(max_examples=30)
@given(st.lists(SALAD, min_size=50, max_size=50))
def test_as_the_tool_on_any_words(tool: str, statements: list[str]) -> None:
    # A run of dashes, or `/` and `*` side by side, would make comments with quotes in them: those are among the exceptions.
    data = [one.encode() for one in statements if "--" not in one and "/*" not in one]
    assert [percona_bytes(one) for one in data] == [text for text, _ in percona_tool.fingerprints(tool, data)]


@pytest.mark.parametrize(("statement", "leak", "ours"), LEAKS)
def test_what_the_tool_lets_through(statement: str, leak: str, ours: str) -> None:
    assert percona_bytes(statement.encode()).decode() == ours


@pytest.mark.parametrize(("statement", "leak", "ours"), LEAKS)
def test_the_tool_does_let_it_through(tool: str, statement: str, leak: str, ours: str) -> None:
    ((text, _),) = percona_tool.fingerprints(tool, [statement.encode()])
    assert leak in text.decode()


@pytest.mark.parametrize(
    ("statement", "ours"),
    [
        ("select /**/ a from t /* x */ where b=5", "select a from t where b=?"),
        ("select `a#b`, `c/*d` from t where e=5", "select `a#b`, `c/*d` from t where e=?"),
        ('select 1 -- say "hi"\nfrom t', "select ? from t"),
        ("insert into t /* values (1), (2) */ values (1), (2)", "insert into t values(?+)"),
    ],
)
def test_what_the_tool_loses(tool: str, statement: str, ours: str) -> None:
    assert percona_bytes(statement.encode()).decode() == ours
    ((text, _),) = percona_tool.fingerprints(tool, [statement.encode()])
    assert text.decode() != ours


def test_many_rows_are_not_looked_at() -> None:
    row = b"(1, 'x', 2.5)"
    many = b"INSERT INTO t (a, b, c) VALUES " + b", ".join([row] * 50_000)
    assert percona_bytes(many) == b"insert into t (a, b, c) values(?+)"
    # So nothing behind the first row can matter, not even an open quote.
    assert percona_bytes(many + b", ('open") == b"insert into t (a, b, c) values(?+)"


def test_repeated_arms() -> None:
    arm = "SELECT a FROM t WHERE b = {}"
    sql = " UNION ALL ".join(arm.format(n) for n in range(5_000))
    assert percona_bytes(sql.encode()) == b"select a from t where b = ? /*repeat union all*/"


@pytest.mark.parametrize("end", ["", ";", " ;", ";\n", " ; \n"])
def test_the_end_is_no_part_of_it(end: str) -> None:
    assert fingerprint("SELECT * FROM t WHERE id = 5" + end.replace(" ;", ";")) == (
        "select * from t where id = ?",
        "35FC3906162972DA",
    )


def test_an_unknown_dialect() -> None:
    with pytest.raises(ConfigurationError, match=r"dialect.*oracle.*percona or go-mysql"):
        fingerprint("select 1", "oracle")


@given(SALAD)
def test_a_second_time_it_stays(sql: str) -> None:
    """Wherever the dialect does: `x`, `b`, a point or a boolean before a `?` goes at each time, and so do ` asc` and a cut of rows."""
    once = percona_bytes(sql.encode())
    if re.search(rb"(?:[xb.+]|true|false)\?|\+|asc|union|--|/\*|\A(insert|replace)", once):
        return
    assert percona_bytes(once) == once
