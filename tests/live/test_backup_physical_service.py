"""Copies of files as the service makes them: on a replica of this machine, proved, and taken back into a folder of one's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dbvigil.sandbox import PrivateServer, attach_replica, replication_options, wait_until_caught_up
from dbvigil.sandbox.grants import PHYSICAL_BACKUP_GRANTS
from tests.live.test_backup_service import NEVER_SOON, files, prepare, settings, wait_for_replica
from tests.support.servers import PrivateServers, monitoring_url
from tests.support.service import ROOT, Service

SCHEDULE = {"cron": NEVER_SOON, "tool": "physical"}


def ready(server: PrivateServer) -> str:
    server.create_user("keeper", "k@eper", PHYSICAL_BACKUP_GRANTS)
    return monitoring_url(server)


def test_a_copy_is_made_proved_and_taken_back(
    service: Service, private_server: PrivateServers, tmp_path: Path
) -> None:
    server = private_server("mariadb-10.11")
    prepare(server)
    service.targets = {"shop": ready(server)}
    service.extra = settings(service, shop=SCHEDULE)
    made = service.command("backup", "now", "--database", "shop")
    assert (made["status"], made["verification"], made["report"]["equal"]) == ("done", "verified", 1)
    assert made["tool"].startswith("mariadb-backup based on MariaDB server 10.11.")
    assert made["file"].endswith("Z-1.mbstream.gz.sealed")
    assert files(service) == [made["file"], made["file"] + ".json"]

    def refused(*arguments: str) -> str:
        return service.manage(
            "database_monitor", "backup", "restore", "--id", "1", *arguments, expect=1
        ).stderr

    into = ("--into", f"mysql://keeper:k%40eper@127.0.0.1:{server.port}/")
    assert (
        "is a copy of a server's files, which no running server takes: unpack it with --to FOLDER"
        in refused(*into)
    )
    assert "--into and --to: allowed: one of them" in refused(*into, "--to", "/tmp/x")
    assert f"{server.datadir} is not empty: a copy is unpacked into a new folder alone" in refused(
        "--to", str(server.datadir)
    )
    folder = tmp_path / "taken-back"
    done = service.command("backup", "restore", "--id", "1", "--to", str(folder))
    assert (done["to"], done["server_version"]) == (str(folder), made["server_version"])
    assert folder.stat().st_mode & 0o777 == 0o700
    options = {"skip-grant-tables": None}
    with PrivateServer("mariadb-10.11", tmp_path / "again", options=options, data=folder) as again:
        assert again.execute("SELECT COUNT(*) AS n FROM shop.orders")[0]["n"] == 12
    by_hand = tmp_path / "by-hand"
    by_hand.mkdir()
    cat = [sys.executable, "manage.py", "database_monitor", "backup", "cat", "--id", "1"]
    with subprocess.Popen(cat, stdout=subprocess.PIPE, env=service.environment, cwd=ROOT) as process:
        subprocess.run(["mbstream", "-x", "-C", str(by_hand)], stdin=process.stdout, check=True)
    assert process.returncode == 0
    # A table that is younger than the server's last checkpoint is called so until the copy is prepared.
    assert {"orders.ibd", "orders.new"} & {each.name for each in (by_hand / "shop").iterdir()}


@pytest.mark.timeout(600)  # two servers, a monitor, and a dozen commands
def test_a_replica_of_this_machine_is_copied_in_its_source_s_place(
    service: Service, private_server: PrivateServers
) -> None:
    options = replication_options("mariadb")
    source, replica = (private_server("mariadb-10.11", options=options) for _ in range(2))
    prepare(source)
    attach_replica(source, replica)
    wait_until_caught_up(replica, source)
    service.targets = {"shop": ready(source), "shop-replica": ready(replica)}
    service.extra = settings(service, shop=SCHEDULE)
    service.start_monitor("--interval", "1")
    wait_for_replica(service)
    made = service.command("backup", "now", "--database", "shop")
    assert (made["source"], made["verification"]) == ("shop-replica", "verified"), made["report"]
    # Elsewhere, by what its pid file says: its source is copied instead.
    pid_file = replica.home / "server.pid"
    pid = pid_file.read_text()
    pid_file.write_text("1")
    try:
        made = service.command("backup", "now", "--database", "shop")
    finally:
        pid_file.write_text(pid)
    assert (made["source"], made["chosen"]) == (
        "shop",
        "it has no monitored replica that is well and on this machine",
    )
    assert made["verification"] == "verified"
