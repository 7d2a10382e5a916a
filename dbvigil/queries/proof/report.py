"""What was tried, as a `Proof`: figures and words, and none of the values that statements were executed with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dbvigil.queries.indexes.online import online_ddl
from dbvigil.queries.proof.copying import Copied
from dbvigil.queries.proof.costs import Facts, Trial
from dbvigil.queries.proof.measure import Weights
from dbvigil.queries.proof.sampling import name_of
from dbvigil.queries.proof.statements import Statement
from dbvigil.queries.proof.trials import Tried, build_seconds
from dbvigil.queries.proof.verdict import judge
from dbvigil.queries.schema import Table
from dbvigil.queries.workload import Candidate, Proof
from dbvigil.types import ServerInfo

LEAST_ROWS = 2_000
"""Rows of a sample from which something is proved: in fewer, what is rare in the table may be missing, and what is frequent look rare."""


def untested(candidate: Candidate, reason: str) -> Proof:
    """A proof that there is none."""
    return Proof(candidate, "untested", reason)


def proof_of(
    candidate: Candidate,
    table: Table,
    tried: Tried,
    statements: Sequence[Statement],
    copied: Copied,
    weights: Weights,
    doubts: Sequence[str],
    info: ServerInfo,
) -> Proof:
    """The verdict with all that it stands on."""
    name = name_of(table)
    reading = [one for one in statements if name in one.tables]
    missing = {one.query.query_id: one.untested for one in reading if one.untested} | dict(tried.failed)
    share = min(
        (copied.shares.get(one, 1.0) for statement in reading for one in statement.tables), default=1.0
    )
    doubts = [
        *doubts,
        *(f"statement {query} could not be tried: {why}" for query, why in sorted(missing.items())),
    ]
    # What the index is not for, and is not used by, does what it did before, however the sample is made.
    concerned = candidate.serves, _users(tried)
    touched = [one for one in reading if any(one.query.query_id in names for names in concerned)]
    doubts += [
        f"joins of {one[1]} lose rows in the sample" for one in sorted(copied.loose & _joined(touched))
    ]
    if share < 1 and any(not one.sampled and not one.untested for one in touched):
        doubts.append("only values of the real statements could be tried, which the sample may not have")
    if share < 1 and copied.rows.get(name, 0) < LEAST_ROWS:
        doubts.append(
            f"a sample of {copied.rows.get(name, 0):,} rows is too small to prove anything; let more be read"
        )
    algorithm, lock, note = online_ddl(table, candidate, info.flavor, info.version)
    full = copied.full(name) if share < 1 else 0
    verdict = judge(tried.served, tried.others, Facts(full, weights, tuple(doubts), tried.timed, table.rows))
    best = verdict.best.pairs[-1] if verdict.best else None
    reason = verdict.reason
    if verdict.outcome == "untested":
        served = [why for query, why in missing.items() if query in candidate.serves]
        reason = f"{reason}: {served[0]}" if served else reason
    return Proof(
        candidate,
        verdict.outcome,
        reason,
        verdict.speed_up,
        verdict.interval,
        best.before.figures() if best else None,
        best.after.figures() if best else None,
        _rows(candidate, tried, missing),
        tried.write_cost,
        {
            "share": round(100 * share, 2),
            "rows": copied.rows.get(name, 0),
            "sizes": _sizes(tried, table),
        },
        build_seconds(tried.build, table.rows),
        ", ".join((algorithm, f"LOCK={lock}")) + f": {note}",
    )


def _sizes(tried: Tried, table: Table) -> list[float]:
    """Rows in which statements were executed, in percent of the real table's."""
    pairs = next((trial.pairs for trial in (*tried.served, *tried.others)), ())
    return [round(100 * pair.rows / max(1, table.rows or 0), 2) for pair in pairs]


def _users(tried: Tried) -> set[str]:
    """The statements for which the server used the index."""
    return {
        trial.query_id for trial in (*tried.served, *tried.others) if any(pair.used for pair in trial.pairs)
    }


def _joined(reading: Sequence[Statement]) -> set[tuple[str, str]]:
    return {name for one in reading if len(one.tables) > 1 for name in one.tables}


def _rows(candidate: Candidate, tried: Tried, missing: Mapping[str, str]) -> tuple[Mapping[str, Any], ...]:
    found: dict[str, dict[str, Any]] = {}
    for trial in (*tried.served, *tried.others):
        row = found.setdefault(
            trial.query_id,
            {"query_id": trial.query_id, "serves": trial.query_id in candidate.serves, "cases": []},
        )
        row["cases"].append(_case(trial))
    untested_ones = [{"query_id": query, "untested": why} for query, why in sorted(missing.items())]
    return (*found.values(), *untested_ones)


def _case(trial: Trial) -> dict[str, Any]:
    last = trial.pairs[-1]
    return {
        "case": trial.case,
        "before": last.before.figures(),
        "after": last.after.figures(),
        "used": last.used,
        "same_rows": trial.alike,
    }
