"""How what a monitor finds is written: only under its lease, as every database takes it, and later where the database is away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from django.db.models import F

from dbvigil.models import TargetState

_T = TypeVar("_T")


def holds_lease(database: str, holder: str, token: int) -> bool:
    """Whether the lease is still `holder`'s; inside a transaction, whose first statement it has to be.

    A write, for two reasons: it holds the lease's row, and SQLite refuses a write after a read if somebody else wrote in between.
    """
    held = TargetState.objects.filter(alias=database, holder=holder, token=token)
    return bool(held.update(token=F("token")))


def fit(value: Any) -> Any:
    """`value` as every database takes it: what servers and their clients say may hold what PostgreSQL or UTF-8 does not."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {name: fit(inner) for name, inner in value.items()}
    return [fit(inner) for inner in value] if isinstance(value, list) else value


class Newest(Generic[_T]):
    """The newest finding about each target of this monitor, `holder` of their leases, until it is written; thread-safe.

    `save(database, holder, token, found)` writes one; it raises `DatabaseError`. Nobody needs to look for what is not `wanted`.
    """

    def __init__(self, holder: str, save: Callable[[str, str, int, _T], bool]) -> None:
        self.wanted = True
        self._holder = holder
        self._save = save
        self._lock = threading.Lock()
        self._newest: dict[str, tuple[int, _T]] = {}

    def __len__(self) -> int:
        return len(self._newest)

    def put(self, database: str, token: int, found: _T) -> None:
        """Never waits for the database."""
        with self._lock:
            self._newest[database] = (token, found)

    def flush(self) -> None:
        """Writes what waits. Raises `DatabaseError`; what is not written stays."""
        with self._lock:
            waiting = list(self._newest.items())
        for database, held in waiting:
            token, found = held
            self._save(database, self._holder, token, found)
            with self._lock:
                if self._newest.get(database) is held:
                    del self._newest[database]
