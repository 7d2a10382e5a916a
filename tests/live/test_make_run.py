"""`make run` as a newcomer types it: real processes, real servers, a fresh home and a free port."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from dbvigil.sandbox import PrivateServer
from tests.support.servers import monitoring_url
from tests.support.service import ROOT, Service
from tests.support.waiting import PATIENCE

_READY = re.compile(
    r"dbvigil ready: (?P<url>http://127\.0\.0\.1:\d+/) user=admin password=(?P<password>\S+) token=(?P<token>\S+)\n"
)


class Run:
    """One `make run` on the home of `service`, ready when this is made."""

    def __init__(self, service: Service) -> None:
        self.service = service
        service.extra.setdefault("PORT", "0")
        self.make = service.popen("make", "--no-print-directory", "run")
        assert self.make.stdout is not None
        ready = _READY.fullmatch(self.make.stdout.readline())
        assert ready, service.log()
        self.url, self.password, self.token = ready["url"], ready["password"], ready["token"]
        self.processes = psutil.Process(self.make.pid).children(recursive=True)

    def health(self) -> Any:
        """The body of GET health/; None while nobody answers."""
        request = urllib.request.Request(
            f"{self.url}core/api/monitoring/health/", headers={"Authorization": f"Bearer {self.token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.load(answer)
        except (OSError, http.client.HTTPException, ValueError):
            # Also where it was ended in the middle of its answer.
            return None

    def running(self, text: str) -> list[psutil.Process]:
        """The processes whose command line ends with `text`, the oldest first."""
        found = []
        for process in psutil.Process(self.make.pid).children(recursive=True):
            # Some of them live for a moment only.
            with contextlib.suppress(psutil.NoSuchProcess):
                if " ".join(process.cmdline()).endswith(text):
                    found.append(process)
        return sorted(found, key=lambda process: process.create_time())

    def find(self, text: str) -> psutil.Process:
        return self.running(text)[0]

    def end(self, number: int) -> str:
        """Sends a signal to the supervisor; what it still wrote to standard output."""
        self.processes = psutil.Process(self.make.pid).children(recursive=True)
        self.find("-m service.run").send_signal(number)
        rest, _ = self.make.communicate(timeout=60)
        return rest

    def survivors(self) -> list[psutil.Process]:
        """Which processes of it are still there, after the time that a clean end may take."""
        return psutil.wait_procs(self.processes, timeout=PATIENCE)[1]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Run]]:
    """`start()` is one more `make run` on the same home."""
    service = Service(tmp_path)
    yield lambda: Run(service)
    service.close()


def test_one_command_shows_a_live_source_and_replica(start: Callable[[], Run]) -> None:
    run = start()
    home = run.service.home
    assert (home / "token").read_text() == f"{run.token}\n"
    for name in ("token", "admin_password", "secret_key", "dbvigil.sqlite3"):
        assert (home / name).stat().st_mode & 0o777 == 0o600, name
    health = run.health()
    assert health["monitor"]["running"] is True
    assert set(health["databases"]) == {"shop", "shop-replica"}
    assert all(entry["last_sample"] for entry in health["databases"].values())
    # Another shell needs no more than the home folder.
    assert set(run.service.command("status")["databases"]) == {"shop", "shop-replica"}
    assert run.service.command("slow-queries", "--now", "--database", "shop", "--limit", "1")["results"]
    assert (home / "demo-targets").stat().st_mode & 0o777 == 0o600
    with urllib.request.urlopen(f"{run.url}admin/login/", timeout=10) as answer:
        assert answer.status == 200
    assert run.end(signal.SIGINT) == ""
    assert run.make.returncode == 0
    assert run.survivors() == []
    assert not (home / "demo-targets").exists()

    again = start()
    assert (again.password, again.token) == (run.password, run.token)
    assert again.end(signal.SIGTERM) == ""
    assert again.make.returncode == 0
    assert again.survivors() == []
    assert "Traceback" not in run.service.log()


def test_what_ends_by_itself_comes_back_and_what_was_stopped_does_not(start: Callable[[], Run]) -> None:
    run = start()
    web = run.running("service.wsgi")
    web[0].kill()
    # Its workers go with it, and nobody else has the port before they have.
    assert psutil.wait_procs(web, timeout=PATIENCE)[1] == [], "the web server survives SIGKILL"
    run.service.wait_for(run.health, 30, "the web server does not come back")
    assert "the web server was ended by SIGKILL; it is started again in 1 s" in run.service.log()

    first = run.find("database_monitor start")
    first.kill()
    run.service.wait_for(
        lambda: "the monitor was ended by SIGKILL" in run.service.log(), 10, "nobody notices that it is gone"
    )
    run.service.wait_for(lambda: run.running("database_monitor start"), 20, "the monitor does not come back")
    second = run.find("database_monitor start").pid
    run.service.wait_for(lambda: run.service.runs(second), 20, "the monitor does not report itself")

    run.service.manage("database_monitor", "stop")
    run.service.wait_for(
        lambda: "the monitor has stopped; the rest goes on" in run.service.log(),
        20,
        "the monitor does not stop",
    )
    assert run.health()["monitor"]["running"] is False
    run.end(signal.SIGTERM)
    assert run.survivors() == []


def test_nothing_outlives_make(start: Callable[[], Run]) -> None:
    run = start()
    run.make.kill()
    assert run.survivors() == []


def test_targets_of_ones_own_need_no_demo(tmp_path: Path, mariadb: PrivateServer) -> None:
    service = Service(tmp_path)
    service.targets = {"own": monitoring_url(mariadb)}
    try:
        run = Run(service)
        service.wait_for(
            lambda: (health := run.health()) and health["databases"]["own"]["last_sample"],
            what="it is not sampled",
        )
        assert set(run.health()["databases"]) == {"own"}
        assert not (service.home / "demo").exists()
        run.end(signal.SIGTERM)
        assert run.survivors() == []
    finally:
        service.close()


# -- what cannot run says why, in one line


def refuse(service: Service) -> str:
    """The one line that a run which cannot start leaves."""
    done = subprocess.run(
        [sys.executable, "-m", "service.run"],
        cwd=ROOT,
        env=service.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("dbvigil: ")
    return line


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "http", "PORT: 'http' is not allowed; allowed: 0 to 65535"),
        ("PORT", "70000", "PORT: '70000' is not allowed"),
        ("DB_MONITORING_INTERVAL", "0", "DB_MONITORING_INTERVAL"),
        ("DB_MONITORING_TARGETS", "shop=http://u:hunter2@h/", "DB_MONITORING_TARGETS"),
        ("DATABASE_URL", "oracle://u:hunter2@h/d", "DATABASE_URL: the URL cannot be read"),
        (
            "DATABASE_URL",
            "mysql://u:hunter2@127.0.0.1:1/d",
            "DATABASE_URL: the service's own database cannot be used",
        ),
        ("DBVIGIL_HOME", "/dev/null/home", "DBVIGIL_HOME: /dev/null/home cannot be used"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, name: str, value: str, said: str) -> None:
    service = Service(tmp_path)
    service.extra |= {"PORT": "0", name: value}
    line = refuse(service)
    assert said in line
    assert "hunter2" not in line


def test_a_home_that_has_become_read_only_is_named(service: Service, small_disk: Path) -> None:
    shutil.copytree(service.home, small_disk, dirs_exist_ok=True)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    service.home = small_disk
    service.extra["PORT"] = "0"
    assert "DBVIGIL_HOME: " in (line := refuse(service))
    assert line.endswith("cannot be used (Read-only file system)")


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        service.extra["PORT"] = str(port)
        assert f"PORT: {port} cannot be used (Address already in use)" in refuse(service)


def test_a_home_is_for_one_run_at_a_time(start: Callable[[], Run]) -> None:
    run = start()
    assert "is in use by another run" in refuse(run.service)
    assert run.health()["monitor"]["running"] is True
    run.end(signal.SIGTERM)
