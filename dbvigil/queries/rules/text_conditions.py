"""The conditions of a statement as the rules on text see them: each by itself, with what is known of where it stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from sqlglot import exp

from dbvigil.queries.rules.base import Subject
from dbvigil.queries.rules.names import Block, Bound, blocks, constant
from dbvigil.queries.schema import Table

_WHOLE = 700
COMPARISONS = (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition that must hold, of WHERE or ON. `pinned`: another one already holds the statement to a row by its key."""

    node: exp.Expression
    block: Block
    pinned: bool

    def bound(self, node: exp.Expression | None) -> Bound | None:
        return self.block.bound(node)


def conditions(subject: Subject) -> Iterator[Condition]:
    """Those of the statement and of its subqueries."""
    for block in (*blocks(subject), *_written(subject)):
        every = block.conditions
        keys = [one for one in every if _key(block, one)]
        for one in every:
            yield Condition(one, block, any(key is not one for key in keys))


def _written(subject: Subject) -> Iterator[Block]:
    tree = subject.tree
    if isinstance(tree, exp.Update | exp.Delete):
        target = tree.this
        sources: dict[str, Table | None] = {"#": None}
        if isinstance(target, exp.Table) and not any(
            part.args.get("joins") or part.args.get("using") or part.args.get("tables")
            for part in (tree, target)
        ):
            sources = {target.alias_or_name.lower(): subject.schema.table(target.name, target.db)}
        # It has a WHERE as a SELECT has, which is all that is read of it.
        yield Block(cast("exp.Select", tree), sources)


def _key(block: Block, one: exp.Expression) -> bool:
    """Whether a condition sets a key to one value. Without a schema a column called id is taken for one."""
    if not isinstance(one, exp.EQ):
        return False
    for side, other in ((one.this, one.expression), (one.expression, one.this)):
        if isinstance(side, exp.Column) and constant(other):
            bound = block.bound(side)
            if bound is None:
                return side.name.lower() == "id"
            return any(
                index.unique and index.columns == (bound.column.name,) for index in bound.table.indexes
            )
    return False


def one_row(block: Block) -> bool:
    """Whether WHERE holds a SELECT to one row of one of its tables."""
    return any(_key(block, one) for one in block.filters)


def sides(node: exp.Expression) -> tuple[tuple[exp.Expression, exp.Expression], ...]:
    """Both sides of a comparison, each as the first."""
    return (node.this, node.expression), (node.expression, node.this)


def bare(node: exp.Expression | None) -> exp.Expression | None:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def text_of(node: exp.Expression | None) -> str | None:
    """A string's value; `BINARY 'x'` is one too."""
    if isinstance(node, exp.Cast):
        node = node.this
    return node.name if isinstance(node, exp.Literal) and node.is_string else None


def alternatives(node: exp.Expression | None) -> list[exp.Expression]:
    """The sides of an OR, at any depth; empty where it is none."""
    top = bare(node)
    found: list[exp.Expression] = []
    waiting = [top] if isinstance(top, exp.Or) else []
    while waiting:
        one = bare(waiting.pop())
        if isinstance(one, exp.Or):
            waiting += [one.expression, one.this]
        elif one is not None:
            found.append(one)
    return found


def by_program(subject: Subject) -> bool:
    """Whether every column is quoted, as programs write it: then nobody chose its style, and nobody can change it."""
    tree = subject.tree
    if tree is None:
        return False
    names = [column.this for column in tree.find_all(exp.Column) if isinstance(column.this, exp.Identifier)]
    return bool(names) and all(name.quoted for name in names)


def perhaps_cut(subject: Subject) -> bool:
    """Whether the end may be missing: of a long digest the server keeps the beginning, and MariaDB does not say so.

    What is left can still be a statement, without the WHERE that it had. The server keeps 1,024 bytes of it unless it is told otherwise,
    which are never fewer characters than this.
    """
    return subject.redacted and len(subject.sql) >= _WHOLE


def shown(node: exp.Expression) -> str:
    return node.sql(dialect="mysql", comments=False)
