"""How the servers that one monitor samples stand to each other, in its memory: for the evidence of an alert, which cannot wait for what is
stored. Pure but for that memory; used from the loop's own thread alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dbvigil.replication.facts import Facts
from dbvigil.replication.report import report
from dbvigil.replication.trend import MINUTES
from dbvigil.types import DatabaseMetrics

MOST_FINDINGS = 5
_MOST_POINTS = 1_024

Rows = Sequence[Mapping[str, Any]]


class Standing:
    """The newest of each server, and its lag of the last minutes."""

    def __init__(self) -> None:
        self._facts: dict[str, Facts] = {}
        self._metrics: dict[str, DatabaseMetrics] = {}
        self._lags: dict[str, deque[tuple[float, float]]] = {}

    def sampled(self, metrics: DatabaseMetrics) -> None:
        alias, moment = metrics.database, metrics.timestamp.timestamp()
        self._metrics[alias] = metrics
        points = self._lags.setdefault(alias, deque(maxlen=_MOST_POINTS))
        if metrics.replication_lag is not None:
            points.append((moment, metrics.replication_lag))
        while points and points[0][0] < moment - MINUTES * 60:
            points.popleft()

    def seen(self, alias: str, facts: Facts | None) -> None:
        """What a visit has found; None of a server that replicates nothing."""
        if facts is None:
            self._facts.pop(alias, None)
        else:
            self._facts[alias] = facts

    def forget(self, alias: str) -> None:
        for kept in (self._facts, self._metrics, self._lags):
            kept.pop(alias, None)

    def evidence(self, alias: str, rows: Rows, now: datetime) -> dict[str, list[dict[str, Any]]]:
        """`rows`, one a channel of `alias`, each with its true lag, what told it, why it is behind and when it will have caught up; and as
        `replication_findings` what is wrong about it and what to do, the gravest first.
        """
        told = report(list(self._facts.values()), self._metrics, self._lags, now)
        body = told.databases.get(alias)
        if body is None:
            return {"replication": [dict(row) for row in rows]}
        channels = {channel["name"]: channel for channel in body["channels"]}
        found: dict[str, list[dict[str, Any]]] = {
            "replication": [
                _channel(row, channels.get(row.get("name")), body["catch_up_seconds"]) for row in rows
            ]
        }
        findings = [one for one in told.findings if one.database == alias and one.severity != "info"]
        if findings:
            found["replication_findings"] = [
                {
                    "finding": one.id,
                    "channel": one.channel,
                    "title": one.title,
                    "detail": one.detail,
                    "fix": one.fix,
                }
                for one in findings[:MOST_FINDINGS]
            ]
        return found


def _channel(
    row: Mapping[str, Any], told: Mapping[str, Any] | None, catch_up_seconds: float | None
) -> dict[str, Any]:
    if told is None:
        return dict(row)
    cause = told["cause"]
    return {
        **row,
        "seconds": told["lag"],
        "lag_source": told["lag_source"],
        "cause": None if cause is None else cause["detail"],
        "catch_up_seconds": catch_up_seconds,
    }
