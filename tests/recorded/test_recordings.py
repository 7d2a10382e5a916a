"""What real servers answered once, by flavor and version, still gives the figures that were right then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dbvigil.analysis import rates
from dbvigil.sandbox import RELEASES
from dbvigil.types import Snapshot
from tests.recorded.record import figures

FOLDER = Path(__file__).parent
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


@pytest.fixture(params=NAMES)
def recording(request: pytest.FixtureRequest) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{request.param}.json").read_text())
    return document


@pytest.fixture
def snapshots(recording: dict[str, Any]) -> list[Snapshot]:
    return [Snapshot.from_dict(each) for each in recording["snapshots"]]


def test_every_release_is_recorded() -> None:
    assert {f"{release}-{role}" for release in RELEASES for role in ("source", "replica", "plain")} == set(
        NAMES
    )


def test_the_same_figures(recording: dict[str, Any], snapshots: list[Snapshot]) -> None:
    for now, then in zip(figures(snapshots), recording["figures"], strict=True):
        assert now.keys() == then.keys()
        for name, value in then.items():
            assert now[name] == (pytest.approx(value) if isinstance(value, float) else value), name


def test_a_skipped_sample_gives_the_mean_of_both_intervals(snapshots: list[Snapshot]) -> None:
    first, middle, last = snapshots
    near, far = rates.metrics(middle, first), rates.metrics(last, middle)
    both = rates.metrics(last, first)
    for name in (
        "queries_rate",
        "selects_rate",
        "writes_rate",
        "transactions_rate",
        "full_scans_rate",
        "slow_queries",
    ):
        parts = getattr(near, name), getattr(far, name)
        if None in parts:
            assert parts == (None, None), name
            assert getattr(both, name) is None, name
            continue
        weights = middle.monotonic - first.monotonic, last.monotonic - middle.monotonic
        mean = sum(part * weight for part, weight in zip(parts, weights, strict=True)) / sum(weights)
        assert getattr(both, name) == pytest.approx(mean, abs=1e-6), name


def test_backwards_gives_no_rate(snapshots: list[Snapshot]) -> None:
    """As after a restart or a failover: the later snapshot taken for the earlier one."""
    first, middle, _ = snapshots
    for name, value in rates.metrics(first, middle).to_dict().items():
        if name.endswith("_rate") or name in ("slow_queries", "query_time"):
            assert value is None, name


def test_snapshots_stay_small(recording: dict[str, Any]) -> None:
    for snapshot in recording["snapshots"]:
        assert len(json.dumps(snapshot, separators=(",", ":"))) < 8000
