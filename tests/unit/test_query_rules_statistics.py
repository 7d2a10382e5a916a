"""The rules that need figures, and the findings over time, over a session, and over all servers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.queries.figures import Figures
from dbvigil.queries.rules.base import Rule, Subject
from dbvigil.queries.rules.statistics_history import (
    IndexUse,
    latency_regression,
    unused_indexes,
)
from dbvigil.queries.rules.statistics_rules import STATISTICS
from dbvigil.types import Flavor
from tests.support.shop_schema import SHOP, parsed, table

BY_ID = {rule.id: rule for rule in STATISTICS}
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
READ = "SELECT id FROM orders WHERE total = 5"
INSERT = "INSERT INTO item (order_id, line) VALUES (1, 2)"


def of(sql: str, count: int = 100, total: float = 10.0, **figures: Any) -> Subject:
    return Subject(sql, parsed(sql), schema=SHOP, figures=Figures(count, total, **figures))


CASES: dict[str, tuple[list[Subject], list[Subject]]] = {
    "many_rows_read": (
        [
            of(READ, rows_examined=1_000_000, rows_sent=200),
            of(READ, rows_examined=1_000_000, rows_sent=0),
            of("UPDATE orders SET status = 1 WHERE total = 5", rows_examined=500_000, rows_affected=100),
        ],
        [
            of(READ, rows_examined=1_000_000, rows_sent=900_000),
            of("SELECT COUNT(*) FROM orders WHERE status = 1", rows_examined=1_000_000, rows_sent=100),
            of("SELECT status FROM orders GROUP BY status", rows_examined=1_000_000, rows_sent=200),
            of(READ, rows_examined=50_000, rows_sent=100),
            of(READ, count=5, rows_examined=1_000_000, rows_sent=5),
            of(READ, rows_examined=1_000_000),
        ],
    ),
    "no_index_share": (
        [
            of(READ, no_index_used=100, rows_examined=1_000_000),
            of(READ, no_index_used=50, rows_examined=100_000),
            of("SELECT 1 FROM item a JOIN item b ON a.sku = b.sku", no_index_used=120, rows_examined=9_000_000),
        ],
        [
            of(READ, no_index_used=10, rows_examined=1_000_000),
            of(READ, no_index_used=100, rows_examined=10_000),
            of("SELECT id FROM orders", no_index_used=100, rows_examined=1_000_000),
            of(READ, no_index_used=100),
            of(READ, rows_examined=1_000_000),
        ],
    ),
    "full_joins": (
        [of(READ, full_joins=n, rows_examined=1_000_000) for n in (50, 80, 100)],
        [
            of(READ, full_joins=10, rows_examined=1_000_000),
            of(READ, full_joins=100, rows_examined=5_000),
            of(READ, rows_examined=1_000_000),
            of(READ, full_joins=100),
            of(READ, count=3, full_joins=3, rows_examined=1_000_000),
        ],
    ),
    "disk_temporary_tables": (
        [of(READ, tmp_tables=100, tmp_disk_tables=n) for n in (25, 60, 100)],
        [
            of(READ, tmp_tables=100, tmp_disk_tables=5),
            of(READ, tmp_tables=100),
            of(READ, tmp_tables=0, tmp_disk_tables=0),
            of(READ, tmp_tables=4, tmp_disk_tables=4),
            of(READ),
        ],
    ),
    "sort_merge_passes": (
        [of(READ, sort_merge_passes=n) for n in (100, 250, 10_000)],
        [of(READ), of(READ, sort_merge_passes=0), of(READ, sort_merge_passes=30), of(READ, count=5, sort_merge_passes=50),
         of(READ, sort_merge_passes=99)],
    ),
    "lock_share": (
        [of(READ, lock_time=n) for n in (3.0, 8.0, 10.5)],
        [of(READ), of(READ, lock_time=0.0), of(READ, lock_time=1.0), of(READ, total=0.01, lock_time=0.009),
         of(READ, count=4, lock_time=9.0)],
    ),
    "errors_share": (
        [of(READ, errors=n) for n in (5, 50, 100)],
        [of(READ), of(READ, errors=0), of(READ, errors=2), of(READ, count=4, errors=4), of(READ, count=1_000, errors=10)],
    ),
    "single_row_inserts": (
        [of(INSERT, 6_000, seconds=60.0), of(INSERT, 3_000, seconds=60.0), of("INSERT INTO log VALUES (?, ?)", 90_000, seconds=60.0)],
        [
            of(INSERT, 600, seconds=60.0),
            of(INSERT, 6_000),
            of("INSERT INTO item (order_id, line) VALUES (1, 2), (1, 3)", 6_000, seconds=60.0),
            of("INSERT INTO item (order_id, line) SELECT id, 1 FROM orders", 6_000, seconds=60.0),
            of(READ, 6_000, seconds=60.0),
        ],
    ),
    "too_many_indexes": (
        [of("INSERT INTO busy (c1) VALUES (1)", 6_000, seconds=60.0), of("DELETE FROM busy WHERE id = 3", 6_000, seconds=60.0),
         of("INSERT INTO busy (c1) VALUES (1), (2)", 600, seconds=60.0)],
        [
            of("INSERT INTO busy (c1) VALUES (1)", 60, seconds=60.0),
            of(INSERT, 6_000, seconds=60.0),
            of("SELECT id FROM busy", 6_000, seconds=60.0),
            of("INSERT INTO busy (c1) VALUES (1)", 6_000),
            of("INSERT INTO unknown (c1) VALUES (1)", 6_000, seconds=60.0),
        ],
    ),
}  # fmt: skip


def test_every_rule_has_cases() -> None:
    assert set(CASES) == set(BY_ID)
    assert all(len(found) >= 3 and len(quiet) >= 5 for found, quiet in CASES.values())


@pytest.mark.parametrize("rule", STATISTICS, ids=lambda rule: rule.id)
def test_it_finds_and_stays_quiet(rule: Rule) -> None:
    found, quiet = CASES[rule.id]
    for one in found:
        assert list(rule.check(one)) != [], one
    for one in quiet:
        assert list(rule.check(one)) == [], one
    assert rule.needs == "statistics"
    text, _, example = rule.explanation.partition("Example:")
    assert len(text.split()) > 15
    sql = " ".join(example.split())
    assert any(list(rule.check(replace(one, sql=sql, tree=parsed(sql)))) for one in found)


_COUNTS = st.none() | st.integers(0, 10**12)


@given(
    st.integers(0, 10**9),
    st.floats(0, 1e9),
    st.fixed_dictionaries(
        dict.fromkeys(
            ("rows_examined", "rows_sent", "no_index_used", "full_joins", "tmp_tables", "errors"), _COUNTS
        )
    ),
)
def test_no_figures_break_a_rule(count: int, total: float, figures: dict[str, int | None]) -> None:
    for sql in (READ, INSERT):
        for rule in STATISTICS:
            list(rule.check(of(sql, count, total, **figures)))


# -- over time


def test_a_regression_says_whether_more_is_read() -> None:
    before = Figures(1_000, 10.0, rows_examined=1_000)
    (slower,) = latency_regression(before, Figures(1_000, 100.0, rows_examined=900_000))
    assert (slower.before, slower.after) == (0.01, 0.1)
    assert "reads 900 rows instead of 1" in slower.detail
    (waiting,) = latency_regression(before, Figures(1_000, 100.0, rows_examined=1_000))
    assert "locks and load" in waiting.detail
    (unknown,) = latency_regression(Figures(1_000, 10.0), Figures(1_000, 100.0))
    assert unknown.detail == "an execution takes 0.1 s, 0.01 s before"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Figures(1_000, 10.0), Figures(1_000, 15.0)),
        (Figures(1_000, 0.1), Figures(1_000, 5.0)),
        (Figures(5, 0.05), Figures(1_000, 100.0)),
        (Figures(1_000, 10.0), Figures(5, 5.0)),
        (Figures(0, 0.0), Figures(1_000, 100.0)),
        (Figures(1_000, 100.0), Figures(1_000, 10.0)),
    ],
)
def test_what_is_no_regression(before: Figures, after: Figures) -> None:
    assert latency_regression(before, after) == []


# -- over all servers

_LONG = 20 * 86_400.0


def uses(*reads: int | None, seconds: float = _LONG) -> list[IndexUse]:
    return [IndexUse(f"db{number}", count, seconds) for number, count in enumerate(reads)]


@pytest.mark.parametrize(
    ("flavor", "version", "sql"),
    [
        ("mysql", (8, 4, 0), "ALTER TABLE `shop`.`suffixed` ALTER INDEX `a` INVISIBLE"),
        ("mariadb", (10, 11, 0), "ALTER TABLE `shop`.`suffixed` ALTER INDEX `a` IGNORED"),
        ("mysql", (5, 7, 44), "ALTER TABLE `shop`.`suffixed` DROP INDEX `a`, ALGORITHM=INPLACE, LOCK=NONE"),
    ],
)
def test_an_unused_index_is_hidden_first(flavor: Flavor, version: tuple[int, int, int], sql: str) -> None:
    subject = Subject("", None, flavor, version)
    suffixed = SHOP.table("suffixed")
    assert suffixed is not None
    (found,) = unused_indexes(subject, suffixed, {"a": uses(0, 0), "b_id": uses(0, 3)})
    assert found.sql == sql
    assert "2 servers in 20 days" in found.detail


def test_what_is_not_called_unused() -> None:
    subject = Subject("", None)
    suffixed, doubled, invoice = SHOP.table("suffixed"), SHOP.table("doubled"), SHOP.table("invoice")
    assert suffixed is not None
    assert doubled is not None
    assert invoice is not None
    assert unused_indexes(subject, suffixed, {}) == []
    assert unused_indexes(subject, suffixed, {"a": uses(0, None)}) == []
    assert unused_indexes(subject, suffixed, {"a": uses(0, seconds=86_400)}) == []
    assert unused_indexes(subject, doubled, {"uniq": uses(0), "PRIMARY": uses(0)}) == []
    kept = table(
        "kept", "id int!; customer_id int", "PRIMARY(id)* fk(customer_id)", foreign_keys=invoice.foreign_keys
    )
    assert unused_indexes(subject, kept, {"fk": uses(0)}) == []
