"""Whose column is it: the names of a statement, looked up in the schema. What cannot be told for certain is None."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from dbvigil.queries.rules.base import Subject
from dbvigil.queries.schema import Column, Index, Schema, Table

FEW_ROWS = 1000
"""Below so many rows nothing is worth an index."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A column of a statement that is known: the name that its table goes by there, the table, the column."""

    alias: str
    table: Table
    column: Column

    @property
    def key(self) -> tuple[str, str]:
        return self.alias, self.column.name.lower()


@dataclass(frozen=True, slots=True)
class Block:
    """One SELECT with the tables that it names itself, by alias in lower case; None for a derived or unknown one."""

    select: exp.Select
    sources: dict[str, Table | None]

    def bound(self, node: exp.Expression | None) -> Bound | None:
        """What a column expression stands for; of an unqualified one all tables must be known and only one have it."""
        if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
            return None
        if node.table:
            table = self.sources.get(node.table.lower())
            column = table.column(node.name) if table else None
            return Bound(node.table.lower(), table, column) if table and column else None
        if any(table is None for table in self.sources.values()):
            return None
        found = [
            Bound(alias, table, column)
            for alias, table in self.sources.items()
            if table is not None and (column := table.column(node.name)) is not None
        ]
        return found[0] if len(found) == 1 else None

    @property
    def joins(self) -> list[exp.Join]:
        return [join for join in self.select.args.get("joins") or [] if isinstance(join, exp.Join)]

    @property
    def filters(self) -> list[exp.Expression]:
        """The conditions of WHERE that must all hold."""
        where = self.select.args.get("where")
        return conjuncts(where.this) if isinstance(where, exp.Where) else []

    @property
    def conditions(self) -> list[exp.Expression]:
        """Those of WHERE and of every ON."""
        return self.filters + [one for join in self.joins for one in conjuncts(join.args.get("on"))]

    def own(self, *kinds: type[exp.Expression]) -> Iterator[exp.Expression]:
        """What this SELECT says itself, without what its subqueries say."""
        for part in ("expressions", "where", "group", "having", "order", "joins", "distinct"):
            value = self.select.args.get(part)
            for top in value if isinstance(value, list) else [value]:
                if isinstance(top, exp.Expression):
                    for node in top.walk(prune=lambda one: isinstance(one, exp.Query)):
                        if isinstance(node, kinds):
                            yield node

    def equal_to_constant(self, alias: str) -> dict[str, exp.Expression]:
        """The columns of `alias` (lower case) that WHERE sets equal to one value."""
        found: dict[str, exp.Expression] = {}
        for one in self.filters:
            if isinstance(one, exp.EQ):
                for side, other in ((one.this, one.expression), (one.expression, one.this)):
                    bound = self.bound(side)
                    if bound is not None and bound.alias == alias and constant(other):
                        found[bound.column.name.lower()] = one
        return found

    def one_row(self, alias: str) -> bool:
        """Whether WHERE asks for one row of `alias` by a unique key."""
        table = self.sources.get(alias)
        given = set(self.equal_to_constant(alias))
        return table is not None and any(set(names) <= given for names in unique_keys(table))


def blocks(subject: Subject) -> Iterator[Block]:
    """Every SELECT of the statement."""
    if subject.tree is None:
        return
    hidden = {cte.alias_or_name.lower() for cte in subject.tree.find_all(exp.CTE)}
    for select in subject.tree.find_all(exp.Select):
        yield Block(select, _sources(select, subject.schema, hidden))


def block_of(select: exp.Select, subject: Subject) -> Block:
    """A SELECT that is no part of the statement's tree, with the tables that it names."""
    return Block(select, _sources(select, subject.schema, set()))


def tables(subject: Subject) -> list[Table]:
    """The known tables that the statement names, each once."""
    if subject.tree is None:
        return []
    found = [subject.schema.table(one.name, one.db) for one in subject.tree.find_all(exp.Table)]
    return [
        table
        for place, table in enumerate(found)
        if table is not None and not table.view and table not in found[:place]
    ]


