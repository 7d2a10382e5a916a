"""What servers tell of their replication, kept: the newest of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from dbvigil.keeping import fit, holds_lease
from dbvigil.models import ReplicationFacts
from dbvigil.replication.facts import Facts

FORGOTTEN_AFTER_DAYS = 30.0
"""A server that has not answered for so long is no part of the topology any more."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at one server; `facts` is None where it replicates nothing, or no longer."""

    at: datetime
    facts: Facts | None


def save(database: str, holder: str, token: int, seen: Seen) -> bool:
    """Keeps what was seen of `database`; false where the lease is no longer ours. Raises `DatabaseError`."""
    with transaction.atomic():
        if not holds_lease(database, holder, token):
            return False
        if seen.facts is None:
            ReplicationFacts.objects.filter(database=database).delete()
        else:
            ReplicationFacts.objects.update_or_create(
                database=database, defaults={"at": seen.at, "facts": fit(seen.facts.to_dict())}
            )
    return True


def maintain(now: datetime, retention_days: float) -> bool:
    """Removes what is too old. True where there is more to do."""
    oldest = now - timedelta(days=min(retention_days, FORGOTTEN_AFTER_DAYS))
    ReplicationFacts.objects.filter(at__lt=oldest).delete()
    return False
