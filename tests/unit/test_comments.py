"""Who sent a statement, as its comment says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.queries.comments import LONGEST_VALUE, NAMES, OTHERS, caller, tags
from dbvigil.queries.slowlog import Entry, digest_log
from dbvigil.queries.slowlog.splitting import key_of
from tests.support.slowlogs import entry

READ = "SELECT a FROM t WHERE b = 1"


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            f"{READ} /*controller='shop.views.basket',framework='django%3A5.2',route='basket/%3Cint%3Aid%3E/',traceparent='00-5bd6-01'*/",
            "controller=shop.views.basket route=basket/<int:id>/",
        ),
        (f"{READ} /*task='send \\'mail\\''*/;\n", "task=send 'mail'"),
        (f"{READ} /*application:Shop,controller:basket,action:show*/", "application=Shop controller=basket action=show"),
        (f"/*action='show',application='shop'*/ {READ}", "application=shop action=show"),
        (f"{READ} /*route='/orders/12/items/7',action='ada@example.com'*/", "action=? route=/orders/?/items/?"),
        (f"{READ} /*job='cleanup 20261123 9f86d081884c7d659a2feaa0c55ad015 6ba7b810-9dad-11d1-80b4-00c04fd430c8'*/", "job=cleanup ? ? ?"),
        (f"{READ} /*controller='a%0Ab%1B%5B0m'*/", "controller=a b [0m"),
        (f"{READ} /*controller=''*/", ""),
        (f"{READ} /*!50000 controller='a'*/", ""),
        (f"{READ} /*+ controller='a'*/", ""),
        (f"{READ} /* just words: here */", ""),
        (f"{READ} -- controller='a'", ""),
        ("SELECT '/*controller=''a''*/'", ""),
        (READ, ""),
    ],
)  # fmt: skip
def test_what_a_comment_tells(statement: str, told: str) -> None:
    assert caller(statement) == told
    assert caller(statement.encode()) == told


def test_long_values_are_cut() -> None:
    (value,) = tags(f"{READ} /*controller='{'x' * 500}'*/").values()
    assert len(value) == LONGEST_VALUE
    assert value.endswith("…")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_and_only_known_names_told(text: bytes) -> None:
    for statement in (text, b"SELECT 1 /*" + text + b"*/", b"/*controller='" + text + b"'*/ SELECT 1"):
        found = tags(statement)
        assert set(found) <= set(NAMES)
        assert all(value.isprintable() and len(value) <= LONGEST_VALUE for value in found.values())


# -- in a log


def one_entry(folder: Path, *statements: bytes) -> Entry:
    log = folder / "slow.log"
    log.write_bytes(b"".join(entry(text, number // 4) for number, text in enumerate(statements)))
    (found,) = digest_log(log).entries
    return found


def test_a_log_counts_callers(tmp_path: Path) -> None:
    basket, mail = b"/*controller='basket',traceparent='%d'*/", b"/*task='mail'*/"
    found = one_entry(
        tmp_path,
        *(b"SELECT a FROM t WHERE b = %d" % number + basket % number for number in range(5)),
        *(b"SELECT a FROM t WHERE b = %d" % number + mail for number in range(3)),
        b"SELECT a FROM t WHERE b = 9",
    )
    assert found.callers == {"controller=basket": 5, "task=mail": 3}
    assert found.figures.count == 9
    assert found.fingerprint == "select a from t where b = ?"


def test_many_callers_are_folded(tmp_path: Path) -> None:
    statements = [b"SELECT a FROM t /*controller='c%c%c'*/" % (97 + n // 26, 97 + n % 26) for n in range(300)]
    found = one_entry(tmp_path, *statements)
    assert len(found.callers) == 21
    assert found.callers[OTHERS] == 280
    assert sum(found.callers.values()) == 300


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (b"select `a` from t where b = 1 /*controller='x'*/;\n", b"select `a` from t where b = 2 /*route='y'*/;\n", True),
        (b"select 1 /*a:b*/;\n", b"select 2 /*a:c,d:e*/;\n", True),
        # What is open before the comment makes it none.
        (b"select 'a /*x='y'*/;\n", b"select 'a /*x=z'*/;\n", False),
        (b"select 1 # /*x='y'*/;\n", b"select 1 # /*x='z'*/;\n", False),
        (b"select 1 /* /*x='y'*/;\n", b"select 1 /* /*x='z'*/;\n", False),
        # Another tool's mark makes another fingerprint.
        (b"select 1 /*db.t:1/2*/;\n", b"select 1 /*db.u:1/2*/;\n", False),
        (b"select 1 /*!50000 a='b'*/;\n", b"select 1 /*!50000 a='c'*/;\n", False),
    ],
)  # fmt: skip
def test_comments_that_differ_make_one_key_only_where_they_surely_are_comments(
    one: bytes, other: bytes, alike: bool
) -> None:
    assert (key_of(one) == key_of(other)) is alike


# -- N+1


def test_a_run_in_one_session_is_a_burst(tmp_path: Path) -> None:
    log = tmp_path / "slow.log"
    texts = [
        *(
            entry(b"SELECT a FROM other WHERE id = %d" % number, number // 4, session=7)
            for number in range(9)
        ),
        entry(b"SELECT id FROM list LIMIT 20", 3),
        *(entry(b"SELECT name FROM one WHERE id = %d" % number, 3 + number // 10) for number in range(20)),
        entry(b"COMMIT", 6),
        *(entry(b"SELECT name FROM one WHERE id = %d" % number, 7) for number in range(12)),
    ]
    # Another session's statements in between are no end of a run.
    log.write_bytes(
        b"".join(text + entry(b"SELECT 2 FROM x", 3, session=9 + n) for n, text in enumerate(texts))
    )
    found = {one.fingerprint: one.burst for one in digest_log(log).entries}
    burst = found.pop("select name from one where id = ?")
    assert burst is not None
    assert (burst.number, burst.executions, burst.longest) == (2, 32, 20)
    assert burst.opener == "select id from list limit ?"
    assert "20 times in a row, after select id from list limit ?" in burst.finding().detail
    assert set(found.values()) == {None}


def test_what_is_no_burst(tmp_path: Path) -> None:
    log = tmp_path / "slow.log"
    for texts in (
        [entry(b"SELECT %d" % n, n) if n % 2 else entry(b"SELECT a FROM t", n) for n in range(60)],
        [entry(b"SELECT 1", n * 6) for n in range(60)],
        [entry(b"SELECT 1", 1, session=n // 9) for n in range(90)],
    ):
        log.write_bytes(b"".join(texts))
        assert [one.burst for one in digest_log(log).entries if one.burst] == []


@pytest.mark.parametrize("sessions", [1, 30_000])
def test_bursts_count_no_execution_twice(tmp_path: Path, sessions: int) -> None:
    log = tmp_path / "slow.log"
    with log.open("wb") as stream:
        for number in range(30_000):
            stream.write(entry(b"SELECT 1", number // 10_000, session=number % sessions + 1))
    (found,) = digest_log(log).entries
    if sessions == 1:
        assert found.burst is not None
        assert (found.burst.number, found.burst.executions) == (1, 30_000)
    else:
        assert found.burst is None
