"""Advice on indexes and its verdicts from a sample, beside what executions on all rows say.

    python benchmarks/index_advice.py [--server mysql-9.7 mariadb-10.11] [--set shop rental tpch desk] [--seed 0] [--rows 60000]
        [--cases FILE]

For each server and data set: the candidates are those that dbvigil finds for the workload, and some that look natural, good or not. Each is
tried on a sample of at most `--rows` rows in a sandbox, as `advise --verify` does; then it is made on the server that holds all rows, and
the statements are executed there before and after. The peer, in the same run, decides by the server's own cost on all rows: it would make
what promises a speed-up of 1.5. Time is the processor's, which other work on the machine does not lengthen. With `--cases`, each index is
written to a file too, a line of JSON with what was said of it, why, and what is true. `--seed` draws other rows (not for tpch).

A decision is right where "verified" stands for an index that is good in truth (1.5 times as fast, and nothing slower by a fifth), and
anything else for one that is not. Wins are the good ones that make their statements at least twice as fast.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.support.datasets import SCHEMA, SETS, DataSet
from benchmarks.support.truth import WORTH, Effect, Truths
from dbvigil.queries.figures import Figures
from dbvigil.queries.indexes import candidates
from dbvigil.queries.proof import Budget, verify
from dbvigil.queries.schema import Schema
from dbvigil.queries.schema_reader import read_schema
from dbvigil.queries.statements import tables_of
from dbvigil.queries.workload import Candidate, Proof, WorkloadQuery
from dbvigil.sandbox import PrivateServer
from dbvigil.sandbox.server import random_password
from dbvigil.server import Server
from dbvigil.targets import Target, parse_url

WIN = 2.0
GOAL_FOUND = 90.0
_LIMIT_SECONDS = 10.0
_MEMORY = {"innodb-buffer-pool-size": "512M", "innodb-adaptive-hash-index": "OFF"}


@dataclass(frozen=True, slots=True)
class Case:
    """One index: what was said of it, and what is true of it. `found`: dbvigil itself came upon it."""

    candidate: Candidate
    found: bool
    proof: Proof
    effect: Effect

    @property
    def verified(self) -> bool:
        return self.proof.outcome == "verified"

    @property
    def good(self) -> bool:
        return self.effect.truth == "good"

    @property
    def win(self) -> bool:
        return self.good and self.effect.speed_up >= WIN


def workload_of(data: DataSet, times: dict[str, float]) -> list[WorkloadQuery]:
    """The statements, each executed as often, with what it took."""
    return [
        WorkloadQuery(str(number), text, SCHEMA, Figures(1000, times.get(str(number), 1.0)))
        for number, text in enumerate(data.statements)
    ]


def natural(data: DataSet, taken: Sequence[Candidate], schema: Schema) -> list[Candidate]:
    """Those that are not there, and that dbvigil has not come upon itself."""
    known = {(one.table, tuple(name for name, _down in one.columns)) for one in taken}
    known |= {
        (table.name, tuple(one.lower() for one in index.columns[:count]))
        for table in schema.tables.values()
        for index in table.indexes
        for count in range(1, len(index.parts) + 1)
    }
    return [
        Candidate(SCHEMA, one.table, tuple((name, False) for name in one.columns), (str(one.statement),), "", "")
        for one in data.natural
        if (one.table, one.columns) not in known
    ]  # fmt: skip


async def cases_of(data: DataSet, server: PrivateServer, rows: int) -> tuple[list[Case], str]:
    """Every index with its verdict and its truth, and what the verdicts took from the server."""
    password = random_password()
    server.create_user("prover", password, (f"SELECT ON {SCHEMA}.*",))
    source = Server(parse_url("shop", server.url("prover", password)), read_timeout=60)
    truth = Server(Target("truth", user="root", socket=str(server.socket)), read_timeout=600)
    try:
        await truth.connect()
        await truth.rows(
            "SET SESSION tx_read_only = 0" if truth.info.is_mariadb and not truth.info.at_least(11, 1, 1)
            else "SET SESSION transaction_read_only = 0"
        )  # fmt: skip
        limit = "max_statement_time" if truth.info.is_mariadb else "max_execution_time"
        await truth.rows(f"SET SESSION {limit} = 0")
        await truth.rows(f"USE {SCHEMA}")
        info = await source.connect()
        schema = await read_schema(source, {("", name) for name in data.tables}, default=SCHEMA)
        truths = Truths(truth, server, schema, workload_of(data, {}), _LIMIT_SECONDS)
        times = await truths.prepare({SCHEMA: SCHEMA})
        # A statement that takes long is asked as often as one that does not: by its time alone it would be all of the workload.
        workload = workload_of(data, {name: 1 + took for name, took in times.items()})
        found = candidates(workload, schema, info.flavor, info.version)
        every = [*found, *natural(data, found, schema)]
        began = time.monotonic()
        proofs = await verify(
            source, workload, every, schema, budget=Budget(rows, 600, 50), seconds_in_sandbox=3600
        )
        took = time.monotonic() - began
        cost = proofs[0].cost or {}
        cases = []
        for number, (candidate, proof) in enumerate(zip(every, proofs, strict=True)):
            effect = await truths.effect(candidate, _readers(candidate, workload, schema))
            if effect is not None and proof.outcome != "untested":
                cases.append(Case(candidate, number < len(found), proof, effect))
            _said(candidate, proof, effect)
        return (
            cases,
            f"{cost.get('rows_read', 0):,} rows, {cost.get('seconds', 0):.1f} s; {took:.0f} s in all",
        )
    finally:
        await source.close()
        await truth.close()


def line(server: str, data: str, case: Case) -> str:
    """One index as a line of JSON."""
    return json.dumps(
        {
            "server": server,
            "data": data,
            "table": case.candidate.table,
            "columns": [name + (" DESC" if down else "") for name, down in case.candidate.columns],
            "serves": case.candidate.serves,
            "found": case.found,
            "outcome": case.proof.outcome,
            "reason": case.proof.reason,
            "speed_up": case.proof.speed_up,
            "interval": case.proof.interval,
            "sample": case.proof.sample,
            "queries": case.proof.queries,
            "truth": case.effect.truth,
            "right": case.verified == case.good,
            "true": dataclasses.asdict(case.effect),
        }
    )


def _readers(candidate: Candidate, workload: Sequence[WorkloadQuery], schema: Schema) -> list[str]:
    return [
        one.query_id
        for one in workload
        if any(name.lower() == candidate.table.lower() for _schema, name in tables_of(one.sql, schema.default))
    ]  # fmt: skip


def _said(candidate: Candidate, proof: Proof, effect: Effect | None) -> None:
    columns = ", ".join(name for name, _down in candidate.columns)
    told = (
        "cannot be executed" if effect is None else f"{effect.truth:8} {effect.speed_up:8.2f} {effect.harmed}"
    )
    why = "" if proof.outcome == "verified" else f": {proof.reason[:200]}"
    print(
        f"  {proof.outcome:10}{proof.speed_up or 0:9.2f}   {told}   {candidate.table} ({columns}){why}",
        flush=True,
    )


def show(name: str, data: str, cases: Sequence[Case], cost: str) -> bool:
    """The sums, as a row of the table in the documentation. False where something harmful was verified."""
    right = sum(one.verified == one.good for one in cases)
    by_cost = sum((one.effect.by_cost >= WORTH) == one.good for one in cases)
    wins = [one for one in cases if one.win]
    kept = [one for one in wins if one.verified]
    offered = [one for one in wins if one.proof.outcome in ("verified", "estimated")]
    harmful = [one for one in cases if one.verified and one.effect.truth == "harmful"]
    useless = [one for one in cases if one.verified and one.effect.truth == "useless"]
    cost_harmful = sum(one.effect.by_cost >= WORTH and one.effect.truth == "harmful" for one in cases)
    ratios = [
        one.proof.speed_up / one.effect.speed_up for one in cases if one.verified and one.proof.speed_up
    ]
    near = sum(0.5 <= one <= 2 for one in ratios)
    print(
        f"| {name} | {data} | {len(cases)} ({sum(one.found for one in cases)}) | {_share(right, len(cases))}"
        f" | {_share(by_cost, len(cases))}"
        f" | {_share(len(kept), len(wins))}, {_share(len(offered), len(wins))} | {len(harmful)}, {len(useless)} | {cost_harmful}"
        f" | {statistics.median(ratios) if ratios else float('nan'):.2f}, {_share(near, len(ratios))} | {cost} |",
        flush=True,
    )
    return not harmful


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" ({100 * part / whole:.0f} %)" if whole else "")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--server", nargs="*", default=["mysql-9.7", "mariadb-10.11"])
    parser.add_argument("--set", nargs="*", default=list(SETS), choices=list(SETS), dest="sets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=Budget().rows)
    parser.add_argument("--cases", type=Path)
    chosen = parser.parse_args()
    print(
        "| server | data | indexes (found by dbvigil) | right | right by cost | wins verified, verified or estimated"
        " | verified though harmful, useless | made by cost though harmful"
        " | foretold against true speed-up: median, within a factor of two | read of the server |"
    )
    safe = True
    for name in chosen.server:
        for data in (SETS[one] for one in chosen.sets):
            with tempfile.TemporaryDirectory() as folder:
                server = PrivateServer(name, Path(folder) / "server", options=dict(_MEMORY))
                with server:
                    server.execute(f"CREATE DATABASE {SCHEMA} CHARACTER SET utf8mb4")
                    data.load(server, chosen.seed)
                    cases, cost = asyncio.run(cases_of(data, server, chosen.rows))
                    safe &= show(name, data.name, cases, cost)
                    if chosen.cases:
                        with chosen.cases.open("a", encoding="utf-8") as file:
                            file.writelines(line(name, data.name, one) + "\n" for one in cases)
    print("goal, nothing verified that is harmful: " + ("met" if safe else "MISSED"))
    return 0 if safe else 1


if __name__ == "__main__":
    sys.exit(main())
