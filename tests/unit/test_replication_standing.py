"""What one monitor knows of its servers by heart, for the evidence of an alert."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from dbvigil.analysis.replication import channels
from dbvigil.replication.standing import Standing
from dbvigil.types import DatabaseMetrics
from tests.support.replicating import NOW, channel, server

ROWS = [{"name": "", "seconds": 0, "last_sql_error": None}]


def sample(database: str, seconds: float, lag: float | None, **values: Any) -> DatabaseMetrics:
    """Taken `seconds` before now; `values` are the replica's channel's."""
    rows = [] if lag is None else [channel(1, lag=lag, **values)]
    return DatabaseMetrics(
        database=database,
        timestamp=NOW - timedelta(seconds=seconds),
        up=True,
        replication_channels=channels(rows),
        replication_lag=lag,
    )


def lagging(**values: Any) -> Standing:
    """A replica whose lag falls by a second each second, from 90 to 50."""
    standing = Standing()
    standing.seen("a", server("a", 1))
    standing.seen("b", server("b", 2, 1, channels=[channel(1, lag=50.0, **values)]))
    standing.sampled(sample("a", 0, None))
    for seconds in range(40, -1, -10):
        standing.sampled(sample("b", seconds, 50.0 + seconds, **values))
    return standing


def test_lag_cause_and_catching_up() -> None:
    (row,) = lagging(unreceived=49.0).evidence("b", ROWS, NOW)["replication"]
    assert (row["seconds"], row["lag_source"], row["catch_up_seconds"]) == (50.0, "seconds_behind", 50.0)
    assert row["cause"] == "the receiver has not got what the source has had for 49 s"


def test_findings_of_the_server_and_no_other() -> None:
    found = lagging(sql_running="No", sql_error_number=1062).evidence("b", ROWS, NOW)
    (finding,) = found["replication_findings"]
    assert (finding["finding"], finding["title"]) == ("duplicate_key", "A row is there already")
    assert "replication_findings" not in lagging().evidence("b", ROWS, NOW), "nothing is wrong"
    assert "replication_findings" not in lagging(sql_running="No").evidence("a", [], NOW)


def test_a_server_that_is_not_known_keeps_its_rows() -> None:
    standing = lagging()
    assert standing.evidence("c", ROWS, NOW) == {"replication": ROWS}
    standing.forget("b")
    assert standing.evidence("b", ROWS, NOW) == {"replication": ROWS}
    standing.seen("a", None)
    assert standing.evidence("a", [], NOW) == {"replication": []}


def test_old_lag_is_forgotten() -> None:
    standing = lagging()
    later = NOW + timedelta(minutes=11)
    standing.sampled(DatabaseMetrics(database="b", timestamp=later, up=True, replication_lag=50.0))
    assert len(standing._lags["b"]) == 1
