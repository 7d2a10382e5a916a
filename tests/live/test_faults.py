"""Every fault an operator meets, on real servers: the truth in one line, the other targets on time, and healing by itself."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pymysql
import pytest

from dbvigil.monitoring.watch import sample_limit
from dbvigil.sandbox import Certificates, PrivateServer
from tests.support import ports
from tests.support.disks import fill
from tests.support.servers import (
    MONITORING_PASSWORD,
    MONITORING_USER,
    PrivateServers,
    monitoring_url,
)
from tests.support.service import Service
from tests.support.waiting import PATIENCE

INTERVAL = 1.0
PUNCTUAL = 4 * INTERVAL
"""The longest gap between two samples that is nobody's fault: on a busy machine one may take longer than its interval."""


@pytest.fixture
def watched(service: Service, mariadb: PrivateServer) -> Service:
    """A service that samples a well server every second, beside whatever the test adds."""
    service.targets = {"well": monitoring_url(mariadb)}
    return service


def add(service: Service, alias: str, url: str) -> None:
    service.targets = {**service.targets, alias: url}


def error(service: Service, alias: str) -> str:
    return str(service.metrics(alias).get("error"))


def wait_up(service: Service, alias: str, up: bool, seconds: float = 20) -> float:
    return service.wait_for(
        lambda: service.metrics(alias).get("up") is up, seconds, f"{alias} is not up={up}"
    )


def wait_down(service: Service, alias: str, *words: str) -> str:
    """Until `alias` is down for the reason that has one of `words`; what is said. A busy machine may be too late for an answer before."""

    def found() -> bool:
        figures = service.metrics(alias)
        return figures.get("up") is False and any(word in str(figures["error"]) for word in words)

    service.wait_for(found, what=f"{alias} is not down for {words}")
    return error(service, alias)


def assert_punctual(service: Service, alias: str = "well") -> None:
    """No sample of `alias` was lost or held up."""
    service.wait_for(lambda: len(service.sample_times(alias)) >= 4, what=f"{alias} has too few samples")
    times = service.sample_times(alias)
    late = [round(after - before, 3) for before, after in pairwise(times) if after - before > PUNCTUAL]
    assert not late, f"gaps of {late} s between samples of {alias}"


def assert_no_secret(service: Service) -> None:
    """The password shows neither in the logs nor in anything that is stored."""
    assert MONITORING_PASSWORD not in service.log()
    for row in service.rows("SELECT address, metrics FROM dbvigil_targetstate"):
        assert MONITORING_PASSWORD not in str(row)


@pytest.fixture
def silent_host() -> Iterator[tuple[str, int]]:
    """Accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port on which nobody listens, or comes to."""
    with ports.hold() as holder:
        yield int(holder.getsockname()[1])


def test_targets_that_cannot_be_reached_each_say_why_and_hold_nobody_up(
    watched: Service,
    mariadb: PrivateServer,
    private_server: PrivateServers,
    silent_host: tuple[str, int],
    unused_port: int,
    tmp_path: Path,
) -> None:
    own = Certificates.create(tmp_path / "tls")
    with_tls = private_server("mariadb-10.11", tls=own)
    with_tls.create_user("tls_only", MONITORING_PASSWORD, ["PROCESS ON *.*"], require="SSL")
    account = f"{MONITORING_USER}:{MONITORING_PASSWORD}"
    add(watched, "refused", f"mysql://{account}@127.0.0.1:{unused_port}/")
    add(watched, "wrong_password", mariadb.url(MONITORING_USER, "not-" + MONITORING_PASSWORD))
    add(watched, "unknown_host", f"mysql://{account}@no-such-host.invalid:3306/")
    add(watched, "silent", f"mysql://{account}@{silent_host[0]}:{silent_host[1]}/")
    add(watched, "no_tls_there", mariadb.url(MONITORING_USER, MONITORING_PASSWORD, ssl_mode="required"))
    add(watched, "tls_required", with_tls.url("tls_only", MONITORING_PASSWORD, ssl_mode="disabled"))
    add(watched, "wrong_ca", monitoring_url(with_tls, ssl_ca=str(own.other_ca)))
    add(watched, "right_ca", monitoring_url(with_tls, ssl_ca=str(own.ca)))
    watched.start_monitor("--interval", "1")
    expected = {
        "refused": ("refused", "start"),
        "wrong_password": ("password",),
        "unknown_host": ("no-such-host.invalid",),
        "silent": ("did not answer", "not answer", "no answer"),
        "no_tls_there": ("TLS",),
        "tls_required": ("TLS",),
        "wrong_ca": ("certificate",),
    }
    for alias, words in expected.items():
        line = wait_down(watched, alias, *words)
        assert "\n" not in line and ";" in line, (alias, line)
    wait_up(watched, "right_ca", True)
    wait_up(watched, "well", True)
    time.sleep(4 * INTERVAL)
    assert_punctual(watched)
    assert_punctual(watched, "right_ca")
    assert_no_secret(watched)
    statuses = {alias: entry["status"] for alias, entry in watched.health()["databases"].items()}
    assert {statuses[alias] for alias in expected} == {"down"}


