"""Waiting for what a real process does in its own time."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 60.0
"""Seconds until a test gives up waiting, at least. A busy machine is slow, and no test is about that."""
BOUNDED = 15.0
"""Seconds within which something has ended that would otherwise have waited for ever."""


def pause(started: float) -> None:
    """Sleeps between two looks, since `started` by the monotonic clock: briefly at first, and then so that looking costs little."""
    time.sleep(min(0.1, max(0.02, (time.monotonic() - started) / 10)))


def wait_for(done: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Polls until `done` is true; fails with `what` when it does not come to pass within `seconds`, and `PATIENCE`."""
    seconds = max(seconds, PATIENCE)
    started = time.monotonic()
    while not done():
        assert time.monotonic() < started + seconds, f"waited {seconds:g} s in vain for {what}"
        pause(started)
