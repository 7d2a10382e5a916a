"""What a server tells of deadlocks and of who waits for whom, asked only where its counters say that there is something to tell.

No Django and no clock of its own: a `Collector` is told of each sample, and remembers what it needs between two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dbvigil.blocking import Forest
from dbvigil.collectors.lock_waits import read_waits
from dbvigil.collectors.values import number
from dbvigil.queries.deadlocks import Deadlock, latest_deadlock
from dbvigil.queries.fingerprint import certain, fingerprint, server_text
from dbvigil.server import Server

DEADLOCKS_EVERY = 10.0
"""Seconds between two readings of InnoDB's report, at least."""
WAITS_EVERY = 5.0
"""Seconds between two readings of who waits for whom, at least; and ten times as long as one took."""
PAUSE = 10.0
AGAIN_AFTER = 600.0
"""Seconds until a report that could not be read is asked for again: a grant may have been given."""

STATUS = "SHOW ENGINE INNODB STATUS"
# The session is in the time zone of the server's process, in which InnoDB writes its times.
ZONE = "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()) AS ahead"

_LONGEST_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class SeenDeadlock:
    """The latest deadlock of a server, when it happened, and an identity by which it is known again."""

    deadlock: Deadlock
    at: datetime
    identity: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found after one sample: a deadlock that may be known already, and the waits; None where nobody looked."""

    taken_at: datetime
    deadlock: SeenDeadlock | None = None
    waits: Forest | None = None


class Collector:
    """One server as it is watched: when it is worth asking, by the readings of its samples."""

    def __init__(self) -> None:
        self._counted: int | float | None = None
        self._deadlocks_due = 0.0
        self._waits_due = 0.0
        # Whether there were waits is not known before the first look: an earlier monitor may have left some.
        self._waiting = True

    def deadlocks_due(self, readings: Mapping[str, Mapping[str, Any]], moment: float) -> bool:
        """Whether there were deadlocks since the report was read last; `moment` in seconds of any clock that goes evenly."""
        count = deadlocks_counted(readings)
        return count is not None and count > 0 and count != self._counted and moment >= self._deadlocks_due

    def waits_due(self, readings: Mapping[str, Mapping[str, Any]], moment: float) -> bool:
        """Whether sessions wait, and it is time to look for whom."""
        return moment >= self._waits_due and bool(_waiting(readings))

    async def deadlock(
        self, server: Server, readings: Mapping[str, Mapping[str, Any]], moment: float, now: datetime
    ) -> SeenDeadlock | None:
        """Reads the latest deadlock. Raises `ServerError`s."""
        self._deadlocks_due = moment + AGAIN_AFTER
        count = deadlocks_counted(readings)
        found = await read_deadlock(server, now)
        self._counted, self._deadlocks_due = count, moment + DEADLOCKS_EVERY
        return found

    async def waits(self, server: Server, readings: Mapping[str, Mapping[str, Any]]) -> Forest:
        """Reads who waits for whom. Raises `ServerError`s."""
        rows = readings.get("locks", {}).get("waiting")
        metadata = readings.get("sessions", {}).get("metadata_waits")
        found = await read_waits(server, shown, rows=bool(rows), metadata=bool(metadata))
        self._waiting = found.waiting > 0
        return found

    def took(self, moment: float, seconds: float) -> None:
        """A reading of the waits that began at `moment` took so long: what is dear is asked less often."""
        self._waits_due = moment + max(WAITS_EVERY, seconds * PAUSE)

    def quiet(self, readings: Mapping[str, Mapping[str, Any]]) -> Forest | None:
        """No waits, said once, where there were some before; None where that is no news or not known."""
        if not self._waiting or _waiting(readings) != 0:
            return None
        self._waiting = False
        return Forest()


def deadlocks_counted(readings: Mapping[str, Mapping[str, Any]]) -> int | float | None:
    """The server's counter of deadlocks; None where it has none."""
    for values in (readings.get("innodb", {}), readings.get("status", {}).get("global", {})):
        for name in ("lock_deadlocks", "Innodb_deadlocks"):
            if values.get(name) is not None:
                return number(values[name])
    return None


def _waiting(readings: Mapping[str, Mapping[str, Any]]) -> int | None:
    """How many sessions wait; None where neither kind is known."""
    known = [
        value
        for value in (
            readings.get("locks", {}).get("waiting"),
            readings.get("sessions", {}).get("metadata_waits"),
        )
        if value is not None
    ]
    return sum(known) if known else None


async def read_deadlock(server: Server, now: datetime) -> SeenDeadlock | None:
    """The latest deadlock that a server tells of; None where it had none since its start. Raises `ServerError`s."""
    (row,) = await server.rows(STATUS)
    found = latest_deadlock(row["Status"])
    if found is None:
        return None
    (zone,) = await server.rows(ZONE)
    return SeenDeadlock(found, _moment(found, number(zone["ahead"]), now), _identity(found))


def _moment(deadlock: Deadlock, ahead: float | None, now: datetime) -> datetime:
    if deadlock.local_time is None or ahead is None:
        return now
    return min(now, deadlock.local_time.replace(tzinfo=UTC) - timedelta(seconds=ahead))


def _identity(deadlock: Deadlock) -> str:
    """Transactions are numbered anew by a server that was set up anew: the time belongs to it."""
    parts = f"{deadlock.local_time} {[one.id for one in deadlock.transactions]}"
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def shown(digest: str | None, text: str | None) -> str | None:
    """A statement as its fingerprint."""
    found = fingerprint(server_text(digest))[0] if digest else certain(text)[0]
    return found[:_LONGEST_TEXT] if found else None
