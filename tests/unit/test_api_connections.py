"""Connections through the API and the command, from rows as processes and servers leave them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from dbvigil.connections.stored import FRESH, connections
from dbvigil.connections.storing import Seen, save
from dbvigil.keeping import Newest
from dbvigil.models import ConnectionProcess, ServerConnections, TargetState
from tests.support.api import BASE

pytestmark = pytest.mark.django_db

GROUP = {
    "user": "shop",
    "host": "10.0.0.1",
    "program": "gunicorn\x1b[2J",
    "connections": 9,
    "active": 0,
    "idle": 9,
    "idle_in_transaction": 0,
    "oldest_idle_seconds": 5,
    "oldest_idle_in_transaction_seconds": None,
    "pids": {"7": 9},
}
OWN = {
    "open": 2,
    "in_use": 0,
    "opened": 3,
    "closed": 1,
    "oldest_seconds": 4.0,
    "outlived": 0,
    "max_age": 60,
    "health_checks": True,
    "connect_errors": {"OperationalError 1045": 1},
    "connect_seconds_mean": 0.01,
    "connect_seconds_longest": 0.02,
    "past": [],
    "ids": [1, 2],
}
FIGURES = {
    "max_connections": 10,
    "Max_used_connections": 9,
    "Threads_connected": 9,
    "wait_timeout": 28_800,
    "thread_cache_size": 9,
}


def process(host: str = "web", pid: int = 7, age: float = 1, **changes: Any) -> None:
    now = datetime.now(UTC)
    ConnectionProcess.objects.create(
        identity=f"{host}:{pid}:1",
        **{
            "host": host,
            "pid": pid,
            "program": "gunicorn",
            "started_at": now - timedelta(minutes=5),
            "seen_at": now - timedelta(seconds=age),
            "databases": {"shop": OWN},
            **changes,
        },
    )


@pytest.fixture(autouse=True)
def kept(settings: Any) -> None:
    settings.DB_MONITORING_TARGETS = dict.fromkeys(("shop", "other"), "mysql://u:p@127.0.0.1:1/")
    for alias in ("shop", "other"):
        TargetState.objects.create(alias=alias, holder="a", token=1)
    assert save("shop", "a", 1, Seen(datetime.now(UTC), [GROUP], FIGURES))


def test_a_reader_sees_both_sides(api: Callable[..., Client]) -> None:
    process()
    found = api("reader").get(BASE + "connections/").json()["databases"]
    assert found["other"] == {"server": None, "processes": [], "findings": [], "advice": []}
    shop = found["shop"]
    assert (shop["server"]["connections"], shop["server"]["max_used_connections"]) == (9, 9)
    (one,) = shop["processes"]
    assert (one["pid"], one["open"], one["server_connections"]) == (7, 2, 9)
    assert [each["name"] for each in shop["findings"]] == ["connections_unaccounted"]
    assert [each["rule"] for each in shop["advice"]] == ["max_connections"]


def test_a_watched_pool_accounts_for_its_connections(api: Callable[..., Client]) -> None:
    process(pools=[{"name": "reports", "database": "shop", "open": 7, "in_use": 1, "size": 7}])
    shop = api("reader").get(BASE + "connections/?database=shop").json()["databases"]["shop"]
    assert shop["findings"] == []
    assert shop["processes"][0]["highest"] == 9


def test_what_waited_for_a_pool_is_told(api: Callable[..., Client]) -> None:
    counts = {"checkouts": 100, "waits": 20, "refused": 2, "highest": 7, "limit": 7}
    waits = {"wait_seconds_mean": 1.5, "wait_seconds_longest": 4.0}
    process(
        pools=[{"name": "reports", "database": "shop", "open": 7, "in_use": 1, "size": 7, **counts, **waits}]
    )
    process(pid=8, pools=[{"name": "old", "database": "shop", "open": 0, "in_use": 0, "size": 7}])
    shop = api("reader").get(BASE + "connections/?database=shop").json()["databases"]["shop"]
    told = {pool["name"]: pool for one in shop["processes"] for pool in one["pools"]}
    assert (told["reports"]["waits"], told["reports"]["wait_seconds_longest"]) == (20, 4.0)
    assert told["old"]["waits"] is None, "what was not measured is unknown"
    assert [one["name"] for one in shop["findings"]] == ["pool_exhausted"]
    assert "pool_size" in [one["rule"] for one in shop["advice"]]
    plain = StringIO()
    call_command("database_monitor", "connections", "--database", "shop", stdout=plain)
    (line,) = [one for one in plain.getvalue().splitlines() if one.startswith("reports")]
    assert line.split() == ["reports", "gunicorn", "7", "7", "1", "7", "7", "100", "20", "4", "s", "2"]


def test_two_hosts_with_one_process_number_are_not_compared() -> None:
    process()
    process(host="worker")
    shop = connections(["shop"], datetime.now(UTC))["shop"]
    assert [one["server_connections"] for one in shop["processes"]] == [None, None]
    assert shop["findings"] == []


def test_what_is_old_counts_for_nothing() -> None:
    process(age=FRESH.total_seconds() + 5)
    process(pid=8)
    later = datetime.now(UTC) + timedelta(seconds=5)
    assert [one["pid"] for one in connections(["shop"], later)["shop"]["processes"]] == [8]
    ServerConnections.objects.update(seen_at=later - FRESH - timedelta(seconds=1))
    shop = connections(["shop"], later)["shop"]
    assert (shop["server"]["current"], shop["findings"], shop["advice"]) == (False, [], [])
    assert shop["processes"][0]["server_connections"] is None


def test_a_lost_lease_writes_nothing_and_the_newest_look_wins() -> None:
    now = datetime.now(UTC)
    waiting = Newest("a", save)
    waiting.put("shop", 2, Seen(now, [], {}))
    waiting.flush()
    assert ServerConnections.objects.get().groups != []
    waiting.put("shop", 1, Seen(now, [], {"max_connections": 1}))
    waiting.put("shop", 1, Seen(now, [], {"max_connections": 2}))
    assert len(waiting) == 1
    waiting.flush()
    assert (len(waiting), ServerConnections.objects.get().figures) == (0, {"max_connections": 2})


@pytest.mark.parametrize(("query", "status"), [("?database=none", 404), ("?nothing=1", 400)])
def test_what_is_refused(api: Callable[..., Client], query: str, status: int) -> None:
    assert api("reader").get(BASE + "connections/" + query).status_code == status
    assert Client().get(BASE + "connections/").status_code == 401


def test_the_command_tells_the_same() -> None:
    process()
    plain, document = StringIO(), StringIO()
    call_command("database_monitor", "connections", "--database", "shop", stdout=plain)
    told = plain.getvalue()
    assert told.startswith("shop: 9 of 10 connections, peak 9\n")
    assert "\x1b" not in told
    assert "! the server sees 9 connections of gunicorn (process 7 on web)" in told
    assert "- the peak was 9" in told
    call_command("database_monitor", "connections", "--json", stdout=document)
    assert set(json.loads(document.getvalue())["databases"]) == {"shop", "other"}
    with pytest.raises(CommandError, match="none"):
        call_command("database_monitor", "connections", "--database", "none")