def test_a_server_that_hangs_or_dies_is_down_and_heals(
    watched: Service, private_server: PrivateServers, release: str
) -> None:
    server = private_server(release)
    add(watched, "shop", monitoring_url(server))
    watched.start_monitor("--interval", "1")
    wait_up(watched, "shop", True)
    server.pause()
    wait_down(watched, "shop", "answer")
    server.resume()
    wait_up(watched, "shop", True)
    server.kill()
    wait_down(watched, "shop", "refused")
    server.start()
    wait_up(watched, "shop", True)
    watched.wait_for(lambda: watched.metrics("shop")["queries_rate"] is not None)
    for _ in range(3):
        figures = watched.metrics("shop")
        rates = {
            name: value for name, value in figures.items() if name.endswith("_rate") and value is not None
        }
        assert all(value >= 0 for value in rates.values()), rates
        assert rates.get("queries_rate", 0) < 1000
        seen = watched.samples("shop")
        watched.wait_for(lambda: watched.samples("shop") > seen)  # noqa: B023 - called before the next round
    assert_punctual(watched)
    assert_no_secret(watched)


def test_a_server_that_needs_two_seconds_for_its_answers_is_not_down(
    watched: Service, private_server: PrivateServers
) -> None:
    server = private_server("mariadb-10.11")
    add(watched, "busy", monitoring_url(server))
    watched.start_monitor("--interval", "1")
    wait_up(watched, "busy", True)
    held_up = 0.0
    for _ in range(3):
        before, began = watched.samples("busy"), time.monotonic()
        server.pause()
        time.sleep(2)
        server.resume()
        held_up = max(held_up, time.monotonic() - began)
        watched.wait_for(partial(sampled, watched, "busy", before + 2), what="it is not sampled again")
    times = watched.sample_times("busy")
    assert max(later - earlier for earlier, later in pairwise(times)) > 1.5, "no sample had to wait"
    # Where this test itself is held up for as long as a sample may take, the server is down indeed.
    assert held_up > sample_limit(INTERVAL) - 1 or "busy is down" not in watched.log()


def sampled(service: Service, alias: str, times: int) -> bool:
    return service.samples(alias) >= times


def test_too_many_connections_is_named(
    watched: Service, private_server: PrivateServers, release: str
) -> None:
    most = 10
    server = private_server(release, options={"max-connections": most})
    add(watched, "full", monitoring_url(server))
    server.create_user("app", "app-password")
    held: list[pymysql.Connection] = []

    def taken() -> bool:
        """Whether all are the application's. One that was just closed counts for a moment more, and would be free after it."""
        try:
            held.append(
                pymysql.connect(host=server.host, port=server.port, user="app", password="app-password")
            )
        except pymysql.err.OperationalError as refused:
            assert refused.args[0] == 1040
        return len(held) == most

    watched.wait_for(taken)
    watched.start_monitor("--interval", "1")
    wait_down(watched, "full", "connections")
    for connection in held:
        connection.close()
    wait_up(watched, "full", True)
    assert_punctual(watched)


def whole(figures: dict[str, Any]) -> bool:
    """Whether everything was read in time."""
    return figures["up"] is True and figures["failures"] == []


def test_locks_held_by_an_application_never_stop_a_sample(
    watched: Service, private_server: PrivateServers, release: str
) -> None:
    server = private_server(release)
    server.execute("CREATE DATABASE shop")
    server.execute("CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT) ENGINE=InnoDB")
    add(watched, "locked", monitoring_url(server))
    with server.connect() as table_lock, server.connect() as global_lock:
        table_lock.cursor().execute("LOCK TABLES shop.orders WRITE")
        watched.start_monitor("--interval", "1")
        wait_up(watched, "locked", True)
        time.sleep(4 * INTERVAL)
        table_lock.cursor().execute("UNLOCK TABLES")
        global_lock.cursor().execute("FLUSH TABLES WITH READ LOCK")
        time.sleep(4 * INTERVAL)
        watched.wait_for(lambda: whole(watched.metrics("locked")), what="the sample is not whole")
    assert_punctual(watched, "locked")
    assert_punctual(watched)


def test_the_password_is_not_in_any_process_list(watched: Service) -> None:
    process = watched.start_monitor("--interval", "1")
    wait_up(watched, "well", True)
    assert MONITORING_PASSWORD.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()


def test_samples_wait_out_a_locked_service_database(watched: Service) -> None:
    watched.start_monitor("--interval", "1")
    wait_up(watched, "well", True)
    with sqlite3.connect(watched.home / "dbvigil.sqlite3", timeout=10, isolation_level=None) as locker:
        locker.execute("BEGIN EXCLUSIVE")
        time.sleep(30)
        locker.execute("ROLLBACK")
    unlocked = time.time()
    locker.close()
    watched.wait_for(lambda: watched.sample_times("well")[-1] > unlocked + 1)
    # Nothing was lost: the samples that were taken meanwhile are there, each at its time.
    assert_punctual(watched)
    assert "the service's own database fails" in watched.log()
    # It is said a moment after they are there.
    watched.wait_for(lambda: "again" in watched.log())
    assert "Traceback" not in watched.log()


