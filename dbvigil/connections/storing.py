"""What servers tell of their connections, kept: the newest of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from dbvigil.keeping import fit, holds_lease
from dbvigil.models import ServerConnections


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at one server: groups as `collectors.connections.groups` gives them, and the figures that advice stands on."""

    taken_at: datetime
    groups: Sequence[Mapping[str, Any]]
    figures: Mapping[str, Any]


def save(database: str, holder: str, token: int, seen: Seen) -> bool:
    """Keeps the newest look at `database`; false where the lease is no longer ours. Raises `DatabaseError`."""
    with transaction.atomic():
        if not holds_lease(database, holder, token):
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
