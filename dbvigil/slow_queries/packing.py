"""How the costs of statements are written into bytes, a window of time in one. Pure: numbers in, bytes out, and back.

Deflated JSON: `{"seconds", "count", "total_time", "names": [field, …], "kinds": {id: [[value, …], {bucket: executions}]}}`. Columns are
named once a window, so that one written by another version of dbvigil can be read: fields that it did not know are None.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from dbvigil.queries.figures import Figures, added
from dbvigil.queries.slowlog.sketch import quantile

K = TypeVar("K", bound=Hashable)

_MOMENTS = ("first_seen", "last_seen")
# What follows from the rest is not written.
_NAMES = tuple(item.name for item in fields(Figures) if item.name not in ("seconds", "p95_time"))


@dataclass(frozen=True, slots=True)
class Cost:
    """What one kind of statement cost. `times`: executions by bucket of `queries.slowlog.sketch`, as far as the source counts them."""

    figures: Figures
    times: Mapping[int, int] = field(default_factory=dict)

    def __add__(self, other: Cost) -> Cost:
        times = dict(self.times)
        for bucket, count in other.times.items():
            times[bucket] = times.get(bucket, 0) + count
        return Cost(added(self.figures, other.figures), times)


@dataclass(frozen=True, slots=True)
class Window(Generic[K]):
    """What all kinds of statement cost in `seconds` that were watched.

    `count` and `total_time` (seconds) are of all statements, kept apart here or not; None where part of the time is not known.
    """

    seconds: float
    count: int | None
    total_time: float | None
    kinds: Mapping[K, Cost]

    def __add__(self, other: Window[K]) -> Window[K]:
        kinds = dict(self.kinds)
        for key, cost in other.kinds.items():
            kinds[key] = kinds[key] + cost if key in kinds else cost
        return Window(
            self.seconds + other.seconds,
            None if self.count is None or other.count is None else self.count + other.count,
            None
            if self.total_time is None or other.total_time is None
            else self.total_time + other.total_time,
            kinds,
        )

    def figures(self, key: K) -> Figures:
        """Those of one kind over the whole window, with the 95th percentile where the source counts single executions."""
        cost = self.kinds[key]
        return replace(cost.figures, seconds=self.seconds or None, p95_time=quantile(cost.times, 0.95))


def pack(window: Window[int]) -> bytes:
    body = {
        "seconds": window.seconds,
        "count": window.count,
        "total_time": window.total_time,
        "names": _NAMES,
        "kinds": {key: [row(cost.figures), cost.times] for key, cost in window.kinds.items()},
    }
    return deflated(body)


def unpack(data: bytes) -> Window[int]:
    """Raises `ValueError` for bytes that are no window."""
    body = inflated(data)
    try:
        kinds = {
            int(key): Cost(
                figures(body["names"], values), {int(bucket): count for bucket, count in times.items()}
            )
            for key, (values, times) in body["kinds"].items()
        }
        return Window(body["seconds"], body["count"], body["total_time"], kinds)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no window of statements: {error!r}") from error


def row(one: Figures) -> list[Any]:
    """Its values in the order of `names`."""
    values = [getattr(one, name) for name in _NAMES]
    return [round(value.timestamp(), 3) if isinstance(value, datetime) else value for value in values]


def names() -> tuple[str, ...]:
    """Of the values of `row`."""
    return _NAMES


def figures(columns: list[str], values: list[Any]) -> Figures:
    """Figures from `row`, written under the names of `columns`."""
    known = {name: value for name, value in zip(columns, values, strict=True) if name in _NAMES}
    for name in _MOMENTS:
        if known.get(name) is not None:
            known[name] = datetime.fromtimestamp(known[name], UTC)
    return Figures(**known)


def deflated(body: Any) -> bytes:
    return zlib.compress(json.dumps(body, separators=(",", ":"), allow_nan=False).encode(), 6)


def inflated(data: bytes) -> Any:
    """Raises `ValueError`."""
    try:
        return json.loads(zlib.decompress(data))
    except zlib.error as error:
        raise ValueError(f"the bytes cannot be inflated: {error}") from error
