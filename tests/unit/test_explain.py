"""Plans as recorded from real servers, read into one tree; and documents that no server writes."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbvigil.queries.explain import changes, read_plan
from dbvigil.queries.plan import Plan, PlanNode
from dbvigil.types import Flavor
from tests.recorded.explain import shop

FOLDER = Path(__file__).parents[1] / "recorded/explain"
RELEASES = ("mariadb-10.11", "mariadb-11.8", "mysql-9.7")
RECORDED: dict[str, dict[str, dict[str, Any]]] = {
    release: json.loads((FOLDER / f"{release}.json").read_text()) for release in RELEASES
}
ALL = [
    (release, name, form)
    for release, plans in RECORDED.items()
    for name, forms in plans.items()
    for form in forms
]


def flavor(release: str) -> Flavor:
    return "mariadb" if release.startswith("mariadb") else "mysql"


def plan(release: str, name: str, form: str = "explain") -> Plan:
    return read_plan(RECORDED[release][name][form], flavor(release))


def operations(one: Plan) -> set[str]:
    return {node.operation for node in one.root.walk()}


def tables(one: Plan) -> list[tuple[str, str | None, str | None]]:
    return [(node.table, node.access, node.key) for node in one.tables]


FORMS = [(release, form) for release in RELEASES for form in RECORDED[release]["const"]]


@pytest.mark.parametrize("release", RELEASES)
def test_every_statement_is_recorded_in_every_form(release: str) -> None:
    assert list(RECORDED[release]) == list(shop.STATEMENTS)


@pytest.mark.parametrize(("release", "name", "form"), ALL)
def test_every_table_of_a_recording_is_in_the_tree(release: str, name: str, form: str) -> None:
    document = RECORDED[release][name][form]
    named: list[str] = []

    def collect(value: object) -> None:
        if isinstance(value, dict):
            if "table_name" in value and ("access_type" in value or "alias" in value):
                named.append(value.get("alias") or value["table_name"])
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    collect(document)
    read = plan(release, name, form)
    # Readings of temporary tables have no name of their own in the tree where what fills them is there.
    assert {one for one in named if not one.startswith("<")} <= {node.table for node in read.tables}
    assert read.warnings == ()
    assert json.loads(json.dumps(read.to_dict()))["hash"] == read.hash
    for node in read.tables:
        assert node.access is not None or node.table.startswith("<"), node


@pytest.mark.parametrize(("release", "form"), FORMS)
def test_access_and_key(release: str, form: str) -> None:
    ((table, access, key),) = tables(plan(release, "full-scan", form))
    assert (table, access, key) == ("orders", "ALL", None)
    assert tables(plan(release, "range", form)) == [("orders", "range", "placed")]
    assert tables(plan(release, "ref", form)) == [("orders", "ref", "customer")]
    assert tables(plan(release, "fulltext", form)) == [("product", "fulltext", "title")]
    ((_, access, key),) = tables(plan(release, "full-index-scan", form))
    assert (access, key) == ("index", "country")
    (node,) = plan(release, "full-index-scan", form).tables
    assert node.covering
    (node,) = plan(release, "ref", form).tables
    assert (node.used_key_parts, node.rows, node.loops) == (("customer_id",), 5.0, 1.0)


@pytest.mark.parametrize(("release", "form"), FORMS)
def test_steps_above_the_tables(release: str, form: str) -> None:
    assert "filesort" in operations(plan(release, "filesort", form))
    assert {"filesort", "temporary"} <= operations(plan(release, "group", form))
    assert "union" in operations(plan(release, "union", form))
    assert {"window", "filesort"} <= operations(plan(release, "window", form))
    assert operations(plan(release, "derived", form)) & {"derived", "materialized"}
    assert "join" in operations(plan(release, "join", form))


@pytest.mark.parametrize(("release", "form"), FORMS)
def test_a_dependent_subquery(release: str, form: str) -> None:
    for name in ("dependent", "dependent-where"):
        assert [node.operation for node in plan(release, name, form).root.walk() if node.dependent] == [
            "subquery"
        ]
    for name in ("derived", "not-in-subquery", "union"):
        assert not any(node.dependent for node in plan(release, name, form).root.walk())


@pytest.mark.parametrize(("release", "form"), FORMS)
def test_a_join_without_an_index_goes_through_a_buffer(release: str, form: str) -> None:
    assert [node.join_buffer for node in plan(release, "join-on-text", form).tables] == [False, True]
    assert not any(node.join_buffer for node in plan(release, "join", form).tables)


@pytest.mark.parametrize(("release", "form"), FORMS)
def test_how_often_the_inner_table_of_a_join_is_visited(release: str, form: str) -> None:
    customer, orders = plan(release, "join", form).tables
    assert (customer.table, orders.table, customer.loops) == ("c", "o", 1.0)
    assert orders.loops == pytest.approx(400)


@pytest.mark.parametrize("release", ["mariadb-10.11", "mariadb-11.8"])
def test_what_was_counted(release: str) -> None:
    counted = plan(release, "join-without-index", "analyze")
    assert counted.analyzed
    assert [(node.table, node.actual_rows, node.loops) for node in counted.tables] == [
        ("i", 20_000, 1),
        ("p", 1, 20_000),
    ]
    assert not plan(release, "join-without-index").analyzed


def test_costs_where_a_server_has_them() -> None:
    assert plan("mysql-9.7", "full-scan").cost == pytest.approx(1038.25, rel=0.1)
    assert plan("mysql-9.7", "full-scan", "version-2").cost == pytest.approx(1038.25, rel=0.1)
    assert plan("mariadb-11.8", "full-scan").cost is not None
    assert plan("mariadb-10.11", "full-scan").cost is None


def test_possible_keys_and_merged_indexes() -> None:
    for release in RELEASES:
        (node,) = plan(release, "index-merge").tables
        assert (node.access, node.key) == ("index_merge", "union(customer,status)")
        assert set(node.possible_keys) == {"customer", "status"}
    (node,) = plan("mariadb-10.11", "intersect").tables
    assert node.key == "intersect(customer,status)"


def test_one_shape_has_one_hash() -> None:
    one = RECORDED["mysql-9.7"]["join"]["explain"]
    other = copy.deepcopy(one)
    other["query_block"]["nested_loop"][0]["table"]["rows_examined_per_scan"] = 77
    assert read_plan(one, "mysql").hash == read_plan(other, "mysql").hash
    other["query_block"]["nested_loop"][0]["table"]["key"] = "another"
    assert read_plan(one, "mysql").hash != read_plan(other, "mysql").hash
    hashes = {plan("mysql-9.7", name).hash for name in shop.STATEMENTS}
    # Alike are: what reads no table at all (three of them), and a whole index with and without LIMIT.
    assert len(hashes) == len(shop.STATEMENTS) - 3


def test_changes_are_said_in_words() -> None:
    scan = Plan(PlanNode("table", table="o", access="ALL"), "a")
    ref = Plan(PlanNode("table", table="o", access="ref", key="status"), "b")
    assert changes(scan, scan) == []
    assert changes(ref, scan) == ["o: ref access by index status before, reads the whole table now"]
    both = (PlanNode("table", table="a", access="index", key="k"), PlanNode("table", table="b", access="ALL"))
    one, other = (Plan(PlanNode("join", order), name) for order, name in ((both, "c"), (both[::-1], "d")))
    assert changes(one, other) == ["join order: a, b before, b, a now"]
    assert changes(one, scan) == [
        "a is no longer read",
        "b is no longer read",
        "o is read now: reads the whole table",
    ]
    sorted_ = Plan(PlanNode("filesort", (PlanNode("subquery", (scan.root,), dependent=True),)), "e")
    assert changes(scan, sorted_) == ["a sort more than before", "a subquery runs for each outer row now"]
    assert changes(sorted_, scan)[-1] == "a subquery that ran for each outer row no longer does"
    assert changes(scan, Plan(PlanNode("limit", (scan.root,)), "f")) == ["the steps are arranged differently"]


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["table", "nested_loop", "query_block", "table_name", "rows", "inputs"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


def _places(value: Any, change: Callable[[Any], None]) -> int:
    """Calls `change` with every container that has something in it; how many there are."""
    count = 0
    if isinstance(value, dict | list) and value:
        count = 1
        for inner in list(value.values() if isinstance(value, dict) else value):
            count += _places(inner, change)
        change(value)
    return count


@settings(max_examples=150)
@given(st.sampled_from(ALL), st.data())
def test_no_damaged_document_breaks_the_reader(case: tuple[str, str, str], data: st.DataObject) -> None:
    release, name, form = case
    document = copy.deepcopy(RECORDED[release][name][form])
    containers: list[Any] = []
    _places(document, containers.append)
    for _ in range(data.draw(st.integers(1, 3))):
        container = data.draw(st.sampled_from(containers))
        if isinstance(container, dict):
            keys = sorted(container)
            key: Any = data.draw(st.sampled_from(keys)) if keys else "table"
        else:
            key = 0
        if isinstance(container, dict) or container:
            container[key] = data.draw(ODD)
    for kind in ("mysql", "mariadb"):
        read = read_plan(document, kind)
        assert len(read.hash) == 16
        json.dumps(read.to_dict())


@given(ODD | st.text(max_size=20) | st.binary(max_size=20))
def test_no_document_at_all_breaks_the_reader(document: object) -> None:
    assert read_plan(document, "mysql").root.operation
    assert read_plan(document, "mariadb").root.operation


def test_a_bottomless_document_is_told() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"query_block": deep}
    assert read_plan(deep, "mysql").warnings == ("the server's plan is nested too deeply to be read",)
    assert read_plan('{"query_block":' * 50_000, "mariadb").warnings != ()
