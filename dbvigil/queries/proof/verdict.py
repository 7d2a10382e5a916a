"""From executions to a verdict: verified, estimated, no gain or harmful. Pure: figures in, words out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dbvigil.display import times
from dbvigil.queries.proof.costs import Facts, Pair, Trial, cost, extrapolated, whole, worked
from dbvigil.queries.workload import Outcome

WORTH = 1.5
"""The speed-up of all classes together from which on an index is worth it."""
CLEARLY = 1.75
"""A sample is no measure of the last tenth: an index that is worth it by less than this may not be on the real table."""
WORTH_IN_TIME = 1.2
"""The same by the clock, whose readings also hold what no index changes: the way to the sandbox, the answer's rows."""
SLOWER = 1.1
"""No class of values may become slower than by this factor, nor another statement."""
HARMFUL = 1.2
NEGLIGIBLE_MS = 0.2
"""A difference below this is the machine's noise and nobody's concern."""
_WORTH_GAINING_MS = 1.0
_GAINS = 1.2
_GAINS_IN_ORDER = 2.0
"""Values that half as many rows have are looked for twice as long in an order."""
_UNLIKELY = 15.0
"""A server whose estimates are wrong by more than this factor is not to be expected."""
_SHRINKS = 0.8


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: Outcome
    reason: str
    speed_up: float | None = None
    interval: tuple[float, float] | None = None
    best: Trial | None = None


def judge(served: Sequence[Trial], others: Sequence[Trial], facts: Facts) -> Verdict:
    """The verdict on one index. `served` are trials of the statements that ask for it, `others` of the rest that read the table."""
    if not served:
        return Verdict("untested", "none of the statements that ask for it could be executed")
    everything = [*served, *others]
    ratios = [_ratio(trial, facts) for trial in served]
    interval = (round(min(ratios), 2), round(max(ratios), 2))
    best = max(served, key=lambda trial: _saved(trial, facts))
    speed_up = round(_total(served, facts), 2)
    figures: dict[str, Any] = {"speed_up": speed_up, "interval": interval, "best": best}
    worst = max(everything, key=lambda trial: _slowdown(trial, facts))
    slowdown = _slowdown(worst, facts)
    harmed = max(
        (trial for trial in everything if _harmed(trial, facts)),
        key=lambda trial: _slowdown(trial, facts),
        default=None,
    )
    if harmed is not None:
        reason = f"statement {harmed.query_id} becomes {_slowdown(harmed, facts):.1f} times slower for {harmed.case} values"
        return Verdict("harmful", reason, **figures)
    if not all(trial.alike for trial in everything):
        return Verdict(
            "estimated", "a statement answered other rows with the index than without it", **figures
        )
    if not any(_used(trial, facts) for trial in served):
        return Verdict("no_gain", "the server does not use it for any of the statements", **figures)
    if speed_up < WORTH:
        return Verdict(
            "no_gain", f"all together are {times(speed_up)} times as fast: less than {WORTH:g}", **figures
        )
    doubts = [*facts.doubts, *_doubts(served, everything, slowdown, facts), *_traps(everything, facts)]
    if doubts:
        return Verdict("estimated", "; ".join(dict.fromkeys(doubts)), **figures)
    return Verdict(
        "verified",
        f"executed with and without it: {times(speed_up)} times as fast, and nothing slower",
        **figures,
    )


def _doubts(served: Sequence[Trial], everything: Sequence[Trial], slowdown: float, facts: Facts) -> list[str]:
    found = []
    total = _total(served, facts)
    if total < CLEARLY and facts.full_rows:
        found.append(
            f"{times(total)} times as fast is too near to {WORTH:g} to be sure of it on the whole table"
        )
    if slowdown > SLOWER:
        found.append(f"a statement may become {slowdown:.1f} times slower")
    idle = next((one for one in everything if _idle(one, facts)), None)
    if idle is not None and slowdown <= SLOWER:
        found.append(
            f"for {idle.case} values of statement {idle.query_id} the server uses it and gains little or nothing"
        )
    if any(not _complete(trial) for trial in everything):
        found.append("a statement was ended by the time limit")
    if any(_shrinks(trial, facts) for trial in served):
        found.append("the gain shrinks as the table grows")
    before = sum(trial.weight * trial.pairs[-1].before.least for trial in served)
    after = sum(trial.weight * trial.pairs[-1].after.least for trial in served)
    if before < WORTH_IN_TIME * after:
        found.append("by the clock the sample is too small to tell a difference")
    return found


