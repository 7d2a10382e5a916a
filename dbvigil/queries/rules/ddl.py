"""The index that a statement would want on one of its tables, as columns and as DDL."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from dbvigil.queries.rules.asks import Ask, ask_of
from dbvigil.queries.rules.base import Subject
from dbvigil.queries.rules.names import Block, usable
from dbvigil.queries.schema import Index, Table

MOST_COLUMNS = 4
LONGEST_NAME = 30
"""Of an index: what Django takes, and every server. So that DDL, proof and migration speak of one index."""
_NARROW = 0.3
"""The share of the rows that a range may be guessed to keep, for one statement alone to be told to index it."""


def quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def full_name(table: Table) -> str:
    return ".".join(quoted(part) for part in (table.schema, table.name) if part)


def add_index(
    table: Table,
    parts: tuple[str, ...],
    name: str = "",
    *,
    unique: bool = False,
    algorithm: str = "",
    lock: str = "",
) -> str:
    """`parts` as they stand in the DDL: quoted, with DESC or as an expression.

    Without `algorithm` and `lock` as gently as the engine can: writes go on meanwhile in InnoDB, of both flavours.
    """
    usual = _gently(table)
    how = f"ALGORITHM={algorithm or usual[0]}, LOCK={lock or usual[1]}"
    kind = "UNIQUE INDEX" if unique else "INDEX"
    columns = ", ".join(parts)
    return f"ALTER TABLE {full_name(table)} ADD {kind} {quoted(name or free_name(table, parts))} ({columns}), {how}"


def drop_index(table: Table, name: str) -> str:
    algorithm, lock = _gently(table)
    return f"ALTER TABLE {full_name(table)} DROP INDEX {quoted(name)}, ALGORITHM={algorithm}, LOCK={lock}"


def _gently(table: Table) -> tuple[str, str]:
    """Other engines than InnoDB copy the table, and let nobody write meanwhile."""
    return ("INPLACE", "NONE") if table.engine.lower() == "innodb" else ("COPY", "SHARED")


def hide_index(subject: Subject, table: Table, name: str) -> str:
    """Takes an index out of the optimizer's sight, undone at once; "" where the server cannot."""
    return _sight(subject, table, name, "")


def show_index(subject: Subject, table: Table, name: str) -> str:
    """Gives a hidden index back to the optimizer; "" where the server cannot."""
    return _sight(subject, table, name, "NOT ")


def _sight(subject: Subject, table: Table, name: str, no: str) -> str:
    if subject.flavor == "mariadb":
        word = f"{no}IGNORED" if subject.version >= (10, 6, 0) else ""
    else:
        word = "" if subject.version < (8, 0, 0) else "VISIBLE" if no else "INVISIBLE"
    return f"ALTER TABLE {full_name(table)} ALTER INDEX {quoted(name)} {word}" if word else ""


def free_name(table: Table, parts: tuple[str, ...]) -> str:
    """A name for an index of these columns that no index of the table has, nor, as Django asks, one of another table."""
    words = [
        "".join(c if c.isalnum() else "_" for c in part.replace("` DESC", "_desc").strip("`()")).strip("_")
        for part in (table.name, *parts)
    ]
    whole = "_".join(["ix", *words])
    base = whole if len(whole) <= LONGEST_NAME - 2 else f"{whole[: LONGEST_NAME - 9]}_{_mark(whole)}"
    taken, name, number = {index.name.lower() for index in table.indexes}, base, 2
    while name.lower() in taken:
        name, number = f"{base[: LONGEST_NAME - 1 - len(str(number))]}_{number}", number + 1
    return name


def _mark(whole: str) -> str:
    """Tells names apart that begin alike."""
    return hashlib.sha256(whole.encode()).hexdigest()[:6]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The columns, in lower case, of the index that a block would want on one of its tables."""

    equal: tuple[str, ...]
    then: tuple[str, ...]
    covering: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.equal, *self.then, *self.covering)

    def served_by(self, index: Index) -> bool:
        """Whether an index finds the same rows as fast: the equal columns in any order, then the first of the others."""
        names = [part.column.lower() for part in index.parts]
        count = len(self.equal)
        return set(names[:count]) == set(self.equal) and (
            not self.then or names[count : count + 1] == [self.then[0]]
        )


def wanted(block: Block, alias: str) -> Wanted | None:
    """Equality, then a range or the sort, then what makes it covering; at most `MOST_COLUMNS`, the covering ones only where all fit.

    None where no condition and no sort of the block would use an index on `alias` (lower case).
    """
    ask = ask_of(block, alias)
    if ask is None:
        return None
    joined = (one.column for one in ask.joined if one.partner in block.sources)
    equal = list(dict.fromkeys((*ask.equal, *ask.several, *joined)))[:MOST_COLUMNS]
    ranges = [one.column for one in ask.ranges if one.share <= _NARROW]
    sort = [name for name, _ in ask.sort] if len({down for _, down in ask.sort}) == 1 else []
    then = [name for name in (ranges[:1] or sort) if name not in equal]
    if len(equal) + len(then) > MOST_COLUMNS:
        then = []
    if not equal and not then:
        return None
    rest = _rest(ask, [*equal, *then])
    fits = rest is not None and len(equal) + len(then) + len(rest) <= MOST_COLUMNS
    return Wanted(tuple(equal), tuple(then), tuple(rest) if rest is not None and fits else ())


def index_for(block: Block, alias: str) -> str:
    """The DDL of the index that this block wants on `alias`; "" where there is one that serves, or none would."""
    table, columns = block.sources.get(alias), wanted(block, alias)
    if table is None or columns is None or any(columns.served_by(index) for index in usable(table)):
        return ""
    return add_index(table, tuple(quoted(_written(table, name)) for name in columns.columns))


def _written(table: Table, name: str) -> str:
    column = table.column(name)
    return column.name if column else name


def _rest(ask: Ask, chosen: list[str]) -> list[str] | None:
    """The other columns that the block reads; None where that is not known, or one is too long for an index."""
    if ask.reads is None:
        return None
    primary = ask.table.primary_key.columns if ask.table.primary_key else ()
    inside = {name.lower() for name in primary} | set(chosen)
    return [name for name in ask.reads if name not in inside]
