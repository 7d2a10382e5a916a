"""What a proof may take from the monitored server: rows, time, and a share of one connection's work."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dbvigil.errors import ConfigurationError
from dbvigil.server import Server

STATEMENT_SECONDS = 5.0
"""The longest that one statement may run on the monitored server; the server itself ends it."""


@dataclass(frozen=True, slots=True)
class Budget:
    """`rows` at most are read; no statement is sent after `seconds`; `load_share` is the percent of that time that statements may run,
    the rest is pause. Raises `ConfigurationError`.
    """

    rows: int = 200_000
    seconds: float = 60.0
    load_share: float = 10.0

    def __post_init__(self) -> None:
        _within("budget.rows", self.rows, 1, 10_000_000)
        _within("budget.seconds", self.seconds, 0.1, 86_400)
        _within("budget.load_share", self.load_share, 0.1, 100)


class Spent(Exception):
    """The budget has come to its end; the message says which part of it."""


class Purse:
    """Sends the statements that read the monitored server, and keeps their account. Only what the budget allows is sent.

    `server` is a connection of its own, whose session can only read and whose statements the server ends after `STATEMENT_SECONDS`.
    """

    def __init__(self, server: Server, budget: Budget) -> None:
        self._server = server
        self._budget = budget
        self._began = time.monotonic()
        self.rows_read = 0
        self.busy = 0.0

    def allowed(self, rows: int) -> int:
        """How many of `rows` may still be read by one statement; raises `Spent` where none may."""
        # The server looks one row further to know that a range has ended.
        left = self._budget.rows - self.rows_read - 1
        if left < 1:
            raise Spent(f"the budget's {self._budget.rows:,} rows are used up")
        return min(rows, left)

    async def rows(
        self, sql: str, most: int, args: Sequence[object] = (), *, counted: bool = True
    ) -> list[dict[str, Any]]:
        """The rows of a statement that reads `most` rows at most, as its LIMIT says; raises `Spent` before it would be too many.

        `counted=False` is for the server's own descriptions, which read no table.
        """
        if counted and self.allowed(most) < most:
            raise Spent(f"the budget's {self._budget.rows:,} rows are used up")
        if time.monotonic() - self._began >= self._budget.seconds:
            raise Spent(f"the budget's {self._budget.seconds:g} s are over")
        began = time.monotonic()
        try:
            found = await self._server.rows(sql, list(args))
        finally:
            took = time.monotonic() - began
            self.busy += took
        if counted:
            self.rows_read += len(found) + 1
        await asyncio.sleep(self._pause(took))
        return found

    def _pause(self, took: float) -> float:
        left = self._budget.seconds - (time.monotonic() - self._began)
        return max(0.0, min(left, took * (100 / self._budget.load_share - 1)))

    def cost(self) -> dict[str, Any]:
        """`rows_read`, and the `seconds` that the server worked on them."""
        return {"rows_read": self.rows_read, "seconds": round(self.busy, 3)}


def _within(name: str, given: float, least: float, most: float) -> None:
    if isinstance(given, bool) or not math.isfinite(given) or not least <= given <= most:
        raise ConfigurationError(name, given, f"allowed: {least:g} to {most:,}")
