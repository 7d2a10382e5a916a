"""The command as people and programs run it: real processes, real servers, real terminals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dbvigil.sandbox import PrivateServer
from tests.support.servers import monitoring_url
from tests.support.service import ROOT, Service
from tests.support.waiting import PATIENCE

COMMAND = (sys.executable, "manage.py", "database_monitor")
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
TOP_LEFT = b"\x1b[H"
LAST = b"that was all"
NOBODY = "mysql://dbvigil:hidden@127.0.0.1:1/"


@pytest.fixture
def shop(service: Service, mariadb: PrivateServer) -> Service:
    service.targets = {"shop": monitoring_url(mariadb)}
    return service


def fails(service: Service, *arguments: str) -> str:
    """The one line that a command which cannot do its work says."""
    done = service.manage("database_monitor", *arguments, expect=1)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("database_monitor: ")
    return line


# documents and lines


def test_once_samples_each_target_and_leaves_nothing_running(shop: Service) -> None:
    shop.targets = {**shop.targets, "gone": NOBODY}
    document = shop.command("start", "--once")
    assert document["databases"]["shop"]["up"] is True
    assert document["databases"]["gone"]["up"] is False
    assert "connection refused" in document["databases"]["gone"]["error"]
    # The second comes two seconds after the first, which a busy machine may take to stop.
    assert shop.samples("shop") in (1, 2) and shop.samples("gone") == 1
    assert shop.health()["monitor"]["running"] is False
    text = shop.manage("database_monitor", "start", "--once").stdout
    assert re.search(r"^shop +healthy +100 ", text, re.MULTILINE)
    assert re.search(r"^gone +down +0 ", text, re.MULTILINE)
    assert "hidden" not in text and "\x1b" not in text


def test_start_says_what_it_does_and_that_it_has_stopped(shop: Service) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        process = shop.start_monitor("--interval", "1")
        process.send_signal(number)
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert output.splitlines() == [
            "Monitoring shop every 1 s. Ctrl-C stops it.",
            "The monitor has stopped.",
        ]


def test_start_with_json_writes_its_document_once_it_runs_and_nothing_else(shop: Service) -> None:
    process = shop.start_monitor("--interval", "1", "--json")
    process.terminate()
    output, _ = process.communicate(timeout=PATIENCE)
    document = json.loads(output)
    assert document["running"] is True and document["since"].endswith("Z")
    assert (document["databases"], document["interval_seconds"], document["standby"]) == (
        ["shop"],
        1.0,
        False,
    )


def test_stop_waits_and_says_so_and_start_tells_who_stopped_it(shop: Service) -> None:
    process = shop.start_monitor("--interval", "1")
    assert shop.manage("database_monitor", "stop").stdout == "The monitor has stopped.\n"
    output, _ = process.communicate(timeout=PATIENCE)
    assert output.splitlines()[-1] == "The monitor has stopped, as it was told elsewhere."
    assert shop.manage("database_monitor", "stop").stdout == "No monitor is running.\n"
    assert shop.command("stop")["was_running"] is False


def test_a_second_start_says_that_it_stands_by(shop: Service) -> None:
    shop.start_monitor("--interval", "1")
    second = shop.start_monitor("--interval", "1")
    second.terminate()
    output, _ = second.communicate(timeout=PATIENCE)
    assert output.startswith("Another monitor runs; this one stands by")


def test_metrics_with_hours_agree_with_the_samples(shop: Service) -> None:
    shop.start_monitor("--interval", "1")
    shop.wait_for(lambda: shop.samples("shop") >= 4)
    document = shop.command("metrics", "--database", "shop", "--hours", "0.1")
    queries = document["history"]["shop"]["queries_rate"]
    assert queries["min"] <= queries["mean"] <= queries["max"]
    assert len(queries["points"]) >= 3
    assert [row[0] for row in queries["points"]] == sorted(row[0] for row in queries["points"])
    text = shop.manage("database_monitor", "metrics", "--hours", "1").stdout
    assert re.search(r"^shop +max_connections +151 +151 +151 +151 +\S+$", text, re.MULTILINE)


def test_standard_output_is_json_alone_while_logs_go_elsewhere(shop: Service) -> None:
    shop.targets = {"gone": NOBODY}
    done = shop.manage("database_monitor", "start", "--once", "--json")
    assert "gone is down" in done.stderr
    assert json.loads(done.stdout)["databases"]["gone"]["status"] == "down"


def test_a_reader_that_has_seen_enough_is_no_error(shop: Service) -> None:
    shop.command("start", "--once")
    command = f"{sys.executable} manage.py database_monitor metrics | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=shop.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[1] == "0"
    assert done.stderr == ""


# trouble with the service's own database


def test_a_database_that_was_never_migrated_asks_for_it(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.targets = {"shop": NOBODY}
    for action in ("start", "stop", "status", "metrics", "config"):
        assert "run: python manage.py migrate" in fails(service, action)
    assert "run: python manage.py migrate" in fails(service, "status", "--watch")
    assert "run: python manage.py migrate" in fails(service, "start", "--once", "--json")


def test_a_database_that_is_none_and_one_that_is_elsewhere_are_told_apart(shop: Service) -> None:
    shop.extra = {"DATABASE_URL": f"sqlite:///{shop.folder}/missing/dbvigil.sqlite3"}
    assert "check that its folder exists" in fails(shop, "status")
    (shop.folder / "text.sqlite3").write_text("this is no database, whatever its name says\n" * 100)
    shop.extra = {"DATABASE_URL": f"sqlite:///{shop.folder}/text.sqlite3"}
    assert "damaged or another program's" in fails(shop, "status")
    shop.extra = {"DATABASE_URL": "postgres://ada:hidden@127.0.0.1:1/dbvigil"}
    line = fails(shop, "status")
    assert "check that it runs" in line and "hidden" not in line


def test_a_database_that_another_process_holds_is_told(shop: Service) -> None:
    with closing(sqlite3.connect(shop.home / "dbvigil.sqlite3")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert "try again in a moment" in fails(shop, "start", "--interval", "2")
        assert shop.health()["monitor"]["running"] is False


# terminals


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, service: Service, size: tuple[int, int], *arguments: str, **environment: str) -> None:
        self.ours, self._theirs = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.ours)
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=ROOT,
            env={**service.environment, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **environment},
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
        )
        self.output = b""

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if hasattr(self, "process"):
            self.process.send_signal(signal.SIGWINCH)

    def read_until(self, pattern: str) -> None:
        """Reads until `pattern` is found on the screen."""
        self.wait_for(lambda: re.search(pattern, self.screen()))

    def wait_for(self, done: Callable[[], object]) -> None:
        """Reads until `done` is true."""
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, f"it never came\n{self.output.decode()[-3000:]}"
            self._read(0.1)

    def screen(self) -> str:
        """What was drawn last, without its colors."""
        shown = self.output.rsplit(TOP_LEFT, 1)[-1].decode(errors="replace").replace("\r", "")
        return re.sub(r"\x1b\[[0-9;]*m", "", shown)

    def press(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def end(self) -> int:
        """Waits for the process and reads what is left; its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read(0.1)
        code = self.process.wait(1)
        # What it wrote last may still be on its way through the kernel; what is written after it comes after it.
        os.write(self._theirs, LAST)
        self.wait_for(lambda: self.output.endswith(LAST))
        self.output = self.output.removesuffix(LAST)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.ours)
        os.close(self._theirs)

    def _read(self, seconds: float) -> None:
        while select.select([self.ours], [], [], seconds)[0]:
            self.output += os.read(self.ours, 65536)
            seconds = 0


