"""Indexes that are there for nothing: another does what they do, or no server reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dbvigil.queries.rules.base import Subject
from dbvigil.queries.rules.ddl import add_index, drop_index, hide_index, quoted, show_index
from dbvigil.queries.rules.redundancy import Kind, needless, twins
from dbvigil.queries.rules.redundancy import Needless as Finding
from dbvigil.queries.rules.statistics_history import IndexUse, unused_indexes
from dbvigil.queries.schema import Index, Schema, Table
from dbvigil.types import Flavor

Why = Literal["duplicate", "prefix", "primary_key", "unused"]


@dataclass(frozen=True, slots=True)
class Needless:
    """An index that may go, and how to find out without harm.

    `first`: takes it out of the optimizer's sight and is undone at once by `rollback`; where the server cannot, `first` is empty and
    `rollback` makes it anew. `then`: drops it. `kept`: the index that does the same, "" for one that nobody reads. `note`: the promise
    that it keeps, and who keeps it afterwards; "" where it keeps none.
    """

    schema: str
    table: str
    index: str
    why: Why
    detail: str
    first: str
    then: str
    rollback: str
    kept: str = ""
    note: str = ""


def redundant_indexes(
    schema: Schema, flavor: Flavor = "mysql", version: tuple[int, int, int] = (8, 4, 0)
) -> tuple[Needless, ...]:
    """The indexes of every table of `schema` that another of the table makes needless, each once.

    One that is unique goes only for another unique one over the same columns, and that is said in its `note`, as is a foreign key that
    it serves.
    """
    subject = Subject("", None, flavor, version, schema)
    found: list[Needless] = []
    for table in _tables(schema):
        for one in _settled([*needless(table), *twins(table)]):
            detail = {
                "duplicate": f"{one.kept.name} has the same columns",
                "prefix": f"{one.kept.name} ({', '.join(one.kept.columns)}) begins with its columns",
                "primary_key": f"it is {one.kept.name} with the primary key behind it, which InnoDB appends anyway",
            }[one.kind]
            note = _note(schema, table, one.index, one.kept)
            found.append(_made(subject, table, one.index, one.kind, detail, one.kept.name, note))
    return tuple(found)


def _settled(found: list[Finding]) -> list[Finding]:
    """Each index once, and what is kept for it not on the list itself."""
    # What does without the key at its end is kept for its order by that key, which a longer index has not.
    kept = {one.kept.name for one in found if one.kind == "primary_key"}
    going: dict[str, Finding] = {}
    for one in found:
        if one.index.name not in kept:
            going.setdefault(one.index.name, one)
    settled: list[Finding] = []
    for one in going.values():
        last = one
        while last.kept.name in going:
            last = going[last.kept.name]
        kind: Kind = "duplicate" if len(last.kept.parts) == len(one.index.parts) else "prefix"
        settled.append(one if last is one else Finding(one.index, last.kept, kind))
    return settled


def unused(
    schema: Schema,
    uses: Sequence[IndexUse],
    servers: Sequence[str],
    flavor: Flavor,
    version: tuple[int, int, int],
    *,
    days: float = 14,
) -> tuple[Needless, ...]:
    """The indexes that none of `servers` (a source and all its replicas) read in at least `days` of counting.

    A server that told nothing of an index leaves it unjudged. Unique indexes, and those that a foreign key of either side needs, are
    not judged at all.
    """
    subject = Subject("", None, flavor, version, schema)
    by_table: dict[tuple[str, str], dict[str, dict[str, IndexUse]]] = defaultdict(lambda: defaultdict(dict))
    for use in uses:
        by_table[use.schema.lower(), use.table.lower()][use.index][use.server] = use
    found: list[Needless] = []
    for table in _tables(schema):
        seen = by_table.get((table.schema.lower(), table.name.lower()), {})
        complete = _complete(seen, servers)
        for index in table.indexes:
            if index.primary or _referenced(schema, table, index):
                continue
            told = unused_indexes(subject, table, {index.name: complete.get(index.name, ())}, days=days)
            found += [_made(subject, table, index, "unused", one.detail) for one in told]
    return tuple(found)


def _complete(
    seen: Mapping[str, Mapping[str, IndexUse]], servers: Sequence[str]
) -> dict[str, list[IndexUse]]:
    """By index, one use a server; a server that said nothing of it has not counted."""
    return {
        name: [by_server.get(server, IndexUse(server, None, 0.0)) for server in servers]
        for name, by_server in seen.items()
    }


def _tables(schema: Schema) -> list[Table]:
    return [table for table in schema.tables.values() if not table.view]


def _made(
    subject: Subject, table: Table, index: Index, why: Why, detail: str, kept: str = "", note: str = ""
) -> Needless:
    first = hide_index(subject, table, index.name)
    parts = tuple(
        f"({part.expression})" if part.expression
        else quoted(part.column) + (f"({part.prefix})" if part.prefix else "") + (" DESC" if part.descending else "")
        for part in index.parts
    )  # fmt: skip
    rollback = (
        show_index(subject, table, index.name)
        if first
        else add_index(table, parts, index.name, unique=index.unique)
    )
    then = drop_index(table, index.name)
    return Needless(table.schema, table.name, index.name, why, detail, first, then, rollback, kept, note)


def _note(schema: Schema, table: Table, index: Index, kept: Index) -> str:
    notes = []
    if index.unique:
        notes.append(f"it is unique; {kept.name} keeps that promise")
    notes += [
        f"it serves the foreign key {key.name}; {kept.name} serves it as well"
        for key in table.foreign_keys
        if _begins(index, key.columns)
    ]
    if _referenced(schema, table, index):
        notes.append(
            f"a foreign key of another table points to its columns; {kept.name} has them first as well"
        )
    return "; ".join(notes)


def _referenced(schema: Schema, table: Table, index: Index) -> bool:
    """Whether a foreign key of a known table points to its columns."""
    return any(
        _begins(index, key.references)
        for other in schema.tables.values()
        for key in other.foreign_keys
        if (key.table.lower(), (key.schema or other.schema).lower())
        == (table.name.lower(), table.schema.lower())
    )


def _begins(index: Index, columns: Sequence[str]) -> bool:
    return tuple(name.lower() for name in index.columns[: len(columns)]) == tuple(
        name.lower() for name in columns
    )
