"""The page of replication: who follows whom, what is wrong about it and what to do, for everyone who is signed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dbvigil.display import seconds
from dbvigil.monitoring import DatabaseMonitor, get_database_monitor
from dbvigil.pages import filters
from dbvigil.pages.base import for_readers, message, page
from dbvigil.pages.charts import Chart, chart
from dbvigil.replication import words

_LEAST_HEIGHT = 5.0
"""Seconds of lag that a picture shows at least."""
_DEEPEST = 5
"""So many levels are set in; deeper ones say how deep they are."""


@dataclass(frozen=True, slots=True)
class Line:
    """One server of the tree."""

    depth: int
    name: str
    about: str
    state: str
    trouble: bool


@dataclass(frozen=True, slots=True)
class Lag:
    """A replica's lag over time; `now` says what it is and when it will have caught up."""

    database: str
    now: str
    chart: Chart
    highest: str


@dataclass(frozen=True, slots=True)
class Group:
    """A replication group, with (member, state, whether that is as it should be)."""

    name: str
    members: tuple[tuple[str, str, bool], ...]


@require_safe
@for_readers
def replication_page(request: HttpRequest) -> HttpResponse:
    """GET `?hours=`: how far back lag is shown."""
    monitor = get_database_monitor()
    asked = filters.asked(request, ())
    if asked is None:
        return message(request, 404, "No such database", "This page shows all of them.")
    body = monitor.get_replication()
    topology = body["topology"]
    return page(
        request,
        "replication.html",
        {
            "nothing": words.NOTHING,
            "lines": [_line(branch, body["databases"]) for branch in words.tree(topology)],
            "groups": [_group(group) for group in topology["groups"]],
            "circles": [" → ".join((*circle, circle[0])) for circle in topology["circles"]],
            "lags": [
                _lag(monitor, alias, one, float(asked.hours))
                for alias, one in body["databases"].items()
                if one["channels"]
            ],
            "filters": asked.filters()[1:],
            "span": asked.span,
            "findings": body["findings"],
            "summary": words.summary(body["findings"]),
        },
    )


def _line(branch: words.Branch, databases: Mapping[str, Any]) -> Line:
    node, edge = branch.node, branch.edge
    state, trouble = "", node["up"] is False
    if edge is not None:
        body = databases.get(node["name"])
        channels = body["channels"] if body else ()
        told = next((one for one in channels if one["name"] == edge["channel"]), None)
        later = words.catching_up(body) if body else ""
        state = words.channel(edge, told) + (f", {later}" if later else "")
        trouble = trouble or edge["running"] is False
    about = "drawn above" if branch.again else words.server(node)
    return Line(min(branch.depth, _DEEPEST), node["name"], about, state, trouble)


def _lag(monitor: DatabaseMonitor, alias: str, body: Mapping[str, Any], hours: float) -> Lag:
    now = datetime.now(UTC)
    found = monitor.get_metrics_history(alias, hours, "replication_lag")
    drawn = chart(
        found["series"].get("replication_lag", ()),
        now - timedelta(hours=hours),
        now,
        found["resolution_seconds"],
        _LEAST_HEIGHT,
    )
    told = "unknown" if body["lag"] is None else words.behind(body["lag"])
    later = words.catching_up(body)
    return Lag(alias, f"{told}, {later}" if later else told, drawn, seconds(drawn.highest))


def _group(group: Mapping[str, Any]) -> Group:
    return Group(
        group["name"],
        tuple(
            (one["node"], f"{one['state']} {one['role']}".strip(), one["state"] == "ONLINE")
            for one in group["members"]
        ),
    )
