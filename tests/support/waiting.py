"""Waiting for what a real process does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_for(done: Callable[[], object], what: str, seconds: float = 20) -> None:
    """Polls until `done` is true; fails with `what` when it does not come to pass within `seconds`."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for {what}"
        time.sleep(0.02)
