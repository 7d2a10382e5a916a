"""Which statements are sent for EXPLAIN: every way known to make a SELECT do something else is refused before."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.errors import NotExplainable
from dbvigil.queries.explain import explainable
from tests.recorded.explain import shop
from tests.support.explain_attacks import ATTACKS

WELL_MEANT = (
    *shop.STATEMENTS.values(),
    "select 1;",
    "SELECT 1 -- that is all\n",
    "/* by: report */ SELECT id FROM t # the end",
    "SELECT 'it''s; a \\' text /* not */ INTO' FROM t",
    'SELECT "DELETE FROM t; --" AS said FROM t',
    "SELECT `into`, t.update FROM t WHERE `a``b` = 1",
    "SELECT @@version, @mine, t.delete FROM t",
    "SELECT * FROM t USE INDEX FOR JOIN (a, b) WHERE a IN (1, 2)",
    "SELECT SUBSTRING(a FROM 1 FOR 2), CAST(b AS CHAR(10)), COUNT(*) FROM t GROUP BY 1 HAVING (2 > 1)",
    "WITH a (x, y) AS (SELECT 1, 2), b (z) AS (SELECT x FROM a) SELECT * FROM b",
    "SELECT * FROM (SELECT 1, 2) AS d (x, y), LATERAL (SELECT 3) e (z)",
    "SELECT REPLACE(a, 'x', 'y'), INSERT(a, 1, 2, 'z') FROM t",
    "SELECT SUM(x) OVER (PARTITION BY y ORDER BY z) FROM t WHERE d > NOW() - INTERVAL (2) DAY",
    "SELECT /*! STRAIGHT_JOIN */ a FROM t JOIN u USING (a)",
    "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1",
    "SELECT id FROM größe WHERE straße = 'ö€'",
)


@pytest.mark.parametrize("sql", WELL_MEANT)
def test_an_honest_select_is_sent(sql: str) -> None:
    assert explainable(sql).sql.lstrip("( ").upper().startswith(("SELECT", "WITH"))


@pytest.mark.parametrize(
    "sql", [*ATTACKS, "", "  ", ";", "()", "EXPLAIN SELECT 1", "TABLE t", "VALUES ROW(1)"]
)
def test_what_may_do_anything_but_read_is_refused(sql: str) -> None:
    with pytest.raises(NotExplainable):
        explainable(sql)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT id FROM t WHERE a = ?", "placeholders"),
        ("SELECT id FROM t WHERE a = 'cut", "left open"),
        ("SELECT id FROM t WHERE a IN (1, 2", "cut off"),
        ("SELECT 1; SELECT 2", "more than one statement"),
        ("DELETE FROM t", "only a SELECT"),
        ("SELECT * FROM t FOR UPDATE", "FOR UPDATE"),
        ("SELECT shop.f(1)", "it calls f()"),
        ("SELECT 1 " + "x" * 300_000, "characters"),
    ],
)
def test_the_reason_is_said(sql: str, reason: str) -> None:
    with pytest.raises(NotExplainable, match=reason.replace("(", r"\(").replace(")", r"\)")):
        explainable(sql)


def test_comments_stay_here_and_hints_travel_on() -> None:
    assert explainable("SELECT /* a */ 1 # b").sql == "SELECT   1"
    assert explainable("SELECT /*+ NO_MERGE(d) */ 1").sql == "SELECT /*+ NO_MERGE(d) */ 1"
    lifted = explainable("SELECT /*+ MAX_EXECUTION_TIME(0) */ 1")
    assert (lifted.sql, len(lifted.warnings)) == ("SELECT   1", 1)


_PIECES = st.sampled_from(
    ["SELECT ", "'", '"', "`", "/*", "*/", "/*!", "/*+", "-- ", "#", "\n", "(", ")", "INTO ", "@a", "OUTFILE ", "f", ";", "\\", "x", "1"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=30).map("".join))
def test_whatever_is_sent_is_judged_alike_the_second_time(sql: str) -> None:
    try:
        sent = explainable(f"SELECT {sql}").sql
    except NotExplainable:
        return
    assert explainable(sent).sql.split() == sent.split()


@given(st.text(max_size=60), st.text(alphabet="aé€\u00a0\u2028", min_size=1, max_size=5))
def test_no_text_breaks_the_guard_and_no_unknown_name_is_called(text: str, name: str) -> None:
    for sql in (text, f"SELECT {text}"):
        try:
            explainable(sql)
        except NotExplainable as refusal:
            assert "\n" not in str(refusal)
    with pytest.raises(NotExplainable):
        explainable(f"SELECT {name}(1)")


@pytest.mark.parametrize("piece", ["(", "'a''", "/*", "`", "a ", "-- \n", "\\'", "/*!x*/", "((a,", ")"])
def test_a_long_hostile_text_is_judged(piece: str) -> None:
    sql = "SELECT " + piece * (200_000 // len(piece))
    with contextlib.suppress(NotExplainable):
        assert len(explainable(sql).sql) <= len(sql)
