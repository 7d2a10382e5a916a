"""The monitor's part in recovery: acts on alerts of the databases whose leases it holds, and puts back what is due.

It lives by what is on record, once a second: open alerts, changes that are due, attempts whose process was killed. A database has a thread
of its own while something is done on it, so that a server that hangs holds up nobody else's.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import DatabaseError, InterfaceError, connections

from dbvigil.conf import Configuration
from dbvigil.errors import ConfigurationError, RecoveryRefused, ServerError
from dbvigil.models import RecoveryAttempt, RecoveryChange, TargetState
from dbvigil.recovery import records
from dbvigil.recovery.catalogue import actions
from dbvigil.recovery.perform import Attempt, figures, utcnow
from dbvigil.recovery.putting_back import put_back_attempt
from dbvigil.recovery.triggers import Wish, wishes
from dbvigil.targets import Target
from dbvigil.types import DatabaseMetrics

logger = logging.getLogger("dbvigil.recovery")

ATTEMPT_SECONDS = 30.0
LOOK_EVERY = 1.0
AGAIN_AFTER = 10.0
"""Seconds before an action that found nothing, or must not act yet, is tried again on the same alert."""
DRY_RUN_AFTER = 60.0
"""The same for a dry run, which nobody waits for."""
_MOST_THREADS = 16
_LONGEST_WAIT = 30.0
_MAINTAIN_EVERY = 3600.0


@dataclass(slots=True)
class _Work:
    """What one database's thread does in one go."""

    target: Target
    token: int
    changes: list[RecoveryAttempt]
    wishes: list[Wish]


