"""Which rows of which tables are copied: few enough for the budget, and so that joined tables keep the rows that belong together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from dbvigil.queries.parse import parse
from dbvigil.queries.proof.columns import whole
from dbvigil.queries.rules.base import Subject
from dbvigil.queries.rules.names import blocks, tables
from dbvigil.queries.schema import Schema, Table
from dbvigil.queries.workload import WorkloadQuery

SMALL = 5_000
"""Rows of a table that is taken whole whenever it can be."""
_ROWS_A_BLOCK = 500
_FEWEST_BLOCKS, _MOST_BLOCKS = 16, 400

Name = tuple[str, str]
Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """How one table is read: whole, or by blocks of `key`. `hashed` are the columns that the smaller sample is chosen by, none for whole.

    `loose`: its blocks are not those of the tables that it is joined with, so joins lose rows.
    """

    table: Table
    key: str = ""
    hashed: tuple[str, ...] = ()
    loose: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Tables that are read by the same blocks of one key, `share` (0–1) of it, in `blocks` pieces; without a key, tables read whole."""

    parts: tuple[Part, ...]
    share: float = 1.0
    blocks: int = 1


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """What is read, group by group, and the tables that cannot be sampled, each with the reason."""

    groups: tuple[Group, ...]
    refused: dict[Name, str]


def name_of(table: Table) -> Name:
    return table.schema.lower(), table.name.lower()


def tables_of(query: WorkloadQuery, schema: Schema) -> list[Table]:
    """The tables that a statement names and the schema knows."""
    return tables(subject_of(query, schema))


def subject_of(query: WorkloadQuery, schema: Schema) -> Subject:
    """The statement with names looked up where the server would."""
    own = Schema(schema.tables, query.schema or schema.default, schema.gaps)
    return Subject(query.sql, parse(query.sql), schema=own)


def plan_sample(
    workload: Sequence[WorkloadQuery], chosen: Sequence[Table], schema: Schema, rows: int
) -> SamplePlan:
    """How to read `chosen` within `rows` rows."""
    refused = {name_of(one): why for one in chosen if (why := _unusable(one))}
    usable = {name_of(one): one for one in chosen if name_of(one) not in refused}
    keys, whole_ones = _assigned(_classes(workload, usable, schema), usable)
    total = sum(one.rows or 0 for one in usable.values())
    whole_parts: list[Part] = []
    by_class: dict[Place, list[Part]] = defaultdict(list)
    room = rows if total <= rows else rows // 2
    for name, table in sorted(usable.items(), key=lambda one: one[1].rows or 0):
        place = keys.get(name)
        count = table.rows or 0
        own = _own_key(table)
        if place is not None and _indexed(table, place[0]):
            by_class[place[1]].append(Part(table, place[0], (place[0],)))
        elif count <= room and (name in whole_ones or place is not None or count <= SMALL or not own):
            room -= count
            joined = name in whole_ones or place is not None
            whole_parts.append(Part(table, hashed=() if joined else identity_of(table)))
        elif own:
            by_class[(*name, own)].append(
                Part(table, own, (own,), loose=name in whole_ones or place is not None)
            )
        else:
            refused[name] = f"{table.name} is larger than the budget and has no whole number to read it by"
    left = rows - sum(part.table.rows or 0 for part in whole_parts)
    wanted = sum(part.table.rows or 0 for parts in by_class.values() for part in parts)
    share = min(1.0, 0.9 * left / wanted) if wanted > left else 1.0
    groups = [Group((part,)) for part in whole_parts]
    groups += [Group(tuple(parts), share, _pieces(parts, share)) for parts in by_class.values()]
    return SamplePlan(tuple(groups), refused)


def _pieces(parts: Iterable[Part], share: float) -> int:
    largest = max(part.table.rows or 0 for part in parts)
    return max(_FEWEST_BLOCKS, min(_MOST_BLOCKS, round(largest * share / _ROWS_A_BLOCK)))


def _unusable(table: Table) -> str:
    if table.view:
        return f"{table.name} is a view"
    if table.engine.lower() != "innodb":
        return f"{table.name} is of the engine {table.engine or 'unknown'}; only InnoDB is tried"
    if table.rows is None:
        return f"how many rows {table.name} has is not known"
    return ""


