"""What is kept of alerts and statements, on MySQL."""

from __future__ import annotations

import pytest

from dbvigil.sandbox import PrivateServer
from tests.support.kept import run_in

pytestmark = pytest.mark.timeout(1600)


def test_kept_on_mysql(mysql: PrivateServer) -> None:
    run_in(mysql)
