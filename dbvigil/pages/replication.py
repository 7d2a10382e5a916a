"""The page of replication: who follows whom, what is wrong about it and what to do, for everyone who is signed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dbvigil.monitoring import get_database_monitor
from dbvigil.pages.base import for_readers, page
from dbvigil.replication import words

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
class Group:
    """A replication group, with (member, state, whether that is as it should be)."""

    name: str
    members: tuple[tuple[str, str, bool], ...]


@require_safe
@for_readers
def replication_page(request: HttpRequest) -> HttpResponse:
    body = get_database_monitor().get_replication()
    topology = body["topology"]
    return page(
        request,
        "replication.html",
        {
            "nothing": words.NOTHING,
            "lines": [_line(branch, body["databases"]) for branch in words.tree(topology)],
            "groups": [_group(group) for group in topology["groups"]],
            "circles": [" → ".join((*circle, circle[0])) for circle in topology["circles"]],
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


def _group(group: Mapping[str, Any]) -> Group:
    return Group(
        group["name"],
        tuple(
            (one["node"], f"{one['state']} {one['role']}".strip(), one["state"] == "ONLINE")
            for one in group["members"]
        ),
    )
