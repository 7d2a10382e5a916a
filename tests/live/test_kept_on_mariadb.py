"""What is kept of alerts and statements, on MariaDB."""

from __future__ import annotations

import pytest

from dbvigil.sandbox import PrivateServer
from tests.support.kept import run_in

pytestmark = pytest.mark.timeout(1600)


def test_kept_on_mariadb(mariadb: PrivateServer) -> None:
    run_in(mariadb)
