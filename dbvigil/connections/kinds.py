"""How pools of different makers are read: each says in its own way what it has open, what is in use, and where it ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reading:
    """A pool now: `size` is what it keeps open, `limit` the most that it gives out at a time; None where it does not say or has none."""

    open: int
    in_use: int
    size: int | None
    limit: int | None


@dataclass(frozen=True, slots=True)
class Kind:
    """Pools of one make: recognised by the attributes that they have. `checkout` is the method that gives out a connection and blocks
    until it can; "" where there is none that could be timed.
    """

    maker: str
    has: tuple[str, ...]
    read: Callable[[Any], Reading]
    checkout: str

    def fits(self, pool: object) -> bool:
        return all(hasattr(pool, name) for name in self.has)


def _sqlalchemy(pool: Any) -> Reading:
    in_use = int(pool.checkedout())
    size = pool.size() if callable(getattr(pool, "size", None)) else None
    overflow = getattr(pool, "_max_overflow", None)
    # A size of 0 and an overflow of -1 stand for no limit.
    limit = size + overflow if size and isinstance(overflow, int) and overflow >= 0 else None
    return Reading(int(pool.checkedin()) + in_use, in_use, size, limit)


def _connector(pool: Any) -> Reading:
    size = int(pool.pool_size)
    return Reading(size, size - pool._cnx_queue.qsize(), size, size)


def _dbutils(pool: Any) -> Reading:
    idle, in_use = len(pool._idle_cache), int(pool._connections)
    return Reading(idle + in_use, in_use, pool._maxcached or None, pool._maxconnections or None)


def _asynchronous(pool: Any) -> Reading:
    size, free = int(pool.size), int(pool.freesize)
    return Reading(size, size - free, int(pool.minsize), int(pool.maxsize) or None)


KINDS: tuple[Kind, ...] = (
    Kind("SQLAlchemy", ("checkedin", "checkedout"), _sqlalchemy, "connect"),
    Kind("mysql-connector", ("_cnx_queue", "pool_size", "get_connection"), _connector, "get_connection"),
    Kind("DBUtils", ("_idle_cache", "_connections", "_maxconnections", "connection"), _dbutils, "connection"),
    Kind("aiomysql or asyncmy", ("size", "freesize", "minsize", "maxsize", "acquire"), _asynchronous, ""),
)


def kind_of(pool: object) -> Kind | None:
    """The make of `pool`; None where it is none that is known."""
    return next((kind for kind in KINDS if kind.fits(pool)), None)