def _traps(everything: Sequence[Trial], facts: Facts) -> list[str]:
    """What the server passed over in the sample, rightly, and may choose on the real table: its estimates of large ranges and of groups
    move with the size, and servers are known to choose so.
    """
    found = []
    for trial in everything:
        pair = trial.pairs[-1]
        # Among as many rows as the real table has, only what depends on where in an order the rows lie is still open.
        if pair.forced is None or not facts.full_rows or (whole(trial, facts) and not trial.lured):
            continue
        work = facts.weights.milliseconds(pair.forced.rows, pair.forced.pages)
        before = worked(pair, facts, after=False)
        factor = max(work / before, pair.forced.least / max(0.001, pair.before.least))
        if pair.forced.complete and (work - before <= NEGLIGIBLE_MS or work < HARMFUL * before):
            continue
        if not pair.forced.complete:
            factor = max(factor, _UNLIKELY + 1)
        if factor <= _UNLIKELY or (trial.lured and not whole(trial, facts)):
            found.append((factor, trial))
    if not found:
        return []
    factor, trial = max(found, key=lambda one: one[0])
    return [
        f"the server rightly passes it over for {trial.case} values of statement {trial.query_id} in the sample;"
        f" if it chose it on the real table, that would be {factor:.1f} times slower"
    ]


def _ratio(trial: Trial, facts: Facts) -> float:
    return extrapolated(trial, facts, after=False) / extrapolated(trial, facts, after=True)


def _saved(trial: Trial, facts: Facts) -> float:
    return trial.weight * (extrapolated(trial, facts, after=False) - extrapolated(trial, facts, after=True))


def _total(trials: Sequence[Trial], facts: Facts) -> float:
    before = sum(trial.weight * extrapolated(trial, facts, after=False) for trial in trials)
    return before / sum(trial.weight * extrapolated(trial, facts, after=True) for trial in trials)


def _telling(trial: Trial, facts: Facts) -> tuple[Pair, ...]:
    """The sizes whose plans say something of the real table: beside one that is as large, fewer rows say nothing."""
    return trial.pairs[-1:] if whole(trial, facts) else trial.pairs


def _slowdown(trial: Trial, facts: Facts) -> float:
    """The worst factor, of the engine's work and in time, here and on the real table; 1 where it is negligible."""
    found = [_by_clock(trial, facts)]
    for measure in dict.fromkeys((worked, cost)):
        before, after = (extrapolated(trial, facts, after=one, measure=measure) for one in (False, True))
        if after - before > NEGLIGIBLE_MS:
            found.append(after / before)
    for pair in _telling(trial, facts):
        before, after = (worked(pair, facts, after=one) for one in (False, True))
        if after - before > NEGLIGIBLE_MS:
            found.append(after / before)
    return max(found)


def _harmed(trial: Trial, facts: Facts) -> bool:
    """Whether it is clearly slower with the index that the server chose: what was read says so, and the clock does not say otherwise.

    Where much less is read, a slower clock is more likely the machine's; then it is a doubt. So it is where more is read in as much of the
    processor's time: with all rows in memory that is no harm, and on a disk it may be.
    """
    if not _used(trial, facts) or _slowdown(trial, facts) < HARMFUL:
        return False
    last = trial.pairs[-1]
    if last.before.complete and not last.after.complete:
        return True
    if _by_clock(trial, facts) >= HARMFUL:
        return any(_worked(pair, facts) > 1 / WORTH for pair in _telling(trial, facts) if pair.used)
    if facts.timed:
        before, after = (extrapolated(trial, facts, after=one) for one in (False, True))
        return after - before > NEGLIGIBLE_MS and after >= HARMFUL * before
    return last.after.least > last.before.least


def _worked(pair: Pair, facts: Facts) -> float:
    """The factor of the engine's work in one size of the sample."""
    return worked(pair, facts, after=True) / worked(pair, facts, after=False)


def _by_clock(trial: Trial, facts: Facts) -> float:
    """The worst factor in time, where the server chose the index; 1 where the difference is negligible."""
    found = [1.0]
    for pair in _telling(trial, facts):
        before, after = pair.before.least, pair.after.least
        if pair.used and pair.before.complete and after - before > NEGLIGIBLE_MS:
            found.append(after / max(0.001, before))
    return max(found)


def _idle(trial: Trial, facts: Facts) -> bool:
    """Whether the index changes a plan for nothing, where there is something to gain: on a larger table that may as well be a loss. Where
    rows are read in an order until there are enough of them, so it may for other values.
    """
    used = trial.pairs[-1].used and extrapolated(trial, facts, after=False) >= _WORTH_GAINING_MS
    if trial.lured:
        return used and _ratio(trial, facts) < _GAINS_IN_ORDER
    return used and not whole(trial, facts) and _ratio(trial, facts) < _GAINS


def _shrinks(trial: Trial, facts: Facts) -> bool:
    """Whether the larger sample gains clearly less than the smaller, so that a still larger table might gain nothing."""
    if len(trial.pairs) < 2 or whole(trial, facts):
        return False
    gains = [cost(pair, facts, after=False) / cost(pair, facts, after=True) for pair in trial.pairs]
    return gains[0] > WORTH and gains[-1] < _SHRINKS * gains[0] and _ratio(trial, facts) < WORTH


def _used(trial: Trial, facts: Facts) -> bool:
    return any(pair.used for pair in _telling(trial, facts))


def _complete(trial: Trial) -> bool:
    return all(pair.after.complete for pair in trial.pairs)
