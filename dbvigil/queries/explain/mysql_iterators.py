"""MySQL's EXPLAIN FORMAT=JSON, version 2 (8.3 and later): a tree of iterators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dbvigil.queries.explain.reading import mapping, mappings, number, text, texts
from dbvigil.queries.plan import Operation, PlanNode

Object = Mapping[str, Any]

# Not read, knowingly: the words of `operation` but for what nothing else tells; used_columns, filter_columns, ranges, sort_fields and
# functions, which the statement itself names; estimated_first_row_cost; query, query_type, json_schema_version; alias before name,
# because a statement speaks of the alias.
_ACCESS = {
    "index_scan": "index",
    "index_lookup": "ref",
    "index_range_scan": "range",
    "index_skip_scan": "range",
    "group_index_skip_scan": "range",
    "multi_range_read": "range",
    "full_text_search": "fulltext",
    "dynamic_index_range_scan": "ALL",
}
_OPERATIONS: dict[str, Operation] = {
    "join": "join",
    "sort": "filesort",
    "limit": "limit",
    "aggregate": "group",
    "temp_table_aggregate": "group",
    "window": "window",
    "append": "union",
    "materialize": "materialized",
    "materialized_table_function": "materialized",
    "stream": "derived",
    "rowid_union": "other",
    "rowid_intersection": "other",
}
# They only pass rows on; what is below them is the step.
_TRANSPARENT = frozenset({"filter", "limit_offset", "remove_duplicates", "alternative_plans_for_in_subquery"})


def root(document: Object) -> PlanNode:
    return _node(mapping(document.get("query_plan")), 1.0)


def total_cost(document: Object) -> float | None:
    return number(mapping(document.get("query_plan")).get("estimated_total_cost"))


def _node(plan: Object, loops: float | None) -> PlanNode:
    kind = text(plan.get("access_type"))
    if kind in {"table", "index", "constant_row", "scan_new_records"} or text(plan.get("table_name")):
        node = _table(plan, kind, loops)
    elif kind in _TRANSPARENT:
        node = _passed_on(plan, loops)
    else:
        node = _step(plan, kind, loops)
    listed = tuple(
        _as_subquery(one, loops)
        for key in ("inputs_from_select_list", "inputs_from_having", "inputs_from_order_by")
        for one in mappings(plan.get(key))
    )
    return replace(node, children=(*node.children, *listed)) if listed else node


def _passed_on(plan: Object, loops: float | None) -> PlanNode:
    """What is below a filter, with the filter's condition; the subqueries of the condition are beside it in the document."""
    inputs = list(mappings(plan.get("inputs")))
    if not inputs:
        return PlanNode("other", extra=_said(plan))
    node = _node(inputs[0], loops)
    subqueries = tuple(_as_subquery(one, number(plan.get("estimated_rows"))) for one in inputs[1:])
    condition = " and ".join(one for one in (node.condition, text(plan.get("condition"))) if one)
    after, before = number(plan.get("estimated_rows")), number(inputs[0].get("estimated_rows"))
    filtered = node.filtered
    if node.operation == "table" and filtered is None and after is not None and before:
        filtered = min(100.0, after / before * 100)
    return replace(node, condition=condition, filtered=filtered, children=(*node.children, *subqueries))


def _as_subquery(plan: Object, loops: float | None) -> PlanNode:
    dependent = plan.get("dependent") is True
    return PlanNode("subquery", (_node(plan, loops if dependent else 1.0),), dependent=dependent)


def _table(plan: Object, kind: str, loops: float | None) -> PlanNode:
    name = text(plan.get("alias")) or text(plan.get("table_name"))
    below = tuple(_node(one, 1.0) for one in mappings(plan.get("inputs")))
    if name.startswith("<") and below:
        # The reading of a temporary table: the step that fills it is what counts.
        return below[0] if len(below) == 1 else PlanNode("temporary", below)
    access = _ACCESS.get(text(plan.get("index_access_type")), "ALL" if kind != "constant_row" else "const")
    if access == "ref" and text(plan.get("operation")).startswith("Single-row"):
        access = "eq_ref"
    key = text(plan.get("index_name")) or None
    return PlanNode(
        "table",
        tuple(replace(one, operation="derived") if one.operation == "materialized" else one for one in below),
        table=name,
        schema=text(plan.get("schema_name")),
        access=access,
        key=None if access == "ALL" else key,
        used_key_parts=texts(plan.get("key_columns")),
        rows=number(plan.get("estimated_rows")),
        actual_rows=number(plan.get("actual_rows")),
        loops=number(plan.get("actual_loops")) or loops,
        cost=number(plan.get("estimated_total_cost")),
        covering=plan.get("covering") is True,
        condition=text(plan.get("pushed_index_condition")),
    )


def _step(plan: Object, kind: str, loops: float | None) -> PlanNode:
    operation = _OPERATIONS.get(kind, "other")
    if operation == "materialized":
        operation = "union" if plan.get("union") is True else operation
        operation = "distinct" if plan.get("temp_table") is True else operation
    below: list[PlanNode] = []
    for number_, one in enumerate(mappings(plan.get("inputs"))):
        node = _as_subquery(one, loops) if one.get("subquery") is True else _node(one, loops)
        if operation == "join" and number_ == 0:
            # What the first input gives is how often the second is visited; a hash join reads it once.
            given = number(one.get("estimated_rows"))
            looping = plan.get("join_algorithm") == "nested_loop"
            loops = (None if given is None or loops is None else loops * given) if looping else loops
        elif operation == "join" and plan.get("join_algorithm") == "hash" and node.operation == "table":
            node = replace(node, join_buffer=True)
        below.append(node)
    made = PlanNode(
        operation,
        tuple(below),
        rows=number(plan.get("estimated_rows")),
        actual_rows=number(plan.get("actual_rows")),
        cost=number(plan.get("estimated_total_cost")),
        condition=text(plan.get("condition")),
        extra=_said(plan) if operation in {"other", "join"} else (),
    )
    if kind == "temp_table_aggregate":
        return replace(made, operation="group", children=(PlanNode("temporary", made.children),))
    return made


def _said(plan: Object) -> tuple[str, ...]:
    words = text(plan.get("zero_rows_cause")) or text(plan.get("join_type")) or text(plan.get("operation"))
    return (words,) if words else ()
