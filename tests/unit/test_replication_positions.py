"""Positions, where a source has stood, and the lag that is told by both."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.analysis.course import MOST, Behind, Course
from dbvigil.analysis.gtids import BadPosition, count, covers, mysql_set, stands_between, subtract
from dbvigil.analysis.lag import is_silent, lag
from dbvigil.analysis.replication import channels
from dbvigil.collectors.heartbeat import age

A, B = "aaaaaaaa-0000-0000-0000-000000000001", "bbbbbbbb-0000-0000-0000-000000000002"


@pytest.mark.parametrize(
    ("left", "right", "rest"),
    [
        (f"{A}:1-10", f"{A}:1-10", ""),
        (f"{A}:1-10", f"{A}:1-7", f"{A}:8-10"),
        (f"{A}:1-10", f"{A}:3-4:6", f"{A}:1-2:5:7-10"),
        (f"{A}:1-10,{B}:1", f"{A}:1-20", f"{B}:1"),
        (f"{A.upper()}:1-3:\n5", f"{A}:1-3", f"{A}:5"),
        (f"{A}:1-2:nightly:1-3", f"{A}:1-2", f"{A}:nightly:1-3"),
        ("", f"{A}:1", ""),
    ],
)
def test_what_one_set_has_and_another_lacks(left: str, right: str, rest: str) -> None:
    assert subtract(left, right) == rest


@pytest.mark.parametrize("text", ["nonsense", f"{A}", f"{A}:one", "1-2"])
def test_what_is_no_set_is_refused(text: str) -> None:
    with pytest.raises(BadPosition):
        mysql_set(text)


numbers = st.sets(st.integers(1, 40), max_size=20)


def written(members: set[int]) -> str:
    return f"{A}:" + ":".join(map(str, sorted(members))) if members else ""


@given(numbers, numbers)
def test_sets_subtract_as_sets_do(left: set[int], right: set[int]) -> None:
    rest = subtract(written(left), written(right))
    found = {n for pairs in mysql_set(rest).values() for first, last in pairs for n in range(first, last + 1)}
    assert found == left - right
    assert count(rest) == len(left - right)


@pytest.mark.parametrize(
    ("own", "other", "has"),
    [
        ("0-1-17", "0-1-17", True),
        ("0-2-18", "0-1-17", True),
        ("0-1-16", "0-1-17", False),
        ("0-1-17", "0-1-17,5-1-1", False),
        ("0-1-17,5-1-1", "0-1-17", True),
        ("", "0-1-1", False),
    ],
)
def test_mariadbs_positions_stand_for_all_before_them(own: str, other: str, has: bool) -> None:
    assert covers(own, other, mariadb=True) is has


def course(*places: tuple[int, float]) -> Course:
    found = Course()
    for number, moment in places:
        found.add(str(number), moment)
    return found


def behind(found: Course, reached: int, moment: float, within: float = 5) -> Behind | None:
    return found.behind(lambda place: int(place) <= reached, moment, within)


def test_a_replica_is_as_far_behind_as_its_source_has_come_since() -> None:
    source = course((1, 10), (1, 11), (2, 12), (3, 13), (3, 14))
    assert behind(source, 3, 14.5) == Behind(0, 0.5), "it has what the source had half a second ago"
    assert behind(source, 2, 14.5) == Behind(1.5, 2.5)
    assert behind(source, 1, 14.5) == Behind(2.5, 3.5)
    assert behind(source, 0, 14.5) == Behind(4.5, None), "memory does not reach back so far"
    assert behind(source, 9, 14.5) == Behind(0, 0.5)


def test_what_came_after_the_replica_was_asked_is_not_held_against_it() -> None:
    assert behind(course((1, 10), (2, 11)), 1, 10.5) == Behind(0, 0.5)


def test_nobody_knows_about_a_source_that_was_not_seen_lately() -> None:
    assert behind(course((1, 10)), 1, 60) is None
    assert behind(Course(), 1, 60) is None
    assert behind(course((1, 10)), 0, 60) == Behind(50, None), "what it lacked then it lacks still"


def test_memory_is_bounded_and_keeps_the_newest() -> None:
    found = course(*((n, float(n)) for n in range(5 * MOST)))
    last = 5 * MOST - 1
    assert behind(found, last - 2, last + 0.5) == Behind(1.5, 2.5)
    assert len(found._places) <= MOST
    early = behind(found, 10, last)
    assert early is not None
    assert early.least <= last - 11


def row(**values: Any) -> dict[str, Any]:
    return {
        "name": "",
        "io_running": "Yes",
        "sql_running": "Yes",
        "lag": 0,
        "lag_source": "seconds_behind",
        "executed": f"{A}:1-5",
        "received": f"{A}:1-5",
        "using_gtid": 1,
        **values,
    }


def applier(**values: Any) -> dict[str, Any]:
    return {"heartbeat_period": 30.0, "heartbeat_age": 3.0, **values}


@pytest.mark.parametrize(
    ("channel", "known", "expected"),
    [
        # The server's own figure, where there is nothing better.
        (row(lag=7), None, (7.0, "seconds_behind")),
        (row(lag=None, lag_source=None), None, (None, None)),
        # The commit times that the threads carry.
        (row(lag=0, applier=applier(applying=2.5)), None, (2.5, "applier")),
        (row(lag=9, applier=applier(processing=4.0, applying=None)), None, (4.0, "applier")),
        (row(lag=3, applier=applier()), None, (0.0, "applier")),
        (row(lag=3, applier=applier(queueing=1.5)), None, (1.5, "applier")),
        # Received and not yet looked at: the threads carry nothing, so that the server's own figure is the best there is.
        (row(lag=3, received=f"{A}:1-9", applier=applier()), None, (3.0, "seconds_behind")),
        # Threads that do not run carry nothing.
        (row(lag=None, lag_source=None, sql_running="No", applier=applier()), None, (None, None)),
        (
            row(lag=None, lag_source=None, sql_running="No", applier=applier()),
            Behind(3, 4),
            (3.5, "positions"),
        ),
        # A dead connection: heartbeats stay away.
        (row(lag=0, applier=applier(heartbeat_age=90.0)), None, (0.0, "seconds_behind")),
        (row(lag=0, applier=applier(heartbeat_age=90.0)), Behind(80, 81), (80.0, "positions")),
        # A heartbeat row goes before Seconds_Behind, and behind the threads.
        (row(lag=0, heartbeat_lag=1.25), None, (1.25, "heartbeat")),
        (row(lag=0, heartbeat_lag=1.25, applier=applier(applying=0.5)), None, (0.5, "applier")),
        # What positions say holds for all of them: skewed clocks, long transactions, an idle source.
        (row(lag=3600), Behind(0, 1), (1.0, "positions")),
        (row(lag=3600), Behind(0, 30), (15.0, "positions")),
        (row(lag=0), Behind(12, 13), (12.0, "positions")),
        (row(lag=0), Behind(0, 1.2), (pytest.approx(0.2), "seconds_behind")),
        (row(lag=0), Behind(0, 30), (0.0, "seconds_behind")),
        (row(lag=0), Behind(12, 42), (27.0, "positions")),
        (row(lag=0), Behind(12, None), (12.0, "positions")),
        (row(lag=5), Behind(4.2, 5.2), (5.0, "seconds_behind")),
        (row(lag=0, heartbeat_lag=-0.2), None, (0.0, "heartbeat")),
    ],
)
def test_lag_is_the_best_that_is_known(
    channel: dict[str, Any], known: Behind | None, expected: tuple[float | None, str | None]
) -> None:
    assert lag(channel, known) == expected
    (told,) = channels([channel], {"": known} if known else None)
    assert (told.lag, told.lag_source) == expected


def test_silence_is_judged_by_the_sources_heartbeats() -> None:
    assert is_silent(row(applier=applier())) is False
    assert is_silent(row(applier=applier(heartbeat_age=60.0))) is True
    assert is_silent(row(applier=applier(heartbeat_age=60.0, queued_age=1.0))) is False
    assert is_silent(row(applier=applier(heartbeat_age=None, connected_age=3.0))) is False
    assert is_silent(row()) is None
    assert is_silent(row(applier=applier(heartbeat_period=0.0))) is None


@pytest.mark.parametrize(
    ("written", "zone", "expected"),
    [
        ("2026-01-31T11:59:58.500000", "UTC", 1.5),
        ("2026-01-31 11:59:58", "UTC", 2.0),
        ("2026-01-31T17:29:58.000000", "Asia/Kolkata", 2.0),
        ("2026-01-31T12:59:58.000000", "Europe/Berlin", 2.0),
        ("2026-01-31T11:59:58+00:00", "Europe/Berlin", 2.0),
        ("2026-01-31T12:00:00.300000", "UTC", -0.3),
        ("", "UTC", None),
        ("0000-00-00 00:00:00", "UTC", None),
        (None, "UTC", None),
    ],
)
def test_a_heartbeat_rows_age(written: str | None, zone: str, expected: float | None) -> None:
    found = age(written, datetime(2026, 1, 31, 12), ZoneInfo(zone))
    assert found == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(("now", "expected"), [("00:30:05", 5.0), ("01:30:05", 5.0), ("01:20:00", 3_000.0)])
def test_the_hour_that_comes_twice(now: str, expected: float) -> None:
    """On 25 October 2026 Berlin's clocks go from 3 back to 2, at 1 in UTC."""
    moment = datetime.fromisoformat(f"2026-10-25T{now}")
    assert age("2026-10-25T02:30:00", moment, ZoneInfo("Europe/Berlin")) == expected