@dataclass(slots=True)
class Keeper:
    """The keeper of one monitor, named `identity`. `configuration` gives the settings as they are; `reset` has a target sampled over a new
    connection.
    """

    identity: str
    configuration: Callable[[], Configuration]
    reset: Callable[[str], None]
    now: Callable[[], datetime] = utcnow
    monotonic: Callable[[], float] = time.monotonic
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _busy: dict[str, threading.Thread] = field(default_factory=dict)
    _not_before: dict[tuple[int, str], float] = field(default_factory=dict)
    _back_not_before: dict[int, tuple[float, float]] = field(default_factory=dict)
    _troubled: bool = False
    _maintained: float = 0.0

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="dbvigil-recovery", daemon=True)
        self._thread.start()

    def ask_stop(self) -> None:
        """Acts no more, and puts back what it has changed; see `is_alive`."""
        self._stop.set()

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stop.wait(LOOK_EVERY):
                self._guarded(self.look)
            for thread in list(self._busy.values()):
                thread.join(ATTEMPT_SECONDS)
            self._guarded(self.leave)
        finally:
            connections.close_all()

    def _guarded(self, step: Callable[[], None]) -> None:
        """One round; trouble is said once and ends nothing."""
        try:
            step()
            self._troubled = False
        except (DatabaseError, InterfaceError, ConfigurationError) as error:
            if not self._troubled:
                logger.error("recovery rests: %s", str(error).strip() or type(error).__name__)
            self._troubled = True
            connections.close_all()
        except Exception:
            # A fault of ours must not end the monitor's other work; the log has its place.
            logger.exception("recovery failed; it tries again")

    def look(self) -> None:
        """One round: hands what is due to the databases' threads. Raises `DatabaseError`."""
        held = self._held()
        if not held:
            return
        now = self.now()
        records.interrupt(held, self.identity, now)
        for alias, work in self._due(held, now).items():
            running = self._busy.get(alias)
            if running is not None and running.is_alive():
                continue
            self._busy = {name: one for name, one in self._busy.items() if one.is_alive()}
            if len(self._busy) >= _MOST_THREADS:
                return
            thread = threading.Thread(
                target=self._in_thread, args=(work,), name=f"recovery {alias}", daemon=True
            )
            self._busy[alias] = thread
            thread.start()
        if self.monotonic() - self._maintained > _MAINTAIN_EVERY:
            self._maintained = self.monotonic()
            records.maintain(now)

    def leave(self) -> None:
        """Puts everything back on the databases that are held: nobody looks after it any more."""
        held = self._held()
        for alias, attempts in self._open_changes(held).items():
            target = self.configuration().targets.get(alias)
            if target is not None:
                for attempt in attempts:
                    put_back_attempt(attempt, target, self.configuration(), self.now)

    def _held(self) -> dict[str, int]:
        """The databases whose leases this monitor holds, with the leases' tokens."""
        return dict(TargetState.objects.filter(holder=self.identity).values_list("alias", "token"))

    def _due(self, held: Mapping[str, int], now: datetime) -> dict[str, _Work]:
        configuration = self.configuration()
        back = self._changes_due(held, now)
        wanted = wishes(configuration.recovery, list(held), now)
        moment = self.monotonic()
        self._not_before = {key: at for key, at in self._not_before.items() if at > moment}
        works: dict[str, _Work] = {}
        for alias, token in held.items():
            target = configuration.targets.get(alias)
            own = [one for one in wanted.get(alias, ()) if (one.episode, one.action) not in self._not_before]
            if target is not None and (own or alias in back):
                works[alias] = _Work(target, token, back.get(alias, []), own)
        return works

    def _open_changes(self, held: Mapping[str, int]) -> dict[str, list[RecoveryAttempt]]:
        pending = RecoveryChange.objects.filter(closed_at=None, database__in=list(held)).values("attempt_id")
        rows = RecoveryAttempt.objects.filter(pk__in=pending)
        found: dict[str, list[RecoveryAttempt]] = {}
        for attempt in rows.order_by("id"):
            found.setdefault(attempt.database, []).append(attempt)
        return found

    def _changes_due(self, held: Mapping[str, int], now: datetime) -> dict[str, list[RecoveryAttempt]]:
        """The attempts with changes that are to be put back now."""
        moment = self.monotonic()
        found: dict[str, list[RecoveryAttempt]] = {}
        for alias, attempts in self._open_changes(held).items():
            for attempt in attempts:
                later, _ = self._back_not_before.get(attempt.pk, (0.0, 0.0))
                if moment >= later and self._is_due(attempt, now):
                    found.setdefault(alias, []).append(attempt)
        return found

    def _is_due(self, attempt: RecoveryAttempt, now: datetime) -> bool:
        """Whether nobody works on it and its time is over, its monitor is gone, or what it was for is."""
        if attempt.outcome == "running":
            return False
        rows = list(RecoveryChange.objects.filter(attempt=attempt, closed_at=None))
        if any(row.undo_at <= now or row.holder != self.identity for row in rows):
            return True
        # A clock that was set back must not prolong it.
        if any(row.created_at > now for row in rows):
            return True
        known = actions(self.configuration().recovery).get(attempt.action)
        sample = figures(attempt.database)
        return (
            known is not None and sample is not None and _is_later(sample, attempt) and known.is_over(sample)
        )

    # in a database's thread

    def _in_thread(self, work: _Work) -> None:
        try:
            self.do(work)
        except (DatabaseError, InterfaceError) as error:
            logger.error(
                "recovery of %s rests: %s", work.target.alias, str(error).strip() or type(error).__name__
            )
        except Exception:
            # A fault of ours on one database must not touch any other's; the log has its place.
            logger.exception("recovery of %s failed", work.target.alias)
        finally:
            connections.close_all()

    def do(self, work: _Work) -> None:
        """Puts back first, then acts. Raises `DatabaseError`."""
        for attempt in work.changes:
            if not put_back_attempt(attempt, work.target, self.configuration(), self.now):
                _, wait = self._back_not_before.get(attempt.pk, (0.0, 0.5))
                wait = min(2 * wait, _LONGEST_WAIT)
                self._back_not_before[attempt.pk] = self.monotonic() + wait, wait
        for wish in work.wishes:
            if self._stop.is_set():
                return
            wait = AGAIN_AFTER if wish.mode == "live" else DRY_RUN_AFTER
            self._not_before[wish.episode, wish.action] = self.monotonic() + wait
            self._act(work, wish)

    def _act(self, work: _Work, wish: Wish) -> None:
        configuration = self.configuration()
        settings = configuration.recovery.actions[wish.action]
        asked = records.Asked(
            settings,
            work.target.alias,
            wish.mode,
            "dbvigil",
            wish.reason,
            wish.episode,
            self.identity,
            work.token,
        )
        attempt = Attempt(
            actions(configuration.recovery)[wish.action],
            asked,
            work.target,
            ATTEMPT_SECONDS,
            lambda: self.reset(work.target.alias),
            self.now,
            quietly=wish.looked_before,
        )
        try:
            attempt.run()
        except RecoveryRefused as refused:
            logger.info("%s: %s", work.target.alias, refused.detail)
        except ServerError as error:
            logger.warning("%s: %s could not be tried: %s", work.target.alias, wish.action, error)


def _is_later(sample: DatabaseMetrics, attempt: RecoveryAttempt) -> bool:
    return attempt.ended_at is not None and sample.timestamp > attempt.ended_at
