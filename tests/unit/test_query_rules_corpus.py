"""Precision of the rules on statements that people and programs write: each finding here was looked at, and is deserved."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbvigil.queries.parse import parse
from dbvigil.queries.rules import check
from dbvigil.queries.rules.base import Subject

FOLDER = Path(__file__).parents[1] / "recorded" / "statements"
DJANGO = (FOLDER / "django.sql").read_text().splitlines()
TPCH = (FOLDER / "tpch.sql").read_text().splitlines()
RENTAL = (FOLDER / "rental.sql").read_text().splitlines()

# By line. Patterns that begin with a wildcard are a part of TPC-H; nothing else is found in it.
EXPECTED_TPCH = {2: {"leading_wildcard"}, 9: {"leading_wildcard"}, 16: {"leading_wildcard"}}
EXPECTED_RENTAL = {
    7: {"subquery_in_select_list"},
    20: {"function_on_column"},
    21: {"order_by_random", "leading_wildcard", "select_star"},
    23: {"function_on_column", "ordinals"},
}


def found(sql: str) -> set[str]:
    tree = parse(sql.rstrip(";"))
    assert tree is not None
    return {rule.id for rule, _ in check(Subject(sql, tree))}


def test_there_is_a_good_deal_of_django() -> None:
    assert len(DJANGO) >= 100
    for word in (
        "INSERT",
        "UPDATE",
        "DELETE",
        "EXISTS",
        "UNION",
        "GROUP BY",
        "FOR UPDATE",
        "ON DUPLICATE KEY",
        "OVER (",
        "OFFSET",
    ):
        assert any(word in sql for sql in DJANGO), word


@pytest.mark.parametrize("sql", DJANGO)
def test_django_is_left_in_peace(sql: str) -> None:
    expected = set()
    if "LIKE '%ada%'" in sql:
        expected.add("leading_wildcard")  # the search of the admin's list
    if sql.endswith("FROM `auth_user` LIMIT 20"):
        expected.add("limit_without_order")  # objects.all()[:20]
    assert found(sql) == expected


@pytest.mark.parametrize(("line", "sql"), list(enumerate(TPCH, 1)))
def test_tpch(line: int, sql: str) -> None:
    assert found(sql) == EXPECTED_TPCH.get(line, set())


@pytest.mark.parametrize(("line", "sql"), list(enumerate(RENTAL, 1)))
def test_a_rental_shop(line: int, sql: str) -> None:
    assert found(sql) == EXPECTED_RENTAL.get(line, set())
