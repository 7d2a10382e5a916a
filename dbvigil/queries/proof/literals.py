"""Values for a statement whose own were replaced: taken from the sample, frequent and rare ones, together as rows really have them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from dbvigil.queries.parse import parse
from dbvigil.queries.proof.columns import comparable
from dbvigil.queries.proof.sampling import subject_of
from dbvigil.queries.rules.base import Subject
from dbvigil.queries.rules.ddl import quoted
from dbvigil.queries.rules.names import Block, blocks
from dbvigil.queries.schema import Schema, Table
from dbvigil.queries.workload import WorkloadQuery
from dbvigil.server import Server

GROUPS = """
    SELECT {values}, COUNT(*) AS number FROM {table} WHERE {known}
     GROUP BY {columns} ORDER BY number DESC, {columns} LIMIT 1 OFFSET {place}"""
COUNTED = "SELECT COUNT(*) AS number FROM (SELECT 1 AS one FROM {table} WHERE {known} GROUP BY {columns}) AS distinct_values"
ROWS = "SELECT COUNT(*) AS number FROM {table} WHERE {known}"
AT = "SELECT {value} AS value_0 FROM {table} WHERE {known} ORDER BY {column} LIMIT 1 OFFSET {place}"
FREQUENT = "SELECT {value} AS value_0 FROM {table} WHERE {known} GROUP BY {column} ORDER BY COUNT(*) DESC, {column} LIMIT {most}"
PREFIX = "SELECT CONCAT('_utf8mb4 X''', HEX(CONVERT(CONCAT(LEFT({column}, 3), '%') USING utf8mb4)), '''') AS value_0"

PAGE = 20
"""What LIMIT ? is given; an OFFSET gets five such pages."""
MANY = 10
_MOST_SAMPLES = 2
_COMPARISONS: dict[type[exp.Expression], str] = {
    exp.EQ: "equal", exp.NullSafeEQ: "equal", exp.NEQ: "unequal", exp.Like: "like",
    exp.GT: "lower", exp.GTE: "lower", exp.LT: "upper", exp.LTE: "upper",
}  # fmt: skip


class Answers:
    """What a server says whose rows do not change meanwhile: many statements ask for the same values, and each question is put once."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._known: dict[str, list[dict[str, Any]]] = {}

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        if sql not in self._known:
            self._known[sql] = await self._server.rows(sql)
        return self._known[sql]


class NotFillable(Exception):
    """A placeholder for which no value can be told; the message says where it stands, and quotes no value."""


@dataclass(frozen=True, slots=True)
class Case:
    """A statement that can be executed in the sandbox; `name` is its class of values: hot, median, cold, …, or "sample 1"."""

    name: str
    sql: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Class:
    name: str
    place: float
    """Where in the values, the most frequent first: 0 to 1."""
    width: float
    """The share of rows that a range takes in."""
    many: bool = False


_CLASSES = (
    _Class("hot", 0.0, 0.5, many=True),
    _Class("median", 0.5, 0.1),
    _Class("cold", 1.0, 0.01),
)
_NARROW = _Class("hot, narrow", 0.0, 0.01)


@dataclass(slots=True)
class _Places:
    """Of one table of one SELECT: the placeholders that stand for a value of a column, by how they are compared."""

    table: Table
    equal: dict[str, list[exp.Placeholder]] = field(default_factory=lambda: defaultdict(list))
    lists: dict[str, list[exp.In]] = field(default_factory=lambda: defaultdict(list))
    lower: dict[str, list[exp.Placeholder]] = field(default_factory=lambda: defaultdict(list))
    upper: dict[str, list[exp.Placeholder]] = field(default_factory=lambda: defaultdict(list))
    like: dict[str, list[exp.Placeholder]] = field(default_factory=lambda: defaultdict(list))
    unequal: dict[str, list[exp.Placeholder]] = field(default_factory=lambda: defaultdict(list))


