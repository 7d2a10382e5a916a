"""Heartbeat rows as they are really written: by the event that the documentation gives, and in pt-heartbeat's table."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dbvigil.collectors.heartbeat import Heartbeat
from dbvigil.collectors.replication import Replication
from dbvigil.sandbox import PrivateServer, attach_replica, wait_until_caught_up
from dbvigil.targets import parse_url
from tests.support import breaking
from tests.support.servers import PrivateServers, monitoring_url
from tests.support.visits import Visits
from tests.support.waiting import PATIENCE, wait_for

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "replication.md"
OWN = re.search(r"```sql\n(CREATE DATABASE heartbeat;.*?)```", PAGE.read_text(), re.DOTALL)
# As pt-heartbeat 3.x makes it with --create-table.
PT_TABLE = """
    CREATE TABLE percona.heartbeat (
      ts varchar(26) NOT NULL, server_id int unsigned NOT NULL PRIMARY KEY, file varchar(255) DEFAULT NULL,
      position bigint unsigned DEFAULT NULL, relay_master_log_file varchar(255) DEFAULT NULL,
      exec_master_log_pos bigint unsigned DEFAULT NULL)"""

Pair = tuple[PrivateServer, PrivateServer]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """How fast a server that is busy answers is no subject here."""
    for collector in (Heartbeat, Replication):
        monkeypatch.setattr(collector, "limit", PATIENCE)


@pytest.fixture
def pair(private_server: PrivateServers, release: str) -> Pair:
    source = breaking.server(private_server, release, event_scheduler="ON")
    replica = breaking.server(private_server, release, read_only="ON")
    attach_replica(source, replica)
    wait_until_caught_up(replica, source)
    return source, replica


async def ages(replica: PrivateServer, **options: str) -> list[list[float]]:
    """Of the rows, as one visit reads them; where the threads carry no commit times, they are what tells lag."""
    visits = Visits(parse_url("shop", monitoring_url(replica, **options)))
    wanted = "applier" if replica.flavor == "mysql" else "heartbeat"
    deadline = time.monotonic() + PATIENCE
    try:
        while True:
            figures = await visits.sample(limit=PATIENCE)
            assert visits.failure("heartbeat") == ""
            (channel,) = figures.replication_channels or ()
            # A beat that is applied between the two looks at a channel has no commit time in either.
            if channel.lag_source == wanted or time.monotonic() > deadline:
                break
        assert channel.lag_source == wanted
        found: list[list[float]] = visits.snapshots[-1].readings["heartbeat"]["ages"]
        return found
    finally:
        await visits.close()


def written(replica: PrivateServer) -> datetime:
    """The moment in the row."""
    (row,) = replica.execute("SELECT ts FROM heartbeat.heartbeat")
    return datetime.fromisoformat(row["ts"]).replace(tzinfo=UTC)


async def test_the_event_of_the_documentation(pair: Pair) -> None:
    source, replica = pair
    assert OWN is not None
    for statement in OWN[1].split(";"):
        if statement.strip():
            source.execute(statement)
    wait_for(lambda: source.execute("SELECT 1 FROM heartbeat.heartbeat"), "the first beat")
    wait_until_caught_up(replica, source)
    ((server_id, age),) = await ages(replica, heartbeat="heartbeat.heartbeat")
    assert server_id == source.port, "the source's own"
    assert -1 < age < 600, "of these minutes, not of another zone's"
    source.execute("SET GLOBAL event_scheduler = OFF")
    wait_until_caught_up(replica, source)
    # The last beat may still be on its way: what is read before is no younger than what is read after.
    most, began = written(replica), datetime.now(UTC)
    ((_, later),) = await ages(replica, heartbeat="heartbeat.heartbeat")
    ended, least = datetime.now(UTC), written(replica)
    assert (began - least).total_seconds() - 1 <= later <= (ended - most).total_seconds() + 1


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
async def test_pt_heartbeats_table_with_utc_and_without(pair: Pair, zone: str) -> None:
    source, replica = pair
    source.execute("CREATE DATABASE percona")
    source.execute(PT_TABLE)
    source.execute("GRANT SELECT ON percona.heartbeat TO 'dbvigil'@'%'")
    began = time.monotonic()
    moment = datetime.now(ZoneInfo(zone)) - timedelta(seconds=90)
    source.execute(
        "REPLACE INTO percona.heartbeat (ts, server_id, file, position) VALUES (%s, %s, 'binlog.000001', 4)",
        moment.strftime("%Y-%m-%dT%H:%M:%S.%f"),
        source.port,
    )
    wait_until_caught_up(replica, source)
    ((server_id, age),) = await ages(replica, heartbeat="percona.heartbeat", heartbeat_zone=zone)
    assert server_id == source.port
    assert 90 <= age < 91 + time.monotonic() - began
