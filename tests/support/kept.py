"""What is kept of alerts and statements, on a database that a service may use: the unit tests once more, on a real server.

Each kind of database has a file of tests of its own: a file is the least that is given to one process of the suite.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from dbvigil.sandbox import PrivateServer

ROOT = Path(__file__).parents[2]
TESTS = sorted(
    str(path)
    for pattern in ("test_alert_*.py", "test_slow_query_*.py")
    for path in (ROOT / "tests" / "unit").glob(pattern)
)


def run_on(url: str) -> None:
    """Runs them with the service's database at `url`; fails with what they said."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "django_db", *TESTS],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout


def run_in(server: PrivateServer) -> None:
    """The same on a MySQL or MariaDB server."""
    server.execute("DROP USER IF EXISTS keeper@'%'")
    server.execute("CREATE USER keeper@'%' IDENTIFIED BY 'kept-here'")
    server.execute("GRANT ALL ON *.* TO keeper@'%'")
    run_on(f"mysql://keeper:kept-here@127.0.0.1:{server.port}/dbvigil")
