"""The rules that need nothing but the statement: what each finds, what it must not find, and that no text upsets them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.queries.parse import LONGEST, parse
from dbvigil.queries.rules import ALL, check
from dbvigil.queries.rules.base import Finding, Subject
from dbvigil.queries.rules.text_rules import TEXT
from dbvigil.queries.schema import Schema
from dbvigil.types import Flavor
from tests.support.rule_cases import CASES
from tests.support.shop_schema import SHOP

BY_ID = {rule.id: rule for rule in TEXT}


def findings(
    rule: str,
    sql: str,
    schema: Schema | None = None,
    flavor: Flavor = "mysql",
) -> list[Finding]:
    """What a rule finds; a statement with placeholders is one whose values are unknown."""
    subject = Subject(sql, parse(sql), flavor, schema=schema or Schema(), redacted="?" in sql)
    return list(BY_ID[rule].check(subject))


@pytest.mark.parametrize("flavor", ["mysql", "mariadb"])
@pytest.mark.parametrize(
    ("rule", "sql"), [(rule, sql) for rule, cases in CASES.items() for sql in cases.found]
)
def test_a_rule_finds_it(rule: str, sql: str, flavor: Flavor) -> None:
    assert findings(rule, sql, SHOP if CASES[rule].known else None, flavor)


@pytest.mark.parametrize("flavor", ["mysql", "mariadb"])
@pytest.mark.parametrize(
    ("rule", "sql"), [(rule, sql) for rule, cases in CASES.items() for sql in cases.quiet]
)
def test_a_rule_says_nothing(rule: str, sql: str, flavor: Flavor) -> None:
    assert parse(sql) is not None or "unclosed" in sql
    assert findings(rule, sql, SHOP if CASES[rule].known else None, flavor) == []


def test_every_rule_has_cases_an_explanation_and_an_example_that_it_finds() -> None:
    assert {rule.id for rule in TEXT} == set(CASES)
    for rule, cases in CASES.items():
        assert len(cases.found) >= 3, rule
        assert len(cases.quiet) >= 5, rule
    for one in TEXT:
        _, _, example = one.explanation.partition("Example: ")
        assert example, one.id
        if example.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")):
            assert findings(one.id, example, SHOP), one.id


def test_ids_are_unique_and_there_are_sixty() -> None:
    ids = [rule.id for rule in ALL]
    assert len(ids) == len(set(ids)) >= 60


YEAR = "SELECT id FROM orders WHERE YEAR(placed) = 2024"
REWRITES = (
    (
        "function_on_column",
        YEAR,
        "SELECT id FROM orders WHERE placed >= '2024-01-01' AND placed < '2025-01-01'",
    ),
    (
        "function_on_column",
        "DELETE FROM orders WHERE status = 1 AND '2024-02-29' < DATE(placed)",
        "DELETE FROM orders WHERE status = 1 AND placed >= '2024-03-01'",
    ),
    (
        "function_on_column",
        "SELECT id FROM orders o WHERE o.status = 1 OR o.id IN (SELECT id FROM orders WHERE DATE_FORMAT(placed, '%Y-%m') <= '2024-02')",
        "SELECT id FROM orders AS o WHERE o.status = 1 OR o.id IN (SELECT id FROM orders WHERE placed < '2024-03-01')",
    ),
    (
        "arithmetic_on_column",
        "SELECT id FROM item WHERE 10 > quantity * 2",
        "SELECT id FROM item WHERE quantity < 5",
    ),
    (
        "having_as_where",
        "SELECT status, COUNT(*) FROM orders WHERE id < 9 OR id > 99 GROUP BY status HAVING status > 1",
        "SELECT status, COUNT(*) FROM orders WHERE (id < 9 OR id > 99) AND status > 1 GROUP BY status",
    ),
    (
        "count_for_existence",
        "SELECT id FROM customer c WHERE (SELECT COUNT(*) FROM orders o WHERE o.customer_id = c.id) = 0",
        "SELECT id FROM customer AS c WHERE NOT EXISTS(SELECT 1 FROM orders AS o WHERE o.customer_id = c.id)",
    ),
    (
        "or_same_column",
        "SELECT id FROM orders WHERE total > 5 AND (status = 1 OR status = 2 OR status = 3)",
        "SELECT id FROM orders WHERE total > 5 AND status IN (1, 2, 3)",
    ),
    (
        "union_of_distinct",
        "SELECT 'open', id FROM orders UNION SELECT 'item', id FROM product",
        "SELECT 'open', id FROM orders UNION ALL SELECT 'item', id FROM product",
    ),
)


@pytest.mark.parametrize(("rule", "sql", "better"), REWRITES)
def test_a_statement_is_written_anew(rule: str, sql: str, better: str) -> None:
    assert [one.sql for one in findings(rule, sql, SHOP)] == [better]
    # The tree that was read is kept for others.
    assert [one.sql for one in findings(rule, sql, SHOP)] == [better]


@pytest.mark.parametrize(
    ("rule", "sql", "why"),
    [
        ("function_on_column", "SELECT id FROM visit WHERE YEAR(email) = 2024", "it holds no times"),
        ("function_on_column", "SELECT id FROM unknown WHERE YEAR(placed) = 2024", "nobody knows what it holds"),
        ("function_on_column", "SELECT id FROM orders WHERE YEAR(placed) = ?", "the value is unknown"),
        ("function_on_column", "SELECT id FROM orders WHERE DATE(placed) = '2023-02-29'", "there is no such day"),
        ("function_on_column", "SELECT id FROM orders WHERE YEAR(placed) = 24", "a year of two digits"),
        ("function_on_column", "SELECT id FROM orders WHERE MONTH(placed) = 2", "a month of every year"),
        ("function_on_column", "SELECT /*!40001 SQL_NO_CACHE */ id FROM orders WHERE DATE(placed) = '2024-02-02'", "words are lost"),
        ("arithmetic_on_column", "SELECT id FROM orders WHERE total + 0.1 = 5", "it is no whole number"),
        ("arithmetic_on_column", "SELECT id FROM item WHERE quantity * 2 = 5", "it does not divide evenly"),
        ("arithmetic_on_column", "SELECT id FROM item WHERE 10 - quantity = 5", "the column is taken away"),
        ("having_as_where", "SELECT note, COUNT(*) FROM orders GROUP BY note HAVING note LIKE 'a%'", "a group's texts may differ"),
        ("union_of_distinct", "SELECT 'a', status FROM orders UNION SELECT 'b', id FROM orders", "a side repeats itself"),
        ("or_same_column", "SELECT id FROM orders WHERE status = 1 OR status = '2' OR status = 3", "numbers and texts"),
        ("case_folded_twice", "SELECT id FROM customer WHERE LOWER(name) = 'émile'", "letters beyond ASCII"),
    ],
)  # fmt: skip
def test_where_it_may_not_mean_the_same_it_is_not_written_anew(rule: str, sql: str, why: str) -> None:
    assert [one.sql for one in findings(rule, sql, SHOP)] == [""], why


def test_years_are_left_alone_where_dates_without_a_month_are_taken() -> None:
    assert [one.sql for one in findings("function_on_column", YEAR, SHOP, "mariadb")] == [""]


def test_addresses_have_types_of_their_own_on_mariadb() -> None:
    sql = "SELECT id FROM unknown WHERE ip > '10.0.0.1'"
    assert findings("address_as_text", sql, SHOP)
    assert findings("address_as_text", sql, SHOP, "mariadb") == []


SHORTENED = (
    "SELECT `id` FROM `o` WHERE `s` = ? AND `id` IN (...) LIMIT ? OFFSET ?",
    "SELECT `id` , ?, ... FROM `o` WHERE NAME LIKE ? LIMIT ?, ...",
    "INSERT INTO `o` ( `a` , `b` ) VALUES (...) /* , ... */",
    "insert into o (a, b) values(?+)",
    "select id from o where s = ? and id in(?+) limit ?",
    "select a from b union all /*repeat union all*/",
    "SET STATEMENT max_statement_time=5 FOR SELECT id FROM o",
    "SELECT id FROM o LIMIT ROWS EXAMINED 1000",
    "SELECT id FROM o WHERE a = 1 LIMIT 5 ROWS EXAMINED 1000",
)


@pytest.mark.parametrize("sql", SHORTENED)
def test_what_digests_and_fingerprints_shorten_is_read(sql: str) -> None:
    assert (parse(sql) is not None) != sql.endswith("/*repeat union all*/")


def test_of_what_may_have_been_cut_nothing_is_missed() -> None:
    """A server keeps the beginning of a long digest, here without the WHERE that it had."""
    long = "UPDATE `orders` SET " + ", ".join(f"`column_{place}` = ?" for place in range(60))
    assert len(long) > 1_000
    assert check(Subject(long, parse(long), "mariadb", redacted=True)) == []
    assert findings("write_without_where", "UPDATE `orders` SET `status` = ?")


@pytest.mark.parametrize("word", ["AND", "OR", "UNION ALL"])
def test_a_chain_is_not_deep(word: str) -> None:
    head = "SELECT id FROM o WHERE s = 1" if word != "UNION ALL" else "SELECT 1"
    part = " s = 1" if word != "UNION ALL" else " SELECT 1"
    sql = head + f" {word}{part}" * 2_000
    tree = parse(sql)
    assert tree is not None
    assert isinstance(check(Subject(sql, tree, schema=SHOP)), list)


_WORDS = [
    "SELECT", "DISTINCT", "*", "id", "c.id", "o.placed", ",", "FROM", "customer", "c", "JOIN", "orders", "o", "ON", "o.customer_id", "=",
    "LEFT", "WHERE", "status", "phone", "5", "'x'", "'%x'", "?", "NULL", "NOT", "IN", "(", ")", "GROUP", "BY", "HAVING", "ORDER", "DESC",
    "LIMIT", "OFFSET", "20000", "AND", "OR", "LOWER(", "YEAR(", "LIKE", "UNION", "ALL", "COUNT(*)", "RAND()", "USING", "IS", "BETWEEN",
    "2024", "-", "1", "+", "<", "<>", "DELETE", "UPDATE", "SET", "INSERT", "INTO", "VALUES", "FOR", "EXISTS", "(SELECT", "||", "INTERVAL",
    "DAY", "data->>'$.a'", "REGEXP", "CASE", "WHEN", "THEN", "END", "AS", "`",
]  # fmt: skip


@given(st.lists(st.sampled_from(_WORDS), min_size=2, max_size=30).map(" ".join), st.booleans())
def test_no_words_in_any_order_upset_the_rules(sql: str, redacted: bool) -> None:
    for text in (sql, f"SELECT id FROM orders o WHERE {sql}"):
        check(Subject(text, parse(text), schema=SHOP, redacted=redacted))


@given(
    st.text(max_size=200)
    | st.from_regex(r"(SELECT|DELETE FROM|UPDATE) [a-z.*(), ]{0,40}(WHERE|FROM|LIMIT) [a-z0-9=<>%' ]{0,60}")
)
def test_no_text_upsets_the_rules(sql: str) -> None:
    found = check(Subject(sql, parse(sql), schema=SHOP))
    assert all(re.fullmatch(r"[a-z_0-9]+", rule.id) and finding.detail for rule, finding in found)


def test_what_is_too_long_or_too_deep_is_not_read() -> None:
    assert parse("SELECT " + "1," * LONGEST) is None
    assert parse("SELECT " + "(" * 5_000 + "1" + ")" * 5_000) is None
    assert parse("SELECT 1; SELECT 2") is None
    assert parse("") is None
