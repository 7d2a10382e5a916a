"""Slow queries for the terminal: what each kind of statement costs, and the first things to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from dbvigil.display import seconds
from dbvigil.query import Recommendation, SlowQuery
from dbvigil.terminal.plain import aligned
from dbvigil.terminal.text import Glyphs, clean

_STYLES: Mapping[str, str] = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "dim"}
_HEAD = (
    "SEVERITY",
    "DATABASE",
    "ID",
    "COUNT",
    "TOTAL",
    "LOAD",
    "AVG",
    "P95",
    "MAX",
    "READ/SENT",
    "PATTERNS",
    "QUERY",
)
_NONE = "no statement is known"
_ADVICE = 3
_BAR = 20


def lines(body: Mapping[str, Any], found: Sequence[SlowQuery]) -> list[str]:
    """For a pipe: one line a kind of statement."""
    shown = aligned([_HEAD, *(_row(one) for one in found)]) if found else [_NONE]
    return [*shown, *_troubles(body)]


def drawn(body: Mapping[str, Any], found: Sequence[SlowQuery], room: int, glyphs: Glyphs) -> RenderableType:
    """For a terminal: a block a kind of statement, the worst first."""
    if not found:
        return Group(Text(_NONE.capitalize()), *(Text(line, "yellow") for line in _troubles(body)))
    head = f"{body['events']:,} statements took {seconds(body['total_time'])}"
    if body["skipped_bytes"]:
        head += f"; {body['skipped_bytes']:,} bytes were no statement"
    parts: list[RenderableType] = [Text(head, "bold")]
    for place, one in enumerate(found, start=1):
        parts += [Text(""), *_block(place, one, room, glyphs)]
    return Group(*parts, *(Text(line, "yellow") for line in _troubles(body)))


def _block(place: int, one: SlowQuery, room: int, glyphs: Glyphs) -> list[RenderableType]:
    share = one.share_of_load
    title = Text.assemble(
        (f"{place}. ", "bold"),
        (one.severity, _STYLES[one.severity]),
        f"  {_where(one)}{one.query_id}  ",
        ("new this week  " if one.is_new else "", "cyan"),
    )
    if share is not None:
        filled = round(share / 100 * _BAR)
        title.append(glyphs.full * filled, _STYLES[one.severity])
        title.append(f" {share:.1f} % of the load")
    parts: list[RenderableType] = [title, Padding(Text(_facts(one), "dim"), (0, 0, 0, 3))]
    parts.append(Padding(Text(_short(clean(one.query), 3 * max(40, room - 4))), (0, 0, 0, 3)))
    for advice in one.recommendations[:_ADVICE]:
        parts.append(Padding(_advice(advice, glyphs), (0, 0, 0, 3)))
    if len(one.recommendations) > _ADVICE:
        parts.append(Padding(Text(f"and {len(one.recommendations) - _ADVICE} more", "dim"), (0, 0, 0, 5)))
    return parts


def _advice(advice: Recommendation, glyphs: Glyphs) -> Text:
    text = Text.assemble((f"{glyphs.dot} {clean(advice.title)}: ", "bold"), clean(advice.detail))
    if advice.confidence != "heuristic":
        text.append(f" ({advice.confidence})", "cyan")
    if advice.sql:
        text.append(f"\n  {clean(advice.sql)}", "green")
    for line in advice.django.splitlines():
        text.append(f"\n  {clean(line)}", "cyan")
    return text


def _facts(one: SlowQuery) -> str:
    facts = [
        "" if one.count is None else f"{one.count:,} times",
        f"{seconds(one.total_time)} in all",
        f"{seconds(one.avg_time)} each",
        "" if one.p95_time is None else f"95 % within {seconds(one.p95_time)}",
        "" if one.max_time is None else f"longest {seconds(one.max_time)}",
        ""
        if one.rows_examined_per_row_sent is None
        else f"{one.rows_examined_per_row_sent:,.0f} rows read for each one given",
        "" if one.trend is None else f"{one.trend:.2g} times as long as before",
        _deployment(one.since_deployment),
        _callers(one.callers),
    ]
    return ", ".join(fact for fact in facts if fact)


def _callers(callers: Mapping[str, int]) -> str:
    """The commonest two of who sends it."""
    if not callers:
        return ""
    more = f" and {len(callers) - 2} more" if len(callers) > 2 else ""
    return "from " + ", ".join(clean(name) for name in list(callers)[:2]) + more


def _deployment(since: Mapping[str, Any] | None) -> str:
    """What the newest deployment did to it, where it did something."""
    if since is None:
        return ""
    name = clean(since["name"])
    if since["is_new"]:
        return f"new since {name}"
    told = f"{since['trend']:.2g} times as long since {name}" if since["slower"] else ""
    return told + (
        " on another plan"
        if told and since["plan_changed"]
        else f"another plan since {name}"
        if since["plan_changed"]
        else ""
    )


def _where(one: SlowQuery) -> str:
    name = "/".join(part for part in (one.database if one.source == "digest" else "", one.schema) if part)
    return f"{clean(name)}  " if name else ""


def _row(one: SlowQuery) -> tuple[str, ...]:
    ratio = one.rows_examined_per_row_sent
    return (
        one.severity,
        clean(one.database),
        one.query_id,
        "n/a" if one.count is None else str(one.count),
        seconds(one.total_time),
        "n/a" if one.share_of_load is None else f"{one.share_of_load:.1f} %",
        seconds(one.avg_time),
        seconds(one.p95_time),
        seconds(one.max_time),
        "n/a" if ratio is None else f"{ratio:.0f}",
        ",".join(one.patterns) or "-",
        _short(clean(one.query), 200),
    )


def _troubles(body: Mapping[str, Any]) -> list[str]:
    return [
        clean(f"{alias}: {source}: {trouble}")
        for alias, sources in body.get("trouble", {}).items()
        for source, trouble in sources.items()
    ]


def _short(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"
