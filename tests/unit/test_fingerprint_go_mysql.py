"""The dialect of go-mysql. Expected values follow from how that library reads; our statements, none of its own."""

from __future__ import annotations

import pytest

from dbvigil.queries.fingerprint import fingerprint, go_mysql_bytes

CASES = {
    "SELECT a FROM t WHERE id = 5": "select a from t where id = ?",
    "select a\n  from t\t where b='x' and c = \"y\"": "select a from t where b=? and c = ?",
    "SELECT 'it''s', 'it\\'s', '', 'a' 'b'": "select ??, ?, ?, ? ?",
    "SELECT 1, -2, +3, 4.5, .5, 6e-7, 0x1F, 0xCAFE": "select ?, ?, ?, ?, .?, ?, ?, ?",
    "select a from t where b=-5 and c >= .5 and d<>0": "select a from t where b=? and c >= .? and d<>?",
    # Of a sum the sign goes with the number where it touches it.
    "select a - 1, a-1, a + 1, a +1": "select a - ?, a?, a + ?, a ?",
    "select f(1,2), g( 3 ), h(a,4)": "select f(?,?), g( ? ), h(a,?)",
    # Digits in names stay.
    "SELECT col_1, 2nd, t3.c4 FROM logs_2024": "select col_1, 2nd, t3.c4 from logs_2024",
    "SELECT a FROM 2024_logs": "select a from 2024_logs",
    # Every token that could be a hexadecimal number is one.
    "SELECT a FROM 12abc": "select a from ?",
    "SELECT `a 1`, `B-2` FROM `t``3`": "select `a 1`, `b-2` from `t``3`",
    # Lists.
    "SELECT a FROM t WHERE b IN (1, 2,3)": "select a from t where b in(?+)",
    "SELECT a FROM t WHERE b in('x')AND c = 5": "select a from t where b in(?+)and c = ?",
    "SELECT a FROM t WHERE (b, c) IN ((1, 2), (3, 4)) LIMIT 5": "select a from t where (b, c) in(?+) limit ?",
    "SELECT a FROM t WHERE b IN (SELECT id FROM u WHERE c = 5)": "select a from t where b in(select id from u where c = ?)",
    "SELECT a FROM t WHERE b IN (select id from u where c in (1, 2))": "select a from t where b in(select id from u where c in(?+))",
    "SELECT a FROM t WHERE b IN ('(', \")\", c) AND d": "select a from t where b in(?+) and d",
    "INSERT INTO t (a, b) VALUES (1, 'x')": "insert into t (a, b) values(?+)",
    "INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y'),\n (3, NOW())": "insert into t (a, b) values(?+)",
    "insert into t values (1) on duplicate key update a = values(a), b = 5": (
        "insert into t values(?+) on duplicate key update a = values(a), b = ?"
    ),
    "INSERT INTO t () VALUES ()": "insert into t () values()",
    "INSERT INTO t VALUE (1)": "insert into t value(?+)",
    "SELECT a, value FROM t": "select a, value from t",
    # Shapes that the other dialect folds.
    "SELECT a FROM t LIMIT 5, 10": "select a from t limit ?, ?",
    "SELECT a FROM t LIMIT 5 OFFSET 10": "select a from t limit ? offset ?",
    "SELECT 1 UNION SELECT 2": "select ? union select ?",
    "SELECT a FROM t WHERE b IS NULL AND c IS NOT NULL": "select a from t where b is null and c is not null",
    "SELECT NULL, a FROM t": "select ?, a from t",
    "UPDATE t SET a = NULL WHERE b = 5": "update t set a = ? where b = ?",
    "UPDATE t SET a = NULL, b = 5": "update t set a = ?, b = ?",
    "SELECT TRUE, false": "select true, false",
    # Order.
    "SELECT a FROM t ORDER BY a ASC": "select a from t order by a",
    "SELECT a FROM t ORDER  BY a asc, b DESC, c ASC LIMIT 5": "select a from t order by a, b desc, c limit ?",
    "SELECT asc FROM t GROUP BY a ASC": "select asc from t group by a asc",
    # Comments.
    "SELECT a /* five: 5 */ FROM t": "select a from t",
    "/* first */ SELECT a FROM t": "select a from t",
    "SELECT a -- five: 5\nFROM t": "select a from t",
    "SELECT a FROM t # five: 5": "select a from t",
    "SELECT a FROM t WHERE b = 5 -- it's": "select a from t where b = ?",
    "SELECT /**/ a FROM t": "select a from t",
    "SELECT /*!40001 SQL_NO_CACHE */ a FROM t": "select /*!40001 sql_no_cache */ a from t",
    # No special case but these.
    "SELECT /*!40001 SQL_NO_CACHE */ * FROM `film`": "select /*!40001 sql_no_cache */ * from `film`",
    "CALL Refresh(1, 'x')": "call Refresh",
    "USE shop": "use ?",
    "SELECT a FROM t USE INDEX (a)": "select a from t use index (a)",
    "administrator command: Ping": "administrator command: Ping",
    "SELECT É, 'É' FROM t": "select é, ? from t",
    "SELECT a FROM t WHERE b = 'cut": "select a from t where b =",
    "SELECT a FROM t WHERE b IN (1, 2": "select a from t where b in",
    "": "",
    # What it loses.
    "SELECT a-b FROM t": "select b from t",
    "SELECT a FROM t WHERE b=x'1F'": "select a from t where ?",
    "SELECT a/* c */ FROM t": "select from t",
}

BETTER = {
    "SELECT a*12345, b%12345, c|12345 FROM t": "select a*?, b%?, c|? from t",
    "SELECT /*! STRAIGHT_JOIN */ a FROM t WHERE b = 12345": "select /*! straight_join */ a from t where b = ?",
    "SELECT \\'secret' FROM t": "select \\? from t",
    "SELECT /* secret */'x', /* secret */5": "select ?, ?",
    "SELECT `a\\`, 'secret', `b`": "select `a\\`, ?, `b`",
    "SELECT a FROM t WHERE b IN (1 /* it's */, 'secret', 'x')": "select a from t where b in(?+)",
    "INSERT INTO t VALUES (`a)b`, 'secret', `c`)": "insert into t values(?+)",
    "SELECT a FROM t WHERE b IN ('(', `)`) AND c": "select a from t where b in(?+) and c",
    "administrator command: 'secret'": "administrator command: ?",
}


@pytest.mark.parametrize("statement", CASES)
def test_as_the_library(statement: str) -> None:
    assert go_mysql_bytes(statement.encode()).decode() == CASES[statement]


@pytest.mark.parametrize("statement", BETTER)
def test_where_the_library_prints_a_literal(statement: str) -> None:
    assert go_mysql_bytes(statement.encode()).decode() == BETTER[statement]


def test_the_id() -> None:
    # The last half of `printf 'select ?' | md5sum`.
    assert fingerprint("SELECT 5;", "go-mysql") == ("select ?", "16219655761820A2")


def test_subqueries_are_read_only_so_deep() -> None:
    depth = 50_000
    statement = b"select a from t where b in (" * depth + b"1" + b")" * depth
    assert go_mysql_bytes(statement) == b"select a from t where b in(" * 8 + b"?+" + b")" * 8
