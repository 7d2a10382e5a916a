"""Fixtures: a private PostgreSQL, for the tests that prove the service's own data on it.

    def test_it(postgresql): ...               # settings for django.db.connections; the database is new and empty
    def test_that(private_postgresql): ...     # one to stop and start: .url, .stop(), .start()

The cluster has its own data folder and socket and listens on no network address. PostgreSQL refuses to run as
root: there it runs as the account that Debian's package makes for it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

_ACCOUNT = "postgres"


class Cluster:
    """A running cluster in `folder`. Its superuser `postgres` has no password: only the socket leads in."""

    port = 5432

    def __init__(self, binaries: Path, folder: Path) -> None:
        self.folder = folder
        self._binaries = binaries
        self._account = pwd.getpwnam(_ACCOUNT) if os.geteuid() == 0 else None
        if self._account is not None:
            os.chown(folder, self._account.pw_uid, self._account.pw_gid)
        self._run(
            "initdb", "--pgdata", str(self._data), "--username", _ACCOUNT, "--auth", "trust", "--no-sync"
        )
        self.start()

    def settings(self) -> dict[str, Any]:
        """What Django needs to reach its database `postgres`."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "postgres",
            "USER": _ACCOUNT,
            "HOST": str(self.folder),
            "PORT": str(self.port),
        }

    @property
    def url(self) -> str:
        """The same as a DATABASE_URL."""
        return f"postgresql://{_ACCOUNT}@{quote(str(self.folder), safe='')}:{self.port}/postgres"

    def start(self) -> None:
        """Starts it, for the first time or after `stop`."""
        options = (
            f"-c listen_addresses= -c unix_socket_directories={self.folder} -c port={self.port} -c fsync=off"
        )
        self._control("start", "--wait", "--log", str(self.folder / "log"), "--options", options)

    def stop(self) -> None:
        """Ends the cluster at once."""
        self._control("stop", "--mode", "immediate")

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _control(self, action: str, *arguments: str) -> None:
        self._run("pg_ctl", action, "--silent", "--pgdata", str(self._data), *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        command: Sequence[str] = [str(self._binaries / program), *arguments]
        account = self._account
        # Its servers keep what they are given open, so their output goes to a file and not to a pipe.
        with (self.folder / f"{program}.out").open("wb") as output:
            result = subprocess.run(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                # A cluster is made slowly on a busy machine.
                timeout=240,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
            )
        if result.returncode:
            text = (self.folder / f"{program}.out").read_text(errors="replace")
            raise RuntimeError(f"{program} ended with {result.returncode}: {text.strip()}")


def _binaries() -> Path | None:
    """Where the newest PostgreSQL's programs are: Debian keeps them out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    other = shutil.which("initdb")
    return Path(other).resolve().parent if other else None


@contextmanager
def _private() -> Iterator[Cluster]:
    """A cluster of one's own; where PostgreSQL is not installed a skip, in CI a failure."""
    binaries = _binaries()
    if binaries is None:
        missing = "PostgreSQL is not installed (Debian: apt-get install postgresql)"
        if os.environ.get("CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    # Not in pytest's own folder: PostgreSQL's account may not enter it, and a socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="dbvigil-pg-") as folder:
        cluster = Cluster(binaries, Path(folder))
        try:
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[dict[str, Any]]:
    """Django's settings for the PostgreSQL that a whole run shares."""
    with _private() as cluster:
        yield cluster.settings()


@pytest.fixture
def private_postgresql() -> Iterator[Cluster]:
    """A PostgreSQL that one test may stop and start; it runs when the test ends."""
    with _private() as cluster:
        yield cluster
