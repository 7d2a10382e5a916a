"""Backups as the service makes them: on schedule, one at a time, ended with their monitor, and taken back only where that is meant."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from dbvigil.sandbox import PrivateServer, attach_replica, replication_options, wait_until_caught_up
from dbvigil.sandbox.grants import BACKUP_GRANTS
from tests.support.backups import KEY
from tests.support.servers import PrivateServers, add_monitoring_user, monitoring_url
from tests.support.service import Service
from tests.support.waiting import PATIENCE

EVERY_MINUTE, NEVER_SOON = "* * * * *", "0 0 29 2 *"
ACCOUNT = {"shop": "mysql://keeper:k%40eper@"}


@pytest.fixture
def shop(private_server: PrivateServers, service: Service) -> Iterator[PrivateServer]:
    """A server with a small shop, monitored with the least grants and backed up by an account of its own."""
    server = private_server("mariadb-10.11")
    prepare(server)
    service.targets = {"shop": monitoring_url(server)}
    service.extra = settings(service, shop=NEVER_SOON)
    yield server


def prepare(server: PrivateServer) -> None:
    server.create_user("keeper", "k@eper", BACKUP_GRANTS[server.flavor])
    server.execute("CREATE DATABASE shop")
    server.execute("CREATE TABLE shop.orders (id INT PRIMARY KEY, note LONGTEXT)")
    for number in range(12):
        server.execute("INSERT INTO shop.orders VALUES (%s, REPEAT('0123456789', 40000))", number)


def settings(service: Service, **schedules: Any) -> dict[str, str]:
    return {
        # The one thing that a program is given which dumps; there is nothing to be found in that folder.
        "PATH": f"{os.environ['PATH']}:{service.folder}",
        "BACKUP_SCHEDULER_ENABLED": "1",
        "DB_BACKUP_FOLDER": str(service.folder / "kept"),
        "DB_BACKUP_SCHEDULES": json.dumps(schedules),
        "DB_BACKUP_ACCOUNTS": "shop=mysql://keeper:k%40eper@",
        "DB_BACKUP_KEY": KEY,
    }


def listed(service: Service) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = service.command("backup", "list")["results"]
    return results


def state(service: Service) -> list[tuple[Any, ...]]:
    return service.rows("SELECT id, status, verification, error FROM dbvigil_backup ORDER BY id")


def files(service: Service) -> list[str]:
    folder = service.folder / "kept"
    # Unlike `rglob`, `walk` bears with a folder that is removed while it is looked at.
    return sorted(
        str((Path(place) / name).relative_to(folder)) for place, _, names in os.walk(folder) for name in names
    )


def workers(service: Service) -> list[psutil.Process]:
    """The processes of its backups. Other tests make backups at the same time: its own have its folder in their PATH, see `settings`."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if str(service.folder) in process.environ().get("PATH", "") and (
                "dbvigil.backups.worker" in process.cmdline() or "mariadb-dump" in process.name()
            ):
                found.append(process)
    return found


def test_one_made_now_is_listed_and_read(service: Service, shop: PrivateServer) -> None:
    made = service.command("backup", "now", "--database", "shop")
    assert (made["id"], made["status"], made["verification"], made["source"]) == (
        1,
        "done",
        "verified",
        "shop",
    )
    assert made["report"]["equal"] == 1
    assert made["chosen"] == "it has no monitored replica that is well"
    assert made["file"].startswith("shop/shop-2")
    assert made["file"].endswith("Z-1.sql.gz.sealed")
    assert files(service) == [made["file"], made["file"] + ".json"]
    folder = service.folder / "kept"
    modes = {path.stat().st_mode & 0o777 for path in (folder, folder / "shop")}
    assert modes == {0o700}
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*.json")} == {0o600}
    assert [one["id"] for one in listed(service)] == [1]
    sql = service.manage("database_monitor", "backup", "cat", "--database", "shop").stdout
    assert "CREATE TABLE `orders`" in sql
    assert sql.rstrip().splitlines()[-1].startswith("-- Dump completed")


