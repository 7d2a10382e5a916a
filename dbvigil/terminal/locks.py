"""Who waits for whom, who did, and deadlocks by pattern, for the terminal. Takes them as the API answers with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from dbvigil.locks import words
from dbvigil.terminal.plain import aligned
from dbvigil.terminal.text import clean, clock, duration

Row = Mapping[str, Any]

_NOBODY = "no session waits for a lock"
_NO_PAST = "no session has waited for a second in this time"
_NO_DEADLOCK = "no deadlock in this time"
_PAST_HEAD = ("DATABASE", "FROM", "UNTIL", "LASTED", "WAITING", "DEPTH", "LONGEST", "ROOT")
_INDENT = 2
_DEEPEST = 20
"""So many levels are indented; what is deeper says its depth."""


def lines(waits: Sequence[Row], deadlocks: Sequence[Row], now: datetime) -> list[str]:
    """For a pipe, and for whoever reads it aloud: current trees, the history, deadlocks."""
    return [text for text, _ in _told(waits, deadlocks, now)]


def drawn(waits: Sequence[Row], deadlocks: Sequence[Row], now: datetime) -> RenderableType:
    """The same for a terminal."""
    return Group(*(Text(text, style, overflow="fold") for text, style in _told(waits, deadlocks, now)))


def _told(waits: Sequence[Row], deadlocks: Sequence[Row], now: datetime) -> Iterator[tuple[str, str]]:
    """Lines with their styles."""
    current = [one for one in waits if one["current"]]
    past = [one for one in waits if not one["current"]]
    if not current:
        yield _NOBODY.capitalize(), "green"
    for one in current:
        yield _summary(one, now), "bold red"
        for node in one["latest"]:
            yield _node(node), "bold" if node["depth"] == 0 else ""
        if unnamed := words.hint(one["latest"]):
            yield unnamed, "dim"
    yield "", ""
    if past:
        yield "Earlier waits", "bold"
        yield from ((line, "") for line in aligned([_PAST_HEAD, *(_past(one, now) for one in past)]))
    else:
        yield _NO_PAST.capitalize(), "dim"
    yield "", ""
    if not deadlocks:
        yield _NO_DEADLOCK.capitalize(), "dim"
    for place, one in enumerate(deadlocks):
        if place:
            yield "", ""
        yield from _deadlock(one, now)


def _summary(one: Row, now: datetime) -> str:
    nodes = one["latest"]
    who = words.waiting(sum(node["kind"] is not None for node in nodes))
    since = clock(datetime.fromisoformat(one["started_at"]), now)
    return f"{clean(one['database'])}: {who} for locks, since {since} ({duration(one['seconds'])})"


def _node(node: Row) -> str:
    depth = node["depth"]
    indent = " " * _INDENT * (1 + min(depth, _DEEPEST))
    told: str = indent + (f"[{depth}] " if depth > _DEEPEST else "") + clean(words.session(node))
    return f"{told}: {clean(node['statement'])}" if node["statement"] else told


def _past(one: Row, now: datetime) -> tuple[str, ...]:
    end = one["ended_at"]
    return (
        clean(one["database"]),
        clock(datetime.fromisoformat(one["started_at"]), now),
        "" if end is None else clock(datetime.fromisoformat(end), now),
        duration(one["seconds"]),
        str(one["most_waiting"]),
        str(one["depth"]),
        "" if one["longest_seconds"] is None else duration(one["longest_seconds"]),
        clean(one["root_statement"] or "unknown"),
    )


def _deadlock(one: Row, now: datetime) -> Iterator[tuple[str, str]]:
    last = clock(datetime.fromisoformat(one["last_seen"]), now)
    first = "" if one["count"] == 1 else f", first {clock(datetime.fromisoformat(one['first_seen']), now)}"
    yield (
        f"Deadlock {one['pattern']} on {clean(one['database'])}, {words.times(one['count'])}, last {last}{first}",
        "bold",
    )
    for transaction in one["transactions"]:
        who = clean(words.who(transaction)) or "somebody"
        undone = " (undone)" if transaction["number"] == one["victim"] else ""
        yield (
            f"  {transaction['number']}. {who}{undone}: {clean(transaction['statement'] or 'unknown statement')}",
            "",
        )
        for verb, locks in (("holds", transaction["holds"]), ("waits for", transaction["waits_for"])):
            for lock in locks:
                yield f"     {verb} {clean(words.held(lock))}", "dim"
    for advice in one["advice"]:
        yield f"  - {clean(advice['text'])}", "green"
