"""The rules that need a plan, over the plans that real servers gave: what each finds, and nothing beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbvigil.queries.explain import read_plan
from dbvigil.queries.plan import Plan, PlanNode
from dbvigil.queries.rules.base import Finding, Rule, Subject
from dbvigil.queries.rules.plan_facts import produced
from dbvigil.queries.rules.plan_rules import PLAN
from dbvigil.queries.schema import Schema
from dbvigil.types import Flavor
from tests.recorded.explain import shop
from tests.support.shop_schema import SHOP, parsed

FOLDER = Path(__file__).parents[1] / "recorded/explain"
BY_ID = {rule.id: rule for rule in PLAN}
VERSIONS: dict[str, tuple[int, int, int]] = {
    "mariadb-10.11": (10, 11, 14), "mariadb-11.8": (11, 8, 3), "mysql-9.7": (9, 7, 0)
}  # fmt: skip
RECORDED: dict[str, dict[str, dict[str, Any]]] = {
    release: json.loads((FOLDER / f"{release}.json").read_text()) for release in VERSIONS
}

# What the rules say of the recorded plans, by release; a statement that is not here has nothing said of it.
EXPECTED: dict[str, dict[str, set[str]]] = {
    "mysql-9.7": {
        "group": {"large_temporary_table"},
        "distinct": {"large_temporary_table"},
        "join-on-text": {"join_without_index"},
        "dependent": {"dependent_subquery"},
        "intersect": {"index_merge_intersection"},
        "range-checked": {"range_checked_for_each_record"},
        "subquery-from": {"large_filesort", "large_derived_table"},
    },
    "mariadb-10.11": {
        "filesort": {"large_filesort"},
        "group": {"large_temporary_table"},
        "distinct": {"large_temporary_table"},
        "join-on-text": {"join_without_index"},
        "dependent": {"dependent_subquery"},
        "intersect": {"index_merge_intersection"},
        "range-checked": {"range_checked_for_each_record"},
        "subquery-from": {"large_filesort", "large_derived_table"},
    },
}


def recorded(release: str, name: str, form: str = "explain", schema: Schema = SHOP) -> Subject:
    flavor: Flavor = "mariadb" if release.startswith("mariadb") else "mysql"
    plan = read_plan(RECORDED[release][name][form], flavor)
    return of(shop.STATEMENTS[name], plan, flavor, VERSIONS[release], schema)


def of(
    sql: str,
    plan: Plan,
    flavor: Flavor = "mysql",
    version: tuple[int, int, int] = (8, 4, 0),
    schema: Schema = SHOP,
) -> Subject:
    return Subject(sql, parsed(sql), flavor, version, schema, plan)


def made(*nodes: PlanNode, analyzed: bool = False) -> Plan:
    return Plan(nodes[0] if len(nodes) == 1 else PlanNode("join", nodes), "0", analyzed=analyzed)


def read(name: str, access: str = "ALL", rows: float = 10_000, **rest: Any) -> PlanNode:
    return PlanNode("table", table=name, access=access, rows=rows, loops=1.0, **rest)


@pytest.mark.parametrize(
    ("release", "name"), [(release, name) for release in EXPECTED for name in shop.STATEMENTS]
)
def test_what_is_found_in_recorded_plans(release: str, name: str) -> None:
    found = {rule.id for rule in PLAN if list(rule.check(recorded(release, name)))}
    assert found == EXPECTED[release].get(name, set())


TOTAL = read("orders", condition="total = 5", filtered=10.0)

MADE: dict[str, tuple[list[Subject], list[Subject]]] = {
    "full_table_scan": (
        [
            of("SELECT id FROM orders WHERE total = 600", made(TOTAL)),
            of("SELECT o.id FROM orders o WHERE o.total = 600", made(replace(TOTAL, table="o"))),
            of("SELECT id FROM orders WHERE total = 600", made(replace(TOTAL, filtered=100.0)), "mariadb", (10, 11, 0)),
        ],
        [
            of("SELECT id FROM orders", made(read("orders"))),
            of("SELECT id FROM orders WHERE total > 3", made(replace(TOTAL, filtered=33.3))),
            of("SELECT id FROM orders WHERE total > 3", made(replace(TOTAL, filtered=100.0)), "mariadb", (10, 11, 0)),
            of("SELECT id FROM product WHERE price = 3", made(read("product", rows=300, condition="x", filtered=10.0))),
            of("SELECT id FROM orders WHERE id = 3", made(read("orders", "const", 1))),
            of("SELECT id FROM orders WHERE note = 'x'", made(TOTAL)),
        ],
    ),
    "full_index_scan": (
        [
            of("SELECT a FROM composite WHERE b = 7", made(read("composite", "index", key="ab", condition="b = 7", filtered=10.0))),
            of("SELECT c.a FROM composite c WHERE c.b = 7", made(read("c", "index", key="ab", condition="b = 7", filtered=1.0))),
            of("SELECT a FROM composite WHERE b = 7", made(read("composite", "index", key="ab", condition="b"))),
        ],
        [
            of("SELECT a FROM composite", made(read("composite", "index", key="ab"))),
            of("SELECT a FROM composite WHERE b > 7", made(read("composite", "index", key="ab", condition="b", filtered=33.3))),
            of("SELECT a FROM composite WHERE b = 7", made(read("composite", "index", 500, key="ab", condition="b", filtered=10.0))),
            of("SELECT a FROM composite WHERE a = 7", made(read("composite", "ref", key="ab", condition="b", filtered=10.0))),
            of("SELECT a FROM composite WHERE a = 1 AND b = 7", made(read("composite", "index", key="ab", condition="b", filtered=10.0))),
        ],
    ),
    "index_not_used": (
        [
            of("SELECT note FROM orders WHERE status = 2", made(read("orders", possible_keys=("status",), condition="x", filtered=2.0))),
            of("SELECT note FROM orders WHERE status = 2", made(read("orders", possible_keys=("status",), condition="x", filtered=10.0))),
            of("SELECT o.note FROM orders o WHERE o.status = 2", made(read("o", possible_keys=("status",), condition="x", filtered=1.0))),
        ],
        [
            of("SELECT note FROM orders WHERE status = 1", made(read("orders", possible_keys=("status",), condition="x", filtered=98.0))),
            of("SELECT note FROM orders WHERE status = 2", made(read("orders", "ref", key="status", possible_keys=("status",)))),
            of("SELECT note FROM orders WHERE status = 2",
               made(read("orders", rows=90, possible_keys=("status",), condition="x", filtered=2.0))),
            of("SELECT note FROM orders WHERE total = 2", made(TOTAL)),
            of("SELECT note FROM orders", made(read("orders", possible_keys=("status",)))),
        ],
    ),
    "cartesian_join": (
        [
            of("SELECT COUNT(*) FROM item a, item b", made(read("a"), read("b", join_buffer=True))),
            of("SELECT a.sku FROM item a JOIN orders o WHERE a.line = 2 AND o.status = 1", made(read("a"), read("o"))),
            of("SELECT 1 FROM customer c CROSS JOIN visit v", made(read("c", "index"), read("v", "index"))),
        ],
        [
            of("SELECT COUNT(*) FROM item a, item b WHERE a.sku = b.sku", made(read("a"), read("b"))),
            of("SELECT COUNT(*) FROM item a JOIN item b USING (sku)", made(read("a"), read("b"))),
            of("SELECT COUNT(*) FROM item a, product p", made(read("p", rows=1), read("a"))),
            of("SELECT COUNT(*) FROM item a JOIN item b ON a.sku > b.sku", made(read("a"), read("b"))),
            of("SELECT COUNT(*) FROM item", made(read("item"))),
            of("SELECT 1 FROM product p, product q", made(read("p", rows=300), read("q", rows=300))),
        ],
    ),
    "low_selectivity_index": (
        [
            of("SELECT id FROM orders WHERE status = 1 AND total = 5", made(read("orders", "ref", 5_000, key="status", filtered=10.0))),
            of("SELECT note FROM orders WHERE status = 1 AND total = 5", made(read("orders", "ref", 2_000, key="status", filtered=1.0))),
            of("SELECT o.id FROM orders o WHERE o.status = 1 AND o.total = 5", made(read("o", "ref", 9_800, key="status", filtered=20.0))),
        ],
        [
            of("SELECT id FROM orders WHERE status = 1", made(read("orders", "ref", 5_000, key="status", filtered=100.0))),
            of("SELECT id FROM orders WHERE status = 1 AND total = 5", made(read("orders", "ref", 500, key="status", filtered=10.0))),
            of("SELECT id FROM orders WHERE status = 1 AND total > 5", made(read("orders", "ref", 5_000, key="status", filtered=33.3))),
            of("SELECT status FROM orders WHERE status = 1",
               made(read("orders", "ref", 5_000, key="status", filtered=10.0, covering=True))),
            of("SELECT level FROM tiny_log WHERE level = 1", made(read("tiny_log", "ref", 3, key="level", filtered=10.0))),
        ],
    ),
    "estimate_far_off": (
        [
            of("SELECT id FROM orders WHERE status = 2", made(read("orders", rows=9_000, actual_rows=200), analyzed=True)),
            of("SELECT id FROM orders WHERE status = 2", made(read("orders", rows=5, actual_rows=7_000), analyzed=True)),
            of("SELECT o.id FROM orders o WHERE o.status = 2", made(read("o", "ref", 1, actual_rows=1_500), analyzed=True)),
        ],
        [
            of("SELECT id FROM orders WHERE status = 2", made(read("orders", rows=200, actual_rows=190), analyzed=True)),
            of("SELECT id FROM orders WHERE status = 2", made(read("orders", rows=2, actual_rows=30), analyzed=True)),
            of("SELECT id FROM orders WHERE status = 2", made(read("orders", rows=9_000, actual_rows=200))),
            of("SELECT id FROM orders LIMIT 10", made(read("orders", rows=10_000, actual_rows=10), analyzed=True)),
            of("SELECT id FROM orders", made(read("orders", rows=10_000), analyzed=True)),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", MADE)
def test_it_finds_and_stays_quiet(rule: str) -> None:
    found, quiet = MADE[rule]
    assert len(found) >= 3
    assert len(quiet) >= 5
    for one in found:
        assert list(BY_ID[rule].check(one)) != [], one.sql
    for one in quiet:
        assert list(BY_ID[rule].check(one)) == [], (one.sql, one.plan)


def test_every_rule_finds_something_somewhere() -> None:
    seen = set(MADE) | {rule for by_name in EXPECTED.values() for rules in by_name.values() for rule in rules}
    assert seen == set(BY_ID)


@pytest.mark.parametrize("rule", PLAN, ids=lambda rule: rule.id)
def test_each_says_what_is_better(rule: Any) -> None:
    text, _, example = rule.explanation.partition("Example:")
    assert len(text.split()) > 15
    assert parsed(" ".join(example.split()))
    assert rule.needs == "plan"


@pytest.mark.parametrize("rule", PLAN, ids=lambda rule: rule.id)
def test_the_docstrings_example_is_found(rule: Rule) -> None:
    """With the plan of one of the rule's cases: of a recorded statement that differs from the example in what does not matter, or made."""
    sql = " ".join(rule.explanation.partition("Example:")[2].split())
    asked = [
        recorded(release, name)
        for release, by_name in EXPECTED.items()
        for name, rules in by_name.items()
        if rule.id in rules
    ]
    cases = (*asked, *MADE.get(rule.id, ([], []))[0])
    assert any(list(rule.check(replace(case, sql=sql, tree=parsed(sql)))) for case in cases)


