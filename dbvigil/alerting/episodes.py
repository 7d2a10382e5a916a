"""Open episodes as a transaction works on them: rows read and written many at a time, without a model instance each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, cast

from dbvigil.alerting import bulk
from dbvigil.models import Episode
from dbvigil.types import Json

_BATCH = 400


@dataclass(slots=True)
class OpenEpisode:
    """The columns of `models.Episode`, which documents them, by the same names."""

    id: int
    open_key: str | None
    database: str
    metric: str
    origin: str
    severity: str
    message: str
    started_at: datetime
    last_seen_at: datetime
    no_data: bool = False
    flapping: bool = False
    value: Json = None
    threshold: float | None = None
    recommendations: Sequence[str] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    occurrences: int = 1
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    acknowledgements: int = 0
    note: str = ""
    inhibited_by: str = ""
    suppressed_until: datetime | None = None
    quiet_since: datetime | None = None
    told: bool = False
    policy: Sequence[Mapping[str, Any]] = ()
    escalation_level: int = 0
    escalated_at: datetime | None = None
    next_step_at: datetime | None = None
    next_repeat_at: datetime | None = None
    resolved_at: datetime | None = None


COLUMNS = tuple(item.name for item in fields(OpenEpisode))
CHANGING = tuple(
    name
    for name in COLUMNS
    if name
    not in ("id", "origin", "database", "metric", "no_data", "started_at", "policy", "recommendations")
)


_JSON = tuple(COLUMNS.index(name) for name in ("value", "recommendations", "evidence", "policy"))


@lru_cache(maxsize=256)
def _decoded(text: str | None) -> Any:
    """What a JSON column holds. In a storm thousands of rows share the same few: an episode's JSON is replaced, never changed in place."""
    return None if text is None else json.loads(text)


def load(databases: Iterable[str]) -> dict[str, OpenEpisode]:
    """The open episodes of some databases, by their key."""
    names = sorted(databases)
    found: dict[str, OpenEpisode] = {}
    for start in range(0, len(names), _BATCH):
        for values in bulk.select(
            Episode, COLUMNS, "database", names[start : start + _BATCH], "AND resolved_at IS NULL"
        ):
            for place in _JSON:
                values[place] = _decoded(values[place])
            episode = OpenEpisode(*values)
            found[cast(str, episode.open_key)] = episode
    return found


def insert(episodes: Iterable[OpenEpisode]) -> None:
    """Adds new ones."""
    bulk.insert(Episode, COLUMNS, map(attrgetter(*COLUMNS), episodes))


def update(episodes: Iterable[OpenEpisode]) -> None:
    """Writes all that can change of those that are there."""
    bulk.update(Episode, CHANGING, episodes)


def open_key(database: str, metric: str, no_data: bool = False) -> str:
    """What is unique about an open episode."""
    return f"{database}\n{metric}\nno data" if no_data else f"{database}\n{metric}"
