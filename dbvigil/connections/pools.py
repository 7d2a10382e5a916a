"""Pools that are none of Django's: SQLAlchemy's, or a driver's."""

from __future__ import annotations

import sys
import threading
import weakref
from dataclasses import dataclass
from typing import Any

from dbvigil.connections.kinds import KINDS, Kind, kind_of
from dbvigil.connections.waits import Waits
from dbvigil.errors import ConfigurationError

_MOST = 50
_pools: dict[str, _Watched] = {}
_lock = threading.Lock()
_off = False


@dataclass(slots=True)
class _Watched:
    """`reference` is to what was given: an engine makes a new pool when it is disposed of, after a fork above all."""

    reference: weakref.ref[Any]
    database: str | None
    kind: Kind
    waits: Waits

    def pool(self) -> Any | None:
        given = self.reference()
        return None if given is None else getattr(given, "pool", given)

    def renewed(self, engine: Any) -> None:
        if not _off:
            self.waits.measure(engine.pool, self.kind)


def forked() -> None:
    """In a child: a thread that is not there any more may have held the lock."""
    global _lock  # noqa: PLW0603 - one a process
    _lock = threading.Lock()
    for watched in _pools.values():
        watched.waits.reset()


def switch_off() -> None:
    """Where connections are not to be monitored: leaves the pools that are watched as they were, and any later one alone."""
    global _off  # noqa: PLW0603 - one a process
    with _lock:
        _off = True
        for watched in _pools.values():
            if (pool := watched.pool()) is not None:
                watched.waits.leave(pool, watched.kind)
        _pools.clear()


@dataclass(frozen=True, slots=True)
class PoolCounts:
    """One pool now: `open` connections, `in_use` of them; `size` is what it keeps, `limit` the most that it gives out at a time.

    Since the process began: `checkouts`, of which `waits` found the pool full and `refused` then got nothing; the mean and the longest
    wait in seconds; `highest` in use at once. None for what the pool does not say or cannot be measured.
    """

    name: str
    database: str | None
    open: int
    in_use: int
    size: int | None
    limit: int | None = None
    checkouts: int | None = None
    waits: int | None = None
    refused: int | None = None
    highest: int | None = None
    wait_seconds_mean: float | None = None
    wait_seconds_longest: float | None = None


def watch(pool_or_engine: object, *, name: str, database: str | None = None) -> None:
    """Reports a pool with this process's connections, as long as the pool lives; the same name again replaces it.

    `pool_or_engine` is a SQLAlchemy engine or pool, a pool of mysql-connector, DBUtils, aiomysql or asyncmy, or any with `checkedin()` and
    `checkedout()`. `database` is the alias of the server that it connects to. Raises `ConfigurationError` for something else, or for more
    than 50 pools.
    """
    pool = getattr(pool_or_engine, "pool", pool_or_engine)
    kind = kind_of(pool)
    if kind is None:
        given = type(pool_or_engine).__name__
        makers = ", ".join(one.maker for one in KINDS)
        raise ConfigurationError(
            "pool_or_engine",
            given,
            f"allowed: an engine, a pool of {makers}, or one that has checkedin() and checkedout()",
        )
    watched = _Watched(weakref.ref(pool_or_engine), database, kind, Waits())
    with _lock:
        if _off:
            return
        for old in [one for one, held in _pools.items() if held.reference() is None]:
            del _pools[old]
        if name not in _pools and len(_pools) >= _MOST:
            raise ConfigurationError("name", name, f"allowed: at most {_MOST} pools in one process")
        _pools[name] = watched
    watched.waits.measure(pool, kind)
    _follow(pool_or_engine, watched)


def _follow(given: object, watched: _Watched) -> None:
    """An engine that is disposed of goes on with another pool, which is measured from its first checkout."""
    sqlalchemy = sys.modules.get("sqlalchemy")
    engine = getattr(given, "sync_engine", given)
    if sqlalchemy is not None and isinstance(engine, sqlalchemy.Engine):
        sqlalchemy.event.listen(engine, "engine_disposed", watched.renewed)


def counts() -> list[PoolCounts]:
    """Every watched pool as it is now."""
    with _lock:
        held = [(name, one, one.pool()) for name, one in _pools.items()]
    found = []
    for name, watched, pool in held:
        if pool is None:
            continue
        watched.waits.measure(pool, watched.kind)
        now = watched.kind.read(pool)
        found.append(
            PoolCounts(
                name, watched.database, now.open, now.in_use, now.size, now.limit, **watched.waits.figures()
            )
        )
    return found
