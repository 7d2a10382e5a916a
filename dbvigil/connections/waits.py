"""How long a process waits for a pool's connections, and how often it got none: measured around the pool's own method."""

from __future__ import annotations

import functools
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from dbvigil.connections.kinds import Kind

_MARK = "_dbvigil_measured"


class Waits:
    """Of one watched pool, and of those that take its place. Thread-safe; seconds of `clock`.

    A checkout *waits* where it finds as many in use as the pool gives out. One that ends in an error then was *refused*.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """As in a new process."""
        self._lock = threading.Lock()
        self.measured = False
        self.checkouts = self.waits = self.refused = self.highest = 0
        self.seconds = self.longest = 0.0

    def measure(self, pool: Any, kind: Kind) -> None:
        """From now on the pool's checkouts are timed; again is harmless. A pool that takes no attribute stays unmeasured."""
        method = getattr(type(pool), kind.checkout, None) if kind.checkout else None
        if method is None:
            return
        if getattr(pool, _MARK, None) is not self:
            # Of the pool by a weak reference: one that referred to itself would live on after its last user.
            try:
                setattr(pool, kind.checkout, self._timed(weakref.ref(pool), method, kind))
                setattr(pool, _MARK, self)
            except (AttributeError, TypeError):
                return
        self.measured = True

    def leave(self, pool: Any, kind: Kind) -> None:
        """The pool as it was before it was measured here."""
        if getattr(pool, _MARK, None) is self:
            delattr(pool, kind.checkout)
            delattr(pool, _MARK)
        self.measured = False

    def figures(self) -> dict[str, Any]:
        """`{"checkouts", "waits", "refused", "highest", "wait_seconds_mean", "wait_seconds_longest"}`; None for what is not measured."""
        with self._lock:
            known = self.measured
            return {
                "checkouts": self.checkouts if known else None,
                "waits": self.waits if known else None,
                "refused": self.refused if known else None,
                "highest": self.highest if known else None,
                "wait_seconds_mean": round(self.seconds / self.waits, 6) if known and self.waits else None,
                "wait_seconds_longest": round(self.longest, 6) if known and self.waits else None,
            }

    def _timed(
        self, reference: weakref.ref[Any], method: Callable[..., Any], kind: Kind
    ) -> Callable[..., Any]:
        @functools.wraps(method)
        def checkout(*args: Any, **kwargs: Any) -> Any:
            pool = reference()
            before = kind.read(pool)
            full, began, refused = (
                before.limit is not None and before.in_use >= before.limit,
                self._clock(),
                True,
            )
            try:
                given = method(pool, *args, **kwargs)
                refused = False
            finally:
                self._add(self._clock() - began, kind.read(pool).in_use, full=full, refused=full and refused)
            return given

        return checkout

    def _add(self, seconds: float, in_use: int, *, full: bool, refused: bool) -> None:
        with self._lock:
            self.checkouts += 1
            self.highest = max(self.highest, in_use)
            if full:
                self.waits += 1
                self.seconds += seconds
                self.longest = max(self.longest, seconds)
            self.refused += refused
