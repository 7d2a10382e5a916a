"""A statement in the models' words: whose table it reads, by which lookups, in which order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from dbvigil.django_advice.tables import ModelTable
from dbvigil.queries.rules.names import conjuncts, constant

Find = Callable[[str, str], ModelTable | None]
"""The model of (table, schema)."""
_LOOKUPS: tuple[tuple[type[exp.Binary], str], ...] = (
    (exp.EQ, ""),
    (exp.GT, "__gt"),
    (exp.GTE, "__gte"),
    (exp.LT, "__lt"),
    (exp.LTE, "__lte"),
)
_UNTOLD = "..."


@dataclass(frozen=True, slots=True)
class Asked:
    """The outermost statement on one table and what it is joined with. `main` is the table behind FROM, INTO or UPDATE."""

    tree: exp.Expression
    main: ModelTable
    alias: str
    tables: tuple[ModelTable, ...]

    @property
    def manager(self) -> str:
        return f"{self.main.name}.objects"

    @property
    def filters(self) -> str:
        """Keyword arguments of filter() for WHERE; `...` where it has more than lookups of one field. "" where there is none."""
        where = self.tree.args.get("where")
        if not isinstance(where, exp.Where):
            return ""
        found = [self.lookup(one) for one in conjuncts(where.this)]
        told = [one for one in found if one is not None]
        return ", ".join(told) if len(told) == len(found) else _UNTOLD

    @property
    def filtered(self) -> str:
        """`Order.objects.filter(…)`, or all of them."""
        return f"{self.manager}.filter({self.filters})" if self.filters else self.manager

    @property
    def order(self) -> tuple[str, ...] | None:
        """Arguments of order_by(); None where the order is by more than fields of the main table."""
        order = self.tree.args.get("order")
        if not isinstance(order, exp.Order):
            return ()
        found: list[str] = []
        for one in order.expressions:
            name = self.field(one.this)
            if name is None:
                return None
            found.append(f"-{name}" if one.args.get("desc") else name)
        return tuple(found)

    def field(self, node: exp.Expression | None, *, value: bool = False) -> str | None:
        """The field of a column of the main table; with `value` the name under which a foreign key's value is."""
        if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
            return None
        if node.table and node.table.lower() not in {self.alias, self.main.table.lower()}:
            return None
        if not node.table and len(self.tables) > 1:
            return None
        field = self.main.fields.get(node.name.lower())
        if field is None:
            return None
        return str(field.attname) if value else field.name

    def lookup(self, node: exp.Expression) -> str | None:
        """One condition as an argument of filter()."""
        for kind, suffix in _LOOKUPS:
            if isinstance(node, kind) and constant(node.expression):
                name = self.field(node.this, value=True)
                return None if name is None else f"{name}{suffix}={_UNTOLD}"
        if isinstance(node, exp.In) and not node.args.get("query"):
            name = self.field(node.this, value=True)
            return None if name is None else f"{name}__in=[{_UNTOLD}]"
        if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
            name = self.field(node.this)
            return None if name is None else f"{name}__isnull=True"
        return None


def asked(tree: exp.Expression | None, find: Find, schema: str) -> Asked | None:
    """None where the statement's first table is no model's."""
    if tree is None:
        return None
    first = _first(tree)
    if first is None:
        return None
    main = find(first.name, first.db or schema)
    if main is None:
        return None
    joined = [join.this for join in tree.args.get("joins") or [] if isinstance(join, exp.Join)]
    others = [find(one.name, one.db or schema) for one in joined if isinstance(one, exp.Table)]
    if len(joined) != len(others) or None in others:
        # A table that is no model's may have a column of any name.
        others = [*others, main]
    return Asked(tree, main, first.alias_or_name.lower(), (main, *(one for one in others if one is not None)))


def _first(tree: exp.Expression) -> exp.Table | None:
    if isinstance(tree, exp.Select):
        start = tree.args.get("from_") or tree.args.get("from")
        found = start.this if isinstance(start, exp.From) else None
    elif isinstance(tree, exp.Insert | exp.Update | exp.Delete):
        found = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
    else:
        found = None
    return found if isinstance(found, exp.Table) else None
