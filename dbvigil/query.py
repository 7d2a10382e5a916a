"""A slow query as everyone sees it: the API, the command, evidence of alerts. Frozen, plain, and free of Django."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Literal

from dbvigil.types import Json, iso_utc

QuerySeverity = Literal["low", "medium", "high", "critical"]
QuerySource = Literal["digest", "slow_log", "processlist"]
AdviceAction = Literal["create_index", "rewrite", "schema", "config", "application"]
Confidence = Literal["verified", "estimated", "heuristic"]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to do about a query. `rule` is the id of the rule that says so.

    `sql` is the DDL or the rewritten query, empty where there is none to give; `django` the same as Django code. `evidence` holds
    `before`, `after` and `method`: what was measured, estimated or read. `confidence`: verified by execution, estimated from plan or
    statistics, or a rule of thumb.
    """

    rule: str
    title: str
    detail: str
    action: AdviceAction
    sql: str = ""
    django: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    confidence: Confidence = "heuristic"

    def to_dict(self) -> dict[str, Any]:
        body: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        body["evidence"] = {"before": None, "after": None, "method": "", **self.evidence}
        return body


@dataclass(frozen=True, slots=True)
class SlowQuery:
    """One kind of statement (all that share a fingerprint) and what it costs.

    Times are seconds, `share_of_load` percent of all statement time of the same source and span, `rows_examined` and `rows_sent`
    totals. What a source cannot tell is None. `query` has its literals replaced; `sample` holds one statement with its literals only where
    redaction is off. `fingerprint` is the text in the percona dialect, `query_id` its 16 hex digits, `digest` the server's own key.
    `patterns` are the ids of the rules that found something. `is_new`: first seen in the last seven days; None where too little was
    known by then. `trend`: its time an execution as a multiple of that in the span before. `callers`: executions by what the statements'
    comments name (view, route, task).
    `since_deployment`: the newest deployment of the last week and what it did: `{"name", "at", "is_new", "trend", "slower",
    "plan_changed"}`.
    `plan_history`: the plans that it had, the present one first: `{"hash", "first_seen", "last_seen", "changes"}`.
    `gaps`: what could not be looked at, and why, a sentence each.
    """

    fingerprint: str
    query_id: str
    query: str
    source: QuerySource
    digest: str = ""
    database: str = ""
    schema: str = ""
    sample: str | None = None
    count: int | None = None
    total_time: float | None = None
    avg_time: float | None = None
    p95_time: float | None = None
    max_time: float | None = None
    lock_time: float | None = None
    rows_examined: int | None = None
    rows_sent: int | None = None
    rows_examined_per_row_sent: float | None = None
    no_index_used: int | None = None
    tmp_disk_tables: int | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    share_of_load: float | None = None
    severity: QuerySeverity = "low"
    frequency_per_minute: float | None = None
    patterns: tuple[str, ...] = ()
    recommendations: tuple[Recommendation, ...] = ()
    plan: Json = None
    plan_history: tuple[Mapping[str, Any], ...] = ()
    is_new: bool | None = None
    trend: float | None = None
    since_deployment: Mapping[str, Any] | None = None
    callers: Mapping[str, int] = field(default_factory=dict)
    gaps: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        body: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        for name in ("first_seen", "last_seen"):
            moment = body[name]
            body[name] = None if moment is None else iso_utc(moment)
        body["patterns"] = list(self.patterns)
        body["since_deployment"] = None if self.since_deployment is None else dict(self.since_deployment)
        body["callers"] = dict(self.callers)
        body["plan_history"] = [dict(one) for one in self.plan_history]
        body["gaps"] = list(self.gaps)
        body["recommendations"] = [one.to_dict() for one in self.recommendations]
        return body