@pytest.fixture
def on_small_disk(watched: Service, small_disk: Path) -> Service:
    """The watched service with its home on the small disk."""
    shutil.copytree(watched.home, small_disk / "home")
    watched.home = small_disk / "home"
    return watched


def test_samples_wait_out_a_full_disk(on_small_disk: Service, small_disk: Path) -> None:
    service = on_small_disk
    service.start_monitor("--interval", "1")
    wait_up(service, "well", True)
    filler = fill(small_disk)
    service.wait_for(
        lambda: "the service's own database fails" in service.log(), 60, "the full disk was not noticed"
    )
    # What is lost until it is freed is to be more than what may be late.
    time.sleep(PUNCTUAL + INTERVAL)
    filler.unlink()
    freed = time.time()
    service.wait_for(lambda: service.sample_times("well")[-1] > freed + 1)
    assert_punctual(service)
    assert "Traceback" not in service.log()


def test_a_read_only_service_database_is_named_at_start(on_small_disk: Service, small_disk: Path) -> None:
    service = on_small_disk
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = service.manage("database_monitor", "start", "--interval", "1", expect=None)
    assert done.returncode != 0
    assert done.stdout == ""
    assert "the service's own database" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    service.start_monitor("--interval", "1")
    wait_up(service, "well", True)


def test_a_home_that_cannot_be_written_is_named_at_the_first_start(tmp_path: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    service = Service(tmp_path)
    service.home = small_disk
    done = service.manage("database_monitor", "start", expect=None)
    assert done.returncode != 0
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"dbvigil: DBVIGIL_HOME: {small_disk}/")
    assert line.endswith("cannot be used (Read-only file system)")


def test_on_postgresql_samples_wait_out_a_read_only_service_database(
    watched: Service, postgresql: dict[str, Any]
) -> None:
    socket_folder = quote(postgresql["HOST"], safe="")
    watched.extra["DATABASE_URL"] = (
        f"postgres://{postgresql['USER']}@{socket_folder}:{postgresql['PORT']}/readonly"
    )
    account = {
        "host": postgresql["HOST"],
        "port": postgresql["PORT"],
        "user": postgresql["USER"],
        "autocommit": True,
    }
    with psycopg.connect(dbname="postgres", **account) as connection:
        connection.execute("CREATE DATABASE readonly")
    watched.manage("migrate", "--verbosity", "0")

    def times() -> list[float]:
        with psycopg.connect(dbname="readonly", **account) as connection:
            found = connection.execute("SELECT taken_at FROM dbvigil_sample ORDER BY taken_at").fetchall()
        return [moment / 1000 for (moment,) in found]

    def allow_writing(allowed: bool) -> None:
        with psycopg.connect(dbname="postgres", **account) as connection:
            word = "off" if allowed else "on"
            connection.execute(f"ALTER DATABASE readonly SET default_transaction_read_only = {word}")
            # Each has ended when this has: none of them writes any more.
            connection.execute(
                f"SELECT pg_terminate_backend(pid, {PATIENCE * 1000:.0f}) FROM pg_stat_activity WHERE datname = 'readonly'"
            )

    monitor = watched.popen(sys.executable, "manage.py", "database_monitor", "start", "--interval", "1")
    watched.wait_for(lambda: len(times()) >= 3)
    allow_writing(False)
    watched.wait_for(lambda: "the service's own database fails" in watched.log(), 20, "it was not noticed")
    written = len(times())
    # What is lost until then is to be more than what may be late.
    time.sleep(PUNCTUAL + INTERVAL)
    assert len(times()) == written
    allow_writing(True)
    watched.wait_for(lambda: len(times()) >= written + 5)
    gaps = [later - earlier for earlier, later in pairwise(times())]
    assert max(gaps) <= PUNCTUAL, "samples were lost"
    monitor.terminate()
    assert monitor.wait(PATIENCE) == 0
    assert "Traceback" not in watched.log()


def test_fifty_thousand_tables_do_not_slow_a_sample(watched: Service, private_server: PrivateServers) -> None:
    server = private_server("mariadb-10.11")
    server.execute("CREATE DATABASE many")
    server.execute("CREATE TABLE many.t0 (id INT PRIMARY KEY AUTO_INCREMENT) ENGINE=MyISAM")
    server.execute("FLUSH TABLES many.t0")
    # MyISAM's tables are their files, so links to them are tables, and made in no time.
    folder = server.home / "data" / "many"
    for number in range(1, 50_000):
        for suffix in (".frm", ".MYD", ".MYI"):
            (folder / f"t{number}{suffix}").hardlink_to(folder / f"t0{suffix}")
    counted = server.execute(
        "SELECT COUNT(*) AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'many'"
    )
    assert counted[0]["n"] == 50_000
    add(watched, "many", monitoring_url(server))
    watched.start_monitor("--interval", "1")
    wait_up(watched, "many", True, 30)
    time.sleep(10 * INTERVAL)
    assert_punctual(watched, "many")
    assert_punctual(watched)
