"""What rules ask of a plan: whose table a step reads, and how many rows come out of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dbvigil.queries.plan import PlanNode
from dbvigil.queries.rules.base import Subject
from dbvigil.queries.rules.ddl import index_for
from dbvigil.queries.rules.names import Block, blocks
from dbvigil.queries.schema import Table


@dataclass(frozen=True, slots=True)
class Read:
    """A step that reads a table of the statement's own; `table` and `block` are None where it cannot be told which."""

    node: PlanNode
    table: Table | None
    block: Block | None

    @property
    def name(self) -> str:
        if self.table is None or self.table.name.lower() == self.node.table.lower():
            return self.node.table
        return f"{self.table.name} ({self.node.table})"

    def index(self) -> str:
        """The DDL of an index for it; "" where none can be named."""
        return index_for(self.block, self.node.table.lower()) if self.block is not None else ""


def reads(subject: Subject) -> Iterator[Read]:
    """The tables that the plan reads, temporary ones left out."""
    if subject.plan is None:
        return
    known: dict[str, list[Block]] = {}
    for block in blocks(subject):
        for alias in block.sources:
            known.setdefault(alias, []).append(block)
    for node in subject.plan.tables:
        if node.table.startswith("<") or any(child.operation == "derived" for child in node.children):
            continue
        places = known.get(node.table.lower(), [])
        # One alias in two queries of the statement: it cannot be told whose step this is.
        owner = places[0] if len(places) == 1 else None
        table = owner.sources[node.table.lower()] if owner else None
        if not places:
            table = subject.schema.table(node.table, node.schema)
        yield Read(node, table, owner)


def visits(node: PlanNode) -> float:
    return 1.0 if node.loops is None else max(node.loops, 1.0)


def produced(node: PlanNode) -> float | None:
    """The rows that come out of a step, as far as the figures of the tables below tell; None where they do not."""
    if node.actual_rows is not None and node.operation != "table":
        return node.actual_rows
    if node.operation == "table":
        rows = node.rows if node.actual_rows is None else node.actual_rows
        share = 100.0 if node.filtered is None else node.filtered
        return None if rows is None else rows * visits(node) * share / 100
    if node.operation == "join":
        return next(
            (produced(child) for child in reversed(node.children) if child.operation == "table"), node.rows
        )
    if node.operation == "union":
        parts = [produced(child) for child in node.children]
        return sum(part for part in parts if part is not None) if parts and None not in parts else node.rows
    first = next((child for child in node.children if child.operation != "subquery"), None)
    first = first or next(iter(node.children), None)
    # A grouping gives fewer rows than come in; only the server may say how many.
    if node.operation in {"group", "distinct", "limit"}:
        return node.rows
    return node.rows if first is None else produced(first)


def incoming(node: PlanNode) -> float | None:
    """The rows that go into a sort or a temporary table."""
    first = next((child for child in node.children if child.operation != "subquery"), None)
    return None if first is None else produced(first)


def with_parents(
    node: PlanNode, above: tuple[PlanNode, ...] = ()
) -> Iterator[tuple[PlanNode, tuple[PlanNode, ...]]]:
    """Every step with those above it, the nearest last."""
    yield node, above
    for child in node.children:
        yield from with_parents(child, (*above, node))
