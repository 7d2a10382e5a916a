"""The shape of a plan: its hash, and what changed between two."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from dbvigil.queries.plan import Plan, PlanNode

_SCANS = {"ALL": "reads the whole table", "index": "reads a whole index"}
_STEPS = {
    "filesort": "a sort",
    "temporary": "a temporary table",
    "derived": "a materialised derived table",
    "materialized": "a materialised subquery",
}


def shape_hash(root: PlanNode) -> str:
    """16 hex digits over steps, tables, access, keys and order; figures and conditions do not count."""
    written = "\n".join(_lines(root, 0))
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _lines(node: PlanNode, depth: int) -> Iterable[str]:
    marks = (node.schema, node.table, node.access, node.key, node.covering, node.dependent, node.join_buffer)
    yield f"{depth} {node.operation} {marks!r}"
    for child in node.children:
        yield from _lines(child, depth + 1)


def changes(before: Plan, after: Plan) -> list[str]:
    """What differs between two plans of one statement, a sentence each; empty where the shape is the same."""
    if before.hash == after.hash:
        return []
    said: list[str] = []
    old, new = _by_name(before), _by_name(after)
    for name in old.keys() & new.keys():
        was, now = _access(old[name]), _access(new[name])
        if was != now:
            said.append(f"{name}: {was} before, {now} now")
    said.sort()
    said += [f"{name} is no longer read" for name in old if name not in new]
    said += [f"{name} is read now: {_access(new[name])}" for name in new if name not in old]
    order_before = [name for name in old if name in new]
    order_after = [name for name in new if name in old]
    if order_before != order_after:
        said.append(f"join order: {', '.join(order_before)} before, {', '.join(order_after)} now")
    for operation, words in _STEPS.items():
        count = _count(after, operation) - _count(before, operation)
        if count:
            said.append(f"{words} {'more' if count > 0 else 'fewer'} than before")
    if _dependent(before) != _dependent(after):
        said.append(
            "a subquery runs for each outer row now"
            if _dependent(after) > _dependent(before)
            else "a subquery that ran for each outer row no longer does"
        )
    return said or ["the steps are arranged differently"]


def _by_name(plan: Plan) -> dict[str, PlanNode]:
    """Each table under the name that the statement gives it; a second of the same name is numbered."""
    found: dict[str, PlanNode] = {}
    for node in plan.tables:
        name, again = node.table, 2
        while name in found:
            name, again = f"{node.table} ({again})", again + 1
        found[name] = node
    return found


def _access(node: PlanNode) -> str:
    if node.access in _SCANS:
        words = _SCANS[node.access]
        words += f" {node.key}" if node.access == "index" and node.key else ""
    else:
        words = (
            f"{node.access or 'unknown'} access by index {node.key}"
            if node.key
            else f"{node.access or 'unknown'} access"
        )
    words += " alone" if node.covering and node.access != "ALL" else ""
    return words + (" through a join buffer" if node.join_buffer else "")


def _count(plan: Plan, operation: str) -> int:
    return sum(node.operation == operation for node in plan.root.walk())


def _dependent(plan: Plan) -> int:
    return sum(node.dependent for node in plan.root.walk())
