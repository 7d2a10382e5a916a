"""Templates of messages on a busy machine."""

from __future__ import annotations

import pytest

from dbvigil.channels.templates import render
from tests.support.waiting import PATIENCE


@pytest.fixture
def patient_rendering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no time is given it is long: the process may take seconds until it renders."""
    monkeypatch.setattr(render, "__kwdefaults__", {"seconds": PATIENCE})
