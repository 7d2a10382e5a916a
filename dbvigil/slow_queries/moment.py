"""What goes on at a server at this moment: the long statements that run, and what took the time just now."""

from __future__ import annotations

from typing import Any

from dbvigil import redaction
from dbvigil.collectors import evidence
from dbvigil.queries.digests import read_texts
from dbvigil.queries.fingerprint import server_text
from dbvigil.queries.judging import Kind, Surroundings, judge
from dbvigil.server import Server
from dbvigil.slow_queries.log_source import Name
from dbvigil.slow_queries.packing import Window

LONG_SECONDS = 1.0
"""A statement that has run for so long is told while it runs."""
_RUNNING_SECONDS = 1.0
_ADVICE = 3


async def running(server: Server) -> list[dict[str, Any]]:
    """The statements that run for long at this moment, without values; none where that cannot be had."""
    found = (await evidence.gather(server, ("sessions",), _RUNNING_SECONDS))["sessions"]
    if not isinstance(found, list):
        return []
    return [
        {name: row[name] for name in ("id", "user", "host", "schema", "seconds", "statement")}
        for row in found
        if row["command"] in ("Query", "Execute")
        and row["statement"]
        and (row["seconds"] or 0) >= LONG_SECONDS
    ]


async def worst(server: Server, window: Window[Name] | None, rows: int) -> list[dict[str, Any]]:
    """What took most time in a window of digests, as evidence of an alert: one row a kind, without values. Raises `ServerError`."""
    if window is None or not window.kinds:
        return []
    names = sorted(window.kinds, key=lambda name: -window.kinds[name].figures.total_time)[:rows]
    texts = await read_texts(server, sorted({digest for _source, _schema, digest in names}))
    evidence_rows: list[dict[str, Any]] = []
    for name in names:
        kind = Kind(query=server_text(texts.get(name[1:], "")), source="digest", figures=window.figures(name))
        around = Surroundings(
            flavor=server.info.flavor, version=server.info.version, total_time=window.total_time
        )
        judged = judge(kind, around)
        average, longest = judged.avg_time, judged.max_time
        evidence_rows.append(
            {
                "schema": name[1] or None,
                "digest": name[2],
                "query_id": judged.query_id,
                "statement": redaction.statement(kind.query),
                "count": judged.count,
                "seconds": _rounded(judged.total_time),
                "average_ms": None if average is None else _rounded(average * 1000),
                "slowest_ms": None if longest is None else _rounded(longest * 1000),
                "rows_examined": judged.rows_examined,
                "share_of_load": _rounded(judged.share_of_load),
                "of_the_last_seconds": _rounded(window.seconds),
                "advice": [one.title for one in judged.recommendations[:_ADVICE]],
            }
        )
    return evidence_rows


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
