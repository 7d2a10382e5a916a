"""Who samples which target: leases in the service's database, each with a fencing token.

No two clocks are compared. A holder renews by counting `beat` up; a contender takes over when, by its own
monotonic clock, it has seen the same token and beat for a whole lease time. Time in which the database let nobody
renew does not count: a holder is not gone because the database was. A change of holder counts `token`
up, and every write of a sample names the token it was taken under, so a holder that was stopped and continued
later cannot write over its successor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import F

from dbvigil.models import MonitorProcess, TargetState
from dbvigil.targets import Target

LEASE_SECONDS = 5.0
"""A holder that has not renewed for this long may be replaced; it renews three times as often."""

_FORGET_PROCESS_AFTER = timedelta(hours=1)


class _Row(NamedTuple):
    """What a round needs of a target's row; a thousand of them are read several times in ten seconds."""

    alias: str
    address: str
    fingerprint: str
    active: bool
    holder: str
    token: int
    beat: int


@dataclass(frozen=True, slots=True)
class _Seen:
    token: int
    beat: int
    since: float


class Leases:
    """The leases of one monitor, named `identity`.

    Synchronous; every call is one or two short transactions.
    """

    def __init__(
        self,
        identity: str,
        started_at: datetime,
        *,
        lease_seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity
        self.started_at = started_at
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._kept_waiting = 0.0

    def round(self, wanted: Mapping[str, Target], now: datetime) -> dict[str, int]:
        """Renews what is held, claims what is free or abandoned, gives up what is not wanted; the held
        aliases with their tokens.

        `wanted` is this monitor's whole configuration: a row that nobody samples and that it does not name
        becomes inactive.
        """
        try:
            return self._round(wanted, now)
        except Exception:
            # Others could not renew either.
            self._seen.clear()
            raise

    def _round(self, wanted: Mapping[str, Target], now: datetime) -> dict[str, int]:
        began = self._clock()
        with transaction.atomic():
            self._report(now)
            self._kept_waiting += self._clock() - began
            TargetState.objects.filter(holder=self.identity).update(beat=F("beat") + 1, renewed_at=now)
            rows = self._rows()
            missing = [TargetState(alias=alias) for alias in wanted if alias not in rows]
            if missing:
                TargetState.objects.bulk_create(missing, ignore_conflicts=True)
                rows = self._rows()
            held: dict[str, int] = {}
            for alias, row in rows.items():
                token = self._settle(row, wanted.get(alias), now)
                if token is not None:
                    held[alias] = token
        return held

    def release(self) -> None:
        """Gives up every lease at once, so that a successor need not wait."""
        with transaction.atomic():
            TargetState.objects.filter(holder=self.identity).update(holder="", renewed_at=None)
            MonitorProcess.objects.filter(identity=self.identity).delete()

    def _report(self, now: datetime) -> None:
        MonitorProcess.objects.update_or_create(
            identity=self.identity, defaults={"started_at": self.started_at, "seen_at": now}
        )
        MonitorProcess.objects.filter(seen_at__lt=now - _FORGET_PROCESS_AFTER).delete()

    @staticmethod
    def _rows() -> dict[str, _Row]:
        found = TargetState.objects.values_list(*_Row._fields)
        return {row[0]: _Row(*row) for row in found}

    def _settle(self, row: _Row, target: Target | None, now: datetime) -> int | None:
        """One row's part of a round: its token where it is held afterwards."""
        mine = row.holder == self.identity
        if not mine and not self._free(row):
            return None
        same = TargetState.objects.filter(alias=row.alias, holder=row.holder, token=row.token)
        if target is None:
            if mine or row.active:
                same.update(active=False, holder="", renewed_at=None)
            return None
        described = {"address": target.address, "fingerprint": target.fingerprint, "active": True}
        if mine:
            if any(getattr(row, name) != value for name, value in described.items()):
                same.update(**described)
            return row.token
        token = row.token + 1
        taken = same.filter(beat=row.beat).update(
            holder=self.identity, token=token, beat=row.beat + 1, renewed_at=now, **described
        )
        return token if taken else None

    def _free(self, row: _Row) -> bool:
        """Whether nobody holds `row`, or its holder has stood still for a lease time under our own eyes."""
        if not row.holder:
            return True
        seen = self._seen.get(row.alias)
        if seen is None or (seen.token, seen.beat) != (row.token, row.beat):
            self._seen[row.alias] = _Seen(row.token, row.beat, self._unhindered())
            return False
        return self._unhindered() - seen.since >= self._lease_seconds

    def _unhindered(self) -> float:
        """Our clock less the time that we waited for the database."""
        return self._clock() - self._kept_waiting