def _indexed(table: Table, column: str) -> bool:
    """Whether ranges of a whole number can be read without looking at other rows."""
    found = table.column(column)
    return (
        found is not None
        and whole(found)
        and any(
            index.kind == "btree" and index.visible and index.parts[0].column.lower() == column.lower()
            for index in table.indexes
        )
    )


def _own_key(table: Table) -> str:
    primary = table.primary_key
    first = primary.parts[0].column.lower() if primary else ""
    return first if first and _indexed(table, first) else ""


def identity_of(table: Table) -> tuple[str, ...]:
    """The columns that tell one row from another: the primary key's, or all."""
    primary = table.primary_key
    names = primary.columns if primary else tuple(column.name for column in table.columns)
    return tuple(name.lower() for name in names)


def growable(part: Part) -> bool:
    """Whether the rows of a block can stand beside their own copies: the primary key has the key in it, or is a number to be given anew."""
    primary = part.table.primary_key
    if not part.key:
        return False
    if primary is None or part.key in {name.lower() for name in primary.columns}:
        return True
    column = part.table.column(primary.columns[0])
    return len(primary.columns) == 1 and column is not None and whole(column)


def repeated(part: Part) -> tuple[str, ...]:
    """The names of unique indexes whose values a grown table has several times: without the key, and without a number given anew."""
    if not growable(part):
        return ()
    renewed = {part.key, *numbered(part)}
    return tuple(
        index.name
        for index in part.table.indexes
        if index.unique and index.name != "PRIMARY" and not renewed & {one.lower() for one in index.columns}
    )


def numbered(part: Part) -> tuple[str, ...]:
    """The primary key, where it is a number of its own beside the key."""
    primary = part.table.primary_key
    if primary is None or part.key in {name.lower() for name in primary.columns}:
        return ()
    return (primary.columns[0].lower(),)


def _classes(
    workload: Sequence[WorkloadQuery], usable: dict[Name, Table], schema: Schema
) -> list[set[Place]]:
    """Columns that are joined with each other, directly or over others."""
    found: list[set[Place]] = []
    for one, other in [*_joins(workload, schema), *_references(usable.values())]:
        if one[:2] not in usable or other[:2] not in usable:
            continue
        touched = [group for group in found if one in group or other in group]
        found = [group for group in found if group not in touched]
        found.append(set().union({one, other}, *touched))
    return found


def _joins(workload: Sequence[WorkloadQuery], schema: Schema) -> Iterable[tuple[Place, Place]]:
    for query in workload:
        for block in blocks(subject_of(query, schema)):
            for condition in block.conditions:
                if not isinstance(condition, exp.EQ):
                    continue
                left, right = block.bound(condition.this), block.bound(condition.expression)
                if left is not None and right is not None and left.alias != right.alias:
                    yield (
                        (*name_of(left.table), left.column.name.lower()),
                        (*name_of(right.table), right.column.name.lower()),
                    )


def _references(known: Iterable[Table]) -> Iterable[tuple[Place, Place]]:
    for table in known:
        for key in table.foreign_keys:
            if len(key.columns) == 1 and key.references:
                target = ((key.schema or table.schema).lower(), key.table.lower(), key.references[0].lower())
                yield (*name_of(table), key.columns[0].lower()), target


def _assigned(
    classes: list[set[Place]], usable: dict[Name, Table]
) -> tuple[dict[Name, tuple[str, Place]], set[Name]]:
    """The key that each joined table is read by, with the name of its class; and the tables that every sampled row may need."""

    def weight(group: set[Place]) -> int:
        return sum(usable[place[:2]].rows or 0 for place in group)

    keys: dict[Name, tuple[str, Place]] = {}
    everything: set[Name] = set()
    for group in sorted(classes, key=weight, reverse=True):
        names = {place[:2] for place in group}
        if names & (keys.keys() | everything):
            everything |= names - keys.keys()
            continue
        label = min(group)
        for place in sorted(group, reverse=True):
            keys[place[:2]] = (place[2], label)
    return keys, everything
