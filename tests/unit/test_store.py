"""What a sample becomes in the database: under its token, once, and not before it is committed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError

from dbvigil.alerting import DatabaseAlerting
from dbvigil.history.django_db import DjangoHistory
from dbvigil.models import Sample, TargetState
from dbvigil.monitoring import store
from dbvigil.monitoring.store import Remembered, Result, Store
from dbvigil.types import DatabaseMetrics, ServerInfo, Snapshot

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERVER = ServerInfo("mariadb", (10, 11, 6), "10.11.6-MariaDB", True)


def sample(second: int, alias: str = "shop") -> DatabaseMetrics:
    return DatabaseMetrics(
        database=alias, timestamp=NOW + timedelta(seconds=second), up=True, connections=second
    )


def snapshot(second: int) -> Snapshot:
    return Snapshot(
        "shop",
        NOW + timedelta(seconds=second),
        "boot",
        float(second),
        "1",
        SERVER,
        {"status": {"Uptime": second}},
    )


@pytest.fixture
def held() -> Store:
    """A store of monitor "a", which holds `shop` under token 7."""
    TargetState.objects.create(alias="shop", holder="a", token=7)
    return Store("a", DjangoHistory(), DatabaseAlerting())


def test_newest_state_and_history_are_written_together(held: Store) -> None:
    for second in (1, 2, 3):
        held.put(Result(7, sample(second)), snapshot(second))
    assert held.flush().lost == set()
    assert len(held) == 0
    assert TargetState.objects.get().samples == 3
    assert Sample.objects.count() == 3
    assert store.load("shop") == Remembered(snapshot(3), sample(3))


def test_a_server_that_is_down_keeps_its_last_counters(held: Store) -> None:
    held.put(Result(7, sample(1)), snapshot(1))
    held.flush()
    held.put(Result(7, sample(2)), None)
    held.flush()
    assert store.load("shop") == Remembered(snapshot(1), sample(2))


def test_nothing_is_written_under_a_token_that_is_not_the_newest(held: Store) -> None:
    held.put(Result(6, sample(1)), snapshot(1))
    assert held.flush().lost == {"shop"}
    assert Sample.objects.count() == 0
    assert TargetState.objects.get().metrics is None
    TargetState.objects.update(holder="b")
    held.put(Result(7, sample(2)), None)
    assert held.flush().lost == {"shop"}
    assert Sample.objects.count() == 0


class FailingHistory(DjangoHistory):
    """Fails as a full disk does: in the middle of the transaction."""

    failing = True

    def save(self, samples: Sequence[DatabaseMetrics]) -> None:
        super().save(samples)
        if self.failing:
            raise DatabaseError("database or disk is full")


def test_what_could_not_be_committed_waits_and_is_written_once() -> None:
    TargetState.objects.create(alias="shop", holder="a", token=7)
    history = FailingHistory()
    waiting = Store("a", history, DatabaseAlerting())
    waiting.put(Result(7, sample(1)), snapshot(1))
    with pytest.raises(DatabaseError):
        waiting.flush()
    assert (len(waiting), Sample.objects.count(), TargetState.objects.get().samples) == (1, 0, 0)
    waiting.put(Result(7, sample(2)), None)
    history.failing = False
    waiting.flush()
    assert (len(waiting), Sample.objects.count(), TargetState.objects.get().samples) == (0, 2, 2)
    assert store.load("shop").snapshot == snapshot(1)


def test_a_full_queue_gives_up_its_oldest_and_says_so(
    held: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "_CAPACITY", 3)
    for second in range(5):
        held.put(Result(7, sample(second)), None)
    assert (len(held), held.dropped) == (3, 2)
    assert "samples lost" in caplog.text
    held.flush()
    assert store.load("shop").metrics == sample(4)


@pytest.mark.parametrize("stored", [b"", b"no zlib", store.pack_snapshot(snapshot(1))[:-3]])
def test_counters_of_another_version_are_no_counters(stored: bytes) -> None:
    assert store.unpack_snapshot(stored) is None


def test_a_snapshot_survives_its_packing() -> None:
    packed: Any = store.pack_snapshot(snapshot(5))
    assert store.unpack_snapshot(packed) == snapshot(5)
