"""Start processes that cannot outlive this one."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

Process = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class _Order:
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str]
    process: Future[Process] = field(default_factory=Future)


_orders: queue.SimpleQueue[_Order] | None = None
_lock = threading.Lock()


def start(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Process:
    """Run `command` with its output added to `log`; it is killed when this process ends, in any way.

    The death signal is SIGKILL and no gentler one, because a stopped process acts on no other.
    """
    global _orders
    with _lock:
        if _orders is None:
            _orders = queue.SimpleQueue()
            threading.Thread(target=_work, args=(_orders,), name="sandbox-starter", daemon=True).start()
    order = _Order(["setpriv", "--pdeathsig", "KILL", *command], log, environment)
    _orders.put(order)
    return order.process.result()


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used since its start, user and system."""
    fields = _stat(Path(f"/proc/{pid}/stat"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class ProcessorTime:
    """CPU time that a process uses while it is looked at, as finely as the scheduler counts it: fine enough for a single statement."""

    def __init__(self, pid: int) -> None:
        self._threads = Path(f"/proc/{pid}/task")
        self._seen: dict[str, int] = {}
        self._total = 0

    def milliseconds(self) -> float | None:
        """Since the first look; what a thread has done after the last look before its end is lost. None where the kernel does not say."""
        for place in self._threads.glob("*/schedstat"):
            try:
                used = int(place.read_text(encoding="ascii").split()[0])
            except (FileNotFoundError, ProcessLookupError):
                continue  # the thread ended while it was looked at
            before = self._seen.get(place.parent.name, 0)
            # A number may be given to another thread, which begins anew.
            self._total += used - before if used >= before else used
            self._seen[place.parent.name] = used
        return self._total / 1e6 if any(self._seen.values()) else None


def is_paused(pid: int) -> bool | None:
    """Whether a process is stopped by a signal in all its threads; None while it is on the way."""
    try:
        states = {_stat(thread)[0] == "T" for thread in Path(f"/proc/{pid}/task").glob("*/stat")}
    except (FileNotFoundError, ProcessLookupError):
        return None  # a thread ended while it was looked at, so the next look tells
    return states.pop() if len(states) == 1 else None


def _stat(path: Path) -> list[str]:
    """The fields of a /proc stat file from the state on; the name before it may hold spaces and brackets."""
    return path.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()


def _work(orders: queue.SimpleQueue[_Order]) -> None:
    """Start every process from this one thread, which lives as long as the interpreter.

    The kernel sends the death signal when the thread that started a process ends, so a server started from a
    short-lived thread would die with that thread.
    """
    while True:
        order = orders.get()
        try:
            with open(order.log, "ab") as log:
                # A session of its own: Ctrl-C is meant for the monitor, not for the databases it watches.
                process = subprocess.Popen(
                    order.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=order.environment,
                    start_new_session=True,
                )
        except OSError as error:
            order.process.set_exception(error)
        else:
            order.process.set_result(process)


def _forget() -> None:
    """A forked child has no starter thread; it makes its own."""
    global _orders, _lock
    _orders = None
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget)
