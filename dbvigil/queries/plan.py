"""An execution plan as one tree, whichever flavour explained it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

Operation = Literal[
    "table", "join", "filesort", "temporary", "group", "distinct", "union", "subquery", "derived", "materialized", "window", "limit",
    "other",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlanNode:
    """One step of a plan. What only tables have is None or empty on other steps.

    `access` is the field's word (ALL, index, range, ref, eq_ref, const, system, index_merge, fulltext, …), upper case only for ALL.
    `rows` is the estimate a loop, `actual_rows` the mean a loop where the plan was executed; `loops` how often (estimate or count).
    `filtered` is percent, as counted where the plan was executed. `dependent`: run again for each row of the outer query. `disk`: a
    temporary table or sort that went to disk, where that is known. `table` is the name that the plan gives: an alias, where there is one.
    """

    operation: Operation
    children: tuple[PlanNode, ...] = ()
    table: str = ""
    schema: str = ""
    access: str | None = None
    possible_keys: tuple[str, ...] = ()
    key: str | None = None
    used_key_parts: tuple[str, ...] = ()
    key_length: int | None = None
    rows: float | None = None
    actual_rows: float | None = None
    loops: float | None = None
    filtered: float | None = None
    cost: float | None = None
    covering: bool = False
    condition: str = ""
    dependent: bool = False
    cacheable: bool | None = None
    disk: bool | None = None
    join_buffer: bool = False
    extra: tuple[str, ...] = ()

    def walk(self) -> Iterator[PlanNode]:
        """This step and all below it, from the top."""
        yield self
        for child in self.children:
            yield from child.walk()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, what is not known left out."""
        body: dict[str, Any] = {"operation": self.operation}
        for name in _SHOWN:
            value = getattr(self, name)
            if value is not None and value not in ((), "", False):
                body[name] = list(value) if isinstance(value, tuple) else value
        if self.children:
            body["children"] = [child.to_dict() for child in self.children]
        return body

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Self:
        """From `to_dict`; what another version of this program wrote besides is left out. Raises `KeyError` for what is no step."""
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in body.items()
            if name in _SHOWN
        }
        children = tuple(cls.from_dict(child) for child in body.get("children", ()))
        return cls(operation=body["operation"], children=children, **known)


_SHOWN = (
    "schema", "table", "access", "possible_keys", "key", "used_key_parts", "key_length", "rows", "actual_rows", "loops", "filtered", "cost",
    "covering", "condition", "dependent", "cacheable", "disk", "join_buffer", "extra",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan. `cost` is in the server's own unit: comparable between plans of one server only.

    `hash` names its shape: tables, access, keys and order, without figures; two plans of one shape have the same.
    """

    root: PlanNode
    hash: str
    cost: float | None = None
    analyzed: bool = False
    warnings: tuple[str, ...] = field(default_factory=tuple)

    @property
    def tables(self) -> tuple[PlanNode, ...]:
        return tuple(node for node in self.root.walk() if node.operation == "table")

    def to_dict(self) -> dict[str, Any]:
        return {"hash": self.hash, "cost": self.cost, "analyzed": self.analyzed, "tree": self.root.to_dict()}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Self:
        """From `to_dict`; raises `KeyError`."""
        return cls(
            PlanNode.from_dict(body["tree"]), body["hash"], body.get("cost"), bool(body.get("analyzed"))
        )
