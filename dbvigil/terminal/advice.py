"""Index advice for the terminal: what to add, whom it serves, how to undo it, and what may go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from dbvigil.terminal.queries import seconds
from dbvigil.terminal.text import Glyphs, clean

_SHOWN = 5
_QUERY = 160
_WHY: Mapping[str, str] = {
    "duplicate": "the same as another",
    "prefix": "the beginning of another",
    "primary_key": "another with the primary key behind it",
    "unused": "read by nobody",
}
_WORDS: Mapping[str, str] = {
    "heading": "bold",
    "index": "bold cyan",
    "ddl": "green",
    "undo": "dim",
    "fact": "",
    "query": "dim",
    "trouble": "yellow",
}
Line = tuple[str, int, str]
"""What it is, how far it is moved in, and its text."""


def lines(body: Mapping[str, Any]) -> list[str]:
    """For a pipe: the statements to run stand alone on their lines."""
    return [" " * room + text for _kind, room, text in _said(body)]


def drawn(body: Mapping[str, Any], glyphs: Glyphs) -> RenderableType:
    """For a terminal: the same with colors."""
    parts: list[RenderableType] = []
    for kind, room, text in _said(body):
        sign = f"{glyphs.dot} " if kind == "query" else ""
        parts.append(Padding(Text(sign + text, _WORDS[kind]), (0, 0, 0, room)))
    return Group(*parts)


def _said(body: Mapping[str, Any]) -> Iterator[Line]:
    share = _percent(body["share_of_load"])
    span = "since the counters began" if body["minutes"] is None else f"seen in {body['minutes']:g} minutes"
    yield (
        "heading",
        0,
        f"{clean(body['database'])}: {body['statements']} kinds of statement {span}, {share} of {seconds(body['total_time'])}",
    )
    if not body["candidates"]:
        yield "fact", 0, "no index is missing, as far as can be told from these statements"
    for place, one in enumerate(body["candidates"], start=1):
        yield "fact", 0, ""
        yield from _candidate(place, one)
    if body["candidates"]:
        yield "fact", 0, ""
        yield (
            "fact",
            0,
            "These are guesses from statistics. An index can also make a statement slower: try each on a copy before it is built.",
        )
    if body["needless"]:
        yield "fact", 0, ""
        yield "heading", 0, f"Indexes that may go, judged over {', '.join(map(clean, body['servers']))}"
    for one in body["needless"]:
        yield from _needless(one)
    for gap in body["gaps"]:
        yield "trouble", 0, clean(gap)


def _candidate(place: int, one: Mapping[str, Any]) -> Iterator[Line]:
    columns = ", ".join(
        clean(column["name"]) + (" DESC" if column["descending"] else "") for column in one["columns"]
    )
    covering = ", nothing else has to be read" if one["covering"] else ""
    yield (
        "index",
        0,
        f"{place}. {clean(one['table'])} ({columns}): serves {_percent(one['share_of_load'])} of the load{covering}",
    )
    yield "ddl", 3, clean(one["ddl"]) + ";"
    yield "undo", 3, f"undo: {clean(one['rollback'])};"
    yield "fact", 3, f"{one['algorithm']}, LOCK={one['lock']}: {clean(one['note'])}"
    for other in one["replaces"]:
        then = f", hide it first: {clean(other['first'])};" if other["first"] else ""
        yield "fact", 3, f"makes {clean(other['index'])} needless{then}"
    for query in one["serves"][:_SHOWN]:
        yield "query", 3, f"{_percent(query['share_of_load'])}  {query['query_id']}  {_short(query['query'])}"
    if len(one["serves"]) > _SHOWN:
        yield "query", 3, f"and {len(one['serves']) - _SHOWN} more"


def _needless(one: Mapping[str, Any]) -> Iterator[Line]:
    yield "fact", 0, ""
    yield "index", 0, f"{clean(one['table'])}.{clean(one['index'])}: {_WHY[one['why']]}"
    yield "fact", 3, clean("; ".join(part for part in (one["detail"], one["note"]) if part))
    for kind, word, sql in (
        ("ddl", "", one["first"]),
        ("ddl", "then: " if one["first"] else "", one["then"]),
    ):
        if sql:
            yield kind, 3, f"{word}{clean(sql)};"
    yield "undo", 3, f"undo: {clean(one['rollback'])};"


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{share:.1f} %"


def _short(text: str) -> str:
    whole = clean(text)
    return whole if len(whole) <= _QUERY else whole[: _QUERY - 1] + "…"
