"""Findings that need more than one statement's figures: what it was before, what else its session did, what an index was used for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

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
class Execution:
    """One execution of a statement, by its session's number and its fingerprint."""

    session: int
    fingerprint: str
    at: datetime
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Burst:
    """One statement, many times in a row in one session: N+1, where a loop asks for each row what one statement could have asked for
    all.

    `opener` is the fingerprint of the statement before it, "" where there was none: mostly the one that gave the rows of the loop.
    """

    fingerprint: str
    session: int
    count: int
    seconds: float
    started_at: datetime
    opener: str = ""

    def finding(self) -> Finding:
        return Finding(
            f"one session ran it {self.count} times in a row; ask for all rows at once, with IN or a join (select_related,"
            f" prefetch_related)",
            before=self.count,
            after=1,
        )


def bursts(
    events: Iterable[Execution], *, at_least: int = 10, within: timedelta = timedelta(seconds=5)
) -> list[Burst]:
    """The bursts in these executions, the longest first.

    `events` may be of many sessions and in any order. A run ends with another statement of the session, or a pause longer than
    `within`.
    """
    found: list[Burst] = []
    runs: dict[int, list[Execution]] = {}
    openers: dict[int, str] = {}

    def end(session: int) -> None:
        run = runs.get(session, [])
        if len(run) >= at_least:
            spent = sum(one.seconds for one in run)
            found.append(
                Burst(run[0].fingerprint, session, len(run), spent, run[0].at, openers.get(session, ""))
            )

    for event in sorted(events, key=lambda one: one.at):
        run = runs.get(event.session, [])
        if run and run[-1].fingerprint == event.fingerprint and event.at - run[-1].at <= within:
            run.append(event)
            continue
        end(event.session)
        if run:
            openers[event.session] = run[-1].fingerprint if run[-1].fingerprint != event.fingerprint else ""
        runs[event.session] = [event]
    for session in runs:
        end(session)
    return sorted(found, key=lambda one: (-one.count, one.started_at))


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
