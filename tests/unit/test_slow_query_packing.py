"""Windows of statements: into bytes and back, and added up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.queries.figures import Figures, added
from dbvigil.slow_queries.packing import Cost, Window, deflated, pack, unpack

moments = st.integers(0, 4 * 10**9).map(lambda second: datetime.fromtimestamp(second, UTC))
counts = st.none() | st.integers(0, 10**15)
times = st.floats(0, 1e9).map(lambda value: round(value, 6))
figures = st.builds(
    Figures,
    count=st.integers(0, 10**12),
    total_time=times,
    max_time=st.none() | times,
    lock_time=st.none() | times,
    rows_examined=counts,
    rows_sent=counts,
    rows_affected=counts,
    no_index_used=counts,
    errors=counts,
    first_seen=st.none() | moments,
    last_seen=st.none() | moments,
)
costs = st.builds(Cost, figures, st.dictionaries(st.integers(-1, 800), st.integers(1, 10**9), max_size=5))
windows = st.builds(
    Window,
    times,
    st.none() | st.integers(0, 10**12),
    st.none() | times,
    st.dictionaries(st.integers(1, 50), costs, max_size=6),
)


@given(windows)
def test_what_is_packed_comes_back(window: Window[int]) -> None:
    assert unpack(pack(window)) == window


@given(windows, windows)
def test_windows_add_up(one: Window[int], other: Window[int]) -> None:
    both = one + other
    assert both.kinds.keys() == one.kinds.keys() | other.kinds.keys()
    for key in both.kinds:
        parts = [window.kinds[key] for window in (one, other) if key in window.kinds]
        assert both.kinds[key].figures.count == sum(part.figures.count for part in parts)
        assert sum(both.kinds[key].times.values()) == sum(sum(part.times.values()) for part in parts)
    if one.count is None or other.count is None:
        assert both.count is None


@given(figures, figures)
def test_unknown_stays_unknown(one: Figures, other: Figures) -> None:
    both = added(one, other)
    for name in ("rows_examined", "lock_time", "errors"):
        if getattr(one, name) is None or getattr(other, name) is None:
            assert getattr(both, name) is None
    known = [item.max_time for item in (one, other) if item.max_time is not None]
    assert both.max_time == (max(known) if known else None)


def test_the_percentile_is_of_the_executions_that_were_counted() -> None:
    window: Window[int] = Window(60.0, 100, 5.0, {1: Cost(Figures(100, 5.0), {100: 95, 300: 5})})
    p95 = window.figures(1).p95_time
    assert p95 is not None
    assert p95 < 0.001
    longer = window + Window(60.0, 10, 5.0, {1: Cost(Figures(10, 5.0), {300: 10})})
    now = longer.figures(1).p95_time
    assert now is not None
    assert now > 0.1
    assert longer.figures(1).seconds == 120.0


def test_a_window_of_another_version_is_read() -> None:
    body = {
        "seconds": 5,
        "count": 1,
        "total_time": 1.0,
        "names": ["count", "total_time", "later"],
        "kinds": {"3": [[2, 1.5, 9], {}]},
    }
    assert unpack(deflated(body)).kinds[3].figures == Figures(2, 1.5)


@pytest.mark.parametrize("data", [b"", b"nonsense", deflated([]), deflated({"kinds": {}})])
def test_what_is_no_window_is_told(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"window|inflated"):
        unpack(data)
