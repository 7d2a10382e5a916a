"""How long the executions of single digests took, as MySQL's histograms count them since its counters began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dbvigil.collectors.values import number
from dbvigil.queries.digests import Key
from dbvigil.queries.slowlog.sketch import bucket
from dbvigil.server import Server
from dbvigil.types import ServerInfo

# By the table's key, a digest at a time: 450 buckets each, of which few are used.
HISTOGRAMS = """
    SELECT COALESCE(SCHEMA_NAME, '') AS schema_name, DIGEST AS digest, BUCKET_TIMER_LOW AS low, BUCKET_TIMER_HIGH AS high,
           COUNT_BUCKET AS count
      FROM performance_schema.events_statements_histogram_by_digest
     WHERE DIGEST IN ({places}) AND COUNT_BUCKET > 0"""

_PICOSECONDS_IN_ONE = 1_000_000

Times = Mapping[int, int]
"""Executions by bucket of `queries.slowlog.sketch`."""


def kept_by(info: ServerInfo) -> bool:
    """Whether a server has such histograms: MySQL from 8.0.3 on, MariaDB none."""
    return info.is_mysql and info.at_least(8, 0, 3) and info.performance_schema


async def read_histograms(server: Server, digests: Sequence[str]) -> dict[Key, dict[int, int]]:
    """Executions of each digest by bucket; raises `ServerError`."""
    found: dict[Key, dict[int, int]] = {}
    if not digests:
        return found
    for row in await server.rows(HISTOGRAMS.format(places=", ".join(["%s"] * len(digests))), list(digests)):
        # The last bucket has no end; its beginning is all that is known of it.
        low, high = float(number(row["low"]) or 0), float(number(row["high"]) or 0)
        middle = (low + min(high, 2 * low or high)) / 2 / _PICOSECONDS_IN_ONE
        counts = found.setdefault((row["schema_name"], row["digest"]), {})
        place = bucket(max(1, round(middle)))
        counts[place] = counts.get(place, 0) + int(number(row["count"]) or 0)
    return found


def grown(before: Times, after: Times) -> dict[int, int] | None:
    """What was counted in between; None where counting began anew."""
    if any(count > after.get(place, 0) for place, count in before.items()):
        return None
    grew = {place: count - before.get(place, 0) for place, count in after.items()}
    return {place: count for place, count in grew.items() if count}
