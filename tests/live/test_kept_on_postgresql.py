"""What is kept of alerts and statements, on PostgreSQL."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.kept import run_on

pytestmark = pytest.mark.timeout(1600)


def test_kept_on_postgresql(postgresql: dict[str, Any]) -> None:
    host = quote(postgresql["HOST"], safe="")
    run_on(f"postgresql://{postgresql['USER']}@{host}:{postgresql['PORT']}/postgres")
