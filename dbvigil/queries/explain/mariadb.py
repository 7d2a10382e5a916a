"""MariaDB's EXPLAIN FORMAT=JSON, and ANALYZE FORMAT=JSON, whose keys with `r_` are what was counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dbvigil.queries.explain.reading import mapping, mappings, number, text, texts, whole
from dbvigil.queries.plan import Operation, PlanNode

Object = Mapping[str, Any]
Steps = tuple[PlanNode, ...]

# Not read, knowingly: select_id and the word of a query's part in a union; sort_key and having_condition, which the statement names;
# every r_…time_ms, buffer size and cache figure; pages_accessed, which ANALYZE's readers take from the document itself.
_MARKS = {
    "not_exists": "not exists",
    "first_match": "first match",
    "loose_scan": "loose scan",
    "mrr_type": "multi-range read",
    "distinct": "distinct",
    "using_index_for_group_by": "index for group by",
    "rowid_filter": "rowid filter",
}


def steps(block: Object) -> Steps:
    """The steps right below an object of the plan, in the order in which they are written."""
    found: list[PlanNode] = []
    for key, value in block.items():
        reader = _READERS.get(key)
        if reader is not None:
            for one in mappings(value) if key not in _LISTS else (block,):
                found.extend(reader(one))
    if not found and text(block.get("message")):
        return (PlanNode("other", extra=(text(block["message"]),)),)
    return tuple(found)


def total_cost(document: Object) -> float | None:
    """There since MariaDB 11.0."""
    return number(mapping(document.get("query_block")).get("cost"))


def analyzed(document: Object) -> bool:
    block = mapping(document.get("query_block"))
    return "r_loops" in block or "r_total_time_ms" in block or "query_optimization" in document


def _table(table: Object) -> Steps:
    name = text(table.get("table_name"))
    if not name:
        return steps(table) or (PlanNode("other", extra=("no table",)),)
    counted = number(table.get("r_filtered"))
    merged = mapping(table.get("index_merge"))
    return (
        PlanNode(
            "table",
            steps(table),
            table=name,
            access=text(table.get("access_type")) or None,
            possible_keys=texts(table.get("possible_keys")),
            key=text(table.get("key")) or _merged(merged) or None,
            used_key_parts=texts(table.get("used_key_parts")),
            key_length=whole(table.get("key_length")),
            rows=number(table.get("rows")),
            actual_rows=number(table.get("r_rows")),
            loops=number(table.get("r_loops")) or number(table.get("loops")),
            filtered=number(table.get("filtered")) if counted is None else counted,
            cost=number(table.get("cost")),
            covering=table.get("using_index") is True,
            condition=text(table.get("attached_condition")) or text(table.get("index_condition")),
            extra=tuple(name for key, name in _MARKS.items() if table.get(key)),
        ),
    )


def _merged(merge: Object) -> str:
    """An index merge as MySQL writes it: `union(a,b)`."""
    for kind in ("union", "intersect", "sort_union"):
        keys = [text(mapping(one.get("range")).get("key")) for one in mappings(merge.get(kind))]
        if any(keys):
            return f"{kind}({','.join(keys)})"
    return ""


def _join(block: Object) -> Steps:
    return _loop(block["nested_loop"])


def _duplicates(block: Object) -> Steps:
    """A semi-join whose doubled rows are thrown away."""
    return _loop(block["duplicates_removal"])


def _loop(entries: object) -> Steps:
    """Each table with how often it is visited: as the server says, else as its neighbours' rows tell."""
    visited: list[PlanNode] = []
    loops: float | None = 1.0
    for entry in mappings(entries):
        for node in steps(entry):
            first = next((one for one in node.walk() if one.operation == "table"), None)
            if node.operation == "table" and node.loops is None:
                visited.append(replace(node, loops=loops))
            else:
                visited.append(node)
            if loops is not None and first is not None and first.rows is not None:
                loops *= first.rows * (100.0 if first.filtered is None else first.filtered) / 100
            else:
                loops = None
    if len(visited) == 1:
        return tuple(visited)
    return (PlanNode("join", tuple(visited)),)


def _buffered(block: Object) -> Steps:
    return tuple(
        replace(node, join_buffer=True, extra=(*node.extra, text(block.get("join_type"))))
        if node.operation == "table"
        else node
        for node in steps(block)
    )


def _each_record(block: Object) -> Steps:
    return tuple(replace(node, extra=(*node.extra, "range checked for each record")) for node in steps(block))


def _filesort(block: Object) -> Steps:
    spilled = number(block.get("r_sort_passes"))
    return (
        PlanNode(
            "filesort",
            steps(block),
            actual_rows=number(block.get("r_output_rows")),
            disk=None if spilled is None else spilled > 0,
        ),
    )


def _plain(operation: Operation, *, dependent: bool = False) -> Callable[[Object], Steps]:
    def read(block: Object) -> Steps:
        return (PlanNode(operation, steps(block), dependent=dependent),)

    return read


def _subqueries(block: Object) -> Steps:
    """A cache of a subquery's answers is there only where the answer depends on the outer row."""
    found: list[PlanNode] = []
    for entry in mappings(block.get("subqueries")):
        cached = "expression_cache" in entry or "subquery_cache" in entry
        found.append(PlanNode("subquery", steps(entry), dependent=cached))
    return tuple(found)


def _windows(block: Object) -> Steps:
    inner = steps(block)
    if any("filesort" in one for one in mappings(block.get("sorts"))):
        inner = (PlanNode("filesort", inner),)
    return (PlanNode("window", inner),)


_LISTS = frozenset({"nested_loop", "duplicates_removal", "subqueries"})
_READERS: dict[str, Callable[[Object], Steps]] = {
    "query_block": steps,
    "table": _table,
    "nested_loop": _join,
    "duplicates_removal": _duplicates,
    "read_sorted_file": steps,
    "filesort": _filesort,
    "temporary_table": _plain("temporary"),
    "block-nl-join": _buffered,
    "range-checked-for-each-record": _each_record,
    "subqueries": _subqueries,
    "expression_cache": steps,
    "subquery_cache": steps,
    "materialization": _plain("materialized"),
    "materialized": _plain("derived"),
    "recursive_union": _plain("union"),
    "union_result": _plain("union"),
    "query_specifications": _plain("subquery"),
    "window_functions_computation": _windows,
    "buffer_result": _plain("temporary"),
}
