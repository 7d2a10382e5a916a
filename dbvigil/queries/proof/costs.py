"""What a statement costs without an index and with it, in both sizes of the sample, and what that says of the real table. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from dbvigil.queries.proof.measure import Run, Weights

_STEEPEST = 1.2
_NEARLY_ALL = 0.9
_AMISS = 1.5
"""By so much statistics may be wrong, and a server chooses mostly as it would by right ones."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One size of the sample: `rows` of the table, and a statement's cost without and with the index; whether the server used it.

    `forced`: its cost where the server was made to use an index that it passed over, None where that was not tried or cannot be.
    """

    rows: int
    before: Run
    after: Run
    used: bool
    forced: Run | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One statement with one class of values, in each size of the sample, the smaller first. `lured`: it has a LIMIT, and with the index
    needs no sort: for the first rows of an order servers choose what is dearer by far.
    """

    query_id: str
    case: str
    pairs: tuple[Pair, ...]
    weight: float = 1.0
    alike: bool = True
    lured: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What else bears on a verdict. `full_rows`: rows of the real table, 0 where the sample is the whole of it. `doubts`: why executions in
    this sample prove less. `timed`: times are the processor's, which other work on the machine does not lengthen. `believed`: rows that the
    real table has by its server's statistics, None where that does not matter.
    """

    full_rows: int
    weights: Weights
    doubts: tuple[str, ...] = ()
    timed: bool = False
    believed: int | None = None


def worked(pair: Pair, facts: Facts, *, after: bool) -> float:
    """Milliseconds of the engine's work, from the rows and pages that it read."""
    run = pair.after if after else pair.before
    return max(0.001, facts.weights.milliseconds(run.rows, run.pages))


def cost(pair: Pair, facts: Facts, *, after: bool) -> float:
    """Milliseconds of one execution: the processor's where they were seen, which have sorting and answering in them too."""
    if not facts.timed:
        return worked(pair, facts, after=after)
    return max(0.001, (pair.after if after else pair.before).least)


def extrapolated(
    trial: Trial, facts: Facts, *, after: bool, measure: Callable[..., float] | None = None
) -> float:
    """Milliseconds on the real table: the growth between the two sizes goes on, at most a little over linear."""
    pairs, measure = trial.pairs, measure or cost
    last = measure(pairs[-1], facts, after=after)
    if facts.full_rows <= pairs[-1].rows or pairs[-1].rows <= 0:
        return last
    exponent = 1.0
    if len(pairs) > 1 and 0 < pairs[0].rows < pairs[-1].rows:
        grown = last / measure(pairs[0], facts, after=after)
        exponent = math.log(grown) / math.log(pairs[-1].rows / pairs[0].rows)
    return last * float((facts.full_rows / pairs[-1].rows) ** min(_STEEPEST, max(0.0, exponent)))


def whole(trial: Trial, facts: Facts) -> bool:
    """Whether the larger size is nearly that of the real table, and what its server believes that to be: by that it chooses."""
    rows = trial.pairs[-1].rows
    if not facts.full_rows or facts.believed is None:
        return rows >= _NEARLY_ALL * facts.full_rows
    return rows >= _NEARLY_ALL * facts.full_rows and rows / _AMISS <= facts.believed <= rows * _AMISS
