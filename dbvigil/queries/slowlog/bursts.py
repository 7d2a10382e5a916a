"""One statement, many times in a row in one session: N+1, where a loop asks for each row what one statement could ask for all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Bursts:
    """Of one kind of statement: how many bursts, of how many executions, the longest, and the statement before that one."""

    number: int = 0
    executions: int = 0
    longest: int = 0
    opener: bytes = b""

    def add(self, other: Bursts) -> None:
        self.number += other.number
        self.executions += other.executions
        self.longest, self.opener = max((self.longest, self.opener), (other.longest, other.opener))