async def cases(
    sandbox: Answers, query: WorkloadQuery, schema: Schema, home: Mapping[str, str]
) -> tuple[list[Case], str]:
    """The statement with values, once for each class, its tables those of `home`; and why there are none from the sample, where so."""
    found: list[Case] = []
    subject = subject_of(query, schema)
    for number, text in enumerate(dict.fromkeys(query.samples), start=1):
        tree = parse(text)
        if tree is not None and len(found) < _MOST_SAMPLES and tree.find(exp.Placeholder) is None:
            found.append(Case(f"sample {number}", moved(tree.copy(), subject.schema, home)))
    if subject.tree is None:
        return found, "it cannot be read"
    if subject.tree.find(exp.Placeholder) is None:
        return [
            *found,
            Case("as it is", moved(subject.tree.copy(), subject.schema, home)),
        ], ""
    try:
        seen = {case.sql for case in found}
        for each in _classes_of(query, schema):
            tree = subject.tree.copy()
            await _fill(sandbox, tree, subject.schema, home, each)
            sql = moved(tree, subject.schema, home)
            if sql not in seen:
                seen.add(sql)
                found.append(Case(each.name, sql))
    except NotFillable as error:
        return found, str(error)
    return found, ""


def moved(tree: exp.Expression, schema: Schema, home: Mapping[str, str]) -> str:
    """The statement on the sandbox's tables, each by the name that it really has, and without locks. Changes `tree`."""
    hidden = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        place = home.get((table.db or schema.default).lower())
        if place is None or (not table.db and table.name.lower() in hidden):
            continue
        known = schema.table(table.name, table.db)
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
        if known is not None:
            # Fingerprints are in lower case, and names of tables are not the same in any case.
            table.set("this", exp.to_identifier(known.name, quoted=True))
        table.set("db", exp.to_identifier(place, quoted=True))
    for column in tree.find_all(exp.Column):
        column.set("db", None)
    for select in tree.find_all(exp.Select):
        select.set("locks", None)
    return tree.sql("mysql", comments=False)


def _classes_of(query: WorkloadQuery, schema: Schema) -> Sequence[_Class]:
    subject = subject_of(query, schema)
    places = [one for block in blocks(subject) for one in _places(block).values()]
    both = any((one.equal or one.lists) and (one.lower or one.upper) for one in places)
    return (*_CLASSES, _NARROW) if both else _CLASSES


async def _fill(
    sandbox: Answers, tree: exp.Expression, schema: Schema, home: Mapping[str, str], each: _Class
) -> None:
    """Put a value in place of every placeholder of `tree`; raises `NotFillable`."""
    from_tree = _blocks_of(tree, schema)
    for block in from_tree:
        for places in _places(block).values():
            await _fill_table(sandbox, places, home, each)
        having = block.select.args.get("having")
        for item in [*block.select.expressions, *([having] if having else [])]:
            for holder in list(item.find_all(exp.Placeholder)):
                if holder.find_ancestor(exp.Select) is block.select:
                    holder.replace(exp.Literal.number(1))
    for kind, value in ((exp.Limit, PAGE), (exp.Offset, 5 * PAGE)):
        for clause in tree.find_all(kind):
            for holder in list(clause.find_all(exp.Placeholder)):
                holder.replace(exp.Literal.number(value))
    left = tree.find(exp.Placeholder)
    if left is not None:
        parent = type(left.parent).__name__ if left.parent else "statement"
        raise NotFillable(f"a value inside {parent} cannot be told from the data")


def _blocks_of(tree: exp.Expression, schema: Schema) -> list[Block]:
    """The SELECTs of a tree that is being changed."""
    return list(blocks(Subject("", tree, schema=schema)))


def _places(block: Block) -> dict[str, _Places]:
    found: dict[str, _Places] = {}

    def put(node: exp.Expression, kind: str, holder: object) -> None:
        bound = block.bound(node)
        if bound is not None:
            places: _Places = found.setdefault(bound.alias, _Places(bound.table))
            getattr(places, kind)[bound.column.name.lower()].append(holder)

    for node in block.own(exp.In, exp.Between, *_COMPARISONS):
        if isinstance(node, exp.In):
            if node.expressions and all(isinstance(one, exp.Placeholder) for one in node.expressions):
                put(node.this, "lists", node)
        elif isinstance(node, exp.Between):
            for side, kind in (("low", "lower"), ("high", "upper")):
                if isinstance(node.args.get(side), exp.Placeholder):
                    put(node.this, kind, node.args[side])
        elif isinstance(node.expression, exp.Placeholder):
            put(node.this, _COMPARISONS[type(node)], node.expression)
        elif isinstance(node.this, exp.Placeholder):
            kind = _COMPARISONS[type(node)]
            put(node.expression, {"lower": "upper", "upper": "lower"}.get(kind, kind), node.this)
    return found


