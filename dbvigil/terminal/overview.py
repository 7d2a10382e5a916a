"""What every view of the status reads: the body of GET health/, the newest figures, and how they moved."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from dbvigil.terminal.text import cells, clean, duration, figure
from dbvigil.types import DatabaseMetrics, Status

ORDER: tuple[Status, ...] = ("down", "critical", "unknown", "warning", "healthy")
STYLES: Mapping[Status, str] = {
    "healthy": "green",
    "warning": "yellow",
    "critical": "bold red",
    "unknown": "magenta",
    "down": "bold red",
}

TREND_METRICS = ("queries_rate", "query_time", "slow_queries", "replication_lag")
TREND_SAMPLES = 120

_FLAVORS = {"mysql": "MySQL", "mariadb": "MariaDB", "percona": "Percona"}


@dataclass(frozen=True, slots=True)
class Database:
    """One database: its verdict with reasons, its newest figures, and its trends (one cell a sample).

    `troubled` names the metrics that cost it points; `alerts` is how many of its alerts are open.
    """

    alias: str
    status: Status
    score: int | None
    reasons: tuple[str, ...]
    troubled: frozenset[str]
    age_seconds: float | None
    figures: DatabaseMetrics
    trends: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    alerts: int = 0

    @property
    def believed(self) -> bool:
        """Whether the newest figures describe the server as it is now: it is up, and they are fresh."""
        return "up" not in self.troubled

    def value(self, name: str) -> float | None:
        """The figure of metric `name` where it is a number, known and believed."""
        value = getattr(self.figures, name)
        return value if self.believed and isinstance(value, int | float) else None

    def text(self, name: str) -> str:
        """The figure of metric `name` with its unit; "n/a" where unknown or no longer believed."""
        return figure(name, getattr(self.figures, name) if self.believed else None)

    @property
    def score_text(self) -> str:
        return "n/a" if self.score is None else str(self.score)

    @property
    def age(self) -> str:
        """How old the newest sample is: "3 s", "never"."""
        return "never" if self.age_seconds is None else duration(self.age_seconds)

    @property
    def sampled(self) -> str:
        """When the newest sample was taken: "3 s ago", "never"."""
        return self.age if self.age_seconds is None else f"{self.age} ago"

    @property
    def replicates(self) -> bool:
        return self.figures.replication_role in ("replica", "both")

    @property
    def connections(self) -> str:
        """ "12 / 151", or "n/a"."""
        if self.value("connections") is None:
            return "n/a"
        return f"{self.text('connections')} / {self.text('max_connections')}"

    @property
    def version(self) -> str:
        """ "MariaDB 10.11.14", or "n/a"."""
        if self.figures.server_version is None:
            return "n/a"
        number = re.match(r"\d+(\.\d+)*", self.figures.server_version)
        text = number.group() if number else clean(self.figures.server_version)[:24]
        return f"{_FLAVORS.get(self.figures.flavor or '', '')} {text}".strip()

    @property
    def lag(self) -> str:
        """The lag of a replica; empty where nothing is replicated to it."""
        return self.text("replication_lag") if self.replicates else ""


@dataclass(frozen=True, slots=True)
class Overview:
    """All databases, the monitor and how many alerts are open at one moment; `now` carries the time zone that times are shown in."""

    now: datetime
    status: Status
    running: bool
    interval: float
    since: datetime | None
    databases: tuple[Database, ...]
    alerts: int = 0
    critical_alerts: int = 0

    @property
    def monitor(self) -> str:
        """Whether a monitor runs, in a few words."""
        if not self.running:
            return "no monitor runs"
        since = f" for {duration((self.now - self.since).total_seconds())}" if self.since else ""
        return f"monitor running{since}, every {duration(self.interval)}"

    @property
    def counts(self) -> tuple[tuple[Status, int], ...]:
        """How many databases have which status, the worst first."""
        found = Counter(database.status for database in self.databases)
        return tuple((status, found[status]) for status in ORDER if found[status])

    def at(self, now: datetime) -> Overview:
        """The same, looked at later: every sample is older by what has passed."""
        passed = (now - self.now).total_seconds()
        return replace(
            self,
            now=now,
            databases=tuple(
                replace(database, age_seconds=database.age_seconds + passed)
                if database.age_seconds is not None
                else database
                for database in self.databases
            ),
        )

    def worst_first(self) -> tuple[Database, ...]:
        return tuple(sorted(self.databases, key=lambda database: ORDER.index(database.status)))


def overview(
    health: Mapping[str, Any],
    metrics: Mapping[str, DatabaseMetrics],
    now: datetime,
    trends: Mapping[str, Mapping[str, tuple[float | None, ...]]] | None = None,
) -> Overview:
    """From the body of GET health/ and the newest figures.

    A database that only one of the two knows (it was added between them) waits for the next look.
    """
    monitor, alerts = health["monitor"], health["alerts"]
    databases = tuple(
        Database(
            alias=clean(alias),
            status=entry["status"],
            score=entry["score"],
            reasons=tuple(clean(reason["message"]) for reason in entry["reasons"]),
            troubled=frozenset(reason["metric"] for reason in entry["reasons"]),
            age_seconds=entry["age_seconds"],
            figures=metrics[alias],
            trends=(trends or {}).get(alias, {}),
            alerts=entry["alerts"],
        )
        for alias, entry in health["databases"].items()
        if alias in metrics
    )
    return Overview(
        now=now,
        status=health["status"],
        running=monitor["running"],
        interval=monitor["interval_seconds"],
        since=datetime.fromisoformat(monitor["since"]) if monitor["since"] else None,
        databases=databases,
        alerts=alerts["warning"] + alerts["critical"],
        critical_alerts=alerts["critical"],
    )


def trend(
    series: Mapping[str, Sequence[Sequence[Any]]], end: datetime, step: float, count: int = TREND_SAMPLES
) -> dict[str, tuple[float | None, ...]]:
    """The `series` of a history answer ([timestamp, avg, min, max] rows) as cells of one sample each."""
    return {
        name: cells(
            [(datetime.fromisoformat(row[0]).timestamp(), row[1]) for row in points],
            end.timestamp(),
            step,
            count,
        )
        for name, points in series.items()
    }