def finding(rule: str, subject: Subject) -> Finding:
    (one,) = BY_ID[rule].check(subject)
    return one


def test_the_index_that_is_advised() -> None:
    for release in VERSIONS:
        assert "(`product_id`)" in finding("dependent_subquery", recorded(release, "dependent")).sql
        assert "(`sku`)" in finding("join_without_index", recorded(release, "join-on-text")).sql
    for release in EXPECTED:
        assert "(`total`)" in finding("large_temporary_table", recorded(release, "group")).sql
    merged = finding("index_merge_intersection", recorded("mysql-9.7", "intersect"))
    assert "(`status`, `customer_id`)" in merged.sql
    low = finding("low_selectivity_index", MADE["low_selectivity_index"][0][0])
    assert low.sql == (
        "ALTER TABLE `shop`.`orders` ADD INDEX `ix_orders_status_total` (`status`, `total`), ALGORITHM=INPLACE, LOCK=NONE"
    )
    wide = of(
        "SELECT customer_id FROM orders WHERE total = 5 AND placed > '2026-01-01' ORDER BY status",
        made(TOTAL),
    )
    assert "(`total`, `placed`, `customer_id`, `status`)" in finding("full_table_scan", wide).sql


def test_nothing_is_said_without_a_plan_or_a_schema() -> None:
    for sql in shop.STATEMENTS.values():
        blind = Subject(sql, parsed(sql), schema=SHOP)
        assert [rule.id for rule in PLAN if list(rule.check(blind))] == []
    # Without the statement's tree a plan still tells what it does, only no index can be named.
    untold = replace(recorded("mysql-9.7", "dependent"), tree=None)
    assert finding("dependent_subquery", untold).sql == ""


def test_rows_that_come_out_of_a_step() -> None:
    outer, inner = (
        read("a", rows=100, filtered=50.0),
        PlanNode("table", table="b", access="ref", rows=4.0, loops=50.0),
    )
    join = PlanNode("join", (outer, inner))
    assert produced(join) == 200
    assert produced(PlanNode("union", (join, outer))) == 250
    assert produced(PlanNode("group", (join,))) is None
    assert produced(PlanNode("filesort", (join,), actual_rows=7.0)) == 7
    assert produced(PlanNode("derived", (PlanNode("filesort", (join,)),))) == 200
