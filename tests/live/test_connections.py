"""Connections of real Django processes to real servers, from both sides: threads, a fork, a leak, a transaction left open."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from dbvigil.collectors import connections as collector
from dbvigil.sandbox import PrivateServer
from dbvigil.sandbox.server import random_password
from dbvigil.server import Server
from dbvigil.targets import parse_url
from tests.support.servers import monitoring_url
from tests.support.service import Service
from tests.support.waiting import PATIENCE

_START = """
import django, os, threading
django.setup()
from django.db import connections, transaction
from dbvigil.connections import reporting
from dbvigil.connections.tracking import TRACKER
stay = threading.Event()
def hold(inside=False):
    def work():
        connection = connections["shop"]
        if inside:
            with transaction.atomic(using="shop"):
                connection.cursor().execute("SELECT 1")
                opened.set()
                stay.wait()
        else:
            connection.cursor().execute("SELECT 1")
            opened.set()
            stay.wait()
    opened = threading.Event()
    threading.Thread(target=work, daemon=True).start()
    assert opened.wait(60)
"""
HOLDING = (
    _START
    + """
hold(); hold(); hold(inside=True)
print(os.getpid(), flush=True)
stay.wait()
"""
)
FORKED = (
    _START
    + """
hold(); hold()
parent = os.getpid()
if not os.fork():
    hold()
    print(os.getpid(), flush=True)
    while os.getppid() == parent:
        stay.wait(0.2)
    os._exit(0)
stay.wait()
"""
)
GROWING = (
    _START
    + """
from datetime import UTC, datetime, timedelta
TRACKER.on_first = None
now = datetime.now(UTC)
for minute in range(12):
    hold()
    reporting.REPORTER.report(now - timedelta(minutes=11 - minute))
print(os.getpid(), flush=True)
stay.wait()
"""
)
SWITCHED_OFF = (
    _START
    + """
from django.db.backends.base.base import BaseDatabaseWrapper
connections["shop"].cursor().execute("SELECT 1")
watched = getattr(BaseDatabaseWrapper.connect, "dbvigil", False)
print("watched" if watched else "plain", len(threading.enumerate()), flush=True)
stay.wait()
"""
)
BEHIND = (
    _START
    + """
