"""How far behind its source a channel is, from the best that is known of it. Pure.

In this order: the commit times that MySQL's threads carry with what they work on (`applier`); a row that something writes on the source
once a second (`heartbeat`); where the source was seen to stand and when (`positions`); the server's own `Seconds_Behind`
(`seconds_behind`). What is known of positions holds for every other figure too: one that contradicts them is set right, and named
`positions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dbvigil.analysis.course import Behind
from dbvigil.analysis.gtids import BadPosition, covers

APPLIER = "applier"
HEARTBEAT = "heartbeat"
POSITIONS = "positions"
SECONDS_BEHIND = "seconds_behind"

# A commit has its time a moment before others can see it; MariaDB's and MySQL's own figure is in whole seconds.
_EARLY = 0.5
_LATE = 1.0
# A receiver is sent a heartbeat where there is nothing else. After so many of them that did not come, silence is no sign of an idle source.
_HEARTBEATS_MISSED = 1.5
_SILENCE = 2.0


def lag(row: Mapping[str, Any], behind: Behind | None = None) -> tuple[float | None, str | None]:
    """Seconds behind the source and which figure told them, both None where nobody knows.

    `row` is a channel as the collector `replication` reads it, `behind` what the source's positions say.
    """
    for figure, source in (
        (_of_applier(row), APPLIER),
        (_number(row.get("heartbeat_lag")), HEARTBEAT),
        (_number(row.get("lag")) if row.get("lag_source") == SECONDS_BEHIND else None, SECONDS_BEHIND),
    ):
        if figure is not None:
            return _set_right(max(0.0, figure), source, behind)
    if behind is not None and behind.middle is not None:
        return behind.middle, POSITIONS
    return None, None


def _set_right(figure: float, source: str, behind: Behind | None) -> tuple[float, str]:
    if behind is None:
        return figure, source
    if behind.most is not None and behind.most - behind.least <= 2 * _LATE:
        # Positions are known so closely that no figure need be off by more than `_LATE`.
        right = min(max(figure, behind.most - _LATE), behind.least + _LATE)
        return right, source if abs(right - figure) <= _EARLY else POSITIONS
    if figure < behind.least - _EARLY:
        return (behind.least if behind.middle is None else behind.middle), POSITIONS
    if behind.most is not None and figure > behind.most + _LATE:
        return (behind.least + behind.most) / 2, POSITIONS
    return figure, source


def _of_applier(row: Mapping[str, Any]) -> float | None:
    """From the commit times on the source of what this replica works on."""
    applier: Mapping[str, Any] | None = row.get("applier")
    if applier is None:
        return None
    under_way = [
        age for name in ("applying", "processing") if (age := _number(applier.get(name))) is not None
    ]
    if under_way:
        return max(under_way)
    if row.get("io_running") != "Yes" or row.get("sql_running") != "Yes" or not _has_all_it_received(row):
        return None
    queueing = _number(applier.get("queueing"))
    if queueing is not None:
        return queueing
    return None if is_silent(row) else 0.0


def is_silent(row: Mapping[str, Any]) -> bool | None:
    """Whether a receiver has heard nothing for longer than its source's heartbeats allow; None where that cannot be told."""
    applier = row.get("applier") or {}
    period = _number(applier.get("heartbeat_period"))
    heard = [
        age
        for name in ("heartbeat_age", "queued_age", "connected_age")
        if (age := _number(applier.get(name))) is not None
    ]
    if not period or not heard:
        return None
    return min(heard) > period * _HEARTBEATS_MISSED + _SILENCE


def _has_all_it_received(row: Mapping[str, Any]) -> bool:
    received, executed = row.get("received"), row.get("executed")
    if received is None or executed is None:
        read = (row.get("read_file"), row.get("read_position"))
        applied = (row.get("applied_file"), row.get("applied_position"))
        return None not in read and read == applied
    try:
        return covers(executed, received, mariadb=False)
    except BadPosition:
        return False


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
