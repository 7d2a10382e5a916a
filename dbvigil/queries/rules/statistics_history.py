"""Findings that need more than one statement's figures: what it was before, what else its session did, what an index was used for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dbvigil.queries.figures import Figures
from dbvigil.queries.rules.base import Finding, Subject
from dbvigil.queries.rules.ddl import drop_index, hide_index
from dbvigil.queries.schema import Table

ENOUGH = 30
"""Executions on either side of a comparison."""


def latency_regression(before: Figures, after: Figures) -> list[Finding]:
    """Whether a statement became slower: twice its mean time and 10 ms more, over `ENOUGH` executions on both sides.

    Says too whether it reads more rows than before, which is a plan's or data's doing, or not, which is the server's load or locks.
    """
    was, now = before.avg_time, after.avg_time
    if (
        was is None
        or now is None
        or min(before.count, after.count) < ENOUGH
        or now < 2 * was
        or now - was < 0.01
    ):
        return []
    detail = f"an execution takes {now:.3g} s, {was:.3g} s before"
    rows_were, rows_are = _rows(before), _rows(after)
    if rows_were is not None and rows_are is not None:
        detail += (
            f"; it reads {rows_are:,.0f} rows instead of {rows_were:,.0f}: look for another plan or grown data"
            if rows_are >= 1.5 * max(rows_were, 1)
            else "; it reads as many rows as before: look for locks and load"
        )
    return [Finding(detail, before=was, after=now)]


def _rows(figures: Figures) -> float | None:
    return None if figures.rows_examined is None else figures.rows_examined / figures.count


@dataclass(frozen=True, slots=True)
class Burst:
    """One statement, many times in a row in one session: N+1, where a loop asks for each row what one statement could have asked for
    all.

    `number` of bursts with `executions` in all, the `longest` of them, and `opener`: the fingerprint of the statement before that, "" where
    there was none: mostly the one that gave the rows of the loop.
    """

    number: int
    executions: int
    longest: int
    opener: str = ""

    def finding(self) -> Finding:
        times = "once" if self.number == 1 else f"{self.number:,} times"
        after = f", after {self.opener}" if self.opener else ""
        return Finding(
            f"one session ran it {self.longest:,} times in a row{after}; such runs were seen {times}."
            " Ask for all rows at once, with IN or a join",
            before=self.longest,
            after=1,
        )


@dataclass(frozen=True, slots=True)
class IndexUse:
    """How often an index was read on one server since `counted_since_seconds`; None where that server does not count.

    `schema`, `table` and `index` say which, where that is not known from the place.
    """

    server: str
    reads: int | None
    counted_since_seconds: float
    schema: str = ""
    table: str = ""
    index: str = ""


def unused_indexes(
    subject: Subject, table: Table, uses: Mapping[str, Sequence[IndexUse]], *, days: float = 14
) -> list[Finding]:
    """The indexes of `table` that no server read, source and replicas, each over at least `days`.

    `uses` is by index name. An index that one server does not count, or not long enough, is not called unused. Unique indexes and those
    of foreign keys stay: they keep promises. The advice is to hide an index first; dropping comes after.
    """
    kept = {tuple(name.lower() for name in key.columns) for key in table.foreign_keys}
    found: list[Finding] = []
    for index in table.indexes:
        seen = uses.get(index.name, ())
        names = tuple(name.lower() for name in index.columns)
        if index.unique or not index.visible or any(names[: len(one)] == one for one in kept) or not seen:
            continue
        if all(use.reads == 0 and use.counted_since_seconds >= days * 86_400 for use in seen):
            hidden = hide_index(subject, table, index.name)
            shortest = min(use.counted_since_seconds for use in seen) / 86_400
            advice = "hide it for some weeks, then drop it" if hidden else "drop it"
            found.append(
                Finding(
                    f"{index.name} of {table.name} was not read on {_servers(seen)} in {shortest:.0f} days: {advice}",
                    hidden or drop_index(table, index.name),
                )
            )
    return found


def _servers(seen: Sequence[IndexUse]) -> str:
    return "the server" if len(seen) == 1 else f"{len(seen)} servers"