@contextmanager
def terminal(
    service: Service, size: tuple[int, int], *arguments: str, **environment: str
) -> Iterator[Terminal]:
    found = Terminal(service, size, *arguments, **environment)
    try:
        yield found
    finally:
        found.close()


def left_as_found(found: Terminal) -> bool:
    """Whether the terminal is on its first screen, with its cursor, echoing keys as before."""
    shown = found.output
    return (
        shown.count(ENTER) == shown.count(LEAVE) == 1
        and shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l")
        and termios.tcgetattr(found.ours) == found.before
    )


@pytest.mark.parametrize("size", [(120, 32), (80, 24), (60, 20), (40, 12)])
def test_the_live_view_fits_any_terminal_and_quits_on_q(shop: Service, size: tuple[int, int]) -> None:
    shop.command("start", "--once")
    with terminal(shop, size, "status", "--watch") as found:
        found.read_until("q quits")
        lines = found.screen().split("\n")
        assert len(lines) == size[1] and max(map(len, lines)) <= size[0]
        assert "shop" in found.screen() and "no monitor runs" in found.screen()
        found.press(b"\x1b[A")
        found.press(b"q")
        assert found.end() == 0
        assert left_as_found(found)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_live_view_and_leaves_the_terminal_as_it_was(shop: Service, number: int) -> None:
    with terminal(shop, (80, 24), "status", "--watch") as found:
        found.read_until("q quits")
        found.process.send_signal(number)
        assert found.end() == 0
        assert left_as_found(found)


