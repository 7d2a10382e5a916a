"""A kind of statement with everything that is known about it, as one `SlowQuery`: what it costs, how much that matters, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlglot import exp

from dbvigil import redaction
from dbvigil.queries.figures import Figures
from dbvigil.queries.fingerprint import fingerprint
from dbvigil.queries.parse import parse
from dbvigil.queries.plan import Plan, PlanNode
from dbvigil.queries.rules import check
from dbvigil.queries.rules.base import Finding, Rule, Subject
from dbvigil.queries.rules.statistics_history import Burst
from dbvigil.queries.schema import Schema
from dbvigil.queries.severity import severity, share_of_load
from dbvigil.query import QuerySource, Recommendation, SlowQuery
from dbvigil.types import Flavor

N_PLUS_ONE = "n_plus_one"
"""What the advice on a burst is known by: no rule sees a log's sessions."""
_LONGEST_TEXT = 20_000
_SHORTEST_SECRET = 2
_VALUES = (exp.Literal, exp.HexString, exp.BitString, exp.National, exp.ByteString)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of statement and its figures, as one source tells them.

    `query` has `?` for values. `sample` is one statement with its values: rules see more in it, and it is handed on only by `judge` with
    `keep_sample`. `digest` is the server's key. `callers`: executions by what their comments name. `burst`: many in a row in one session.
    """

    query: str
    source: QuerySource
    figures: Figures
    fingerprint: str = ""
    query_id: str = ""
    digest: str = ""
    schema: str = ""
    sample: str | None = None
    callers: Mapping[str, int] = field(default_factory=dict)
    burst: Burst | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a kind of statement runs: what its server is, its tables and the plan, as far as they are known.

    `total_time`: seconds that all statements of the same span took. `gaps`: what could not be looked at, a sentence each.
    """

    database: str = ""
    flavor: Flavor = "mysql"
    version: tuple[int, int, int] = (8, 4, 0)
    total_time: float | None = None
    schema: Schema = field(default_factory=Schema)
    plan: Plan | None = None
    gaps: tuple[str, ...] = ()


def judge(kind: Kind, around: Surroundings, *, keep_sample: bool = False) -> SlowQuery:
    """The whole answer on one kind of statement. Without `keep_sample` nothing of it holds a value of the application's rows."""
    found = advice(kind, around, keep_values=keep_sample)
    return measured(kind, around, found, keep_sample=keep_sample)


def advice(kind: Kind, around: Surroundings, *, keep_values: bool = False) -> list[Recommendation]:
    """What every rule has to say, the gravest first."""
    text = (kind.sample or kind.query)[:_LONGEST_TEXT]
    subject = Subject(
        sql=text,
        tree=parse(text),
        flavor=around.flavor,
        version=around.version,
        schema=around.schema,
        plan=around.plan,
        figures=kind.figures,
        redacted=kind.sample is None,
    )
    found = check(subject)
    if kind.sample is not None and not keep_values:
        found = list(_without_values(found, subject.tree))
    return [*_of_burst(kind.burst), *(recommendation(rule, finding) for rule, finding in found)]


def _of_burst(burst: Burst | None) -> Iterator[Recommendation]:
    if burst is not None:
        finding = burst.finding()
        yield Recommendation(
            N_PLUS_ONE,
            "One look-up for each row of a list",
            finding.detail,
            "application",
            evidence={
                "before": finding.before,
                "after": finding.after,
                "method": "statistics",
                "opener": burst.opener,
            },
            confidence="estimated",
        )


def recommendation(rule: Rule, finding: Finding) -> Recommendation:
    return Recommendation(
        rule=rule.id,
        title=rule.title,
        detail=finding.detail,
        action=rule.action,
        sql=finding.sql,
        evidence={"before": finding.before, "after": finding.after, "method": rule.needs},
        confidence=rule.confidence,
    )


def measured(
    kind: Kind, around: Surroundings, recommendations: Iterable[Recommendation], *, keep_sample: bool = False
) -> SlowQuery:
    """`kind` with advice that is known already."""
    figures, advised = kind.figures, tuple(recommendations)
    text, query_id = (
        (kind.fingerprint, kind.query_id)
        if kind.fingerprint
        else fingerprint(kind.query or kind.sample or "")
    )
    per_minute = 60 * figures.count / figures.seconds if figures.seconds else None
    return SlowQuery(
        fingerprint=text,
        query_id=query_id,
        query=kind.query,
        source=kind.source,
        digest=kind.digest,
        database=around.database,
        schema=kind.schema,
        sample=kind.sample if keep_sample else None,
        count=figures.count,
        total_time=figures.total_time,
        avg_time=figures.avg_time,
        p95_time=figures.p95_time,
        max_time=figures.max_time,
        lock_time=figures.lock_time,
        rows_examined=figures.rows_examined,
        rows_sent=figures.rows_sent,
        rows_examined_per_row_sent=figures.examined_per_sent,
        no_index_used=figures.no_index_used,
        tmp_disk_tables=figures.tmp_disk_tables,
        first_seen=figures.first_seen,
        last_seen=figures.last_seen,
        share_of_load=share_of_load(figures, around.total_time),
        severity=severity(figures, around.total_time),
        frequency_per_minute=per_minute,
        patterns=tuple(dict.fromkeys(one.rule for one in advised)),
        recommendations=advised,
        plan=None if around.plan is None else redacted_plan(around.plan).to_dict(),
        callers=dict(kind.callers),
        gaps=around.gaps,
    )


def redacted_plan(plan: Plan) -> Plan:
    """`plan` without the values in its conditions."""
    return replace(plan, root=_redacted(plan.root))


def _redacted(node: PlanNode) -> PlanNode:
    return replace(
        node,
        condition=redaction.statement(node.condition) or "",
        extra=tuple(redaction.statement(one) or "" for one in node.extra),
        children=tuple(_redacted(child) for child in node.children),
    )


def without_values(sql: str) -> str:
    """A statement with `?` for each of its values, as far as it can be read; else its fingerprint."""
    tree = parse(sql)
    if tree is None:
        return fingerprint(sql)[0]

    def bare(node: Any) -> Any:
        return exp.Placeholder() if isinstance(node, _VALUES) else node

    return str(tree.transform(bare).sql(dialect="mysql", comments=False))


def _without_values(
    found: Iterable[tuple[Rule, Finding]], tree: exp.Expression | None
) -> Iterable[tuple[Rule, Finding]]:
    """The findings with the statement's own values taken out of their words and of the rewritten statement."""
    values = [] if tree is None else [one.name for one in tree.find_all(exp.Literal)]
    secrets = sorted(
        {re.escape(one) for one in values if len(one) >= _SHORTEST_SECRET}, key=len, reverse=True
    )
    hidden = re.compile(rf"(?<!\w)(?:{'|'.join(secrets)})(?!\w)") if secrets else None
    for rule, finding in found:
        detail = finding.detail if hidden is None else hidden.sub("?", finding.detail)
        sql = without_values(finding.sql) if rule.action == "rewrite" and finding.sql else finding.sql
        yield rule, replace(finding, detail=detail, sql=sql)
