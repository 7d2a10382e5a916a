"""Waiting for what another process does."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from contextlib import closing


def until(done: Callable[[], object], seconds: float, what: str) -> None:
    """Returns as soon as `done()` is true; ends the benchmark with `what` in a line where that takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not within {seconds:g} s")
        time.sleep(0.01)


def free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
