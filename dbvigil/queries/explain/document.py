"""A plan out of whatever document a server wrote."""

from __future__ import annotations

import json
from dataclasses import replace

from dbvigil.queries.explain import mariadb, mysql, mysql_iterators
from dbvigil.queries.explain.reading import mapping, too_deep
from dbvigil.queries.explain.shape import shape_hash
from dbvigil.queries.plan import Plan, PlanNode
from dbvigil.types import Flavor

_TOO_DEEP = "the server's plan is nested too deeply to be read"
_UNREADABLE = "the server's plan is no JSON that can be read"


def read_plan(document: object, flavor: Flavor) -> Plan:
    """The plan in a decoded document, or in its JSON text. Never raises: what is not understood is a step "other"."""
    if isinstance(document, str | bytes):
        try:
            document = json.loads(document)
        except (ValueError, RecursionError):
            return _plan(PlanNode("other"), warnings=(_UNREADABLE,))
    if too_deep(document):
        return _plan(PlanNode("other"), warnings=(_TOO_DEEP,))
    body = mapping(document)
    if "query_plan" in body:
        return _plan(mysql_iterators.root(body), mysql_iterators.total_cost(body))
    if flavor == "mariadb":
        return _plan(_single(mariadb.steps(body)), mariadb.total_cost(body), analyzed=mariadb.analyzed(body))
    return _plan(_single(mysql.steps(body)), mysql.total_cost(body))


def _single(found: tuple[PlanNode, ...]) -> PlanNode:
    """One root: subqueries of the select list stand beside what they belong to."""
    return _counted(found[0] if len(found) == 1 else PlanNode("other", found))


def _counted(node: PlanNode) -> PlanNode:
    """A table that no loop visits is read once."""
    once = 1.0 if node.operation == "table" and node.loops is None and node.rows is not None else node.loops
    return replace(node, loops=once, children=tuple(_counted(child) for child in node.children))


def _plan(
    root: PlanNode, cost: float | None = None, *, analyzed: bool = False, warnings: tuple[str, ...] = ()
) -> Plan:
    return Plan(root, shape_hash(root), cost, analyzed, warnings)
