"""MySQL's EXPLAIN FORMAT=JSON, version 1: steps nested as the keys of query blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dbvigil.queries.explain.reading import mapping, mappings, number, text, texts, whole
from dbvigil.queries.plan import Operation, PlanNode

Object = Mapping[str, Any]
Steps = tuple[PlanNode, ...]

# Not read, knowingly: select_id; rows_produced_per_join and data_read_per_join (they follow from rows and filtered); used_columns;
# read_cost and eval_cost (prefix_cost is their sum so far); names, keys and functions of windows; optimized_away_subqueries, which
# never run.
_SUBQUERIES = (
    "attached_subqueries", "select_list_subqueries", "having_subqueries", "group_by_subqueries", "order_by_subqueries",
    "update_value_subqueries",
)  # fmt: skip
_MARKS = {
    "not_exists": "not exists",
    "first_match": "first match",
    "loosescan": "loose scan",
    "using_MRR": "multi-range read",
    "using_index_for_group_by": "index for group by",
    "range_checked_for_each_record": "range checked for each record",
    "recursive": "recursive",
    "message": "",
    "ft_hints": "",
}


def steps(block: Object) -> Steps:
    """The steps right below an object of the plan, in the order in which they are written."""
    found: list[PlanNode] = []
    for key, value in block.items():
        reader = _READERS.get(key)
        if reader is not None:
            for one in mappings(value) if key != "nested_loop" else (block,):
                found.extend(reader(one))
    if not found and text(block.get("message")):
        return (PlanNode("other", extra=(text(block["message"]),)),)
    return tuple(found)


def total_cost(document: Object) -> float | None:
    return number(mapping(mapping(document.get("query_block")).get("cost_info")).get("query_cost"))


def _table(table: Object) -> Steps:
    name = text(table.get("table_name"))
    if not name:
        return steps(table) or (PlanNode("other", extra=_marks(table)),)
    access, joined = text(table.get("access_type")) or None, table.get("using_join_buffer")
    return (
        PlanNode(
            "table",
            steps(table),
            table=name,
            access=access,
            possible_keys=texts(table.get("possible_keys")),
            key=text(table.get("key")) or None,
            used_key_parts=texts(table.get("used_key_parts")),
            key_length=whole(table.get("key_length")),
            rows=number(table.get("rows_examined_per_scan")),
            filtered=number(table.get("filtered")),
            cost=number(mapping(table.get("cost_info")).get("prefix_cost")),
            covering=table.get("using_index") is True,
            condition=text(table.get("attached_condition")) or text(table.get("index_condition")),
            join_buffer=bool(joined),
            extra=_marks(table, *((text(joined),) if joined else ())),
        ),
    )


def _marks(table: Object, *others: str) -> tuple[str, ...]:
    said = [name or text(table[key]) for key, name in _MARKS.items() if table.get(key)]
    return tuple(one for one in (*said, *others) if one)


def _join(block: Object) -> Steps:
    """The tables of a nested loop, each with how often it is expected to be visited."""
    visited: list[PlanNode] = []
    loops: float | None = 1.0
    for entry in mappings(block["nested_loop"]):
        for node in steps(entry):
            if node.operation != "table":
                visited.append(node)
                continue
            visited.append(replace(node, loops=loops))
            if loops is not None and node.rows is not None:
                loops *= node.rows * (100.0 if node.filtered is None else node.filtered) / 100
            else:
                loops = None
    return (PlanNode("join", tuple(visited)),)


def _wrapper(operation: Operation) -> Callable[[Object], Steps]:
    """A step that may sort what comes into it and keep it in a temporary table."""

    def read(block: Object) -> Steps:
        inner = steps(block)
        if block.get("using_temporary_table") is True:
            inner = (PlanNode("temporary", inner),)
        sorts = block.get("using_filesort") is True or any(
            one.get("using_filesort") is True for one in mappings(block.get("windows"))
        )
        if sorts:
            inner = (PlanNode("filesort", inner),)
        return inner if operation == "filesort" else (PlanNode(operation, inner),)

    return read


def _subquery(operation: Operation) -> Callable[[Object], Steps]:
    def read(block: Object) -> Steps:
        cacheable = block.get("cacheable")
        return (
            PlanNode(
                operation,
                steps(block),
                dependent=block.get("dependent") is True,
                cacheable=cacheable if isinstance(cacheable, bool) else None,
                extra=("recursive",) if block.get("recursive") is True else (),
            ),
        )

    return read


_READERS: dict[str, Callable[[Object], Steps]] = {
    "query_block": steps,
    "table": _table,
    "nested_loop": _join,
    "ordering_operation": _wrapper("filesort"),
    "grouping_operation": _wrapper("group"),
    "duplicates_removal": _wrapper("distinct"),
    "buffer_result": _wrapper("temporary"),
    "windowing": _wrapper("window"),
    "union_result": _wrapper("union"),
    "unary_result": _wrapper("union"),
    "intersect_result": _wrapper("union"),
    "except_result": _wrapper("union"),
    "query_specifications": _subquery("subquery"),
    "materialized_from_subquery": _subquery("derived"),
    **dict.fromkeys(_SUBQUERIES, _subquery("subquery")),
}