@pytest.mark.timeout(600)  # a dozen commands, each a process
def test_it_is_taken_back_only_where_that_is_meant(
    service: Service, shop: PrivateServer, private_server: PrivateServers
) -> None:
    made = service.command("backup", "now", "--database", "shop")
    root = "mysql://root_too:r@127.0.0.1:{}/"
    shop.create_user("root_too", "r", ("ALL ON *.*",))
    over = ("backup", "restore", "--id", "1", "--into", root.format(shop.port))
    refused = service.manage("database_monitor", *over, expect=1).stderr
    assert (
        f"127.0.0.1:{shop.port} is monitored as shop: nothing is restored over it without --force" in refused
    )
    refused = service.manage("database_monitor", *over, "--force", expect=1).stderr
    assert "shop is monitored: type its name after --confirm to write over it" in refused
    refused = service.manage("database_monitor", *over, "--force", "--confirm", "shopp", expect=1).stderr
    assert "nothing was restored: shop is monitored, and its name was not confirmed" in refused
    shop.execute("DELETE FROM shop.orders WHERE id > 3")
    done = service.command(*over, "--force", "--confirm", "shop")
    assert done["databases"] == ["shop"]
    assert shop.execute("SELECT COUNT(*) AS n FROM shop.orders")[0]["n"] == 12
    other = private_server("mariadb-10.11")
    other.create_user("root_too", "r", ("ALL ON *.*",))
    into = ("backup", "restore", "--id", "1", "--into", root.format(other.port))
    assert service.command(*into)["into"] == f"127.0.0.1:{other.port}"
    assert other.execute("SELECT COUNT(*) AS n FROM shop.orders")[0]["n"] == 12
    refused = service.manage("database_monitor", *into, expect=1).stderr
    assert f"127.0.0.1:{other.port} has shop already: nothing is replaced without --force" in refused
    path = service.folder / "kept" / made["file"]
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    told = service.manage("database_monitor", "backup", "verify", "--id", "1", expect=1).stderr
    assert "verification failed: " in told
    assert "its SHA-256 is not the one that was written down: the file has changed" in told
    assert state(service) == [(1, "done", "failed", "")]
    refused = service.manage("database_monitor", *into, "--force", expect=1).stderr
    assert "the file has changed" in refused


@pytest.mark.timeout(600)  # it is a minute until one is due, and a backup lets everybody else go first
def test_the_monitor_backs_up_what_is_due_once_and_samples_go_on(
    service: Service, shop: PrivateServer
) -> None:
    service.extra = settings(service, shop=EVERY_MINUTE)
    first, second = (service.start_monitor("--interval", "1") for _ in range(2))
    service.wait_for(
        lambda: [row for row in state(service) if row[1] == "done"], 300, "no backup was made on schedule"
    )
    assert [row[1:] for row in state(service)][:1] == [("done", "verified", "")]
    slots = service.rows("SELECT slot FROM dbvigil_backup")
    assert len({slot for (slot,) in slots}) == len(slots)
    service.wait_for(
        lambda: service.metrics("shop").get("backup_verified") is True, 20, "the sample knows no backup"
    )
    figures = service.metrics("shop")
    assert figures["backup_ok"] is True
    # It is due every minute, and late by no more than what one takes.
    sql = "SELECT 86400 * (julianday(finished_at) - julianday(started_at)) FROM dbvigil_backup WHERE id = 1"
    ((took,),) = service.rows(sql)
    assert figures["backup_overdue_seconds"] < 60 + took
    assert figures["backup_size_change"] is None
    times = service.sample_times("shop")
    assert max(later - earlier for earlier, later in pairwise(times)) < 5
    for process in (first, second):
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    assert workers(service) == []


def slow(service: Service, shop: PrivateServer) -> None:
    """A wish whose dump takes a while, and a monitor that makes it."""
    service.extra = settings(
        service, shop={"cron": NEVER_SOON, "megabytes_per_second": 0.05, "verify": False}
    )


def ask(service: Service) -> None:
    service.python(
        "from datetime import UTC, datetime; from dbvigil.backups import jobs; jobs.ask('shop', 'ada', datetime.now(UTC))"
    )


def test_a_monitor_that_is_killed_leaves_a_failure_and_no_half_file(
    service: Service, shop: PrivateServer
) -> None:
    slow(service, shop)
    monitor = service.start_monitor("--interval", "1")
    ask(service)
    service.wait_for(lambda: files(service)[1:], 30, "no dump began")
    # Everybody else goes first.
    assert {process.nice() for process in workers(service)} == {19}
    os.kill(monitor.pid, signal.SIGKILL)
    service.wait_for(lambda: not workers(service), 10, "the dump goes on without its monitor")
    assert [row[1] for row in state(service)] == ["running"]
    service.start_monitor("--interval", "1")
    service.wait_for(lambda: state(service)[0][1] == "failed", 30, "nobody gives the dead backup up")
    assert state(service)[0][3] == "its process has ended in the middle: it was killed, or its host went down"
    service.wait_for(lambda: not files(service), 5, "what it left is not removed")
    ask(service)
    service.wait_for(lambda: len(state(service)) == 2, 5)


