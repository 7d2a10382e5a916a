"""A threshold tried on recorded history fires as it would have fired then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dbvigil.alerting.backtest import backtest
from dbvigil.errors import AlertError, ConfigurationError, UnknownMetric
from dbvigil.history.django_db import DjangoHistory
from dbvigil.types import DatabaseMetrics

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 3, 1, tzinfo=UTC)
EVERY = 30
HOURS = 8


def moment(sample: int) -> datetime:
    return START + timedelta(seconds=EVERY * sample)


def recorded(sample: int) -> DatabaseMetrics:
    """20 % of the connections, a burst of 10 s, ten minutes at 90 %, five at 97 %, a server that is down for a while."""
    usage: float | None = 20.0
    if sample == 100:
        usage = 99.0
    if 200 <= sample < 220:
        usage = 90.0
    if 220 <= sample < 230:
        usage = 97.0
    up = not 400 <= sample < 410
    found = DatabaseMetrics("shop", moment(sample), up, connection_usage=usage)
    return found if up else replace(found, connection_usage=None)


@pytest.fixture
def history() -> DjangoHistory:
    kept = DjangoHistory()
    samples = [recorded(number) for number in range(HOURS * 3600 // EVERY)]
    kept.save(samples)
    while kept.maintain(START + timedelta(hours=HOURS)):
        pass
    return kept


def test_it_finds_what_would_have_fired_and_how_long(history: DjangoHistory) -> None:
    found = backtest(history, "shop", "connection_usage", 80, 95, HOURS, START + timedelta(hours=HOURS))
    assert (found["samples"], found["readings"], found["fired"]) == (960, 950, 1)
    (episode,) = found["episodes"]
    # After the hold of the rule that ships; it ends when the value has been back for as long as the rule keeps it.
    assert episode["started_at"] == "2026-03-01T01:41:00.000Z"
    assert episode["ended_at"] == "2026-03-01T01:56:00.000Z"
    assert (episode["severity"], episode["worst"], episode["seconds"]) == ("critical", 97.0, 900.0)
    assert found["firing_seconds"] == found["longest_seconds"] == 900.0


def test_levels_that_nothing_reaches_fire_never(history: DjangoHistory) -> None:
    found = backtest(history, "shop", "connection_usage", 99, None, HOURS, START + timedelta(hours=HOURS))
    assert (found["fired"], found["episodes"], found["firing_seconds"]) == (0, [], 0)


def test_an_episode_without_end_is_told_as_such(history: DjangoHistory) -> None:
    found = backtest(history, "shop", "connection_usage", 80, 95, 2, moment(225))
    (episode,) = found["episodes"]
    assert episode["ended_at"] is None
    assert episode["seconds"] == found["firing_seconds"] > 0


def test_low_is_bad_for_some(history: DjangoHistory) -> None:
    history.save(
        [
            DatabaseMetrics("shop", moment(2000 + n), True, buffer_pool_hit_rate=80.0 if n > 5 else 99.0)
            for n in range(20)
        ]
    )
    found = backtest(history, "shop", "buffer_pool_hit_rate", 95, 90, 1, moment(2020))
    assert found["fired"] == 1
    assert found["episodes"][0]["worst"] == 80.0


def test_nothing_recorded_is_nothing_fired() -> None:
    found = backtest(DjangoHistory(), "shop", "query_time", 1, 2, 24, START)
    assert (found["samples"], found["readings"], found["fired"]) == (0, 0, 0)


def test_what_cannot_be_tried_is_told(history: DjangoHistory) -> None:
    now = START + timedelta(hours=HOURS)
    with pytest.raises(UnknownMetric):
        backtest(history, "shop", "nonsense", 1, 2, 1, now)
    with pytest.raises(ConfigurationError, match="metric"):
        backtest(history, "shop", "server_version", 1, 2, 1, now)
    with pytest.raises(ConfigurationError, match="critical"):
        backtest(history, "shop", "connection_usage", 90, 80, 1, now)
    with pytest.raises(ConfigurationError, match="at least one"):
        backtest(history, "shop", "connection_usage", None, None, 1, now)
    for hours in (0, -1, 721, float("nan")):
        with pytest.raises(AlertError, match="hours"):
            backtest(history, "shop", "connection_usage", 80, 95, hours, now)
