"""How much a kind of statement matters: one rule, from its figures alone.

Two things count: what it takes from the server (its share of all statement time) and what it makes people wait (its time an execution). A
statement that does both is worse than the sum.

    load      share of load: 20 % or more 2 points, 5 % or more 1
    waiting   p95, else the mean, of an execution: 5 s or more 2 points, 1 s or more 1
    waste     1 point where it has one of the above and reads more than 1,000 rows for each it gives, or runs without an index

    4 points or more: critical · 3: high · 1 or 2: medium · 0: low

Load counts only where the statement keeps the server busy for more than 1 % of the time: on an idle server every share is large. Where
the span is not known, more than 0.1 s in all is asked for. Waiting counts only for what ran twice or took a minute in all: one query of an
operator is no finding.
"""

from __future__ import annotations

from dbvigil.queries.figures import Figures
from dbvigil.query import QuerySeverity

SEVERITIES: tuple[QuerySeverity, ...] = ("low", "medium", "high", "critical")

_SHARES = (5.0, 20.0)
_SECONDS = (1.0, 5.0)
_WASTE = 1_000.0
_LEAST_LOAD = 0.01
_LEAST_TIME = 0.1
_LONG_ENOUGH = 60.0


def share_of_load(figures: Figures, total_time: float | None) -> float | None:
    """Percent of `total_time` (seconds of all statements of the same span); None where that is not known."""
    if not total_time:
        return None
    return min(100.0, 100.0 * figures.total_time / total_time)


def severity(figures: Figures, total_time: float | None) -> QuerySeverity:
    """The grade of what `figures` say, where all statements of the span took `total_time` seconds."""
    points = _load(figures, total_time) + _waiting(figures)
    if points and _wasteful(figures):
        points += 1
    return SEVERITIES[0 if points == 0 else 1 if points < 3 else 2 if points == 3 else 3]


def _load(figures: Figures, total_time: float | None) -> int:
    share = share_of_load(figures, total_time)
    busy = figures.total_time > (_LEAST_LOAD * figures.seconds if figures.seconds else _LEAST_TIME)
    return sum(share >= level for level in _SHARES) if share is not None and busy else 0


def _waiting(figures: Figures) -> int:
    if figures.count < 2 and figures.total_time < _LONG_ENOUGH:
        return 0
    seconds = figures.avg_time if figures.p95_time is None else figures.p95_time
    return 0 if seconds is None else sum(seconds >= level for level in _SECONDS)


def _wasteful(figures: Figures) -> bool:
    ratio = figures.examined_per_sent
    return bool(figures.no_index_used) or (ratio is not None and ratio > _WASTE)