@pytest.mark.parametrize(
    ("received", "earlier", "later", "expected"),
    [
        ("2-7-5", "2-7-5", "2-7-5", True),
        ("1-3-9,2-7-5", "2-7-5", "2-7-5", True),  # Of two sources: what came from the other does not matter.
        ("2-7-6", "2-7-5", "2-7-8", True),
        ("2-7-9", "2-7-5", "2-7-8", False),
        ("2-7-4", "2-7-5", "2-7-8", False),
        ("2-8-6", "2-7-5", "2-7-8", False),
        ("1-3-9", "2-7-5", "2-7-5", False),
        ("2-7-5", "1-3-9,2-7-5", "1-3-9,2-7-5", False),
        ("2-7-5", "", "", False),
        ("", "2-7-5", "2-7-5", False),
    ],
)
def test_where_a_receiver_has_met_its_source(received: str, earlier: str, later: str, expected: bool) -> None:
    assert stands_between(received, earlier, later) is expected


def test_a_source_that_goes_on_is_met_all_the_same() -> None:
    course = Course()
    for moment, position in enumerate(("2-7-5", "2-7-9", "2-7-13")):
        course.add(position, float(moment))
    assert course.passed(partial(stands_between, "2-7-11"))
    assert not course.passed(partial(stands_between, "2-7-15"))
    assert not course.passed(partial(stands_between, "2-7-4"))
