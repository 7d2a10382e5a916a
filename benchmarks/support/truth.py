"""What an index really does: statements executed on all rows, before it is made and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dbvigil.queries.proof.literals import Answers, Case, cases
from dbvigil.queries.proof.measure import Meter, Run
from dbvigil.queries.proof.trials import hinted
from dbvigil.queries.schema import Schema, Table
from dbvigil.queries.workload import Candidate, WorkloadQuery
from dbvigil.sandbox import PrivateServer
from dbvigil.server import Server

Truth = Literal["good", "useless", "harmful"]

WORTH = 1.5
HARM = 1.2
NEARLY = 1.1
TURNS = 3
NOISE_MS = 0.5
"""A statement that became slower by less is not called harmed: so much a warm machine varies."""
INDEX = "the_truth"
_LAST_COST = "SHOW SESSION STATUS LIKE 'Last_query_cost'"


@dataclass(frozen=True, slots=True)
class Effect:
    """`speed_up`: of the statements that ask for the index, all classes of values together, by the server's processor time. `worst`: the
    factor by which some statement on the table became slower, and which; 1 where none did. `by_cost`: the speed-up that the server's own
    cost promises.
    """

    speed_up: float
    worst: float
    harmed: str
    by_cost: float
    used: bool

    @property
    def truth(self) -> Truth:
        if self.worst >= HARM:
            return "harmful"
        return "good" if self.used and self.speed_up >= WORTH else "useless"


class Truths:
    """Tells the effect of indexes on a server that holds all rows. What statements cost without any is measured once."""

    def __init__(
        self,
        server: Server,
        home: PrivateServer,
        schema: Schema,
        workload: Sequence[WorkloadQuery],
        limit: float,
    ) -> None:
        self._server = server
        self._schema = schema
        self._workload = workload
        self._meter = Meter(server, limit, home.processor_time().milliseconds)
        self._cases: dict[str, list[Case]] = {}
        self._before: dict[str, tuple[Run, float]] = {}

    async def prepare(self, home: Mapping[str, str]) -> dict[str, float]:
        """Milliseconds of each statement without an index, its classes together; those that cannot be executed are left out."""
        await self._meter.prepare()
        found = {}
        answers = Answers(self._server)
        for query in self._workload:
            listed, _why = await cases(answers, query, self._schema, home)
            if not listed:
                continue
            self._cases[query.query_id] = listed
            for case in listed:
                self._before[case.sql] = await self._meter.measure(case.sql), await self._cost(case.sql)
            found[query.query_id] = sum(self._before[case.sql][0].least for case in listed)
        return found

    async def effect(self, candidate: Candidate, reading: Sequence[str]) -> Effect | None:
        """Makes the index, executes what would use it, and removes it; None where nothing that asks for it can be executed."""
        served = [name for name in candidate.serves if name in self._cases]
        if not served:
            return None
        columns = ", ".join(f"`{name}`{' DESC' if down else ''}" for name, down in candidate.columns)
        table = f"`{candidate.schema}`.`{candidate.table}`"
        await self._server.rows(f"ALTER TABLE {table} ADD INDEX {INDEX} ({columns})")
        try:
            await self._server.rows(f"ANALYZE TABLE {table}")
            await self._meter.quiet()
            return await self._measured(served, reading, Table(candidate.table))
        finally:
            await self._server.rows(f"ALTER TABLE {table} DROP INDEX {INDEX}")

    async def _again(self, sql: str, before: Run, after: Run, table: Table) -> tuple[Run, Run]:
        """What lies near the limit is measured without the index and with it in turns, so that the machine is as fast for both."""
        without = hinted(sql, table, INDEX, "IGNORE")
        for _ in range(TURNS):
            before = min(before, await self._meter.measure(without), key=lambda run: run.least)
            after = min(after, await self._meter.measure(sql), key=lambda run: run.least)
        return before, after

    async def _measured(self, served: Sequence[str], reading: Sequence[str], table: Table) -> Effect:
        times, costs = [0.0, 0.0], [0.0, 0.0]
        worst, harmed, used = 1.0, "", False
        for name in dict.fromkeys((*served, *reading)):
            for case in self._cases.get(name, ()):
                before, cost_before = self._before[case.sql]
                uses = await self._uses(case.sql)
                after, cost_after = before, cost_before
                if uses:
                    cost_after = await self._cost(case.sql)
                    after = await self._meter.measure(case.sql)
                    if after.least > NEARLY * before.least + NOISE_MS:
                        before, after = await self._again(case.sql, before, after, table)
                    # Where clearly less is read, what takes longer is the machine's.
                    slower = after.least > before.least + NOISE_MS and _work(after) > 0.8 * _work(before)
                    if slower and after.least / before.least > worst:
                        worst, harmed = after.least / before.least, f"{name} ({case.name})"
                if name in served:
                    used = used or uses
                    times = [times[0] + before.least, times[1] + after.least]
                    costs = [costs[0] + cost_before, costs[1] + cost_after]
        return Effect(times[0] / max(0.001, times[1]), worst, harmed, costs[0] / max(0.001, costs[1]), used)

    async def _uses(self, sql: str) -> bool:
        rows = await self._server.rows(f"{self._explain} {sql}")
        return any(INDEX in str(row.get("key") or "") for row in rows)

    async def _cost(self, sql: str) -> float:
        await self._server.rows(f"{self._explain} {sql}")
        (row,) = await self._server.rows(_LAST_COST)
        return float(row["Value"])

    @property
    def _explain(self) -> str:
        return "EXPLAIN" if self._server.info.is_mariadb else "EXPLAIN FORMAT=TRADITIONAL"


def _work(run: Run) -> float:
    """Rows and pages read, in microseconds as they were measured for MySQL."""
    return 0.18 * run.rows + 0.48 * run.pages
