"""Indexes tried one after the other: made in the sandbox, the statements executed, and dropped again."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from dbvigil.errors import StatementFailed
from dbvigil.queries.parse import parse
from dbvigil.queries.proof import writes
from dbvigil.queries.proof.copying import Copied
from dbvigil.queries.proof.costs import Facts, Pair, Trial, whole
from dbvigil.queries.proof.literals import Case
from dbvigil.queries.proof.measure import ANALYZE, Meter, Run, Weights
from dbvigil.queries.proof.place import Sandbox
from dbvigil.queries.proof.sampling import Name
from dbvigil.queries.proof.statements import Statement
from dbvigil.queries.proof.verdict import NEGLIGIBLE_MS, SLOWER, judge
from dbvigil.queries.rules.ddl import quoted
from dbvigil.queries.schema import Table
from dbvigil.queries.workload import Candidate

INDEX = "dbvigil_candidate"
ADD = "ALTER TABLE {table} ADD INDEX {index} ({columns})"
REMOVE = "ALTER TABLE {table} DROP INDEX {index}"
EXPLAIN = {"mariadb": "EXPLAIN {sql}", "mysql": "EXPLAIN FORMAT=TRADITIONAL {sql}"}
COUNT = "SELECT COUNT(*) AS number FROM {table}"


class TimeIsUp(Exception):
    """The sandbox was used for as long as it may be."""


@dataclass(frozen=True, slots=True)
class Tried:
    """All that was measured of one candidate. `build`: seconds and rows of making the index in the larger sample. `timed`: times are the
    processor's.
    """

    served: tuple[Trial, ...]
    others: tuple[Trial, ...]
    write_cost: float | None
    build: tuple[float, int]
    failed: Mapping[str, str] = field(default_factory=dict)
    timed: bool = False


@dataclass(slots=True)
class Bench:
    """A loaded sandbox. What statements cost without any candidate is measured once, at the first need of it."""

    sandbox: Sandbox
    meter: Meter
    deadline: float
    weights: Weights
    copied: Copied
    _before: dict[str, Run] = field(default_factory=dict)

    async def attempt(self, candidate: Candidate, table: Table, statements: Sequence[Statement]) -> Tried:
        """Raises `TimeIsUp`, and `StatementFailed` for an index that the server does not take."""
        name: Name = (candidate.schema.lower(), candidate.table.lower())
        failed: dict[str, str] = {}
        reading = [one for one in statements if name in one.tables and not one.untested]
        await self.meter.quiet()
        for statement in reading:
            for case in (*statement.small.values(), *statement.big.values()):
                if case.sql not in self._before:
                    self._check()
                    try:
                        self._before[case.sql] = await self.meter.measure(case.sql)
                    except StatementFailed as error:
                        failed[statement.query.query_id] = f"the sandbox refuses it (error {error.code})"
        homes = {"small": self.sandbox.small[name[0]], "big": self.sandbox.big[name[0]]}
        places = {size: f"{quoted(home)}.{quoted(table.name)}" for size, home in homes.items()}
        rows = {size: await self._count(place) for size, place in places.items()}
        server = self.sandbox.server
        before = await writes.milliseconds(server, self.meter, table, homes["big"], candidate)
        columns = ", ".join(quoted(column) + (" DESC" if down else "") for column, down in candidate.columns)
        took = 0.0
        try:
            for place in places.values():
                began = time.perf_counter()
                await server.rows(ADD.format(table=place, index=INDEX, columns=columns))
                took = time.perf_counter() - began
                await server.rows(ANALYZE.format(table=place))
            await self.meter.quiet()
            served: list[Trial] = []
            others: list[Trial] = []
            for statement in reading:
                if statement.query.query_id not in failed:
                    group = served if statement.query.query_id in candidate.serves else others
                    group += await self._trials(statement, rows, table)
            facts = Facts(self.copied.full(name), self.weights, timed=self.meter.timed, believed=table.rows)
            if judge(served, others, facts).outcome == "verified":
                served = await self._forced(served, reading, table, facts)
                others = await self._forced(others, reading, table, facts)
            after = await writes.milliseconds(server, self.meter, table, homes["big"], candidate)
        finally:
            await self._remove(places.values())
        return Tried(
            tuple(served),
            tuple(others),
            writes.percent(before, after),
            (took, rows["big"]),
            failed,
            self.meter.timed,
        )

    async def _trials(self, statement: Statement, rows: Mapping[str, int], table: Table) -> list[Trial]:
        found = []
        figures = statement.query.figures
        # A statement counts as often as it is executed, and its classes alike.
        weight = max(1, figures.count if figures is not None else 1) / len(statement.big)
        for name, case in statement.big.items():
            pairs = []
            alike, lured = True, False
            little = statement.small.get(name)
            sizes: list[tuple[int, Case]] = [(rows["small"], little)] if little is not None else []
            for size, one in (*sizes, (rows["big"], case)):
                self._check()
                before = self._before[one.sql]
                plan = await self._explained(one.sql)
                used = any(INDEX in str(row.get("key") or "") for row in plan)
                lured = used and _ordered(statement, plan)
                # Where the server passes it over, it does what it did before.
                after = await self.meter.measure(one.sql) if used else before
                if used and after.complete and self._dearer(before, after):
                    before, after = await self._again(one.sql, before, after, table)
                pairs.append(Pair(size, before, after, used))
                # With a LIMIT and ties, or no order at all, a server may answer any of several rows, and both are right.
                if before.checksum and after.checksum and not statement.limited:
                    alike = alike and before.checksum == after.checksum
            found.append(Trial(statement.query.query_id, name, tuple(pairs), weight, alike, lured))
        return found

    def _dearer(self, before: Run, after: Run) -> bool:
        """Whether time or what was read says so; where they do not say the same, the machine was not as fast both times."""
        work = [self.weights.milliseconds(run.rows, run.pages) for run in (before, after)]
        pairs = ((before.least, after.least), (work[0], work[1]))
        return any(later > SLOWER * earlier + NEGLIGIBLE_MS for earlier, later in pairs)

    async def _again(self, sql: str, before: Run, after: Run, table: Table) -> tuple[Run, Run]:
        """What seems to be slower, measured anew, without the index and with it in turns: the machine itself is not always as fast."""
        without = hinted(sql, table, INDEX, "IGNORE")
        for _ in range(_TURNS if without else 0):
            self._check()
            fresh = await self.meter.measure(without)
            if fresh.complete and fresh.rows == before.rows:
                before = replace(before, least=min(before.least, fresh.least))
            after = replace(after, least=min(after.least, (await self.meter.measure(sql)).least))
        return before, after

    async def _forced(
        self, trials: Sequence[Trial], reading: Sequence[Statement], table: Table, facts: Facts
    ) -> list[Trial]:
        """The trials, with what the index would cost in the larger size where the server has passed it over and may not always."""
        found = []
        statements = {one.query.query_id: one for one in reading}
        for trial in trials:
            last, statement = trial.pairs[-1], statements[trial.query_id]
            sql = statement.big[trial.case].sql
            text = "" if last.used else hinted(sql, table, INDEX, "FORCE")
            self._check()
            plan = await self._explained(text) if text else []
            lured = trial.lured if last.used else _ordered(statement, plan)
            open_still = lured or not whole(trial, facts)
            if open_still and any(INDEX in str(row.get("key") or "") for row in plan):
                patience = max(_LEAST_PATIENCE, _PATIENCE * last.before.least / 1000)
                last = replace(last, forced=await self.meter.measure(text, patience))
            found.append(replace(trial, pairs=(*trial.pairs[:-1], last), lured=lured))
        return found

    async def _explained(self, sql: str) -> list[dict[str, Any]]:
        server = self.sandbox.server
        return await server.rows(EXPLAIN["mariadb" if server.info.is_mariadb else "mysql"].format(sql=sql))

    async def _count(self, place: str) -> int:
        (row,) = await self.sandbox.server.rows(COUNT.format(table=place))
        return int(row["number"])

    async def _remove(self, places: Iterable[str]) -> None:
        for place in places:
            try:
                await self.sandbox.server.rows(REMOVE.format(table=place, index=INDEX))
            except StatementFailed as error:
                if error.code != _NO_SUCH_INDEX:
                    raise

    def _check(self) -> None:
        if time.monotonic() >= self.deadline:
            raise TimeIsUp


_NO_SUCH_INDEX = 1091
_TURNS = 2
_PATIENCE, _LEAST_PATIENCE = 60, 0.5
"""How many times as long, and at least how many seconds, a statement may take with an index that the server has passed over."""


def _ordered(statement: Statement, plan: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a plan reads rows in the order that is asked for until a LIMIT is reached, however far it must read for that."""
    return statement.limited and not any("filesort" in str(row.get("Extra")) for row in plan)


def hinted(sql: str, table: Table, index: str, hint: str) -> str:
    """`sql` with the index forced or ignored wherever it reads `table`; "" where it cannot be read."""
    parsed = parse(sql)
    if parsed is None:
        return ""
    tree = parsed.copy()
    for one in tree.find_all(exp.Table):
        if one.name.lower() == table.name.lower():
            one.set("hints", [exp.IndexTableHint(this=hint, expressions=[exp.to_identifier(index)])])
    return tree.sql("mysql", comments=False)


def build_seconds(build: tuple[float, int], rows: int | None) -> float | None:
    """How long the index takes to make on the real table: sorting grows a little faster than the rows."""
    seconds, sampled = build
    if rows is None or sampled < 2 or seconds <= 0:
        return None
    many = max(rows, 2)
    return round(seconds * (many * math.log(many)) / (sampled * math.log(sampled)), 3)
