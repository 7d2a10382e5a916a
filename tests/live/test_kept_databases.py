"""What is kept of alerts and statements, on each kind of database that a service may use: the unit tests once more, on real servers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from dbvigil.sandbox import PrivateServer

pytestmark = pytest.mark.timeout(400)

ROOT = Path(__file__).parents[2]
TESTS = sorted(
    str(path)
    for pattern in ("test_alert_*.py", "test_slow_query_*.py")
    for path in (ROOT / "tests" / "unit").glob(pattern)
)


def run_on(url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "django_db", *TESTS],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=380,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert " passed" in done.stdout


def test_postgresql(postgresql: dict[str, Any]) -> None:
    run_on(
        f"postgresql://{postgresql['USER']}@{quote(postgresql['HOST'], safe='')}:{postgresql['PORT']}/postgres"
    )


@pytest.mark.parametrize("kind", ["mariadb", "mysql"])
def test_mariadb_and_mysql(request: pytest.FixtureRequest, kind: str) -> None:
    server: PrivateServer = request.getfixturevalue(kind)
    server.execute("DROP USER IF EXISTS keeper@'%'")
    server.execute("CREATE USER keeper@'%' IDENTIFIED BY 'kept-here'")
    server.execute("GRANT ALL ON *.* TO keeper@'%'")
    run_on(f"mysql://keeper:kept-here@127.0.0.1:{server.port}/dbvigil")
