"""Pools that are none of Django's: SQLAlchemy's, or a driver's with the same four counts."""

from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass
from typing import Any

from dbvigil.errors import ConfigurationError

_COUNTS = ("checkedin", "checkedout")
_MOST = 50
_pools: dict[str, tuple[weakref.ref[Any], str | None]] = {}
_lock = threading.Lock()


def forked() -> None:
    """In a child: a thread that is not there any more may have held the lock."""
    global _lock  # noqa: PLW0603 - one a process
    _lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class PoolCounts:
    """One pool now: `open` connections, `in_use` of them; `size` is what it keeps, None where it does not say."""

    name: str
    database: str | None
    open: int
    in_use: int
    size: int | None


def watch(pool_or_engine: object, *, name: str, database: str | None = None) -> None:
    """Reports a pool with this process's connections, as long as the pool lives; the same name again replaces it.

    `pool_or_engine` is a SQLAlchemy engine, or any pool with `checkedin()` and `checkedout()`. `database` is the alias of the server
    that it connects to. Raises `ConfigurationError` for something else, or for more than 50 pools.
    """
    pool = getattr(pool_or_engine, "pool", pool_or_engine)
    for count in _COUNTS:
        if not callable(getattr(pool, count, None)):
            given = type(pool_or_engine).__name__
            raise ConfigurationError(
                "pool_or_engine", given, f"allowed: an engine, or a pool that has {count}()"
            )
    with _lock:
        for old in [one for one, (reference, _) in _pools.items() if reference() is None]:
            del _pools[old]
        if name not in _pools and len(_pools) >= _MOST:
            raise ConfigurationError("name", name, f"allowed: at most {_MOST} pools in one process")
        # Of the engine: it makes a new pool when it is disposed of, after a fork above all.
        _pools[name] = (weakref.ref(pool_or_engine), database)


def counts() -> list[PoolCounts]:
    """Every watched pool as it is now."""
    with _lock:
        held = [(name, reference(), database) for name, (reference, database) in _pools.items()]
    found = []
    for name, one, database in held:
        if one is None:
            continue
        pool = getattr(one, "pool", one)
        in_use = int(pool.checkedout())
        size = pool.size() if callable(getattr(pool, "size", None)) else None
        found.append(PoolCounts(name, database, int(pool.checkedin()) + in_use, in_use, size))
    return found
