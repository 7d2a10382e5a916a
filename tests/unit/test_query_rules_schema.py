"""The rules that need the schema: what each finds, what it must not find, and what it says for which server."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.queries.rules.base import Finding, Rule, Subject
from dbvigil.queries.rules.plan_rules import PLAN
from dbvigil.queries.rules.schema_rules import SCHEMA
from dbvigil.queries.rules.statistics_rules import STATISTICS
from dbvigil.queries.schema import Schema
from dbvigil.types import Flavor
from tests.support.shop_schema import SHOP, parsed

BY_ID = {rule.id: rule for rule in SCHEMA}
VERSIONS: dict[Flavor, tuple[int, int, int]] = {"mysql": (8, 4, 0), "mariadb": (10, 11, 0)}


def subject(sql: str, flavor: Flavor = "mysql", schema: Schema = SHOP) -> Subject:
    tree = parsed(sql)
    return Subject(sql, tree, flavor, VERSIONS[flavor], schema)


def findings(rule: str, sql: str, flavor: Flavor = "mysql", schema: Schema = SHOP) -> list[Finding]:
    return list(BY_ID[rule].check(subject(sql, flavor, schema)))


@dataclass(frozen=True)
class Cases:
    found: tuple[str, ...]
    quiet: tuple[str, ...]


CASES: dict[str, Cases] = {
    "implicit_conversion": Cases(
        (
            "SELECT id FROM customer WHERE phone = 49301",
            "SELECT id FROM customer c WHERE c.phone IN (49301, 49302)",
            "DELETE FROM orders WHERE id IN (SELECT id FROM customer WHERE 7 = phone)",
            "SELECT id FROM customer WHERE country = 'de' AND phone > 5",
        ),
        (
            "SELECT id FROM customer WHERE phone = '49301'",
            "SELECT id FROM customer WHERE phone = ?",
            "SELECT id FROM customer WHERE id = 5",
            "SELECT id FROM customer WHERE id = '5'",
            "SELECT id FROM customer WHERE country = 'de' OR phone = 5",
            "SELECT id FROM unknown WHERE phone = 5",
        ),
    ),
    "join_type_mismatch": Cases(
        (
            "SELECT c.id FROM customer c JOIN import i ON i.customer_no = c.id",
            "SELECT c.id FROM customer c, import i WHERE i.customer_no = c.id",
            "SELECT c.id FROM customer c LEFT JOIN import i ON c.created = i.customer_no",
        ),
        (
            "SELECT c.id FROM customer c JOIN orders o ON o.customer_id = c.id",
            "SELECT c.id FROM customer c JOIN orders o ON o.status = c.id",
            "SELECT c.id FROM customer c JOIN orders o ON CAST(o.status AS CHAR) = c.phone",
            "SELECT c.id FROM customer c JOIN visit v ON v.email = c.email",
            "SELECT c.id FROM customer c JOIN unknown u ON u.id = c.phone",
        ),
    ),
    "collation_mismatch": Cases(
        (
            "SELECT c.id FROM customer c JOIN visit v ON v.email = c.email",
            "SELECT c.id FROM customer c JOIN visit v ON c.email = v.email AND v.id > 5",
            "SELECT c.id FROM customer c, visit v WHERE v.email = c.nickname",
        ),
        (
            "SELECT c.id FROM customer c JOIN visit v ON v.visitor = c.nickname",
            "SELECT c.id FROM customer c JOIN orders o ON o.customer_id = c.id",
            "SELECT a.id FROM visit a JOIN visit b ON a.email = b.email",
            "SELECT c.id FROM customer c JOIN visit v ON v.email = CONVERT(c.email USING utf8mb4)",
            "SELECT id FROM visit WHERE email = 'a'",
        ),
    ),
    "function_on_indexed_column": Cases(
        (
            "SELECT id FROM customer WHERE UPPER(code) = 'A1'",
            "SELECT id FROM orders WHERE YEAR(placed) = 2026",
            "SELECT id FROM customer c WHERE LENGTH(c.phone) > 5",
        ),
        (
            "SELECT id FROM customer WHERE code = UPPER('a1')",
            "SELECT id FROM customer WHERE UPPER(name) = 'A'",
            "SELECT UPPER(code) FROM customer WHERE id = 5",
            "SELECT id FROM customer WHERE UPPER(code) = UPPER(name)",
            "SELECT level FROM tiny_log WHERE ABS(level) = 3",
        ),
    ),
    "redundant_like": Cases(
        (
            "SELECT id FROM customer WHERE name LIKE '%'",
            "SELECT id FROM customer WHERE country = 'de' AND email LIKE '%'",
            "SELECT id FROM customer c JOIN orders o ON o.customer_id = c.id WHERE c.name LIKE '%'",
        ),
        (
            "SELECT id FROM customer WHERE name LIKE 'a%'",
            "SELECT id FROM customer WHERE name LIKE ?",
            "SELECT id FROM customer WHERE NOT name LIKE '%'",
            "SELECT id FROM customer WHERE id LIKE '%'",
            "SELECT id FROM customer WHERE name LIKE '%' OR id = 3",
        ),
    ),
    "needless_distinct": Cases(
        (
            "SELECT DISTINCT id, name FROM customer",
            "SELECT DISTINCT * FROM customer",
            "SELECT DISTINCT order_id, line, sku FROM item WHERE quantity > 3",
            "SELECT DISTINCT email FROM customer",
        ),
        (
            "SELECT DISTINCT name FROM customer",
            "SELECT id FROM customer",
            "SELECT DISTINCT order_id FROM item",
            "SELECT DISTINCT c.id FROM customer c JOIN orders o ON o.customer_id = c.id",
            "SELECT DISTINCT c FROM doubled",
            "SELECT DISTINCT id FROM unknown",
        ),
    ),
    "distinct_hides_fanout": Cases(
        (
            "SELECT DISTINCT c.id, c.name FROM customer c JOIN orders o ON o.customer_id = c.id",
            "SELECT DISTINCT c.name FROM customer c INNER JOIN orders o ON c.id = o.customer_id WHERE o.status = 2",
            "SELECT DISTINCT o.id FROM orders o JOIN item i ON i.order_id = o.id",
        ),
        (
            "SELECT DISTINCT c.id, o.status FROM customer c JOIN orders o ON o.customer_id = c.id",
            "SELECT c.id FROM customer c JOIN orders o ON o.customer_id = c.id",
            "SELECT DISTINCT o.status FROM orders o JOIN customer c ON c.id = o.customer_id",
            "SELECT DISTINCT COUNT(o.id) FROM customer c JOIN orders o ON o.customer_id = c.id",
            "SELECT DISTINCT c.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id",
        ),
    ),
    "outer_join_defeated": Cases(
        (
            "SELECT c.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id WHERE o.status = 2",
            "SELECT c.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id WHERE o.status IN (1, 2)",
            "SELECT c.id FROM customer c LEFT OUTER JOIN orders o ON o.customer_id = c.id WHERE c.id > 5 AND o.total > 3",
        ),
        (
            "SELECT c.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id WHERE o.id IS NULL",
            "SELECT c.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id AND o.status = 2",
            "SELECT c.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id WHERE o.status = 2 OR o.id IS NULL",
            "SELECT c.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id WHERE COALESCE(o.status, 2) = 2",
            "SELECT c.id FROM customer c JOIN orders o ON o.customer_id = c.id WHERE o.status = 2",
            "SELECT c.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id WHERE c.name = 'a'",
            "SELECT c.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id WHERE NOT (o.status = 2) IS TRUE",
            "SELECT c.id FROM customer c LEFT JOIN orders o ON o.customer_id = c.id WHERE o.status <=> NULL",
        ),
    ),
    "same_table_twice": Cases(
        (
            "SELECT a.name, b.email FROM orders o JOIN customer a ON a.id = o.customer_id JOIN customer b ON b.id = o.customer_id",
            "SELECT 1 FROM orders o LEFT JOIN customer a ON a.id = o.customer_id LEFT JOIN customer b ON o.customer_id = b.id",
            "SELECT 1 FROM orders o JOIN product p ON p.id = o.id JOIN product q ON q.id = o.id",
        ),
        (
            "SELECT 1 FROM orders o JOIN customer a ON a.id = o.customer_id JOIN customer b ON b.id = o.status",
            "SELECT 1 FROM customer c JOIN orders a ON a.customer_id = c.id JOIN orders b ON b.customer_id = c.id",
            "SELECT 1 FROM orders o JOIN customer a ON a.id = o.customer_id AND a.country = 'de' JOIN customer b ON b.id = o.customer_id",
            "SELECT 1 FROM orders o JOIN customer a ON a.id = o.customer_id JOIN product b ON b.id = o.customer_id",
            "SELECT 1 FROM orders o JOIN customer a ON a.id = o.customer_id",
        ),
    ),
    "not_in_nullable": Cases(
        (
            "SELECT id FROM customer WHERE id NOT IN (SELECT referrer_id FROM customer)",
            "SELECT id FROM product WHERE id NOT IN (SELECT n FROM import WHERE id > 3)",
            "DELETE FROM product WHERE NOT id IN (SELECT n AS x FROM import)",
        ),
        (
            "SELECT id FROM customer WHERE id NOT IN (SELECT customer_id FROM orders)",
            "SELECT id FROM customer WHERE id NOT IN (SELECT referrer_id FROM customer WHERE referrer_id IS NOT NULL)",
            "SELECT id FROM customer WHERE id NOT IN (SELECT referrer_id FROM customer WHERE referrer_id > 5)",
            "SELECT id FROM customer WHERE id IN (SELECT referrer_id FROM customer)",
            "SELECT id FROM customer WHERE id NOT IN (1, 2)",
            "SELECT id FROM customer WHERE id NOT IN (SELECT x FROM unknown)",
        ),
    ),
    "nondeterministic_group_by": Cases(
        (
            "SELECT customer_id, status, COUNT(*) FROM orders GROUP BY customer_id",
            "SELECT o.customer_id, o.status FROM orders o JOIN customer c ON c.id = o.customer_id GROUP BY c.id",
            "SELECT status AS s, placed FROM orders GROUP BY s",
            "SELECT status, placed FROM orders GROUP BY 1",
        ),
        (
            "SELECT customer_id, MAX(status), COUNT(*) FROM orders GROUP BY customer_id",
            "SELECT id, status, note FROM orders GROUP BY id",
            "SELECT c.id, c.name, COUNT(*) FROM customer c JOIN orders o ON o.customer_id = c.id GROUP BY c.id",
            "SELECT c.name, COUNT(*) FROM customer c JOIN orders o ON o.customer_id = c.id GROUP BY o.customer_id",
            "SELECT status, COUNT(*) FROM orders WHERE status = 2 GROUP BY customer_id",
            "SELECT customer_id, ANY_VALUE(status) FROM orders GROUP BY customer_id",
            "SELECT DATE(placed), COUNT(*) FROM orders GROUP BY DATE(placed)",
            "SELECT customer_id, status FROM orders GROUP BY customer_id, status",
            "SELECT a, b FROM unknown GROUP BY a",
        ),
    ),
    "long_columns_in_star": Cases(
        (
            "SELECT * FROM orders WHERE status = 2",
            "SELECT * FROM orders o JOIN customer c ON c.id = o.customer_id",
            "SELECT * FROM composite",
        ),
        (
            "SELECT * FROM orders WHERE id = 7",
            "SELECT * FROM customer WHERE country = 'de'",
            "SELECT id, note FROM orders WHERE status = 2",
            "SELECT COUNT(*) FROM orders",
            "SELECT * FROM orders WHERE status = 2 LIMIT 20",
            "SELECT * FROM tiny_log",
        ),
    ),
    "join_column_unindexed": Cases(
        (
            "SELECT c.id FROM customer c JOIN visit v ON v.visitor = c.nickname",
            "SELECT c.id FROM customer c, visit v WHERE v.visitor = c.nickname",
            "SELECT a.sku FROM item a JOIN item b ON a.sku = b.sku",
        ),
        (
            "SELECT c.id FROM customer c JOIN orders o ON o.customer_id = c.id",
            "SELECT c.id FROM customer c JOIN visit v ON v.visitor = c.code",
            "SELECT c.id FROM customer c JOIN visit v ON v.visitor = c.nickname WHERE c.id = 5",
            "SELECT a.level FROM tiny_log a JOIN tiny_log b ON a.message = b.message",
            "SELECT c.id FROM customer c JOIN unknown u ON u.x = c.nickname",
        ),
    ),
    "leading_column_unused": Cases(
        (
            "SELECT note FROM composite WHERE b = 7",
            "SELECT note FROM composite c WHERE c.b = 7 AND c.note = 'x'",
            "SELECT order_id FROM item WHERE line = 3",
        ),
        (
            "SELECT note FROM composite WHERE a = 7",
            "SELECT note FROM composite WHERE a > 7 AND b = 7",
            "SELECT note FROM composite WHERE id = 3 AND b = 7",
            "SELECT note FROM composite WHERE note = 'x'",
            "SELECT c FROM doubled WHERE c = 3",
        ),
    ),
    "mixed_sort_directions": Cases(
        (
            "SELECT id FROM composite ORDER BY a DESC, b LIMIT 10",
            "SELECT id FROM composite ORDER BY a, b DESC LIMIT 10",
            "SELECT c.b FROM composite c WHERE c.b > 3 ORDER BY c.a DESC, c.b LIMIT 10",
        ),
        (
            "SELECT id FROM composite ORDER BY a, b LIMIT 10",
            "SELECT id FROM composite ORDER BY a DESC, b DESC LIMIT 10",
            "SELECT id FROM descending ORDER BY a DESC, b LIMIT 10",
            "SELECT id FROM descending ORDER BY a, b DESC LIMIT 10",
            "SELECT id FROM composite ORDER BY a DESC, b",
            "SELECT id FROM orders ORDER BY status DESC, total LIMIT 5",
        ),
    ),
    "no_primary_key": Cases(
        ("SELECT message FROM log", "INSERT INTO log (level) VALUES (1)", "UPDATE log SET level = 2 WHERE level = 1"),
        ("SELECT id FROM orders", "SELECT 1", "SELECT sku FROM item", "SELECT a FROM unknown", "SELECT a FROM suffixed"),
    ),
    "random_primary_key": Cases(
        ("SELECT total FROM basket WHERE id = 'x'", "SELECT total FROM basket", "DELETE FROM basket WHERE total = 0"),
        ("SELECT id FROM orders", "SELECT path FROM page", "SELECT sku FROM item", "SELECT code FROM customer", "SELECT level FROM log"),
    ),
    "wide_primary_key": Cases(
        ("SELECT id FROM page", "SELECT path FROM page WHERE id = 3", "UPDATE page SET n = 1 WHERE id = 2"),
        ("SELECT id FROM narrow", "SELECT id FROM orders", "SELECT total FROM basket", "SELECT sku FROM item", "SELECT level FROM log"),
    ),
    "duplicate_index": Cases(
        ("SELECT id FROM doubled", "SELECT id FROM doubled WHERE a = 1", "INSERT INTO doubled (a) VALUES (1)"),
        ("SELECT id FROM orders", "SELECT id FROM suffixed", "SELECT a FROM composite", "SELECT level FROM log", "SELECT id FROM narrow"),
    ),
    "prefix_index": Cases(
        ("SELECT id FROM doubled", "SELECT id FROM doubled WHERE b = 1", "DELETE FROM doubled WHERE b = 1"),
        ("SELECT id FROM orders", "SELECT id FROM suffixed", "SELECT a FROM composite", "SELECT level FROM log", "SELECT id FROM narrow"),
    ),
    "primary_key_suffix": Cases(
        ("SELECT id FROM suffixed", "SELECT id FROM suffixed WHERE a = 1", "UPDATE suffixed SET a = 2"),
        ("SELECT id FROM orders", "SELECT id FROM doubled", "SELECT a FROM composite", "SELECT level FROM log", "SELECT id FROM narrow"),
    ),
    "foreign_key_unindexed": Cases(
        ("SELECT id FROM invoice", "DELETE FROM invoice WHERE id = 3",
         "SELECT i.id FROM invoice i JOIN customer c ON c.id = i.customer_id"),
        ("SELECT id FROM orders", "SELECT id FROM doubled", "SELECT a FROM composite", "SELECT level FROM log", "SELECT id FROM narrow"),
    ),
    "small_auto_increment": Cases(
        ("SELECT id FROM counted", "INSERT INTO counted (n) VALUES (1)", "SELECT n FROM counted WHERE id = 7"),
        ("SELECT id FROM orders", "SELECT id FROM counted_unsigned",
         "SELECT sku FROM item", "SELECT level FROM log", "SELECT id FROM page"),
    ),
}  # fmt: skip


def test_every_rule_has_cases() -> None:
    assert set(CASES) == set(BY_ID)
    for name, cases in CASES.items():
        assert len(set(cases.found)) >= 3, name
        assert len(set(cases.quiet)) >= 5, name


@pytest.mark.parametrize("flavor", ["mysql", "mariadb"])
@pytest.mark.parametrize(
    ("rule", "sql"), [(rule, sql) for rule, cases in CASES.items() for sql in cases.found]
)
def test_it_finds(rule: str, sql: str, flavor: Flavor) -> None:
    assert findings(rule, sql, flavor) != []


@pytest.mark.parametrize("flavor", ["mysql", "mariadb"])
@pytest.mark.parametrize(
    ("rule", "sql"), [(rule, sql) for rule, cases in CASES.items() for sql in cases.quiet]
)
def test_it_stays_quiet(rule: str, sql: str, flavor: Flavor) -> None:
    assert findings(rule, sql, flavor) == []


@pytest.mark.parametrize("rule", [rule.id for rule in SCHEMA])
def test_nothing_is_said_of_tables_that_are_unknown(rule: str) -> None:
    for sql in CASES[rule].found:
        assert findings(rule, sql, schema=Schema(default="shop")) == []


@pytest.mark.parametrize("rule", SCHEMA, ids=lambda rule: rule.id)
def test_the_docstrings_example_is_found(rule: Rule) -> None:
    text, _, example = rule.explanation.partition("Example:")
    assert len(text.split()) > 15
    assert list(rule.check(subject(" ".join(example.split())))) != []


def test_there_are_many_rules_and_each_has_a_name_of_its_own() -> None:
    rules = (*SCHEMA, *PLAN, *STATISTICS)
    assert len({rule.id for rule in rules}) == len(rules) >= 40
    assert {rule.needs for rule in SCHEMA} == {"schema"}
    assert all(rule.confidence == "estimated" for rule in rules)


@pytest.mark.parametrize(
    ("rule", "sql", "flavor", "ddl"),
    [
        ("function_on_indexed_column", "SELECT id FROM customer WHERE UPPER(code) = 'A1'", "mysql", "((UPPER(`code`)))"),
        ("function_on_indexed_column", "SELECT id FROM customer WHERE UPPER(code) = 'A1'", "mariadb", ""),
        ("leading_column_unused", "SELECT id FROM composite WHERE b = 7", "mysql",
         "ALTER TABLE `shop`.`composite` ADD INDEX `ix_composite_b` (`b`), ALGORITHM=INPLACE, LOCK=NONE"),
        ("mixed_sort_directions", "SELECT id FROM composite ORDER BY a DESC, b LIMIT 9", "mariadb", "(`a` DESC, `b`)"),
        ("duplicate_index", "SELECT id FROM doubled", "mariadb", "ALTER TABLE `shop`.`doubled` DROP INDEX `a1`"),
        ("needless_distinct", "SELECT DISTINCT id, name FROM customer", "mysql", "SELECT id, name FROM customer"),
        ("outer_join_defeated", "SELECT c.id FROM customer AS c LEFT JOIN orders AS o ON o.customer_id = c.id WHERE o.status = 2",
         "mysql", "SELECT c.id FROM customer AS c JOIN orders AS o ON o.customer_id = c.id WHERE o.status = 2"),
        ("join_column_unindexed", "SELECT v.at FROM customer c JOIN visit v ON v.visitor = c.nickname WHERE v.at > '2026-01-01'",
         "mysql", "(`visitor`, `at`)"),
    ],
)  # fmt: skip
def test_what_is_advised(rule: str, sql: str, flavor: Flavor, ddl: str) -> None:
    (first, *_) = findings(rule, sql, flavor)
    assert ddl in first.sql
    assert bool(first.sql) == bool(ddl)


@pytest.mark.parametrize(("flavor", "version"), [("mysql", (5, 7, 44)), ("mariadb", (10, 6, 18))])
def test_old_servers_have_no_descending_indexes(flavor: Flavor, version: tuple[int, int, int]) -> None:
    sql = CASES["mixed_sort_directions"].found[0]
    old = Subject(sql, parsed(sql), flavor, version, SHOP)
    assert list(BY_ID["mixed_sort_directions"].check(old)) == []


_TEXT = """
    SELECT DISTINCT * id c.id , FROM customer c JOIN orders o ON o.customer_id = c.id LEFT WHERE status phone 5 'x' ? NOT IN ( ) GROUP BY
    ORDER DESC LIMIT AND OR UPPER( LIKE '%' UNION SELECT COUNT(*) item USING (id) IS NULL
"""
_WORDS = st.sampled_from(_TEXT.split())


@given(st.lists(_WORDS, min_size=3, max_size=25).map(" ".join))
def test_no_statement_breaks_a_rule(text: str) -> None:
    try:
        tree = parsed(f"SELECT id FROM {text}")
    except sqlglot.errors.SqlglotError:
        return
    for rule in (*SCHEMA, *PLAN, *STATISTICS):
        list(rule.check(Subject(text, tree, schema=SHOP)))
