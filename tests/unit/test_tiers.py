"""Buckets and the choice of a step: pure tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.errors import HistoryError
from dbvigil.history import resolution, tiers
from dbvigil.history.tiers import DAY, HOUR, RAW, ROLLUPS, Buckets, gather, join, of_samples

MINUTE_TIER, FIVE_MINUTES_TIER, HOUR_TIER = ROLLUPS
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
VALUES = st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=60)


def rows(buckets: Buckets) -> list[tuple[int, int, float, float, float]]:
    return list(zip(buckets.times, buckets.counts, buckets.means, buckets.lows, buckets.highs, strict=True))


def test_steps_and_windows_fit_into_each_other() -> None:
    for tier in ROLLUPS:
        assert RAW.window % tier.step == 0
        assert tier.window % RAW.window == 0


def test_gathering_gives_count_mean_lowest_and_highest() -> None:
    read = of_samples([0, 30_000, 60_000, 90_000, 240_000], [1.0, 3.0, 10.0, 0.0, 7.0])
    assert rows(gather(read, 60_000)) == [
        (0, 2, 2.0, 1.0, 3.0),
        (60_000, 2, 5.0, 0.0, 10.0),
        (240_000, 1, 7.0, 7.0, 7.0),
    ]


def test_gathering_buckets_weighs_their_means() -> None:
    minutes = Buckets([0, 60_000], [1, 3], [8.0, 4.0], [8.0, 1.0], [8.0, 6.0])
    assert rows(gather(minutes, 300_000)) == [(0, 4, 5.0, 1.0, 8.0)]


@given(VALUES)
def test_gathering_in_two_steps_is_gathering_at_once(values: list[float]) -> None:
    read = of_samples([17_000 * place for place in range(len(values))], values)
    at_once, in_two = gather(read, 3_600_000), gather(gather(read, 60_000), 3_600_000)
    assert (at_once.times, at_once.counts, at_once.lows, at_once.highs) == (
        in_two.times, in_two.counts, in_two.lows, in_two.highs,
    )  # fmt: skip
    assert in_two.means == pytest.approx(at_once.means, rel=1e-9, abs=1e-3)


@given(VALUES)
def test_a_mean_is_never_beyond_lowest_and_highest(values: list[float]) -> None:
    for _, _, mean, low, high in rows(gather(of_samples(list(range(len(values))), values), 1000)):
        assert low <= mean <= high


def test_joining_keeps_order_and_merges_what_has_one_time() -> None:
    left = Buckets([0, 60_000], [2, 1], [2.0, 5.0], [1.0, 5.0], [3.0, 5.0])
    right = Buckets([30_000, 60_000], [1, 3], [9.0, 1.0], [9.0, 0.0], [9.0, 2.0])
    assert rows(join([left, right])) == [
        (0, 2, 2.0, 1.0, 3.0),
        (30_000, 1, 9.0, 9.0, 9.0),
        (60_000, 4, 2.0, 0.0, 5.0),
    ]
    assert join([]) == tiers.EMPTY


def test_joining_merges_what_several_parts_share_at_their_edges() -> None:
    parts = [of_samples([0, 60_000], [1.0, 4.0]), of_samples([60_000], [8.0]), tiers.EMPTY,
             of_samples([60_000, 120_000], [0.0, 9.0])]  # fmt: skip
    assert rows(join(parts)) == [
        (0, 1, 1.0, 1.0, 1.0),
        (60_000, 3, 4.0, 0.0, 8.0),
        (120_000, 1, 9.0, 9.0, 9.0),
    ]


def test_the_later_of_two_samples_at_one_time_wins_whole() -> None:
    saved = [(2000, {"a": 1.0, "b": 1.0}), (1000, {"a": 5.0}), (2000, {"a": 2.0})]
    assert tiers.columns(saved) == {"a": of_samples([1000, 2000], [5.0, 2.0])}
    before = {"a": of_samples([1000, 2000], [1.0, 1.0]), "b": of_samples([1000, 2000], [1.0, 1.0])}
    after = tiers.overlay(before, {"a": of_samples([2000, 3000], [2.0, 3.0])})
    assert after["a"] == of_samples([1000, 2000, 3000], [1.0, 2.0, 3.0])
    assert after["b"] == of_samples([1000], [1.0])


def test_cutting() -> None:
    read = of_samples([0, 1000, 2000, 3000], [0.0, 1.0, 2.0, 3.0])
    assert tiers.within(read, 1000, 3000).times == [1000, 2000]
    assert tiers.without(read, 1000, 3000).times == [0, 3000]
    assert tiers.within(read, 5000, 9000).times == []
    assert tiers.without(read, 5000, 9000) == read


def test_summary() -> None:
    assert tiers.summary(Buckets([0, 1], [1, 3], [8.0, 4.0], [8.0, 1.0], [8.0, 6.0])) == (1.0, 5.0, 8.0)
    assert tiers.summary(tiers.EMPTY) is None


@pytest.mark.parametrize(
    ("hours", "seconds", "tier"),
    [
        (0, 1, RAW),
        (1, 10, RAW),
        (4, 30, RAW),
        (6, 60, MINUTE_TIER),
        (24, 300, FIVE_MINUTES_TIER),
        (7 * 24, 1800, FIVE_MINUTES_TIER),
        (30 * 24, 7200, HOUR_TIER),
        (400 * 24, 86_400, HOUR_TIER),
        (10_000 * 24, 20 * 86_400, HOUR_TIER),
    ],
)
def test_auto(hours: int, seconds: int, tier: tiers.Tier) -> None:
    asked = resolution.plan(NOON - timedelta(hours=hours), NOON, None)
    assert (asked.step, asked.tier) == (seconds * 1000, tier)


@given(st.integers(0, 400 * 86_400))
def test_auto_answers_about_five_hundred_points_at_most(seconds: int) -> None:
    asked = resolution.plan(NOON - timedelta(seconds=seconds), NOON, None)
    assert (asked.end - asked.start) // asked.step <= resolution.AUTO_POINTS + 2


@pytest.mark.parametrize(
    ("seconds", "tier"),
    [
        (1, RAW), (30, RAW), (60, MINUTE_TIER), (90, RAW), (119, RAW), (120, MINUTE_TIER), (250, MINUTE_TIER),
        (300, FIVE_MINUTES_TIER), (1000, FIVE_MINUTES_TIER), (3600, HOUR_TIER), (5400, FIVE_MINUTES_TIER),
        (7200, HOUR_TIER),
    ],
)  # fmt: skip
def test_a_given_resolution_is_kept(seconds: int, tier: tiers.Tier) -> None:
    asked = resolution.plan(NOON - timedelta(hours=3), NOON, seconds)
    assert (asked.step, asked.tier) == (seconds * 1000, tier)


def test_the_range_is_read_in_whole_steps() -> None:
    asked = resolution.plan(NOON - timedelta(minutes=90, seconds=1), NOON, 3600)
    assert asked.start % HOUR == asked.end % HOUR == 0
    assert asked.end - asked.start == 3 * HOUR


@pytest.mark.parametrize("seconds", [0, -30, 10**12, 235])
def test_a_resolution_that_cannot_be_answered(seconds: int) -> None:
    with pytest.raises(HistoryError, match=r"allowed: auto, or whole seconds from 236 to 31622400") as caught:
        resolution.plan(NOON - timedelta(days=30), NOON, seconds)
    assert caught.value.field == "resolution"


def test_the_least_resolution_that_is_allowed() -> None:
    assert resolution.plan(NOON - timedelta(days=30), NOON, 236).step == 236_000


def test_ranges_that_cannot_be_answered() -> None:
    with pytest.raises(HistoryError) as caught:
        resolution.plan(NOON, NOON - timedelta(seconds=1), None)
    assert caught.value.field == "end"
    with pytest.raises(HistoryError, match="no time zone") as caught:
        resolution.plan(NOON.replace(tzinfo=None), NOON, None)
    assert caught.value.field == "start"


def test_samples_as_far_apart_as_asked_stay_as_they_came() -> None:
    asked = resolution.plan(NOON, NOON + timedelta(minutes=5), 30)
    jittered = of_samples(
        [asked.first + moment for moment in (29_900, 60_100, 89_950, 120_050)], [1.0, 2.0, 3.0, 4.0]
    )
    assert resolution.apply(asked, jittered) == jittered


def test_samples_outside_the_range_do_not_stay() -> None:
    asked = resolution.plan(NOON + timedelta(seconds=10), NOON + timedelta(seconds=70), 30)
    read = of_samples(
        [asked.first + moment for moment in (-10_000, 20_000, 50_000, 80_000)], [1.0, 2.0, 3.0, 4.0]
    )
    assert resolution.apply(asked, read).means == [2.0, 3.0]


def test_closer_samples_are_gathered() -> None:
    asked = resolution.plan(NOON, NOON + timedelta(minutes=1), 10)
    read = of_samples(
        [asked.first + 1000 * second for second in range(60)], [float(second) for second in range(60)]
    )
    answer = resolution.apply(asked, read)
    assert answer.times == [asked.first + 10_000 * place for place in range(6)]
    assert answer.means == [4.5, 14.5, 24.5, 34.5, 44.5, 54.5]


def test_a_chosen_step_grows_to_the_distance_of_the_samples() -> None:
    sparse = of_samples([0, 30_000, 60_000, 600_000], [1.0, 1.0, 1.0, 1.0])
    chosen = resolution.plan(NOON - timedelta(hours=1), NOON, None)
    assert chosen.step == 10_000
    assert resolution.answered_seconds(chosen, [tiers.EMPTY, sparse]) == 30
    assert resolution.answered_seconds(chosen, [tiers.EMPTY]) == 10
    given_step = resolution.plan(NOON - timedelta(hours=1), NOON, 10)
    assert resolution.answered_seconds(given_step, [sparse]) == 10


@pytest.mark.parametrize(
    ("span", "tier"),
    [(HOUR, RAW), (6 * HOUR, RAW), (DAY, MINUTE_TIER), (7 * DAY, FIVE_MINUTES_TIER), (30 * DAY, HOUR_TIER)],
)
def test_the_longer_a_range_the_coarser_what_its_summary_reads(span: int, tier: tiers.Tier) -> None:
    assert resolution.coarse_plan(NOON - timedelta(milliseconds=span), NOON).tier is tier
