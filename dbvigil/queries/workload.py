"""A whole workload, the indexes that it might want, and what trying one has shown. Plain data, between who finds and who proves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dbvigil.queries.figures import Figures

Outcome = Literal["verified", "estimated", "no_gain", "harmful", "untested"]


@dataclass(frozen=True, slots=True)
class WorkloadQuery:
    """One kind of statement and what it cost in the span that is judged.

    `sql` is the statement with `?` for values, or a server's digest text. `samples` are statements with their values, where some are known;
    they are held in memory only. `schema` is where unqualified tables are looked up.
    """

    query_id: str
    sql: str
    schema: str = ""
    figures: Figures | None = None
    samples: tuple[str, ...] = ()
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An index that a workload might want.

    `columns`: names as the table has them, in order, each with whether it is descending. `serves`: the `query_id`s that ask for it.
    `replaces`: indexes of the table that it would make redundant. `ddl` and `rollback` are for an operator to run, never this program.
    """

    schema: str
    table: str
    columns: tuple[tuple[str, bool], ...]
    serves: tuple[str, ...]
    ddl: str
    rollback: str
    replaces: tuple[str, ...] = ()
    covering: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of a candidate.

    - verified: executed with and without it, faster by `speed_up` (`interval`: its lower and upper bound), and nothing else slower.
    - estimated: likely, but the executions do not prove it (too few, or too far apart). no_gain: proved not to be worth it.
    - harmful: it makes a statement of the workload slower. untested: `reason` says why it could not be tried.

    `before`/`after`: `{"rows_read", "pages", "milliseconds"}` of the statement that gains most, the
    processor's where they can be seen. `queries`: one row a statement that was
    executed, with the same figures for each class of literals (hot, median, cold). `write_cost`: percent by which the
    engine's work of writing to the table grows, commits aside. `sample`: `{"share", "rows", "sizes"}`. `build_seconds`: how long the DDL is
    expected to run on the real table; `algorithm`: how. `cost`: `{"rows_read", "seconds"}` that was taken from the monitored server.
    """

    candidate: Candidate
    outcome: Outcome
    reason: str
    speed_up: float | None = None
    interval: tuple[float, float] | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    queries: tuple[Mapping[str, Any], ...] = ()
    write_cost: float | None = None
    sample: Mapping[str, Any] | None = None
    build_seconds: float | None = None
    algorithm: str = ""
    cost: Mapping[str, Any] | None = None
