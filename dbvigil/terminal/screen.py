"""The terminal and the signals of a command that stays: alternate screen, keys, resizing, a clean end."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.control import Control
from rich.screen import Screen as FullScreen


class Interrupts:
    """While it is entered, SIGINT and SIGTERM set `ended` instead of ending the process; a second one raises
    `KeyboardInterrupt`, for whoever will not wait.

    For the main thread.
    """

    def __init__(self) -> None:
        self.ended = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        # A signal writes a byte here, so that `wait` wakes up for it.
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number, handler in (
            (signal.SIGINT, self._end),
            (signal.SIGTERM, self._end),
            (signal.SIGWINCH, _nothing),
        ):
            self._before[number] = signal.signal(number, handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._read)
        os.close(self._write)

    def wait(self, seconds: float, *also: int) -> bool:
        """Waits for a signal, or for one of the file descriptors `also` to be readable; whether one is."""
        ready, _, _ = select.select([self._read, *also], [], [], seconds)
        if self._read in ready:
            os.read(self._read, 1024)
        return any(number in ready for number in also)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self.ended:
            raise KeyboardInterrupt
        self.ended = True


def _nothing(number: int, frame: FrameType | None) -> None:
    """A handler that only lets the wake-up byte be written."""


class Screen:
    """The alternate screen of `console`, without cursor; keys arrive unechoed, one by one.

    The terminal is as before once it is left, however it is left.
    """

    def __init__(self, console: Console, interrupts: Interrupts) -> None:
        self._console = console
        self._interrupts = interrupts
        self._keys: int | None = None
        self._before: list[Any] | None = None

    def __enter__(self) -> Self:
        if sys.stdin is not None and sys.stdin.isatty():
            self._keys = sys.stdin.fileno()
            self._before = termios.tcgetattr(self._keys)
            tty.setcbreak(self._keys)
        self._console.set_alt_screen(True)
        self._console.show_cursor(False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._console.show_cursor(True)
        self._console.set_alt_screen(False)
        if self._keys is not None and self._before is not None:
            termios.tcsetattr(self._keys, termios.TCSADRAIN, self._before)

    def show(self, frame: RenderableType) -> None:
        """Draws `frame` over the whole screen in one write."""
        with self._console:
            self._console.control(Control.home())
            self._console.print(FullScreen(frame), end="")

    def wait(self, seconds: float) -> str:
        """The keys pressed, or "" when the time is over or the terminal has another size."""
        if self._keys is None:
            self._interrupts.wait(seconds)
        elif self._interrupts.wait(seconds, self._keys):
            return os.read(self._keys, 64).decode(errors="replace")
        return ""
