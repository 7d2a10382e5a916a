"""Executions of one statement in a row in one session, of which the long ones are bursts.

What a log needs for it: sessions with their numbers, and times. A run ends with another statement of its session, or a longer pause; and
where the parts meet in which a large log is read, so that one burst may be counted as two there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dbvigil.queries.slowlog.bursts import Bursts
from dbvigil.queries.slowlog.totals import Sums

AT_LEAST = 10
"""Executions in a row that are a burst."""
WITHIN = 5
"""Seconds between two of them, at most."""
_SESSIONS = 10_000


@dataclass(slots=True)
class Run:
    """Executions of one kind in one session, until `last` (seconds since 1970). `before`: the kind that was executed before."""

    sums: Sums
    last: int
    before: Sums | None = None
    count: int = 1

    def seen(self, sums: Sums, at: int) -> None:
        """One more execution of the session."""
        if at - self.last <= WITHIN:
            if self.sums is sums:
                self.count += 1
                self.last = at
                return
            before = self.sums
        else:
            before = None
        if self.count >= AT_LEAST:
            self.finish()
        self.sums, self.last, self.count, self.before = sums, at, 1, before

    def finish(self) -> None:
        """It has ended."""
        if self.count >= AT_LEAST:
            before = self.before
            opener = before.fingerprint if before is not None and before is not self.sums else b""
            self.sums.bursts.add(Bursts(1, self.count, self.count, opener))


@dataclass(slots=True)
class Runs:
    """The runs of all sessions as a log is read, by session."""

    open: dict[bytes, Run] = field(default_factory=dict)

    def seen(self, session: bytes, sums: Sums, at: int) -> None:
        """One execution."""
        run = self.open.get(session)
        if run is not None:
            run.seen(sums, at)
            return
        if len(self.open) >= _SESSIONS:
            self._forget(at)
        self.open[session] = Run(sums, at)

    def close(self) -> None:
        """Nothing more comes."""
        for run in self.open.values():
            run.finish()
        self.open.clear()

    def _forget(self, now: int) -> None:
        """Lets go of the sessions that have ended or rest; of all where there are too many that do not."""
        gone = {session for session, run in self.open.items() if now - run.last > WITHIN}
        for session in gone or set(self.open):
            self.open.pop(session).finish()