def _sources(select: exp.Select, schema: Schema, hidden: set[str]) -> dict[str, Table | None]:
    found: dict[str, Table | None] = {}
    start = select.args.get("from_") or select.args.get("from")
    for item in [start, *(select.args.get("joins") or []), *(select.args.get("laterals") or [])]:
        source = item.this if isinstance(item, exp.From | exp.Join) else item
        if isinstance(source, exp.Expression):
            name = source.alias_or_name.lower() or f"#{len(found)}"
            found[name] = None
            if isinstance(source, exp.Table) and (source.db or source.name.lower() not in hidden):
                found[name] = schema.table(source.name, source.db)
            for inner in source.args.get("joins") or []:
                found[inner.this.alias_or_name.lower()] = None
    return found


def conjuncts(node: object) -> list[exp.Expression]:
    """The sides of an AND at any depth, from left to right; anything else is its own only side."""
    found: list[exp.Expression] = []
    # Not by recursion: a generated statement may chain thousands.
    waiting = [node]
    while waiting:
        one = waiting.pop()
        while isinstance(one, exp.Paren):
            one = one.this
        if isinstance(one, exp.And):
            waiting += [one.expression, one.this]
        elif isinstance(one, exp.Expression):
            found.append(one)
    return found


def constant(node: exp.Expression | None) -> bool:
    """Whether a value is the same for all rows: a literal, a placeholder, a variable, or one with a sign."""
    if isinstance(node, exp.Neg | exp.Paren):
        return constant(node.this)
    return isinstance(
        node,
        exp.Literal | exp.Placeholder | exp.Parameter | exp.Boolean | exp.HexString | exp.SessionParameter,
    )


def unique_keys(table: Table) -> Iterator[tuple[str, ...]]:
    """The columns, in lower case, of each key whose values are there once and never NULL."""
    for index in table.indexes:
        columns = [table.column(part.column) for part in index.parts]
        whole = all(not part.prefix and not part.expression for part in index.parts)
        if (
            index.unique
            and whole
            and columns
            and all(one is not None and not one.nullable for one in columns)
        ):
            yield tuple(part.column.lower() for part in index.parts)


def usable(table: Table) -> list[Index]:
    """The indexes that serve equality, range and sort."""
    return [index for index in table.indexes if index.visible and index.kind == "btree" and index.parts]


def leads(table: Table, column: str) -> bool:
    """Whether an index starts with this column."""
    return any(index.parts[0].column.lower() == column.lower() for index in usable(table))


def big(table: Table) -> bool:
    """Whether it is known to have rows enough for an index to matter."""
    return not table.view and table.rows is not None and table.rows >= FEW_ROWS


_NUMBERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double", "bit", "year")
_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
_TIMES = ("date", "datetime", "timestamp", "time")
LONG_TYPES = (
    "tinytext",
    "text",
    "mediumtext",
    "longtext",
    "tinyblob",
    "blob",
    "mediumblob",
    "longblob",
    "json",
    "geometry",
)


def base_type(column: Column) -> str:
    """`varchar` of `varchar(40)`."""
    return column.type.split("(", 1)[0].split(" ", 1)[0].lower()


def family(column: Column) -> str:
    """number, text, time, or the type itself where it is none of them."""
    base = base_type(column)
    for name, types in (("number", _NUMBERS), ("text", _TEXTS), ("time", _TIMES)):
        if base in types:
            return name
    return base


def width(column: Column | None) -> int | None:
    """Bytes at most, without fractions of seconds; None where not known."""
    if column is None:
        return None
    base = base_type(column)
    length = column.type.partition("(")[2].partition(")")[0]
    if base in {"char", "varchar", "binary", "varbinary"} and length.isdigit():
        bytes_each = {"utf8mb4": 4, "utf8mb3": 3, "utf8": 3}.get(column.charset or "", 1)
        return int(length) * bytes_each
    return {
        "tinyint": 1,
        "bool": 1,
        "year": 1,
        "smallint": 2,
        "mediumint": 3,
        "int": 4,
        "bigint": 8,
        "datetime": 8,
        "timestamp": 7,
        "date": 3,
        "time": 3,
        "float": 4,
        "double": 8,
        "enum": 2,
    }.get(base)
