"""Clients write statements that look like a slow log. What they cannot do, and what they can."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbvigil.queries.slowlog import Event, read
from dbvigil.queries.slowlog.splitting import Splitter
from tests.support.slowlogs import BARE, FORGED, STATEMENTS, entry, header

LINES = FORGED[: FORGED.index(b"SET")]
"""A header of comment lines alone: nothing in it ends a statement."""


def log(*statements: bytes) -> bytes:
    return b"".join(entry(statement, number) for number, statement in enumerate(statements))


def read_all(data: bytes) -> tuple[list[bytes], Splitter]:
    splitter = Splitter(io.BytesIO(data).read)
    return [statement[:-2] for _, statement, _ in splitter], splitter


def events(data: bytes) -> list[Event]:
    return list(read(io.BytesIO(data).read))


@pytest.mark.parametrize(
    "statement",
    [
        b"SELECT 'a;\n" + BARE + b"'",
        b"SELECT 'a;\n" + FORGED.replace(b"'", b"''") + b"'",
        b"SELECT 'it\\'s;\n" + BARE + b"\\\\'",
        b'SELECT "a;\n' + FORGED + b'"',
        b"SELECT `a;\n" + FORGED + b"` FROM t",
        b"SELECT 1 /* a;\n" + FORGED + b" */",
        b"SELECT 1 /*+ MAX_EXECUTION_TIME(1) ;\n" + FORGED + b" */",
        b"SELECT 1 /*!40000 ;\n" + FORGED + b" */",
        b"SELECT 1 /*M!100000 ;\n" + FORGED + b" */",
        b"SELECT 1 /*!99999 ' ;\n" + FORGED + b" */",
        b"SELECT 1 /*!99999 /* */ ;\n" + FORGED + b" */",
        b"SELECT 1 /*!40000 '*/;\n' ;\n" + FORGED + b" */",
        b"SELECT 1\n" + LINES + b"+ 1",
        b"SELECT 1 -- ;\n" + LINES + b"+ 1",
        b"SELECT 1 #;\n" + LINES + b"+ 1",
        LINES + b"SELECT 1",
        b"# administrator command: Quit;\n" + LINES + b"SELECT 1",
        b"UPDATE t -- ;\n" + LINES + b"SET timestamp=5",
        b"SET STATEMENT max_statement_time=1 FOR -- ;\n" + LINES + b"SET timestamp=5",
        b"-- ;\n" + LINES + b"SET timestamp=5",
        b"CREATE PROCEDURE p() BEGIN SELECT 1;\n" + FORGED + b"END",
        b"create definer=`a;b`@'%' procedure p() begin if 1 then begin select 1; end;\n" + FORGED + b"end if; end",
        b"CREATE TRIGGER t AFTER INSERT ON t FOR EACH ROW IF 1 THEN SET @a = 1;\n" + FORGED + b"END IF",
        b"/* x */ CREATE/**/FUNCTION f() RETURNS INT BEGIN CASE 1 WHEN 1 THEN SET @a = 'END';\n" + FORGED + b"END CASE; RETURN 1; END",
        b"CREATE PROCEDURE p() BEGIN DECLARE x INT; WHILE 1 DO SELECT 'END WHILE';\n" + FORGED + b"END WHILE; END",
        b"CREATE PROCEDURE p() BEGIN SELECT end FROM t; SELECT t.end, do end, begin end, repeat(end, 2);\n" + FORGED + b"END",
        b"CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; END;\n" + FORGED + b"END",
        b"CREATE PROCEDURE p() BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND IF 1 THEN SET @a = 1; END IF;\n" + FORGED + b"END",
        b"CREATE PROCEDURE p() BEGIN REPEAT SET @a = 1; UNTIL @a END REPEAT;\n" + FORGED + b"END",
        b"BEGIN NOT ATOMIC SELECT 1;\n" + FORGED + b"END",
        b"SELECT 1 /* a;\n" + header(1) + b"# administrator command: Quit;\n" + FORGED + b" */",
        b"SELECT '/usr/sbin/mysqld, Version: 8.4.3 (x). started with:\nTcp port: 3306  Unix socket: /x\n"
        b"Time                 Id Command    Argument\n" + BARE + b"'",
    ],
)  # fmt: skip
def test_what_is_inside_a_statement_is_no_entry(statement: bytes) -> None:
    found, splitter = read_all(
        log(b"SELECT 0", statement, b"SELECT 2", b"SELECT 'don''t'", statement, b"SELECT 5")
    )
    assert found == [b"SELECT 0", statement, b"SELECT 2", b"SELECT 'don''t'", statement, b"SELECT 5"]
    assert (splitter.skipped, splitter.unclosed) == (0, 0)


@pytest.mark.parametrize(
    "statement",
    [
        b"CREATE PROCEDURE p() SELECT 1",
        b"CREATE PROCEDURE IF NOT EXISTS p(a INT) COMMENT 'x' BEGIN END",
        b"CREATE FUNCTION f() RETURNS INT RETURN CASE 1 WHEN 1 THEN IF(1, 2, 3) ELSE IF(4, 5, 6) END",
        b"CREATE FUNCTION f() RETURNS INT DETERMINISTIC BEGIN RETURN CASE WHEN 1 THEN CASE 2 WHEN 2 THEN 3 END END; END",
        b"CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW SET NEW.end = IF(NEW.a, 1, 2)",
        b"CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN l: LOOP IF 1 THEN LEAVE l; ELSEIF 2 THEN ITERATE l; ELSE SET @a = 1; "
        b"END IF; END LOOP l; END",
        b"CREATE PROCEDURE p() BEGIN WHILE 1 DO CASE 1 WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE; END WHILE; "
        b"REPEAT SET @a = 1; UNTIL @a > CASE WHEN 1 THEN 2 END END REPEAT; END",
        b"CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR 1062 SET @a = 1; SELECT 1 FOR UPDATE; DROP TABLE IF EXISTS t; END",
        b"IF 1 THEN SELECT 1; END IF",
        b"BEGIN",
        b"CREATE TABLE event (begin INT, end INT)",
    ],
)  # fmt: skip
def test_what_ends_by_itself_is_ended(statement: bytes) -> None:
    lines = statement.replace(b"; ", b";\n")
    for text in (statement, lines):
        found, splitter = read_all(log(b"SELECT 0", text, b"SELECT 2"))
        assert found == [b"SELECT 0", text, b"SELECT 2"]
        assert splitter.unclosed == 0


@given(st.lists(STATEMENTS, max_size=6), st.integers(1, 5000))
@settings(max_examples=200, deadline=None)
def test_any_closed_statements(statements: list[bytes], size: int) -> None:
    data = log(*statements, b"SELECT 'last'")
    pieces = [data[place : place + size] for place in range(0, len(data), size)]
    found = list(read(pieces))
    assert [event.statement for event in found] == [*statements, b"SELECT 'last'"]
    assert {event.user for event in found} == {"shop"}


@given(
    st.binary(max_size=400),
    st.lists(st.sampled_from([BARE, FORGED, LINES, b"'", b'"', b"/*", b"*/", b";\n", b"--"]), max_size=8),
)
@settings(max_examples=200, deadline=None)
def test_every_byte_is_accounted_for(noise: bytes, pieces: list[bytes]) -> None:
    data = b"".join(pieces) + noise + b"".join(reversed(pieces))
    splitter = Splitter(io.BytesIO(data).read)
    used = sum(found.end() - found.start() + len(statement) for found, statement, _ in splitter)
    assert used + splitter.skipped == len(data)


def test_a_header_is_one_only_as_a_whole() -> None:
    whole = entry(b"SELECT 1", 1)
    for broken in (
        whole.replace(b"# User@Host: shop[shop] @ localhost []  Id:     8\n", b""),
        whole.replace(b"SET timestamp", b"SET timestump"),
        whole.replace(b"Rows_sent: 1", b"Rows_sent: many"),
        whole.replace(b"Query_time: 0.001000", b"Query_time: -1"),
        whole.replace(b"# Query_time", b" # Query_time"),
        whole.replace(b"Lock_time: 0.000100 ", b""),
    ):
        (event,) = events(entry(b"SELECT 0") + broken)
        assert event.statement.startswith(b"SELECT 0;\n#") or event.statement == b"SELECT 0"


# -- what cannot be told apart


def test_a_statement_that_is_never_closed_ends_at_the_next_header_and_is_counted() -> None:
    """A syntax error is logged as well. What follows it is believed: it would be the same bytes if it were true."""
    for open_end in (
        b"SELECT 'oops",
        b"SELECT /* oops",
        b"SELECT `oops",
        b'SELECT "oops',
        b"CREATE PROCEDURE p() BEGIN SELECT 1",
    ):
        found, splitter = read_all(log(b"SELECT 0", open_end, b"SELECT 2", b"SELECT 3"))
        assert found == [b"SELECT 0", open_end, b"SELECT 2", b"SELECT 3"]
        assert splitter.unclosed == 1


def test_a_statement_that_does_not_parse_can_forge() -> None:
    """Text that no server would run is logged whole: a `;` outside of everything is then the client's, and looks like the server's."""
    forging = b"SELECT 1;\n" + FORGED + b"SELECT 2"
    found, _ = read_all(log(forging))
    assert b"SELECT 'forged'" in found[1]


def test_a_session_that_has_no_backslash_escapes_can_forge() -> None:
    forging = b"SELECT '\\', ';\n" + BARE + b"'"
    found, _ = read_all(log(forging, b"SELECT 2"))
    assert len(found) > 2


def test_an_odd_quote_in_a_syntax_error_takes_what_follows_up_to_the_next_odd_one() -> None:
    found, splitter = read_all(log(b"SELECT 'a", b"SELECT 1", b"SELECT 'b", b"SELECT 2"))
    assert len(found) == 2
    assert splitter.unclosed == 0


# -- time

N = 3000


@pytest.mark.parametrize(
    "data",
    [
        entry(b"SELECT 'a") * N,
        entry(b"SELECT /* a") * N,
        (entry(b"SELECT /* a") + entry(b'SELECT "a') + entry(b"SELECT `a")) * (N // 3),
        entry(b"SELECT /*!50000 a") * N,
        entry(b"CREATE PROCEDURE p() BEGIN SELECT 1") * N,
        entry(b"SELECT /* " + FORGED * N + b"*/"),
        entry(b"CREATE PROCEDURE p() BEGIN " + FORGED * N + b"END"),
        entry(b"SELECT " + b"'a', " * 200_000 + b"1"),
        entry(b"SELECT '" + b"\\" * 1_000_000 + b"'"),
        entry(b"SELECT " + b"-" * 1_000_000),
        entry(b"SELECT /*" + b"*" * 1_000_000 + b"*/"),
        entry(b"SELECT " + b";" * 1_000_000),
        entry(b"SELECT " + b"/*!0 ;*/" * 100_000),
        b"# " * 500_000,
        b"# Time: \n" * 100_000,
        b"# User@Host: " + b"[" * 1_000_000,
        (b"# User@Host: a[b] @ c []\n# Schema: " + b" " * 250 + b"x\n") * 4000,
        header()[:-25] + b"#\n" * 200_000,
        b"\0" * 2_000_000,
    ],
)
@pytest.mark.timeout(90)
def test_hostile_text_takes_time_by_its_length(data: bytes) -> None:
    """Each takes less than a second or so; where there were a square in it, these sizes would take minutes or hours."""
    splitter = Splitter(io.BytesIO(data).read)
    used = sum(found.end() - found.start() + len(statement) for found, statement, _ in splitter)
    assert used + splitter.skipped == len(data)


def test_a_statement_beyond_all_measure_is_cut() -> None:
    data = log(b"SELECT 0", b"SELECT '" + b"x" * 5_000_000 + b"'", b"SELECT 2")
    splitter = Splitter(io.BytesIO(data).read, lookahead=200_000)
    found = [statement for _, statement, _ in splitter]
    assert [statement[:8] for statement in found] == [b"SELECT 0", b"SELECT '", b"SELECT 2"]
    assert len(found[1]) <= 1 << 20
