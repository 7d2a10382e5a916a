"""Candidates verified: sample, sandbox, executions, verdicts. The monitored server is only read, and within a budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from dbvigil.errors import ConfigurationError, DbvigilError, ServerError, StatementFailed
from dbvigil.private_servers import NoPlace
from dbvigil.queries.proof.budget import STATEMENT_SECONDS, Budget, Purse, Spent
from dbvigil.queries.proof.copying import copy, make_tables
from dbvigil.queries.proof.growing import two_sizes
from dbvigil.queries.proof.literals import Answers
from dbvigil.queries.proof.measure import ANALYZE, Meter, calibrated
from dbvigil.queries.proof.place import Sandbox, sandbox_for
from dbvigil.queries.proof.report import proof_of, untested
from dbvigil.queries.proof.sampling import Name, SamplePlan, plan_sample
from dbvigil.queries.proof.statements import Statement, readers, with_values
from dbvigil.queries.proof.trials import Bench, TimeIsUp
from dbvigil.queries.rules.ddl import quoted
from dbvigil.queries.schema import Schema
from dbvigil.queries.workload import Candidate, Proof, WorkloadQuery
from dbvigil.server import Server
from dbvigil.targets import Target

SECONDS_IN_SANDBOX = 300.0

Progress = Callable[[str, float], None]


async def verify(
    server: Server,
    workload: Sequence[WorkloadQuery],
    candidates: Sequence[Candidate],
    schema: Schema,
    *,
    budget: Budget | None = None,
    sandbox: str = "",
    forbidden: Sequence[Target] = (),
    seconds_in_sandbox: float = SECONDS_IN_SANDBOX,
    progress: Progress | None = None,
) -> list[Proof]:
    """A proof for each candidate, in their order. Only for somebody who has asked for it: it copies rows of the monitored server.

    Of `server` its target is used, over a connection of its own that sends SELECT, SHOW and SET alone, within `budget`. The rows go to a
    private server that is removed at the end, or to schemas of their own on the server at the URL `sandbox`, dropped at the end; that may
    be none of `forbidden`, and not the monitored one. `progress` hears what is being done, and how far the whole is (0 to 1).

    What cannot be tried is "untested" with the reason: no place, no privilege, a server that is lost, a budget that is too small. Raises
    `ConfigurationError` for a `sandbox` that cannot be used.
    """
    if seconds_in_sandbox <= 0:
        raise ConfigurationError("seconds_in_sandbox", seconds_in_sandbox, "allowed: more than 0")
    if not candidates:
        return []
    tell = progress or _silent
    own = Server(server.target, read_timeout=STATEMENT_SECONDS)
    purse = Purse(own, budget or Budget())
    try:
        await own.connect()
        proofs = await _verify(
            own, purse, workload, candidates, schema, sandbox, forbidden, seconds_in_sandbox, tell
        )
    except Spent as error:
        proofs = [untested(one, f"{error} before the sample was complete") for one in candidates]
    except (NoPlace, ServerError) as error:
        proofs = [untested(one, _reason(error)) for one in candidates]
    finally:
        await own.close()
    tell("done", 1.0)
    return [replace(one, cost=purse.cost()) for one in proofs]


async def _verify(
    own: Server,
    purse: Purse,
    workload: Sequence[WorkloadQuery],
    candidates: Sequence[Candidate],
    schema: Schema,
    url: str,
    forbidden: Sequence[Target],
    seconds: float,
    tell: Progress,
) -> list[Proof]:
    wanted = {name for one in candidates if (name := _name(one)) in schema.tables}
    statements = readers(workload, schema, wanted)
    names = sorted(wanted.union(*(one.tables for one in statements)))
    plan = plan_sample(workload, [schema.tables[name] for name in names], schema, purse.allowed(10**9))
    if not plan.groups:
        return [untested(one, _missing(one, schema, plan)) for one in candidates]
    tell("starting a sandbox", 0.0)
    async with sandbox_for(own, {name[0] for name in names}, url=url, forbidden=forbidden) as place:
        tell("copying a sample", 0.1)
        later = await make_tables(purse, place.server, plan, place.small, place.big)
        copied = await copy(purse, place.server, plan, place.small)
        # The monitored server has given what it had to give.
        await own.close()
        deadline = time.monotonic() + seconds
        tell("growing the sample", 0.2)
        await two_sizes(place.server, plan, copied, place.small, place.big, place.own)
        for text in later:
            await place.server.rows(text)
        await _analyze(place, plan)
        tell("calibrating", 0.3)
        meter = Meter(place.server, worked=place.worked)
        await meter.prepare()
        weights = await calibrated(place.server, meter, place.own)
        answers = Answers(place.server)
        filled = [await _filled(place, answers, one, schema, plan) for one in statements]
        bench = Bench(place, meter, deadline, weights, copied)
        return await _tried(bench, candidates, schema, plan, filled, own, tell)


async def _tried(
    bench: Bench,
    candidates: Sequence[Candidate],
    schema: Schema,
    plan: SamplePlan,
    statements: Sequence[Statement],
    own: Server,
    tell: Progress,
) -> list[Proof]:
    proofs: list[Proof] = []
    late = ""
    doubts = _doubts(bench.sandbox, own)
    for place, candidate in enumerate(candidates):
        tell(f"trying {candidate.table}", 0.4 + 0.6 * place / len(candidates))
        table = schema.tables.get(_name(candidate))
        if late or table is None or _name(candidate) in plan.refused:
            why = late or _missing(candidate, schema, plan)
            proofs.append(untested(candidate, why))
            continue
        try:
            tried = await bench.attempt(candidate, table, statements)
        except TimeIsUp:
            late = "the time in the sandbox was used up before its turn"
            proofs.append(untested(candidate, "the time in the sandbox was used up while it was tried"))
        except StatementFailed as error:
            proofs.append(untested(candidate, f"the sandbox does not take it (error {error.code})"))
        except ServerError as error:
            late = f"the sandbox was lost: {_reason(error)}"
            proofs.append(untested(candidate, late))
        else:
            proofs.append(
                proof_of(candidate, table, tried, statements, bench.copied, bench.weights, doubts, own.info)
            )
    return proofs


async def _filled(
    place: Sandbox, answers: Answers, statement: Statement, schema: Schema, plan: SamplePlan
) -> Statement:
    refused = next((plan.refused[name] for name in sorted(statement.tables) if name in plan.refused), "")
    if refused:
        return replace(statement, untested=refused)
    return await with_values(answers, statement, schema, place.small, place.big)


async def _analyze(place: Sandbox, plan: SamplePlan) -> None:
    for home in (place.big, place.small):
        for group in plan.groups:
            for part in group.parts:
                target = f"{quoted(home[part.table.schema.lower()])}.{quoted(part.table.name)}"
                await place.server.rows(ANALYZE.format(table=target))


def _doubts(place: Sandbox, own: Server) -> tuple[str, ...]:
    if place.version[:2] == own.info.version[:2]:
        return ()
    here, there = (".".join(map(str, one)) for one in (place.version, own.info.version))
    return (f"it was tried on version {here}, and the server is {there}",)


def _name(candidate: Candidate) -> Name:
    return candidate.schema.lower(), candidate.table.lower()


def _missing(candidate: Candidate, schema: Schema, plan: SamplePlan) -> str:
    name = _name(candidate)
    if name in plan.refused:
        return plan.refused[name]
    known = name in schema.tables
    return "nothing of it could be sampled" if known else f"nothing is known of the table {candidate.table}"


def _reason(error: DbvigilError) -> str:
    """What went wrong, without the server's words on a statement: they may quote its values."""
    if isinstance(error, StatementFailed):
        return f"a server refused a statement with error {error.code}"
    return str(error)


def _silent(what: str, share: float) -> None:
    """For those who did not ask."""
