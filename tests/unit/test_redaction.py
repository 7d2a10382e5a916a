"""Messages of real servers keep what helps and lose what belongs to somebody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.redaction import LONGEST_STATEMENT, server_message, statement


@pytest.mark.parametrize(
    ("given_text", "kept", "lost"),
    [
        (
            "Error 'Duplicate entry '4711' for key 'PRIMARY'' on query. Default database: 'shop'. "
            "Query: 'INSERT INTO cards VALUES (4711, 'secret')'",
            ["Duplicate entry", "key 'PRIMARY'"],
            ["4711", "secret", "INSERT"],
        ),
        (
            "Could not execute Write_rows_v1 event on table shop.orders; Duplicate entry 'ada@example.org' for key "
            "'email', Error_code: 1062; "
            "handler error HA_ERR_FOUND_DUPP_KEY; the event's master log binlog.000001, end_log_pos 1038",
            ["table shop.orders", "key 'email'", "1062", "end_log_pos 1038"],
            ["ada@example.org"],
        ),
        (
            "Incorrect string value: '\\xF0\\x9F' for column 'note' at row 1",
            ["column 'note'"],
            ["xF0"],
        ),
        (
            "Error executing row event: \"Table 'shop.orders' doesn't exist\"",
            ["Error executing row event"],
            [],
        ),
        ("Table 'shop.orders' doesn't exist", ["Table 'shop.orders'"], []),
        ("unterminated value 'secret", ["unterminated value"], ["secret"]),
    ],
)
def test_names_stay_and_values_go(given_text: str, kept: list[str], lost: list[str]) -> None:
    text = server_message(given_text)
    assert text is not None
    assert all(word in text for word in kept), text
    assert not any(word in text for word in lost), text


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_message_stays_no_message(nothing: str | None) -> None:
    assert server_message(nothing) == nothing


@given(st.text())
def test_any_text_becomes_one_line(text: str) -> None:
    result = server_message(text)
    assert result is not None
    assert "\n" not in result


# -- statements

SECRET = "Zq7secret"


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("SELECT *\n  FROM `shop`.`orders`  WHERE id = 4711", "SELECT * FROM `shop`.`orders` WHERE id = ?"),
        ("x'AB' X'ab' b'01' n'a' _utf8mb4'a' 0xFF 0b01", "? ? ? ? ? ? ?"),
        ("1.5e-3 .5 -7 1e5 1-2 t1.c2", "? ? -? ? ?-? t1.c2"),
        ("IN (1, 2,3) AND a = 'x'", "IN (?, …) AND a = ?"),
        ("'it''s' \"a\"\"b\" 'a\\\\' 'a\\n' '{\\\"a\\\": 1}'", "? ? ? ? ?"),
        ("SET PASSWORD = 'a' -- b\n, c # d\n, e /* it's */ f", "SET PASSWORD = ? , c , e f"),
        ("SELECT /*!40001 SQL_NO_CACHE */ /*+ SET_VAR(a = 1) */ b", "SELECT b"),
        ("SELECT /*+ MAX_EXECUTION_TIME (?) INDEX(`t` `i`) */ b", "SELECT b"),
        ("SELECT `a` FROM `t` WHERE `b` IN (...) AND `c` = ?", None),
        ("SELECT a, 'cut off", "SELECT a, …"),
        ("SELECT a /* cut off", "SELECT a"),
        ("SELECT `cut off", "SELECT …"),
        ("'by sql_mode \\', this is a string or not, 'a'", "…"),
        ("a /*!50000 'executed by some' */ b", "a …"),
        ("AS $$ return 'a' $$", "AS …"),
        ("CREATE TABLE a$b$c", None),
        ("", None),
        (None, None),
    ],
)
def test_a_statement_is_shown_with_its_names_and_without_its_values(
    given_text: str | None, shown: str | None
) -> None:
    assert statement(given_text) == (given_text if shown is None else shown)


def test_a_long_statement_is_cut() -> None:
    text = statement("SELECT " + ", ".join(f"c{n}x" for n in range(1000)))
    assert text is not None
    assert len(text) == LONGEST_STATEMENT
    assert text.endswith("…")


NOISE = st.text("'\"\\`#-/*!+M$ \n;,ax1", max_size=6)


@st.composite
def literals(draw: st.DrawFn, *, backslashes: bool) -> str:
    """A string as a client writes it, by the sql_mode that makes a backslash an escape or an ordinary character."""
    mark = draw(st.sampled_from("'\""))
    text = draw(NOISE) + SECRET + draw(NOISE)
    if not backslashes:
        quoted = text.replace(mark, mark * 2)
    elif draw(st.booleans()):
        quoted = text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')
    else:
        quoted = text.replace("\\", "\\\\").replace(mark, mark * 2)
    return draw(st.sampled_from(["", "x", "N", "_utf8mb4"])) + mark + quoted + mark


COMMENTS = st.builds(
    lambda form, noise: form.format(noise.replace("*/", "").replace("\n", " ") + " " + SECRET),
    st.sampled_from(["-- {}\n", "# {}\n", "/* {} */"]),
    NOISE,
)
CODE = st.sampled_from(
    [
        "SELECT",
        "a",
        "=",
        "(",
        ")",
        ",",
        "`o'r\"d``ers`",
        "t1.c2",
        "@v",
        "-",
        "*",
        "/*!40001 SQL_NO_CACHE */",
        "?",
    ]
)
NUMBERS = st.sampled_from(["8675309", "0x8675309A", "8675309.8675309e-8675309", "-.8675309", "0b8675309"])


@given(st.data(), st.booleans(), st.integers(0, 400))
def test_no_literal_survives_whatever_stands_around_it(
    data: st.DataObject, backslashes: bool, cut: int
) -> None:
    part = st.one_of(literals(backslashes=backslashes), COMMENTS, CODE, NUMBERS)
    text = " ".join(data.draw(st.lists(part, max_size=12)))[:cut]
    shown = statement(text) or ""
    assert "secret" not in shown
    assert "8675309" not in shown
    assert len(shown) <= LONGEST_STATEMENT


@given(st.lists(CODE, max_size=20))
def test_a_statement_that_was_redacted_stays_as_it_is(parts: list[str]) -> None:
    shown = statement(" ".join(parts))
    assert statement(shown) == shown


@given(st.text("'\"\\`#-/*!+M$ \n;ax1", max_size=5000))
def test_any_text_is_read_to_its_end(text: str) -> None:
    statement(text)
