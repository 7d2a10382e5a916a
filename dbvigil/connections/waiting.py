"""What servers have told of their connections and is not written yet: the newest of each. The service's database may be away."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from dbvigil.locks.storing import fit
from dbvigil.models import ServerConnections, TargetState


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at one server: groups as `collectors.connections.groups` gives them, and the figures that advice stands on."""

    taken_at: datetime
    groups: Sequence[Mapping[str, Any]]
    figures: Mapping[str, Any]


class WaitingConnections:
    """The newest look at each target of this monitor, `holder` of their leases; thread-safe. Nobody asks where it is not `wanted`."""

    def __init__(self, holder: str) -> None:
        self.wanted = True
        self._holder = holder
        self._lock = threading.Lock()
        self._newest: dict[str, tuple[int, Seen]] = {}

    def __len__(self) -> int:
        return len(self._newest)

    def put(self, database: str, token: int, seen: Seen) -> None:
        """Never waits for the database."""
        with self._lock:
            self._newest[database] = (token, seen)

    def flush(self) -> None:
        """Writes what waits. Raises `DatabaseError`; what is not written stays."""
        with self._lock:
            held = list(self._newest.items())
        for database, (token, seen) in held:
            save(database, self._holder, token, seen)
            with self._lock:
                if self._newest.get(database, (0, None))[1] is seen:
                    del self._newest[database]


def save(database: str, holder: str, token: int, seen: Seen) -> bool:
    """Keeps the newest look at `database`; false where the lease is no longer ours. Raises `DatabaseError`."""
    with transaction.atomic():
        if not TargetState.objects.filter(alias=database, holder=holder, token=token).update(
            token=F("token")
        ):
            return False
        ServerConnections.objects.update_or_create(
            database=database,
            defaults={
                "seen_at": seen.taken_at,
                "groups": fit([dict(one) for one in seen.groups]),
                "figures": dict(seen.figures),
            },
        )
    return True
