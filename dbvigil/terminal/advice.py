"""Index advice for the terminal: what to add, whom it serves, how to undo it, and what may go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from dbvigil.display import seconds, times
from dbvigil.terminal.text import Glyphs, clean

_SHOWN = 5
_QUERY = 160
_WHY: Mapping[str, str] = {
    "duplicate": "the same as another",
    "prefix": "the beginning of another",
    "primary_key": "another with the primary key behind it",
    "unused": "read by nobody",
}
_GUESS = (
    "These are guesses from statistics, and an index can also make a statement slower. --verify tries each with a sample of the rows on a"
    " private server."
)
_OUTCOMES: Mapping[str, str] = {
    "verified": "verified",
    "estimated": "likely, not proved",
    "no_gain": "not worth it",
    "harmful": "harmful, do not build it",
    "untested": "not tried",
}
_WORDS: Mapping[str, str] = {
    "heading": "bold",
    "index": "bold cyan",
    "ddl": "green",
    "undo": "dim",
    "code": "cyan",
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
    if any(one["proof"] is None for one in body["candidates"]):
        yield "fact", 0, ""
        yield "fact", 0, _GUESS
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
    covering = ", covering" if one["covering"] else ""
    yield (
        "index",
        0,
        f"{place}. {clean(one['table'])} ({columns}): serves {_percent(one['share_of_load'])} of the load{covering}",
    )
    proof = one["proof"]
    if proof is not None:
        yield from _proof(proof)
        if proof["outcome"] == "harmful":
            return
    yield "ddl", 3, clean(one["ddl"]) + ";"
    yield "undo", 3, f"undo: {clean(one['rollback'])};"
    yield from _django(one)
    yield "fact", 3, f"{one['algorithm']}, LOCK={one['lock']}: {clean(one['note'])}"
    for other in one["replaces"]:
        then = f"; once it is there: {clean(other['first'])};" if other["first"] else ""
        yield "fact", 3, f"makes {clean(other['index'])} needless{then}"
    for query in one["serves"][:_SHOWN]:
        yield "query", 3, f"{_percent(query['share_of_load'])}  {query['query_id']}  {_short(query['query'])}"
    if len(one["serves"]) > _SHOWN:
        yield "query", 3, f"and {len(one['serves']) - _SHOWN} more"


def _proof(proof: Mapping[str, Any]) -> Iterator[Line]:
    kind = {"verified": "ddl", "harmful": "trouble"}.get(proof["outcome"], "fact")
    yield kind, 3, f"{_OUTCOMES[proof['outcome']]}: {clean(proof['reason'])}"
    facts = []
    if proof["speed_up"] is not None:
        facts.append(f"{times(proof['speed_up'])} times as fast")
        if proof["interval"] is not None:
            low, high = proof["interval"]
            facts[-1] += f" ({times(low)} to {times(high)})"
    if proof["before"] is not None and proof["after"] is not None:
        facts.append(_change(proof["before"], proof["after"]))
    if proof["write_cost"] is not None:
        facts.append(f"the engine's work of a write {proof['write_cost']:+.0f} %")
    if proof["build_seconds"] is not None:
        facts.append(f"building it takes about {seconds(proof['build_seconds'])}")
    if proof["sample"] is not None:
        facts.append(f"tried with {proof['sample']['rows']:,} rows, {proof['sample']['share']:.3g} %")
    if facts:
        yield "fact", 3, "; ".join(facts)


def _change(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    return (
        f"{before['rows_read']:,.0f} rows and {before['milliseconds']:.3g} ms before,"
        f" {after['rows_read']:,.0f} rows and {after['milliseconds']:.3g} ms after"
    )


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
    yield from _django(one)


def _django(one: Mapping[str, Any]) -> Iterator[Line]:
    """The same as models and migrations, where there is such a way."""
    code = one.get("django", "")
    if code:
        yield "fact", 3, "as Django code:"
        for line in code.splitlines():
            yield "code", 5, clean(line)


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{share:.1f} %"


def _short(text: str) -> str:
    whole = clean(text)
    return whole if len(whole) <= _QUERY else whole[: _QUERY - 1] + "…"