import pymysql
from django.conf import settings
of = settings.DATABASES["shop"]
hold()
leaked = [pymysql.connect(host=of["HOST"], port=int(of["PORT"]), user=of["USER"], password=of["PASSWORD"]) for _ in range(8)]
print(os.getpid(), flush=True)
stay.wait()
"""
)


@pytest.fixture
def site(service: Service, any_server: PrivateServer) -> Service:
    password = random_password()
    name = f"shop{abs(hash(service.home)) % 10**8}"
    any_server.create_user(name, password, ("SELECT, PROCESS, REPLICATION CLIENT ON *.*",))
    service.extra |= {
        "DJANGO_SETTINGS_MODULE": "tests.support.connected_settings",
        "SHOP_PORT": str(any_server.port),
        "SHOP_USER": name,
        "SHOP_PASSWORD": password,
        "DB_MONITORING_INTERVAL": "1",
    }
    return service


def told(site: Service) -> Mapping[str, Any]:
    found: Mapping[str, Any] = site.command("connections", "--database", "shop")["databases"]["shop"]
    return found


def until_told(site: Service, reached: Callable[[Mapping[str, Any]], object], what: str) -> Mapping[str, Any]:
    """The first answer that is as it is to be: a process tells first after three seconds, whatever it has done by then."""
    found: list[Mapping[str, Any]] = []

    def look() -> object:
        found.append(told(site))
        return reached(found[-1])

    site.wait_for(look, 90, what)
    return found[-1]


def counts(found: Mapping[str, Any]) -> list[tuple[int, int]]:
    """How many connections each process has open and in use."""
    return sorted((one["open"], one["in_use"]) for one in found["processes"])


def run(site: Service, code: str) -> int:
    """Starts a process; the number that it prints once all is as it should be."""
    process = site.popen(sys.executable, "-c", code)
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_a_process_and_its_server_agree(site: Service, any_server: PrivateServer) -> None:
    site.manage("migrate")
    pid = run(site, HOLDING)
    site.start_monitor()
    # One answer for all that follows: later on the transaction that is left open is old enough to be a finding.
    found = until_told(site, lambda seen: seen["server"] and counts(seen) == [(3, 1)], "no process reports")
    (one,) = found["processes"]
    assert (one["pid"], one["open"], one["in_use"], one["opened"], one["closed"]) == (pid, 3, 1, 3, 0)
    assert one["max_age"] == 60
    assert one["connect_seconds_mean"] > 0
    (group,) = [each for each in found["server"]["groups"] if each["user"] == site.extra["SHOP_USER"]]
    assert group["connections"] == 3
    assert group["idle"] + group["idle_in_transaction"] == 3
    if group["pids"]:
        assert one["server_connections"] == group["pids"][str(pid)] == 3
    else:
        assert one["server_connections"] is None
    assert found["findings"] == []
    text = site.manage("database_monitor", "connections", "--database", "shop").stdout
    assert f"{site.extra['SHOP_USER']}" in text
    assert site.extra["SHOP_PASSWORD"] not in text


def test_a_forked_worker_reports_its_own(site: Service) -> None:
    site.manage("migrate")
    child = run(site, FORKED)
    found = until_told(site, lambda seen: counts(seen) == [(1, 0), (2, 0)], "not both report")
    by_pid = {one["pid"]: one["open"] for one in found["processes"]}
    assert by_pid.pop(child) == 1
    assert list(by_pid.values()) == [2]


def test_a_process_that_opens_and_never_closes_is_found(site: Service) -> None:
    site.manage("migrate")
    pid = run(site, GROWING)
    found = [one for one in told(site)["findings"] if one["name"] == "connections_grow"]
    assert [f"process {pid} " in one["text"] for one in found] == [True]


async def test_the_statement_is_cheap_and_tells_apart(any_server: PrivateServer) -> None:
    server = Server(parse_url("a", monitoring_url(any_server)))
    # The administrator's sessions of other tests may not have ended yet.
    name, password = "apart", random_password()
    any_server.create_user(name, password)
    idle, inside = [any_server.connect(user=name, password=password) for _ in range(2)]
    try:
        with inside.cursor() as cursor:
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        await server.connect()

        async def seen() -> dict[str, Any]:
            (one,) = [each for each in await collector.groups(server) if each["user"] == name]
            return one

        started = time.monotonic()
        # A session rests a moment after its answer; InnoDB shows transactions from a copy that is 0.1 s old at least.
        while (one := await seen())["idle_in_transaction"] != 1 or one["active"]:
            assert time.monotonic() < started + PATIENCE, one
            await asyncio.sleep(0.15)
        assert (one["connections"], one["idle"], one["idle_in_transaction"]) == (2, 1, 1)
        assert one["oldest_idle_in_transaction_seconds"] is not None
        limits = await collector.limits(server)
        assert limits["max_connections"] == int(
            any_server.execute("SELECT @@GLOBAL.max_connections AS n")[0]["n"]
        )
        assert all(value is not None for value in limits.values())
    finally:
        idle.close()
        inside.close()
        await server.close()


def test_switched_off_nothing_of_it_happens(site: Service) -> None:
    site.extra["CONNECTION_MONITORING_ENABLED"] = "False"
    site.manage("migrate")
    process = site.popen(sys.executable, "-c", SWITCHED_OFF)
    assert process.stdout is not None
    assert process.stdout.readline().split() == ["plain", "1"], (
        "Django's connect is its own, and no thread reports"
    )
    site.start_monitor()
    site.wait_for(lambda: site.samples("shop") >= 6, 60, "no samples")
    assert told(site) == {"server": None, "processes": [], "findings": [], "advice": []}


def test_connections_behind_djangos_back_are_found(site: Service, any_server: PrivateServer) -> None:
    (row,) = any_server.execute("SELECT @@performance_schema AS it")
    if not row["it"]:
        pytest.skip("without performance_schema the server does not know whose they are")
    site.manage("migrate")
    run(site, BEHIND)
    site.start_monitor()
    (found,) = until_told(site, lambda seen: seen["findings"], "nothing is found")["findings"]
    assert found["name"] == "connections_unaccounted"
    assert found["evidence"] == {"server_connections": 9, "known": 1}
