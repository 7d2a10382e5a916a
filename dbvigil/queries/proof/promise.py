"""What became of an index that was proved and then really built: the statements' own figures before and since, against what was proved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dbvigil.display import times
from dbvigil.queries.figures import Figures
from dbvigil.queries.rules.statistics_history import ENOUGH, latency_regression

Outcome = Literal["kept", "less", "no_gain", "slower"]

_LEAST_GAIN = 1.1
_ENOUGH_OF_IT = 0.5


@dataclass(frozen=True, slots=True)
class Promise:
    """One statement that an index was built for.

    - kept: at least half of the gain that was proved. less: faster, but by less than half of it.
    - no_gain: as fast as before, and it reads as many rows. slower: twice as slow as before, and 10 ms more.

    `before` and `after` are seconds an execution, `executions` how many there were since. `speed_up`: the one by the other.
    """

    outcome: Outcome
    detail: str
    before: float
    after: float
    executions: int
    speed_up: float

    def to_dict(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome,
            "before": self.before,
            "after": self.after,
            "executions": self.executions,
            "speed_up": self.speed_up,
        }


def promise(before: Figures | None, since: Figures | None, proved: float | None) -> Promise | None:
    """`proved` is the speed-up that the proof found. None where either side has too few executions to tell."""
    if before is None or since is None or min(before.count, since.count) < ENOUGH:
        return None
    was, now = before.avg_time, since.avg_time
    if not was or not now:
        return None
    speed_up = was / now
    outcome: Outcome
    if latency_regression(before, since):
        outcome = "slower"
    elif speed_up >= max(_LEAST_GAIN, 1 + _ENOUGH_OF_IT * ((proved or 1) - 1)):
        outcome = "kept"
    elif speed_up >= _LEAST_GAIN or _reads_less(before, since):
        outcome = "less"
    else:
        outcome = "no_gain"
    detail = f"{since.count:,} executions since took {now:.3g} s each, {was:.3g} s before: {_times(speed_up)}"
    if proved is not None:
        detail += f" (proved: {_times(proved)})"
    return Promise(outcome, detail, was, now, since.count, speed_up)


def slowed(before: Mapping[int, Figures], since: Mapping[int, Figures]) -> dict[int, str]:
    """The kinds of statement that became slower, with what the figures say of each."""
    return {
        number: findings[0].detail
        for number, figures in since.items()
        if number in before and (findings := latency_regression(before[number], figures))
    }


def _reads_less(before: Figures, since: Figures) -> bool:
    """Rows are a witness that load and locks do not move."""
    if before.rows_examined is None or since.rows_examined is None:
        return False
    return before.rows_examined / before.count > _LEAST_GAIN * since.rows_examined / since.count


def _times(factor: float) -> str:
    return f"{times(factor)} times as fast" if factor >= 1 else f"{times(1 / factor)} times as slow"