async def _fill_table(sandbox: Answers, places: _Places, home: Mapping[str, str], each: _Class) -> None:
    table = places.table
    target = f"{quoted(home[table.schema.lower()])}.{quoted(table.name)}"
    names = list(dict.fromkeys([*places.equal, *places.lists]))
    chosen = await _row(sandbox, table, target, names, each.place)
    for name, holders in places.equal.items():
        for holder in holders:
            holder.replace(_raw(chosen[name]))
    for name, lists in places.lists.items():
        values = [chosen[name]]
        if each.many:
            more = await sandbox.rows(
                FREQUENT.format(
                    value=_literal(table, name),
                    column=quoted(name),
                    table=target,
                    known=_known([name]),
                    most=MANY,
                )
            )
            values = list(dict.fromkeys([*values, *(row["value_0"] for row in more)]))[:MANY]
        for node in lists:
            node.set("expressions", [_raw(value) for value in values])
    for name, holders in places.unequal.items():
        value = (await _row(sandbox, table, target, [name], each.place))[name]
        for holder in holders:
            holder.replace(_raw(value))
    equal = " AND ".join(f"{quoted(name)} = {value}" for name, value in chosen.items()) or "TRUE"
    for name in dict.fromkeys([*places.lower, *places.upper, *places.like]):
        known = f"{equal} AND {_known([name])}"
        (counted,) = await sandbox.rows(ROWS.format(table=target, known=known))
        number = int(counted["number"])
        if not number:
            raise NotFillable(f"the sample has no value of {table.name}.{name}")
        low, high = _ends(bool(places.lower.get(name)), bool(places.upper.get(name)), each.width)
        for holders, share in ((places.lower.get(name, []), low), (places.upper.get(name, []), high)):
            value = (
                await _at(sandbox, table, target, name, known, int(share * (number - 1))) if holders else ""
            )
            for holder in holders:
                holder.replace(_raw(value))
        for holder in places.like.get(name, []):
            value = await _at(sandbox, table, target, name, known, number // 2)
            (row,) = await sandbox.rows(PREFIX.format(column=f"({value})"))
            holder.replace(_raw(row["value_0"]))


def _ends(lower: bool, upper: bool, width: float) -> tuple[float, float]:
    """Between which shares of the rows a range lies that takes in `width` of them."""
    if lower and upper:
        return (1 - width) / 2, (1 + width) / 2
    return 1 - width, width


async def _row(
    sandbox: Answers, table: Table, target: str, names: Sequence[str], place: float
) -> dict[str, str]:
    """Values of columns that stand in one row together: of the combinations, the one at `place` when the most frequent comes first."""
    if not names:
        return {}
    columns, known = ", ".join(quoted(name) for name in names), _known(names)
    (counted,) = await sandbox.rows(COUNTED.format(table=target, columns=columns, known=known))
    number = int(counted["number"])
    if not number:
        raise NotFillable(f"the sample has no value of {table.name}.{names[0]}")
    values = ", ".join(f"{_literal(table, name)} AS value_{at}" for at, name in enumerate(names))
    (row,) = await sandbox.rows(
        GROUPS.format(
            values=values, table=target, known=known, columns=columns, place=int(place * (number - 1))
        )
    )
    return {name: row[f"value_{at}"] for at, name in enumerate(names)}


async def _at(sandbox: Answers, table: Table, target: str, name: str, known: str, place: int) -> str:
    (row,) = await sandbox.rows(
        AT.format(value=_literal(table, name), table=target, known=known, column=quoted(name), place=place)
    )
    return str(row["value_0"])


def _literal(table: Table, name: str) -> str:
    column = table.column(name)
    if column is None:
        raise NotFillable(f"{table.name} has no column {name}")
    return comparable(column)


def _known(names: Sequence[str]) -> str:
    return " AND ".join(f"{quoted(name)} IS NOT NULL" for name in names)


def _raw(text: str) -> exp.Var:
    """A literal as the server wrote it, which the dialect's writer does not know."""
    return exp.Var(this=text)