def test_the_live_view_follows_the_terminals_size_at_once(shop: Service) -> None:
    shop.command("start", "--once")
    with terminal(shop, (120, 30), "status", "--watch") as found:
        found.read_until("╭")
        found.resize(40, 10)
        # Both at once: a frame of the old size that has arrived in part can have ten lines too.
        found.wait_for(lambda: len(lines := found.screen().split("\n")) == 10 and max(map(len, lines)) <= 40)
        found.press(b"q")
        assert found.end() == 0


def test_the_live_view_shows_new_samples(shop: Service) -> None:
    shop.start_monitor("--interval", "1")
    with terminal(shop, (100, 24), "status", "--watch") as found:
        found.read_until("monitor running")
        # The first rate needs two samples, and the line grows with each.
        found.read_until(r"queries +\S+/s [ ▁-█]*[▁-█]{3}")
        found.press(b"q")
        assert found.end() == 0


def test_start_with_watch_runs_the_monitor_under_the_view(shop: Service) -> None:
    shop.targets = {**shop.targets, "gone": NOBODY}
    with terminal(shop, (100, 30), "start", "--watch", "--interval", "1") as found:
        found.read_until("✕ 1 down")
        found.read_until("● 1 healthy")
        # Log lines are part of the frame, which stays as large as the terminal. It may arrive in parts, of which the keys are the last.
        found.read_until(r"WARNING dbvigil.monitor: gone is down(?s:.*)q quits")
        assert len(found.screen().split("\n")) == 30
        assert shop.health()["monitor"]["running"] is True
        found.press(b"q")
        assert found.end() == 0
        assert left_as_found(found)
        assert b"The monitor has stopped." in found.output.rsplit(LEAVE, 1)[1]
        assert b"gone is down" in found.output.rsplit(LEAVE, 1)[1]
    assert shop.health()["monitor"]["running"] is False
    assert shop.holder("shop") == ""


def test_stop_said_elsewhere_ends_start_with_watch(shop: Service) -> None:
    with terminal(shop, (100, 30), "start", "--watch", "--interval", "1") as found:
        found.read_until("● 1 healthy")
        shop.manage("database_monitor", "stop")
        assert found.end() == 0
        assert left_as_found(found)
        assert b"as it was told elsewhere" in found.output


def test_the_live_view_lives_through_trouble_with_its_database(shop: Service) -> None:
    shop.command("start", "--once")
    with terminal(shop, (140, 24), "status", "--watch") as found:
        found.read_until("● 1 healthy")
        with closing(sqlite3.connect(shop.home / "dbvigil.sqlite3", timeout=10)) as connection:
            connection.execute("ALTER TABLE dbvigil_targetstate RENAME TO away")
            found.read_until("the service's own database cannot be used")
            assert "shop" in found.screen()
            connection.execute("ALTER TABLE away RENAME TO dbvigil_targetstate")
        # Of a frame that has arrived in part nothing can be said.
        found.wait_for(lambda: "q quits" in found.screen() and "cannot be used" not in found.screen())
        found.press(b"q")
        assert found.end() == 0


def test_one_look_on_a_terminal_is_drawn_and_stays(shop: Service) -> None:
    shop.command("start", "--once")
    for action in ("status", "metrics", "config"):
        with terminal(shop, (100, 30), action) as found:
            assert found.end() == 0
            assert b"\x1b[" in found.output and ENTER not in found.output
        with terminal(shop, (100, 30), action, NO_COLOR="1") as found:
            assert found.end() == 0
            assert not re.search(rb"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38)[;m]", found.output)


def test_a_terminal_that_can_do_nothing_gets_plain_text(shop: Service) -> None:
    shop.command("start", "--once")
    with terminal(shop, (100, 30), "status", TERM="dumb") as found:
        assert found.end() == 0
        assert b"\x1b" not in found.output and b"DATABASE" in found.output


def test_without_utf8_the_drawing_is_ascii(shop: Service) -> None:
    shop.command("start", "--once")
    with terminal(shop, (100, 30), "status", "--watch", PYTHONIOENCODING="ascii") as found:
        found.read_until("o 1 healthy")
        found.press(b"q")
        assert found.end() == 0
        assert found.output.isascii()


def test_watch_in_a_pipe_is_one_line_for_every_new_sample(shop: Service) -> None:
    shop.start_monitor("--interval", "1")
    shop.wait_for(lambda: shop.samples("shop") >= 1)
    process = shop.popen(*COMMAND, "status", "--watch")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    pattern = r"\d{4}-\d\d-\d\dT\S+Z shop healthy score=100 connections=\d+/151 queries=\S+\n"
    assert all(re.fullmatch(pattern, line) for line in lines), lines
