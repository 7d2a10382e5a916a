"""The stand-alone service as its users run it: real processes on a home folder of their own.

def test_it(service, mariadb):
    service.targets = {"shop": monitoring_url(mariadb)}
    service.start_monitor("--interval", "1")
    service.wait_for(lambda: service.health()["databases"]["shop"]["status"] == "healthy")
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import PATIENCE, pause

ROOT = Path(__file__).parents[2]


class Service:
    """One home folder, its settings, and the processes started on it; their logs lie beside the home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        self.targets: Mapping[str, str] = {}
        self.extra: dict[str, str] = {}
        self._processes: list[subprocess.Popen[str]] = []

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            # A terminal's size in the environment is the test runner's, not that of the process's own terminal.
            if not name.startswith(("DB_", "DATABASE_", "DJANGO_")) and name not in ("COLUMNS", "LINES")
        }
        targets = " ".join(f"{alias}={url}" for alias, url in self.targets.items())
        return {
            **kept,
            "DJANGO_SETTINGS_MODULE": "service.settings",
            "DBVIGIL_HOME": str(self.home),
            "DB_MONITORING_TARGETS": targets,
            "PYTHONUNBUFFERED": "1",
            **self.extra,
        }

    # processes

    def popen(self, *command: str) -> subprocess.Popen[str]:
        """A process in the service's environment, its standard error in a log of its own."""
        log = self.folder / f"process-{len(self._processes)}.log"
        with log.open("w") as stderr:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self._processes.append(process)
        return process

    def start_monitor(self, *flags: str) -> subprocess.Popen[str]:
        """`database_monitor start` as a process of its own, running when this returns."""
        process = self.popen(sys.executable, "manage.py", "database_monitor", "start", *flags)
        self.wait_for(
            lambda: process.poll() is not None or self.runs(process.pid), what="the monitor does not start"
        )
        assert process.poll() is None, self.log()
        return process

    def stop_between_writes(self, process: subprocess.Popen[str]) -> None:
        """SIGSTOP, and not while it holds SQLite's one write lock: that would stop the database for everyone, whoever monitors."""
        while True:
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
            beside = sqlite3.connect(self.home / "dbvigil.sqlite3", timeout=0.5, isolation_level=None)
            try:
                beside.execute("BEGIN IMMEDIATE")
                beside.execute("ROLLBACK")
                return
            except sqlite3.OperationalError:
                process.send_signal(signal.SIGCONT)
            finally:
                beside.close()

    def manage(self, *arguments: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """One `manage.py` command; its exit code is checked unless `expect` is None."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )
        if expect is not None:
            assert done.returncode == expect, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def command(self, *arguments: str) -> Any:
        """The JSON document of one `database_monitor` action."""
        return json.loads(self.manage("database_monitor", *arguments, "--json").stdout)

    def python(self, code: str) -> str:
        """What `code` prints in a Django process of the service."""
        return self.manage("shell", "--no-imports", "-c", code).stdout

    def log(self) -> str:
        """Everything that the processes wrote to standard error."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("process-*.log")))

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()

    # what it says

    def health(self) -> Any:
        """The body of GET health/, read in a process of its own."""
        return self.command("status")

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Rows of the service's own SQLite database, read beside it."""
        with closing(sqlite3.connect(self.home / "dbvigil.sqlite3", timeout=10)) as connection:
            return connection.execute(sql, parameters).fetchall()

    def runs(self, pid: int) -> bool:
        """Whether the monitor of process `pid` has reported itself."""
        return any(
            f":{pid}:" in identity for (identity,) in self.rows("SELECT identity FROM dbvigil_monitorprocess")
        )

    def holder(self, alias: str) -> str:
        ((holder,),) = self.rows("SELECT holder FROM dbvigil_targetstate WHERE alias = ?", alias)
        return str(holder)

    def samples(self, alias: str) -> int:
        """How many samples of `alias` were written so far."""
        return sum(
            count for (count,) in self.rows("SELECT samples FROM dbvigil_targetstate WHERE alias = ?", alias)
        )

    def sample_times(self, alias: str) -> list[float]:
        """When the samples of `alias` that are not packed yet were taken, in seconds since 1970."""
        sql = "SELECT taken_at FROM dbvigil_sample WHERE database = ? ORDER BY taken_at"
        return [moment / 1000 for (moment,) in self.rows(sql, alias)]

    def metrics(self, alias: str) -> dict[str, Any]:
        """The newest sample of `alias` as it was written; empty before the first."""
        found = self.rows("SELECT metrics FROM dbvigil_targetstate WHERE alias = ?", alias)
        return json.loads(found[0][0]) if found and found[0][0] else {}

    def wait_for(
        self, done: Callable[[], object], seconds: float = PATIENCE, what: str = "it did not happen"
    ) -> float:
        """Polls until `done` is true; the seconds it took. Fails with `what` and the processes' log after `seconds`, and `PATIENCE`."""
        started, seconds = time.monotonic(), max(seconds, PATIENCE)
        while not done():
            if time.monotonic() - started > seconds:
                pytest.fail(f"{what} within {seconds:g} s\n{self.log()}")
            pause(started)
        return time.monotonic() - started


@pytest.fixture(scope="session")
def migrated_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a service that was just migrated: every service begins with a copy of it."""
    service = Service(tmp_path_factory.mktemp("migrated"))
    service.manage("migrate", "--verbosity", "0")
    # Whoever used the database last has emptied its write-ahead log into it.
    assert sorted(each.name for each in service.home.iterdir()) == ["dbvigil.sqlite3", "secret_key"]
    return service.home


@pytest.fixture
def service(tmp_path: Path, migrated_home: Path) -> Iterator[Service]:
    """A migrated service with no targets and nothing running."""
    service = Service(tmp_path)
    shutil.copytree(migrated_home, service.home, dirs_exist_ok=True)
    yield service
    service.close()