def test_a_monitor_that_stops_ends_its_backup(service: Service, shop: PrivateServer) -> None:
    slow(service, shop)
    monitor = service.start_monitor("--interval", "1")
    ask(service)
    service.wait_for(lambda: files(service)[1:], 30, "no dump began")
    for process in workers(service):
        # Who lets everybody else go first does not end in the few seconds that it has for that, where others take all of the machine.
        with suppress(psutil.AccessDenied):
            process.nice(0)
    monitor.send_signal(signal.SIGTERM)
    monitor.wait(PATIENCE)
    assert workers(service) == []
    assert [row[1:] for row in state(service)] == [("failed", "", "the monitor stopped")]
    assert files(service) == []


def test_who_was_given_up_keeps_nothing(service: Service, shop: PrivateServer) -> None:
    slow(service, shop)
    service.start_monitor("--interval", "1")
    ask(service)
    service.wait_for(lambda: files(service)[1:], 30, "no dump began")
    # Each time as it is then: one that has beaten since it was read is not given up.
    service.python(
        "from datetime import UTC, datetime; from dbvigil.backups import jobs; from dbvigil.models import Backup;"
        " done = [jobs.give_up(row, 'it stood still', datetime.now(UTC)) for _ in range(9) for row in Backup.objects.all()]"
    )
    service.wait_for(lambda: not workers(service) and not files(service), 30, "it goes on")
    assert [row[1:] for row in state(service)] == [("failed", "", "it stood still")]


def test_what_fails_says_why_and_alerts(service: Service, shop: PrivateServer) -> None:
    service.extra = settings(service, shop=EVERY_MINUTE) | {
        "DB_BACKUP_ACCOUNTS": "shop=mysql://keeper:wrong@"
    }
    told = service.manage("database_monitor", "backup", "now", "--database", "shop", expect=1).stderr
    assert "backup 1 of shop failed: " in told
    assert "wrong" not in told
    service.start_monitor("--interval", "1")
    service.wait_for(
        lambda: [one for one in service.command("alerts")["results"] if one["metric"] == "backup_ok"],
        20,
        "nobody is told of the failure",
    )
    (alert,) = [one for one in service.command("alerts")["results"] if one["metric"] == "backup_ok"]
    assert (alert["severity"], alert["message"]) == ("critical", "The last backup has failed")
    cause = alert["evidence"]["backup"]
    assert cause["backup"] == 1
    assert cause["error"] and f"backup 1 of shop failed: {cause['error']}" in told
    service.wait_for(lambda: not files(service), 60, "what failed has left something")


def wait_for_replica(service: Service) -> None:
    """Until the monitor knows whom `shop-replica` follows, and how far behind it is."""
    service.wait_for(
        lambda: service.rows("SELECT 1 FROM dbvigil_replicationfacts WHERE database = 'shop-replica'"), 60
    )
    service.wait_for(lambda: (service.metrics("shop-replica") or {}).get("replication_lag") is not None, 30)
    # The source has to be known as well, for only then is it told that the one follows the other.
    service.wait_for(
        lambda: any(
            edge["source"] == "shop" and edge["replica"] == "shop-replica" and edge["running"]
            for edge in service.command("topology")["topology"]["edges"]
        )
    )


def test_a_replica_that_is_well_is_read_in_its_source_s_place(
    service: Service, private_server: PrivateServers
) -> None:
    options = replication_options("mysql")
    source, replica = (private_server("mysql-9.7", options=options) for _ in range(2))
    prepare(source)
    replica.create_user("keeper", "k@eper", BACKUP_GRANTS["mysql"])
    attach_replica(source, replica)
    wait_until_caught_up(replica, source, PATIENCE)
    for server in (source, replica):
        add_monitoring_user(server)
    service.targets = {"shop": monitoring_url(source), "shop-replica": monitoring_url(replica)}
    service.extra = settings(service, shop={"cron": NEVER_SOON, "from": "shop-replica"})
    told = service.manage("database_monitor", "backup", "now", "--database", "shop", expect=1).stderr
    assert "shop-replica cannot stand for shop: it is no replica of it that runs" in told
    service.start_monitor("--interval", "1")
    wait_for_replica(service)
    made = service.command("backup", "now", "--database", "shop")
    assert (made["source"], made["verification"]) == ("shop-replica", "verified")
    assert made["position"]["exact"]
    assert ":1-" in made["position"]["gtids"]
    service.extra = settings(service, shop=NEVER_SOON)
    replica.execute("STOP REPLICA SQL_THREAD")
    service.wait_for(lambda: service.metrics("shop-replica")["replication_sql_running"] is False, 30)
    made = service.command("backup", "now", "--database", "shop")
    assert (made["source"], made["chosen"]) == ("shop", "it has no monitored replica that is well")
