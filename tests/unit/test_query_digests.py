"""Differences of digests: what happened between two readings, and what is unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dbvigil.queries.digests import NEWS, Reading, between, merged
from dbvigil.queries.figures import Figures
from dbvigil.queries.statements import administrative

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OLD = NOW - timedelta(days=3)
KEY = ("shop", "aa")


def figures(count: int, seconds: float = 0.0, first_seen: datetime = OLD, **rest: float) -> Figures:
    values = {"max_time": 2.0, "p95_time": 1.0, "rows_examined": count * 10, **rest}
    return Figures(count=count, total_time=seconds, first_seen=first_seen, last_seen=NOW, **values)  # type: ignore[arg-type]


def reading(minute: int, count: int, **digests: Figures) -> Reading:
    at = NOW + timedelta(minutes=minute)
    return Reading(at, at, {("shop", name): one for name, one in digests.items()}, count, count * 0.5)


def test_a_digest_grows() -> None:
    span = between(reading(0, 100, aa=figures(10, 5.0)), reading(1, 130, aa=figures(25, 8.0)))
    (grown,) = span.digests.values()
    assert (grown.count, grown.total_time, grown.rows_examined, grown.seconds) == (15, 3.0, 150, 60.0)
    assert (span.count, span.total_time, span.seconds) == (30, 15.0, 60.0)


def test_what_did_nothing_is_not_there() -> None:
    assert between(reading(0, 100, aa=figures(10)), reading(1, 100, aa=figures(10))).digests == {}


def test_a_new_digest_happened_in_the_span_and_an_old_one_that_was_not_read_is_unknown() -> None:
    before = reading(0, 100)
    new = figures(7, 3.5, first_seen=NOW + timedelta(seconds=20))
    span = between(before, reading(1, 200, aa=new, bb=figures(90, 45.0)))
    assert list(span.digests) == [KEY]
    assert (span.digests[KEY].count, span.digests[KEY].p95_time, span.digests[KEY].max_time) == (7, 1.0, 2.0)


@pytest.mark.parametrize("truncated", [True, False])
def test_counters_that_began_anew_are_taken_as_they_are(truncated: bool) -> None:
    """A truncated table keeps the totals of nothing; one digest alone that fell was evicted and came back."""
    before = reading(0, 100, aa=figures(50, 20.0))
    after = reading(1, 3 if truncated else 103, aa=figures(3, 1.0))
    span = between(before, after)
    assert (span.digests[KEY].count, span.digests[KEY].total_time) == (3, 1.0)
    assert (span.count is None) == truncated


def test_the_longest_time_is_told_only_where_it_came_up_in_the_span() -> None:
    before = reading(0, 100, aa=figures(10))
    same = between(before, reading(1, 110, aa=figures(20)))
    longer = between(before, reading(1, 110, aa=figures(20, max_time=9.0)))
    assert (same.digests[KEY].max_time, longer.digests[KEY].max_time) == (None, 9.0)
    assert same.digests[KEY].p95_time is None


def test_what_a_server_does_not_count_stays_unknown() -> None:
    before = reading(0, 100, aa=replace(figures(10), rows_examined=None))
    assert between(before, reading(1, 110, aa=figures(20))).digests[KEY].rows_examined is None


def test_readings_of_what_was_seen_since_add_up() -> None:
    first = reading(0, 100, aa=figures(10), bb=figures(90))
    second = reading(1, 110, aa=figures(20))
    third = reading(2, 120, bb=figures(100))
    assert between(merged(first, second), third).digests[("shop", "bb")].count == 10
    assert merged(first, reading(3, 5)).digests == {}, "nothing is left of before a restart"


@pytest.mark.parametrize("spaced", [False, True])
def test_the_monitors_own_question_is_known_though_it_is_cut(spaced: bool) -> None:
    text = " ".join(NEWS.format(since="?", p95="`QUANTILE_95`").split()).replace("LAST_SEEN", "`LAST_SEEN`")
    assert administrative("", (text.replace("IF(", "IF ( ") if spaced else text)[:900])


def test_a_question_of_an_application_is_its_own() -> None:
    assert not administrative("", "SELECT SQL_BIG_RESULT IF(`paid`, ?, ?) FROM `orders` GROUP BY `day`")
    assert not administrative("shop", "EXPLAIN SELECT ?")
