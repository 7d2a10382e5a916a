"""What an index brought, from figures before it and since."""

from __future__ import annotations

import pytest

from dbvigil.queries.figures import Figures
from dbvigil.queries.proof.promise import promise, slowed

BEFORE = Figures(100, 10.0, rows_examined=100_000)


@pytest.mark.parametrize(
    ("since", "proved", "outcome", "told"),
    [
        (Figures(200, 2.0, rows_examined=200), 12.0, "kept", "10 times as fast (proved: 12 times as fast)"),
        (Figures(200, 10.0, rows_examined=200), 12.0, "less", "2 times as fast (proved: 12 times as fast)"),
        (Figures(200, 10.0), None, "kept", "200 executions since took 0.05 s each, 0.1 s before: 2 times as fast"),
        (Figures(200, 20.0, rows_examined=200_000), 12.0, "no_gain", "1 times as fast"),
        # Locks or load keep the time up; the rows say that the index does its part.
        (Figures(200, 20.0, rows_examined=200), 12.0, "less", "1 times as fast"),
        (Figures(200, 25.0, rows_examined=200_000), 12.0, "no_gain", "1.25 times as slow"),
        (Figures(200, 60.0, rows_examined=400_000), 12.0, "slower", "3 times as slow"),
    ],
)  # fmt: skip
def test_the_outcome_is_told_with_both_figures(
    since: Figures, proved: float | None, outcome: str, told: str
) -> None:
    found = promise(BEFORE, since, proved)
    assert found is not None
    assert (found.outcome, found.executions) == (outcome, 200)
    assert told in found.detail


@pytest.mark.parametrize(
    ("before", "since"),
    [(None, BEFORE), (BEFORE, None), (BEFORE, Figures(29, 1.0)), (Figures(29, 1.0), BEFORE), (Figures(0, 0.0), BEFORE)],
)  # fmt: skip
def test_too_little_is_no_verdict(before: Figures | None, since: Figures | None) -> None:
    assert promise(before, since, 5.0) is None


def test_statements_that_became_slower_are_named() -> None:
    since = {1: Figures(50, 50.0), 2: Figures(50, 5.0), 3: Figures(50, 50.0)}
    found = slowed({1: Figures(50, 5.0), 2: Figures(50, 5.0)}, since)
    assert list(found) == [1]
    assert "1 s, 0.1 s before" in found[1]
