"""The supervisor's parts, with real child processes and a clock of the test's own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
import pytest

from service.parts import Part, back_off


def part(code: str, *, may_end: bool = False) -> Part:
    return Part("worker", [sys.executable, "-c", code], {}, may_end)


def wait(part: Part) -> None:
    assert part.process is not None
    part.process.wait(20)


def test_the_pauses_grow_to_a_minute_and_no_further() -> None:
    assert [back_off(n) for n in (1, 2, 3, 6, 7, 8, 5000)] == [1, 2, 4, 32, 60, 60, 60]


def test_a_part_that_fails_is_started_again_after_its_pause(capfd: pytest.CaptureFixture[str]) -> None:
    failing = part("raise SystemExit(3)")
    failing.start(100.0)
    for now, pause in ((101.0, 1.0), (103.0, 2.0), (106.0, 4.0)):
        wait(failing)
        failing.tend(now)
        assert failing.process is None
        failing.tend(now + pause - 0.1)
        assert failing.process is None
        failing.tend(now + pause)
        assert failing.process is not None
    assert "the worker ended with code 3; it is started again in 4 s" in capfd.readouterr().err
    wait(failing)


def test_a_part_that_ran_well_starts_afresh_with_short_pauses() -> None:
    failing = part("raise SystemExit(3)")
    failing.failures = 7
    failing.start(100.0)
    wait(failing)
    failing.tend(1000.0)
    assert failing.again_at == 1001.0


def test_only_a_part_that_may_end_ends_for_good(capfd: pytest.CaptureFixture[str]) -> None:
    ending, staying = part("", may_end=True), part("")
    for one in (ending, staying):
        one.start(100.0)
        wait(one)
        one.tend(101.0)
        one.tend(500.0)
    assert ending.process is None
    assert staying.process is not None
    assert "the worker has stopped; the rest goes on" in capfd.readouterr().err
    wait(staying)


def test_a_part_that_was_killed_says_by_what(capfd: pytest.CaptureFixture[str]) -> None:
    killed = part("import time; time.sleep(60)", may_end=True)
    killed.start(100.0)
    assert killed.process is not None
    killed.process.kill()
    wait(killed)
    killed.tend(101.0)
    assert killed.again_at == 102.0
    assert "the worker was ended by SIGKILL" in capfd.readouterr().err


def test_a_paused_part_ends_too() -> None:
    paused = part("import time; time.sleep(60)")
    paused.start()
    assert paused.process is not None
    paused.process.send_signal(signal.SIGSTOP)
    paused.end()
    assert paused.process.returncode == -signal.SIGTERM


def test_a_part_does_not_outlive_who_started_it() -> None:
    code = (
        "import sys, time; from service.parts import Part\n"
        "part = Part('worker', [sys.executable, '-c', 'import time; time.sleep(60)'], {}); part.start()\n"
        "print(part.process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        # Until `setpriv` has become the command, the signal of its parent's death is not set.
        deadline = time.monotonic() + 20
        while "setpriv" in child.name() and time.monotonic() < deadline:
            time.sleep(0.01)
        parent.kill()
    gone, alive = psutil.wait_procs([child], timeout=20)
    assert (len(gone), alive) == (1, [])
