"""The page of slow queries: what costs most, why, and what to do, for everyone who is signed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dbvigil.display import seconds
from dbvigil.monitoring import get_database_monitor
from dbvigil.pages import filters
from dbvigil.pages.base import for_readers, message, page
from dbvigil.queries.severity import SEVERITIES
from dbvigil.query import SlowQuery
from dbvigil.slow_queries.stored import slow_queries, troubles

MOST = 50
_BEGINNING = 300


@dataclass(frozen=True, slots=True)
class Shown:
    """One kind of statement as the page has it."""

    query: SlowQuery
    beginning: str
    long: bool
    share: str
    facts: tuple[tuple[str, str], ...]
    plan: tuple[str, ...]
    news: tuple[str, ...]


@require_safe
@for_readers
def queries_page(request: HttpRequest) -> HttpResponse:
    """GET `?database=&hours=&severity=`: the worst fifty."""
    only = next((grade for grade in SEVERITIES if grade == request.GET.get("severity")), None)
    asked = filters.asked(request, get_database_monitor().databases(), severity=only or "")
    if asked is None:
        return message(request, 404, "No such database", "No monitored database has this name.")
    found = slow_queries(asked.chosen, float(asked.hours), datetime.now(UTC), limit=MOST, only=only)
    severities = [("", "all"), *((one, one) for one in reversed(SEVERITIES))]
    return page(
        request,
        "queries.html",
        {
            "span": asked.span,
            "queries": [shown(one) for one in found],
            "troubles": [
                f"{alias}, {source.replace('_', ' ')}: {text}"
                for alias, sources in troubles(asked.chosen).items()
                for source, text in sources.items()
            ],
            "filters": [*asked.filters(), ("Severity", asked.choices("severity", severities))],
        },
    )


def shown(one: SlowQuery) -> Shown:
    """`one` in words. What is unknown is left out."""
    ratio, minute = one.rows_examined_per_row_sent, one.frequency_per_minute
    facts = (
        ("Executions", "" if one.count is None else f"{one.count:,}"),
        ("In all", seconds(one.total_time)),
        ("Each", seconds(one.avg_time)),
        ("95 % within", "" if one.p95_time is None else seconds(one.p95_time)),
        ("Longest", "" if one.max_time is None else seconds(one.max_time)),
        ("Waiting for locks", "" if not one.lock_time else seconds(one.lock_time)),
        ("A minute", "" if minute is None else f"{minute:,.3g}"),
        ("Rows read for each given", "" if ratio is None else f"{ratio:,.0f}"),
        ("Without an index", "" if not one.no_index_used else f"{one.no_index_used:,}"),
        ("Tables on disk", "" if not one.tmp_disk_tables else f"{one.tmp_disk_tables:,}"),
    )
    share = one.share_of_load
    long = len(one.query) > _BEGINNING
    return Shown(
        one,
        one.query[: _BEGINNING - 1] + "…" if long else one.query,
        long,
        "" if share is None else f"{share:.1f}",
        tuple((name, text) for name, text in facts if text and text != "n/a"),
        tuple(_plan_lines(one.plan["tree"])) if isinstance(one.plan, dict) else (),
        tuple(_news(one)),
    )


def _news(one: SlowQuery) -> Iterator[str]:
    since = one.since_deployment
    if since is not None and since["is_new"]:
        yield f"new since {since['name']}"
    elif one.is_new:
        yield "new this week"
    if since is not None and since["slower"]:
        yield f"slower since {since['name']}"
    if since is not None and since["plan_changed"]:
        yield f"another plan since {since['name']}"
    if one.source == "processlist":
        yield "running now"


def _plan_lines(node: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """A plan's steps, the ones below indented."""
    parts = [str(node["operation"])]
    if node.get("table"):
        parts.append(str(node["table"]))
    if node.get("access"):
        parts.append("reads the whole table" if node["access"] == "ALL" else f"access {node['access']}")
    if node.get("key"):
        parts.append(
            f"by {node['key']} ({', '.join(node.get('used_key_parts', ()))})"
            if node.get("used_key_parts")
            else f"by {node['key']}"
        )
    if node.get("rows") is not None:
        parts.append(f"about {node['rows']:,.0f} rows")
    if node.get("condition"):
        parts.append(f"where {node['condition']}")
    yield "  " * depth + " · ".join(parts)
    for child in node.get("children", ()):
        yield from _plan_lines(child, depth + 1)
