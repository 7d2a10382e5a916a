"""The indexes that a whole workload might want, the most useful first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from dbvigil.queries.indexes.estimate import cost, present_cost
from dbvigil.queries.indexes.layout import Parts, Shape, full_parts, own_parts, serves, starts, trimmed
from dbvigil.queries.indexes.online import online_ddl
from dbvigil.queries.indexes.shapes import layouts, shapes
from dbvigil.queries.parse import parse
from dbvigil.queries.rules.asks import statement_asks
from dbvigil.queries.rules.base import Subject
from dbvigil.queries.rules.ddl import add_index, drop_index, free_name, quoted
from dbvigil.queries.rules.names import big
from dbvigil.queries.schema import Index, Schema, Table
from dbvigil.queries.workload import Candidate, WorkloadQuery
from dbvigil.types import Flavor

LIMIT = 30
_WORTH = 0.05
"""The share of a table's part of a statement that must be saved, by the guess; less is within what the guess may be off."""


_BEGINNINGS = 40
"""Ways to serve the dearest statements of a table with which the indexes for others are tried to begin."""


@dataclass(frozen=True, slots=True)
class _Want:
    """One way to serve one statement: what that takes now, in seconds of the workload (`weight`) and in rows (`present`).

    `served`: there is an index for it already.
    """

    query_id: str
    shape: Shape
    weight: float
    present: float
    served: bool


@dataclass(slots=True)
class _Choice:
    """An index on a table, and what of the workload it would serve."""

    table: Table
    parts: Parts
    wants: dict[int, _Want] = field(default_factory=dict)
    replaces: tuple[Index, ...] = ()
    benefit: float = 0.0
    serves: tuple[str, ...] = ()

    @property
    def held(self) -> Parts:
        return full_parts(self.table, self.parts)

    @property
    def wider(self) -> bool:
        """Whether it has columns for no statement but to be read from it."""
        return any(want.shape.rest for want in self.wants.values())

    @property
    def covering(self) -> bool:
        """Whether it holds all that some statement reads of the table."""
        names = {name for name, _ in self.held}
        reads = (want.shape.ask.reads for want in self.wants.values())
        return any(one is not None and set(one) <= names for one in reads)


def candidates(
    workload: Sequence[WorkloadQuery],
    schema: Schema,
    flavor: Flavor,
    version: tuple[int, int, int],
    *,
    limit: int = LIMIT,
) -> tuple[Candidate, ...]:
    """At most `limit` indexes, ordered by the time of the statements that each serves times the share it is guessed to save.

    Needs no values of the statements. An index that there is, or of which another candidate does all, is not among them. Statements that
    cannot be read, and tables that are small, unknown or views, ask for nothing. Raises `ValueError` for a negative `limit`.
    """
    if limit < 0:
        raise ValueError(f"limit is {limit}; allowed: 0 or more")
    by_table: dict[tuple[str, str], list[_Want]] = defaultdict(list)
    for query in workload:
        for want in _wants(query, schema, flavor, version):
            table = want.shape.ask.table
            by_table[table.schema.lower(), table.name.lower()].append(want)
    found = [choice for wants in by_table.values() for choice in _choices(wants)]
    found.sort(key=lambda one: (-one.benefit, len(one.parts), one.table.name, one.parts))
    return tuple(_candidate(one, flavor, version) for one in found[:limit])


def _wants(
    query: WorkloadQuery, schema: Schema, flavor: Flavor, version: tuple[int, int, int]
) -> Iterable[_Want]:
    tree = parse(query.sql)
    if tree is None:
        return
    known = Schema(schema.tables, query.schema or schema.default, schema.gaps)
    subject = Subject(query.sql, tree, flavor, version, known, redacted=True)
    asks = [ask for _, found in statement_asks(subject) for ask in found if big(ask.table)]
    total = sum(present_cost(ask, frozenset()) for ask in asks)
    # A statement without figures counts as one second, so that all of such a workload are weighed alike.
    time = query.figures.total_time if query.figures is not None else 1.0
    for ask in asks:
        weight = time * present_cost(ask, frozenset()) / total
        for shape in shapes(ask, flavor, version):
            yield _Want(query.query_id, shape, weight, present_cost(ask, _known(shape)), _served(shape))


def _known(shape: Shape) -> frozenset[str]:
    return frozenset(one.column for one in shape.ask.joined if one.partner in shape.drivers)


