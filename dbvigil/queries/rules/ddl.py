"""The index that a statement would want on one of its tables, as columns and as DDL."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from dbvigil.queries.rules.base import Subject
from dbvigil.queries.rules.names import LONG_TYPES, Block, base_type, constant, usable
from dbvigil.queries.schema import Index, Table

MOST_COLUMNS = 4
_LONGEST_NAME = 64
_RANGES = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between)


def quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def full_name(table: Table) -> str:
    return ".".join(quoted(part) for part in (table.schema, table.name) if part)


def add_index(table: Table, parts: tuple[str, ...], name: str = "") -> str:
    """`parts` as they stand in the DDL: quoted, with DESC or as an expression. Online in both flavours: writes go on meanwhile."""
    name = quoted(name or _free_name(table, parts))
    return (
        f"ALTER TABLE {full_name(table)} ADD INDEX {name} ({', '.join(parts)}), ALGORITHM=INPLACE, LOCK=NONE"
    )


def drop_index(table: Table, name: str) -> str:
    return f"ALTER TABLE {full_name(table)} DROP INDEX {quoted(name)}, ALGORITHM=INPLACE, LOCK=NONE"


def hide_index(subject: Subject, table: Table, name: str) -> str:
    """Takes an index out of the optimizer's sight, undone at once; "" where the server cannot."""
    if subject.flavor == "mariadb":
        word = "IGNORED" if subject.version >= (10, 6, 0) else ""
    else:
        word = "INVISIBLE" if subject.version >= (8, 0, 0) else ""
    return f"ALTER TABLE {full_name(table)} ALTER INDEX {quoted(name)} {word}" if word else ""


def _free_name(table: Table, parts: tuple[str, ...]) -> str:
    words = ["".join(c if c.isalnum() else "_" for c in part.strip("`()")).strip("_") for part in parts]
    base = "_".join(["ix", *words])[: _LONGEST_NAME - 3]
    taken, name, number = {index.name.lower() for index in table.indexes}, base, 2
    while name.lower() in taken:
        name, number = f"{base}_{number}", number + 1
    return name


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
    table = block.sources.get(alias)
    if table is None or table.view:
        return None
    equal, ranges = _conditions(block, alias)
    equal = [name for name in dict.fromkeys(equal) if _indexable(table, name)][:MOST_COLUMNS]
    then = [name for name in (ranges[:1] or _sort(block, alias)) if name not in equal]
    if not all(_indexable(table, name) for name in then) or len(equal) + len(then) > MOST_COLUMNS:
        then = []
    if not equal and not then:
        return None
    rest = _rest(block, alias, [*equal, *then])
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


def _conditions(block: Block, alias: str) -> tuple[list[str], list[str]]:
    """Columns set equal to a value or to another table's column, those with a constant first, and those in a range."""
    constants: list[str] = []
    joined: list[str] = []
    ranges: list[str] = []
    for one in block.conditions:
        if isinstance(one, exp.EQ):
            for side, other in ((one.this, one.expression), (one.expression, one.this)):
                bound, opposite = block.bound(side), block.bound(other)
                if bound is not None and bound.alias == alias:
                    if constant(other):
                        constants.append(bound.column.name.lower())
                    elif opposite is not None and opposite.alias != alias:
                        joined.append(bound.column.name.lower())
            continue
        bound = block.bound(one.this) if isinstance(one, (exp.In, exp.Is, *_RANGES)) else None
        if bound is None or bound.alias != alias:
            continue
        name = bound.column.name.lower()
        if isinstance(one, _RANGES):
            ranges.append(name)
        elif isinstance(one, exp.Is) or all(
            constant(value) for value in one.args.get("expressions") or [None]
        ):
            constants.append(name)
    return constants + joined, ranges


def _sort(block: Block, alias: str) -> list[str]:
    """The columns of GROUP BY or ORDER BY, where one index of `alias` can give their order."""
    if block.select.args.get("distinct") and not block.select.args.get("group"):
        given = [block.bound(item.unalias()) for item in block.select.expressions]
        if given and all(one is not None and one.alias == alias for one in given):
            return [one.column.name.lower() for one in given if one is not None]
    for part in ("group", "order"):
        clause = block.select.args.get(part)
        if not isinstance(clause, exp.Expression):
            continue
        keys = clause.expressions
        plain = [key.this if isinstance(key, exp.Ordered) else key for key in keys]
        bounds = [block.bound(key) for key in plain]
        directions = {bool(key.args.get("desc")) for key in keys if isinstance(key, exp.Ordered)}
        if len(directions) <= 1 and bounds and all(one is not None and one.alias == alias for one in bounds):
            return [one.column.name.lower() for one in bounds if one is not None]
        return []
    return []


def _rest(block: Block, alias: str, chosen: list[str]) -> list[str] | None:
    """The other columns of `alias` that the block reads; None where that is not known, or one is too long for an index."""
    found: list[str] = []
    table = block.sources[alias]
    if table is None or any(not isinstance(star.parent, exp.Count) for star in block.own(exp.Star)):
        return None
    primary = table.primary_key.columns if table.primary_key else ()
    inside = {name.lower() for name in primary} | set(chosen)
    for node in block.own(exp.Column):
        bound = block.bound(node)
        if bound is None:
            return None
        name = bound.column.name.lower()
        if bound.alias == alias and name not in inside and name not in found:
            if not _indexable(table, name):
                return None
            found.append(name)
    return found


def _indexable(table: Table, name: str) -> bool:
    column = table.column(name)
    if column is None or base_type(column) in LONG_TYPES:
        return False
    length = column.type.partition("(")[2].partition(")")[0]
    return not (
        base_type(column) in {"varchar", "char", "varbinary"} and length.isdigit() and int(length) > 255
    )
