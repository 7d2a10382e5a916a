"""What was proved about indexes, kept with the statements that they serve: every face tells it with their figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from dbvigil.models import QueryKind
from dbvigil.queries.workload import Proof
from dbvigil.query import Confidence, Recommendation
from dbvigil.slow_queries import built
from dbvigil.types import iso_utc

RULE = "proved_index"
_TOLD = ("verified", "estimated", "harmful")
_TITLES = {
    "verified": "An index that was proved to help",
    "estimated": "An index that is likely to help",
    "harmful": "An index that was proved to do harm",
}


def keep(database: str, proofs: Sequence[Proof], now: datetime) -> int:
    """Replaces what was proved for the statements that were tried; how many of them are known here. Raises `DatabaseError`."""
    served = {
        query_id for proof in proofs if proof.outcome != "untested" for query_id in proof.candidate.serves
    }
    with transaction.atomic():
        built.remember(database, proofs, now)
        there = built.of_database(database)
        kinds = list(QueryKind.objects.filter(database=database, source="digest", query_id__in=served))
        for kind in kinds:
            told = [
                proof
                for proof in proofs
                if kind.query_id in proof.candidate.serves and proof.outcome in _TOLD
            ]
            kept = [body for body in kind.proofs if built.is_there(body, there)]
            kind.proofs = [recommendation(proof, kind.query_id, now).to_dict() for proof in told] + kept
        QueryKind.objects.bulk_update(kinds, ["proofs"])
    return len(kinds)


def recommendation(proof: Proof, query_id: str, now: datetime) -> Recommendation:
    """The proof of one index as advice on one statement that it serves, with that statement's own figures where it was executed."""
    confidence: Confidence = "estimated" if proof.outcome == "estimated" else "verified"
    harmful = proof.outcome == "harmful"
    before, after = _figures(proof, query_id)
    sample = proof.sample or {}
    method = f"executed on a private server with {sample.get('rows', 0):,} rows, {sample.get('share', 0):g} % of the table"
    return Recommendation(
        rule=RULE,
        title=_TITLES[proof.outcome],
        detail=f"{proof.candidate.table} ({', '.join(name for name, _down in proof.candidate.columns)}): {proof.reason}",
        action="create_index",
        # What does harm is told so that nobody tries it again; it is not there to be copied.
        sql="" if harmful else proof.candidate.ddl,
        evidence={
            "before": before,
            "after": after,
            "method": method,
            "speed_up": proof.speed_up,
            "interval": None if proof.interval is None else list(proof.interval),
            "write_cost": proof.write_cost,
            "build_seconds": proof.build_seconds,
            "algorithm": proof.algorithm,
            "rollback": proof.candidate.rollback,
            "index": {
                "schema": proof.candidate.schema,
                "table": proof.candidate.table,
                "columns": [list(one) for one in proof.candidate.columns],
            },
            "at": iso_utc(now),
        },
        confidence=confidence,
    )


def _figures(proof: Proof, query_id: str) -> tuple[Any, Any]:
    """Before and after of this statement: its case that gains most, as the proof has them by row."""
    cases = [
        case for row in proof.queries if row.get("query_id") == query_id for case in row.get("cases", ())
    ]
    if not cases:
        return proof.before, proof.after
    best = max(cases, key=lambda case: (case["before"]["rows_read"] or 0) - (case["after"]["rows_read"] or 0))
    return dict(best["before"]), dict(best["after"])
