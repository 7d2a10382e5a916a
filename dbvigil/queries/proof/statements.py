"""The statements of a workload that can be executed in a sandbox, and with which values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from dbvigil.errors import NotExplainable, StatementFailed
from dbvigil.queries.explain import explainable
from dbvigil.queries.parse import parse
from dbvigil.queries.proof.literals import Answers, Case, cases
from dbvigil.queries.proof.sampling import Name, name_of, tables_of
from dbvigil.queries.schema import Schema
from dbvigil.queries.workload import WorkloadQuery


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the workload: its tables, and its cases in the smaller and in the larger sample, by class.

    `untested` says why there are none. `sampled`: the values are of the sample; False where they are only those of the real statements.
    """

    query: WorkloadQuery
    tables: frozenset[Name]
    small: Mapping[str, Case] = field(default_factory=dict)
    big: Mapping[str, Case] = field(default_factory=dict)
    untested: str = ""
    limited: bool = False
    sampled: bool = True


def readers(workload: Sequence[WorkloadQuery], schema: Schema, wanted: set[Name]) -> list[Statement]:
    """The statements that look for rows of the `wanted` tables; of an UPDATE or DELETE the looking alone."""
    found = []
    for query in workload:
        reading = _reading(query)
        if reading is None:
            continue
        names = frozenset(name_of(table) for table in tables_of(reading, schema))
        if names & wanted:
            found.append(_described(reading, names))
    return found


def _reading(query: WorkloadQuery) -> WorkloadQuery | None:
    tree = parse(query.sql)
    if isinstance(tree, exp.Query):
        return query
    if (
        isinstance(tree, exp.Update | exp.Delete)
        and tree.args.get("where")
        and isinstance(tree.this, exp.Table)
    ):
        select = exp.select("1").from_(tree.this.copy())
        for part in ("where", "order", "limit"):
            if tree.args.get(part):
                select.set(part, tree.args[part].copy())
        return replace(query, sql=select.sql("mysql"), samples=())
    # One that cannot be read may read anything: it is known by its samples, or not at all.
    return None


def _described(query: WorkloadQuery, names: frozenset[Name]) -> Statement:
    tree = parse(query.sql)
    limited = bool(tree is not None and any(True for _ in tree.find_all(exp.Limit)))
    return Statement(query, names, limited=limited)


async def with_values(
    sandbox: Answers, statement: Statement, schema: Schema, small: Mapping[str, str], big: Mapping[str, str]
) -> Statement:
    """The statement with values of either sample."""
    if unknown := statement.tables - {name for name in statement.tables if name[0] in big}:
        return replace(statement, untested=f"{sorted(unknown)[0][1]} is not in the sample")
    try:
        large, why = await cases(sandbox, statement.query, schema, big)
        little, _ = await cases(sandbox, statement.query, schema, small)
    except StatementFailed as error:
        return replace(statement, untested=f"no values could be taken from the sample (error {error.code})")
    refusal = next((text for case in (*large, *little) if (text := _refusal(case))), "")
    if refusal or not large:
        return replace(statement, untested=refusal or why)
    return replace(
        statement,
        small={case.name: case for case in little},
        big={case.name: case for case in large},
        sampled=not why,
    )


def _refusal(case: Case) -> str:
    try:
        explainable(case.sql)
    except NotExplainable as error:
        return error.reason
    return ""
