"""How much a kind of statement matters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.queries.figures import Figures
from dbvigil.queries.severity import SEVERITIES, severity, share_of_load

HOUR = 3600.0
# Figures of an hour in which all statements took `total` seconds, and the grade.
CASES: tuple[tuple[str, dict[str, Any], float | None, str], ...] = (
    ("cheap and rare", {"count": 100, "total_time": 0.1}, 1_000, "low"),
    ("5 % of the load", {"count": 100_000, "total_time": 60}, 1_200, "medium"),
    ("a quarter of the load", {"count": 100_000, "total_time": 300}, 1_200, "medium"),
    ("the same with waste", {"count": 100_000, "total_time": 300, "no_index_used": 5}, 1_200, "high"),
    ("the same, and people wait", {"count": 200, "total_time": 300, "no_index_used": 5}, 1_200, "critical"),
    ("a large share of an idle server", {"count": 3, "total_time": 0.5}, 0.6, "low"),
    ("slow for everybody", {"count": 50, "total_time": 100}, 10_000, "medium"),
    ("very slow", {"count": 50, "total_time": 400}, 100_000, "medium"),
    ("very slow, without an index", {"count": 50, "total_time": 400, "no_index_used": 50}, 100_000, "high"),
    ("fast but for one in twenty", {"count": 1_000, "total_time": 100, "p95_time": 6.0}, 100_000, "medium"),
    ("one query of an operator", {"count": 1, "total_time": 8.0}, 100_000, "low"),
    ("one that took minutes", {"count": 1, "total_time": 240.0}, 100_000, "medium"),
    ("the total is not known", {"count": 100_000, "total_time": 300}, None, "low"),
    ("reads a lot for little", {"count": 9_000, "total_time": 300, "rows_examined": 90_000_000, "rows_sent": 9_000}, 1_000, "high"),
    ("reads a lot and costs nothing", {"count": 9, "total_time": 0.01, "rows_examined": 90_000, "rows_sent": 9}, 1_000, "low"),
)  # fmt: skip


@pytest.mark.parametrize(("what", "values", "total", "grade"), CASES, ids=[case[0] for case in CASES])
def test_grades(what: str, values: dict[str, Any], total: float | None, grade: str) -> None:
    assert severity(Figures(seconds=HOUR, **values), total) == grade


def test_without_a_span_a_tenth_of_a_second_is_asked_for() -> None:
    assert severity(Figures(10, 0.09, no_index_used=10), 0.1) == "low"
    assert severity(Figures(10, 0.2, no_index_used=10), 0.3) == "high"


def test_share_is_of_all_and_at_most_all() -> None:
    assert share_of_load(Figures(1, 1.0), 4.0) == 25.0
    assert share_of_load(Figures(1, 5.0), 4.0) == 100.0
    assert share_of_load(Figures(1, 1.0), None) is None
    assert share_of_load(Figures(0, 0.0), 0.0) is None


numbers = st.floats(0, 1e6)


@given(numbers, numbers, st.integers(2, 10**6), st.floats(1, 1e6))
def test_what_takes_longer_is_never_less_grave(
    one: float, other: float, count: int, everything: float
) -> None:
    less, more = sorted((one, other))
    grades = [
        SEVERITIES.index(severity(Figures(count, time, seconds=HOUR), max(everything, more)))
        for time in (less, more)
    ]
    assert grades == sorted(grades)
