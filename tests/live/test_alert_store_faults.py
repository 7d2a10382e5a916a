"""The service's own database is restarted, locked or full while trouble begins: it is on record once, and told once."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dbvigil.sandbox import PrivateServer
from tests.support import crowd
from tests.support.disks import fill
from tests.support.postgres import Cluster
from tests.support.receiver import Receiver
from tests.support.servers import MONITORING_USER, PrivateServers, monitoring_url
from tests.support.service import Service
from tests.support.waiting import PATIENCE

HISTORY = """
import json
from core.database_alerting import get_database_alerting
print(json.dumps([alert.to_dict() for alert in get_database_alerting().get_alert_history(1)]))
"""
NOTICED = "the service's own database fails"
# What the monitor samples meanwhile is what has to be kept: one sample before the trouble, one that it begins in, one that finds it
# pending, one that may come before its second is over, and the one that fires.
MEANWHILE = 5


@dataclass
class Store:
    """A service's database that fails and comes back; `unreadable` where it cannot be read meanwhile either."""

    fail: Callable[[], object]
    mend: Callable[[], object]
    unreadable: bool


@pytest.fixture(params=["postgresql restarted", "mariadb restarted", "sqlite locked", "disk full"])
def store(request: pytest.FixtureRequest, service: Service, mariadb: PrivateServer) -> Store:
    """Each kind of fault in turn, on the database of a service that is migrated and watches `shop`."""
    service.targets = {"shop": monitoring_url(mariadb)}
    match request.param:
        case "postgresql restarted":
            cluster: Cluster = request.getfixturevalue("private_postgresql")
            service.extra["DATABASE_URL"] = cluster.url
            service.manage("migrate", "--verbosity", "0")
            return Store(cluster.stop, cluster.start, unreadable=True)
        case "mariadb restarted":
            servers: PrivateServers = request.getfixturevalue("private_server")
            server = servers("mariadb-10.11")
            server.execute("CREATE DATABASE dbvigil")
            server.create_user("keeper", "kept-here", ["ALL ON dbvigil.*"])
            service.extra["DATABASE_URL"] = f"mysql://keeper:kept-here@127.0.0.1:{server.port}/dbvigil"
            service.manage("migrate", "--verbosity", "0")
            return Store(server.kill, server.start, unreadable=True)
        case "sqlite locked":
            connection = sqlite3.connect(service.home / "dbvigil.sqlite3", timeout=10, isolation_level=None)
            request.addfinalizer(connection.close)
            return Store(
                lambda: connection.execute("BEGIN EXCLUSIVE"),
                lambda: connection.execute("ROLLBACK"),
                unreadable=False,
            )
        case _:
            disk: Path = request.getfixturevalue("small_disk")
            shutil.copytree(service.home, disk / "home")
            service.home = disk / "home"
            return Store(lambda: fill(disk), (disk / "filler").unlink, unreadable=False)


@pytest.mark.timeout(600)
def test_trouble_that_begins_meanwhile_is_on_record_and_told_once(
    service: Service, store: Store, receiver: Receiver, mariadb: PrivateServer
) -> None:
    service.extra |= {**crowd.levels(), "DB_ALERT_WEBHOOK_URL": receiver.url}
    monitor = service.popen(sys.executable, "manage.py", "database_monitor", "start", "--interval", "1")
    _wait_until_sampled(service)
    store.fail()
    service.wait_for(lambda: NOTICED in service.log(), 40, "the fault was not noticed")
    if store.unreadable:
        said = service.manage("database_monitor", "status", expect=None)
        assert said.returncode != 0
        assert "the service's own database" in said.stderr
        assert len(said.stderr.strip().splitlines()) == 1
    with crowd.on(mariadb):
        taken = samples_seen(mariadb)
        service.wait_for(lambda: taken() >= MEANWHILE, what="it does not go on sampling")
        assert receiver.told("alert.fired")[crowd.METRIC] == 0, "it was told before it was on record"
        mended_at = datetime.now(UTC)
        store.mend()
        service.wait_for(lambda: receiver.told("alert.fired")[crowd.METRIC], 30, "it was never told")
    service.wait_for(lambda: receiver.told("alert.resolved")[crowd.METRIC], 30, "its end was never told")
    assert monitor.poll() is None
    (alert,) = [row for row in history(service) if row["metric"] == crowd.METRIC]
    assert datetime.fromisoformat(alert["started_at"]) < mended_at, (
        "it began while nobody could write it down"
    )
    assert alert["status"] == "resolved"
    events = [event["event"] for event in alert["events"]]
    assert [name for name in events if name != "notified"] == ["fired", "resolved"]
    # A service that keeps its data in MariaDB watches that server too, as `default`, and tells that it was gone.
    # What a busy machine gives rise to besides is no matter of the store either.
    told = [
        (body["type"], alert["metric"])
        for _, body in receiver.messages
        for alert in Receiver.alerts(body)
        if (alert["database"], alert["metric"]) == ("shop", crowd.METRIC)
    ]
    assert told == [("alert.fired", crowd.METRIC), ("alert.resolved", crowd.METRIC)]
    service.wait_for(lambda: "again" in service.log(), 10, "nobody said that it is over")
    assert "Traceback" not in service.log()
    assert service.manage("database_monitor", "verify-audit").returncode == 0
    monitor.terminate()
    assert monitor.wait(PATIENCE) == 0


def history(service: Service) -> list[dict[str, Any]]:
    """The alerts of the last hour with their events, as `get_alert_history` has them."""
    found: list[dict[str, Any]] = json.loads(service.python(HISTORY))
    return found


def samples_seen(server: PrivateServer) -> Callable[[], int]:
    """How many samples of `server` have ended, looked at often: after each its session rests for what is left of the second."""
    rests = set[int]()
    resting = """SELECT QUERY_ID AS latest FROM information_schema.PROCESSLIST
                  WHERE USER = %s AND COMMAND = 'Sleep' AND TIME_MS > 200"""

    def look() -> int:
        rests.update(row["latest"] for row in server.execute(resting, MONITORING_USER))
        return len(rests)

    return look


def _wait_until_sampled(service: Service) -> None:
    """On whatever database it keeps, read as users read it."""
    service.wait_for(
        lambda: service.health()["databases"]["shop"]["status"] == "healthy", 40, "it is not sampled"
    )
