"""The page of locks: who waits for whom, who did, and deadlocks by pattern, for everyone who is signed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dbvigil.display import seconds
from dbvigil.locks import words
from dbvigil.locks.stored import deadlocks, lock_waits
from dbvigil.monitoring import get_database_monitor
from dbvigil.pages import filters
from dbvigil.pages.base import for_readers, message, page

MOST = 50
_DEEPEST = 5
"""So many levels are set in; deeper ones say how deep they are."""


@dataclass(frozen=True, slots=True)
class Node:
    """One session of a tree."""

    depth: int
    deeper: int | None
    text: str
    statement: str


@dataclass(frozen=True, slots=True)
class Episode:
    """Waiting on one database: its newest tree while it goes on, else its deepest."""

    database: str
    current: bool
    title: str
    started_at: datetime
    ended_at: datetime | None
    facts: tuple[tuple[str, str], ...]
    nodes: tuple[Node, ...]
    left_out: int
    root: str
    hint: str


@dataclass(frozen=True, slots=True)
class Pattern:
    """Deadlocks of one pattern, with the latest."""

    database: str
    pattern: str
    times: str
    first_seen: datetime
    last_seen: datetime
    transactions: tuple[Mapping[str, Any], ...]
    advice: tuple[str, ...]


@require_safe
@for_readers
def locks_page(request: HttpRequest) -> HttpResponse:
    """GET `?database=&hours=`: the fifty newest of each."""
    monitor = get_database_monitor()
    asked = filters.asked(request, monitor.databases())
    if asked is None:
        return message(request, 404, "No such database", "No monitored database has this name.")
    hours, now, interval = float(asked.hours), datetime.now(UTC), monitor.get_status()["interval_seconds"]
    waits = lock_waits(asked.chosen, hours, now, limit=MOST, interval=interval)
    return page(
        request,
        "locks.html",
        {
            "span": asked.span,
            "current": [_episode(one) for one in waits if one["current"]],
            "past": [_episode(one) for one in waits if not one["current"]],
            "deadlocks": [_pattern(one) for one in deadlocks(asked.chosen, hours, now, limit=MOST)],
            "filters": asked.filters(),
        },
    )


def _episode(one: Mapping[str, Any]) -> Episode:
    nodes: Sequence[Mapping[str, Any]] = one["latest"] if one["current"] else one["tree"]
    facts = (
        ("Lasted", seconds(one["seconds"])),
        ("Longest wait", seconds(one["longest_seconds"])),
        ("Waiting at most", f"{one['most_waiting']:,}"),
        ("Deep", str(one["depth"])),
    )
    waiting = sum(node["kind"] is not None for node in nodes)
    return Episode(
        one["database"],
        one["current"],
        words.waiting(waiting) if one["current"] else words.waited(one["most_waiting"]),
        datetime.fromisoformat(one["started_at"]),
        None if one["ended_at"] is None else datetime.fromisoformat(one["ended_at"]),
        facts,
        tuple(_node(node) for node in nodes),
        0 if one["current"] else one["left_out"],
        one["root_statement"] or (words.session(nodes[0]) if nodes else ""),
        words.hint(nodes),
    )


def _node(node: Mapping[str, Any]) -> Node:
    depth = node["depth"]
    deeper = depth if depth > _DEEPEST else None
    return Node(min(depth, _DEEPEST), deeper, words.session(node), node["statement"] or "")


def _pattern(one: Mapping[str, Any]) -> Pattern:
    transactions = tuple(
        {
            "number": transaction["number"],
            "who": words.who(transaction) or "somebody",
            "undone": transaction["number"] == one["victim"],
            "statement": transaction["statement"] or "a statement that is not known",
            "locks": [
                f"{verb} {words.held(lock)}"
                for verb, locks in (("holds", transaction["holds"]), ("waits for", transaction["waits_for"]))
                for lock in locks
            ],
        }
        for transaction in one["transactions"]
    )
    return Pattern(
        one["database"],
        one["pattern"],
        words.times(one["count"]),
        datetime.fromisoformat(one["first_seen"]),
        datetime.fromisoformat(one["last_seen"]),
        transactions,
        tuple(advice["text"] for advice in one["advice"]),
    )
