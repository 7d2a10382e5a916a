"""The codec: what goes in comes out, as exactly as promised, and damaged bytes are told from whole ones."""

from __future__ import annotations

import math
import random
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dbvigil.catalogue import NUMERIC
from dbvigil.history.numbers import PackingError, pack_integers, pack_numbers, unpack_integers, unpack_numbers
from dbvigil.history.packing import code, pack_chunk, pack_sample, unpack_chunk, unpack_sample
from dbvigil.history.tiers import Buckets, gather, of_samples

RELATIVE = 6e-7
WHOLE = st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)
ANY = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(WHOLE, min_size=1))
def test_integers_come_back_exactly(values: list[int]) -> None:
    assert unpack_integers(pack_integers(values), len(values)) == values


@given(st.lists(WHOLE.map(float)))
def test_whole_numbers_come_back_exactly(values: list[float]) -> None:
    assert unpack_numbers(pack_numbers(values), len(values)) == values


@given(st.lists(st.integers(-(10**9), 10**9)), st.sampled_from([10, 100, 1000]))
def test_decimals_of_three_places_come_back_exactly(values: list[int], scale: int) -> None:
    decimals = [value / scale for value in values]
    assert unpack_numbers(pack_numbers(decimals), len(decimals)) == decimals


# Half of a float32's last place, and then half of the last place that is kept: rounded twice, both times upwards.
@example([1 + 3.5 * 2**-23])
@given(st.lists(ANY))
def test_any_number_comes_back_within_the_promised_error(values: list[float]) -> None:
    back = unpack_numbers(pack_numbers(values), len(values))
    assert back == pytest.approx(values, rel=RELATIVE, abs=0)


@given(st.lists(ANY))
def test_packing_again_changes_nothing_more(values: list[float]) -> None:
    once = unpack_numbers(pack_numbers(values), len(values))
    assert unpack_numbers(pack_numbers(once), len(once)) == once


@pytest.mark.parametrize(
    "values", [[1e-300, 2.5], [-1e308, 0.1], [5e-324], [math.pi * 1e38, 1.0], [16_777_217.0, 0.3]]
)
def test_numbers_beyond_single_precision(values: list[float]) -> None:
    assert unpack_numbers(pack_numbers(values), len(values)) == pytest.approx(values, rel=RELATIVE, abs=0)


@pytest.mark.parametrize(
    ("values", "most"),
    [
        ([500.0] * 120, 12),
        ([float(86_400 + 30 * place) for place in range(120)], 20),
        ([float(place % 2) for place in range(120)], 60),
        ([0.25 * place for place in range(120)], 20),
    ],
    ids=["constant", "uptime", "flag", "quarters"],
)
def test_regular_columns_take_next_to_nothing(values: list[float], most: int) -> None:
    assert len(pack_numbers(values)) <= most


def test_noise_takes_less_than_half_a_double() -> None:
    noise = random.Random(1)
    values = [noise.lognormvariate(3, 1) for _ in range(360)]
    assert len(pack_numbers(values)) < 4 * len(values)


def test_codes_of_the_catalogue_differ() -> None:
    assert len({code(name) for name in NUMERIC}) == len(NUMERIC)


@given(st.dictionaries(st.sampled_from(NUMERIC), ANY))
def test_a_sample_comes_back_exactly(readings: dict[str, float]) -> None:
    data = pack_sample([code(name) for name in readings], list(readings.values()))
    assert unpack_sample(data, {code(name): name for name in NUMERIC}) == readings


def test_a_sample_gives_what_is_wanted_and_passes_over_what_nobody_knows() -> None:
    data = pack_sample([code("connections"), code("gone"), code("up")], [7.0, 8.0, 1.0])
    assert unpack_sample(data, {code("up"): "up", code("new"): "new"}) == {"up": 1.0}


@st.composite
def series(draw: st.DrawFn) -> dict[str, Buckets]:
    names = draw(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, unique=True))
    result = {}
    for name in names:
        times = sorted(draw(st.sets(st.integers(0, 100_000), min_size=1, max_size=30)))
        values = draw(st.lists(st.floats(-1e9, 1e9), min_size=len(times), max_size=len(times)))
        buckets = of_samples([1000 * moment for moment in times], values)
        result[name] = gather(buckets, draw(st.sampled_from([1, 60_000, 3_600_000])))
    return result


@given(series())
def test_a_chunk_comes_back(content: dict[str, Buckets]) -> None:
    back = unpack_chunk(pack_chunk(content))
    assert back.keys() == content.keys()
    for name, buckets in content.items():
        assert list(back[name].times) == list(buckets.times)
        assert list(back[name].counts) == list(buckets.counts)
        largest = max(map(abs, [*buckets.lows, *buckets.highs]))
        for column in ("lows", "highs", "means"):
            near = pytest.approx(list(getattr(buckets, column)), rel=RELATIVE, abs=RELATIVE * largest)
            assert list(getattr(back[name], column)) == near


@given(series())
def test_a_mean_stays_between_lowest_and_highest(content: dict[str, Buckets]) -> None:
    for buckets in unpack_chunk(pack_chunk(content)).values():
        for low, mean, high in zip(buckets.lows, buckets.means, buckets.highs, strict=True):
            assert low <= mean <= high


def test_a_mean_beside_large_exact_integers_stays_between_them() -> None:
    buckets = Buckets([0, 60_000], [3, 3], [5_200_000_001.0, 5_200_000_001 + 1 / 3], [5_200_000_001.0] * 2,
                      [5_200_000_001.0, 5_200_000_002.0])  # fmt: skip
    back = unpack_chunk(pack_chunk({"data_size_bytes": buckets}))["data_size_bytes"]
    assert back.means[0] == 5_200_000_001.0
    assert back.lows[1] <= back.means[1] <= back.highs[1]


def test_a_rounded_lowest_stays_below_an_exact_highest() -> None:
    low, high = 5_200_002_048 + 1 / 3, 5_200_002_049.0
    buckets = Buckets([0], [2], [(low + high) / 2], [low], [high])
    back = unpack_chunk(pack_chunk({"data_size_bytes": buckets}))["data_size_bytes"]
    assert back.lows[0] <= back.means[0] <= back.highs[0]


def test_one_metric_of_a_chunk_and_names_it_does_not_have() -> None:
    data = pack_chunk({"a": of_samples([1000, 2000], [1.0, 2.0]), "b": of_samples([2000], [5.0])})
    assert unpack_chunk(data, ["b", "unknown"]) == {"b": of_samples([2000], [5.0])}
    assert unpack_chunk(data, ["unknown"]) == {}


def test_a_chunk_without_columns() -> None:
    assert unpack_chunk(pack_chunk({"a": of_samples([], [])})) == {}


def test_bytes_cut_short_are_told() -> None:
    noise = random.Random(2)
    values = [noise.random() for _ in range(20)]
    chunk = pack_chunk({"a": of_samples(list(range(0, 20_000, 1000)), values), "b": of_samples([0], [0.3])})
    sample = pack_sample([1, 2], [0.1, 0.2])
    for end in range(len(chunk)):
        with pytest.raises(PackingError):
            unpack_chunk(chunk[:end])
    for end in range(len(sample)):
        with pytest.raises(PackingError):
            unpack_sample(sample[:end], {1: "a"})


def test_a_version_of_the_future_is_told() -> None:
    with pytest.raises(PackingError, match="version 9"):
        unpack_chunk(struct.pack("<BIHI", 9, 0, 0, 0))
    with pytest.raises(PackingError, match="version 9"):
        unpack_sample(struct.pack("<BH", 9, 0), {})
