"""One part of the running service: a child process that is started again where it ends by itself."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_STOP_WITHIN = 10.0
_LONGEST_PAUSE = 60.0
_STEADY_AFTER = 60.0


@dataclass(slots=True)
class Part:
    """A child process. Where `may_end`, it may end for good with exit code 0. It never outlives this process."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    may_end: bool = False
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    started_at: float = 0.0
    again_at: float | None = None

    def start(self, now: float | None = None) -> None:
        self.started_at = time.monotonic() if now is None else now
        self.again_at = None
        self.process = subprocess.Popen(
            # The kernel tells it when we are gone, however we went.
            ["setpriv", "--pdeathsig", "TERM", *self.command],  # noqa: S607 - wherever this system has it
            env=dict(self.environment),
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            # In a session of its own: Ctrl-C reaches the parts through us alone, so that they end in order.
            start_new_session=True,
        )

    @property
    def exit_code(self) -> int | None:
        """What it ended with; None while it runs."""
        return self.process.poll() if self.process else None

    def tend(self, now: float) -> None:
        """Starts it again where it ended by itself, after a pause that grows with every failure in a row."""
        if self.again_at is not None and now >= self.again_at:
            self.start(now)
            return
        code = self.exit_code
        if code is None:
            return
        self.process = None
        if code == 0 and self.may_end:
            say(f"the {self.name} has stopped; the rest goes on")
            return
        self.failures = 1 if now - self.started_at > _STEADY_AFTER else self.failures + 1
        pause = back_off(self.failures)
        self.again_at = now + pause
        say(f"the {self.name} {_ending(code)}; it is started again in {pause:g} s")

    def end(self) -> None:
        """Stops it, first politely."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        # A paused process acts on no other signal.
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            say(f"the {self.name} does not stop and is killed")
            self.process.kill()
            self.process.wait()


def back_off(failures: int) -> float:
    """Seconds to wait after the `failures`-th failure in a row: 1, 2, 4 … and at most a minute."""
    return min(_LONGEST_PAUSE, 2.0 ** min(failures - 1, 10))


def say(text: str) -> None:
    """One line for whoever reads the terminal."""
    print(f"dbvigil: {text}", file=sys.stderr, flush=True)


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with code {code}"
    return f"was ended by {signal.Signals(-code).name}"