def _served(shape: Shape) -> bool:
    """Whether there is an index that does the same."""
    table = shape.ask.table
    for index in table.indexes:
        parts = own_parts(index) if index.visible else None
        if parts is not None and serves(full_parts(table, parts), shape):
            return True
    return False


def _choices(every: list[_Want]) -> list[_Choice]:
    """The indexes of one table that are worth trying."""
    table = every[0].shape.ask.table
    wants = [want for want in every if not want.served]
    firsts = [parts for parts in map(own_parts, table.indexes) if parts]
    # One that is hidden is there too: what it needs is to be shown again.
    there = [full_parts(table, parts) for parts in firsts]
    dearest = sorted((want for want in wants if not want.shape.rest), key=lambda want: -want.weight)
    plain = [parts for want in dearest[:_BEGINNINGS] for parts in layouts(want.shape, firsts)]
    found: dict[Parts, _Choice] = {}
    for want in wants:
        for parts in layouts(want.shape, dict.fromkeys((*firsts, *plain))):
            short = trimmed(table, parts)
            if not any(starts(short, one) for one in there):
                found.setdefault(short, _Choice(table, short))
    for choice in found.values():
        _weigh(choice, wants)
        choice.replaces = tuple(_replaced(choice, every))
    kept = sorted((one for one in found.values() if one.wants), key=lambda one: (-one.benefit, one.parts))
    return [
        one
        for place, one in enumerate(kept)
        if not any(_beats(other, one, number < place) for number, other in enumerate(kept) if number != place)
    ]


def _weigh(choice: _Choice, wants: list[_Want]) -> None:
    saved: dict[tuple[str, str], float] = {}
    held = choice.held
    for number, want in enumerate(wants):
        if not serves(held, want.shape):
            continue
        share = 1 - cost(want.shape.ask, _known(want.shape), held) / want.present
        # What a join costs depends on how often the table is entered, which statistics of one table do not tell.
        if want.shape.drivers:
            share = max(share, _WORTH)
        if share >= _WORTH:
            choice.wants[number] = want
            key = (want.query_id, want.shape.ask.alias)
            saved[key] = max(saved.get(key, 0.0), want.weight * share)
    choice.benefit = sum(saved.values())
    choice.serves = tuple(dict.fromkeys(want.query_id for want in choice.wants.values()))


def _beats(other: _Choice, one: _Choice, earlier: bool) -> bool:
    """Whether `other` makes `one` needless: it does all that and is no longer, or begins with it and holds nothing only to be read."""
    if not one.wants.keys() <= other.wants.keys():
        return False
    if other.wants.keys() == one.wants.keys() and len(other.parts) == len(one.parts):
        mine, others = len(one.replaces), len(other.replaces)
        return others > mine or (others == mine and earlier)
    if len(other.parts) <= len(one.parts):
        return True
    return starts(one.parts, other.parts) and other.wider == one.wider


def _replaced(choice: _Choice, every: Iterable[_Want]) -> Iterable[Index]:
    """The indexes that it begins with, and that serve no statement of the workload which it does not.

    One may: behind its own columns stands the primary key, which a longer index moves.
    """
    longer = choice.held
    for index in choice.table.indexes:
        parts = own_parts(index)
        if not parts or index.unique or len(parts) >= len(choice.parts) or not starts(parts, choice.parts):
            continue
        held = full_parts(choice.table, parts)
        if not any(serves(held, want.shape) and not serves(longer, want.shape) for want in every):
            yield index


def _candidate(choice: _Choice, flavor: Flavor, version: tuple[int, int, int]) -> Candidate:
    table = choice.table
    columns = tuple((_written(table, name), down) for name, down in choice.parts)
    replaces = tuple(index.name for index in choice.replaces)
    bare = Candidate(table.schema, table.name, columns, choice.serves, "", "", replaces, choice.covering)
    algorithm, lock, _ = online_ddl(table, bare, flavor, version)
    parts = tuple(f"{quoted(name)} DESC" if down else quoted(name) for name, down in columns)
    name = free_name(table, parts)
    ddl = add_index(table, parts, name, algorithm=algorithm, lock=lock)
    return replace(bare, ddl=ddl, rollback=drop_index(table, name))


def _written(table: Table, name: str) -> str:
    column = table.column(name)
    return column.name if column is not None else name
