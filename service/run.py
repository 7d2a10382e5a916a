"""`make run`: the web server, the monitor and, without targets of one's own, a demo shop, in the foreground.

Prints one line on standard output when everything answers. SIGINT or SIGTERM stops all that was started and
ends with exit code 0. A part that ends by itself is started again, later each time, apart from a monitor that
somebody told to stop.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")

_READY_WITHIN = 60.0
_STOP_WITHIN = 10.0
_PR_SET_PDEATHSIG = 1


class RunError(Exception):
    """Why the service cannot run, in one line."""


def main() -> int:
    ended = threading.Event()

    def end(signum: int, frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    try:
        run(ended)
    except RunError as error:
        print(f"dbvigil: {error}", file=sys.stderr)
        return 1
    return 0


def run(ended: threading.Event) -> None:
    """Starts everything, says so, and keeps it running until `ended`."""
    port = _port(os.environ.get("PORT") or "8000")
    environment = dict(os.environ)
    with contextlib.ExitStack() as stack:
        token, password = prepare()
        if not environment.get("DB_MONITORING_TARGETS", "").strip():
            from service.demo.shop import DemoShop  # noqa: PLC0415 - needs servers that a site with targets does not

            shop = stack.enter_context(DemoShop(_home() / "demo"))
            targets = " ".join(f"{alias}={url}" for alias, url in shop.urls.items())
            environment["DB_MONITORING_TARGETS"] = targets
        parts = [
            Part("web", web_command(port), environment, stop=signal.SIGTERM),
            Part(
                "monitor",
                [sys.executable, "manage.py", "database_monitor", "start"],
                environment,
                may_end=True,
            ),
        ]
        for part in parts:
            stack.callback(part.end)
            part.start()
        url = f"http://127.0.0.1:{port}/"
        if not _wait_until_ready(url, token, parts, ended):
            return
        print(f"dbvigil ready: {url} user=admin password={password} token={token}", flush=True)
        while not ended.wait(0.25):
            for part in parts:
                part.tend(time.monotonic())


@dataclass(slots=True)
class Part:
    """One child process. `may_end` allows it to end with exit code 0 for good."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    stop: signal.Signals = signal.SIGTERM
    may_end: bool = False
    process: subprocess.Popen[bytes] | None = None
    failures: int = 0
    again_at: float = field(default=0.0)

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            env=dict(self.environment),
            cwd=Path(__file__).parents[1],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            # In a session of its own, a Ctrl-C reaches the parts through us alone, so that they end in order.
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - it only makes a system call
        )

    def tend(self, now: float) -> None:
        """Starts it again where it ended by itself, after a pause that grows with every failure."""
        if self.process is None:
            if self.again_at and now >= self.again_at:
                self.again_at = 0.0
                self.start()
            return
        code = self.process.poll()
        if code is None:
            return
        self.process = None
        if code == 0 and self.may_end:
            _say(f"the {self.name} has stopped; the rest goes on")
            return
        self.failures += 1
        pause = min(60.0, 0.5 * 2**self.failures)
        self.again_at = now + pause
        _say(f"the {self.name} ended with code {code}; it is started again in {pause:g} s")

    def end(self) -> None:
        """Stops it, first politely."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(self.stop)
        try:
            self.process.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            _say(f"the {self.name} does not stop and is killed")
            self.process.kill()
            self.process.wait()


def prepare() -> tuple[str, str]:
    """The database migrated, the administrator and a token made where they are missing.

    Token and password.
    """
    import django  # noqa: PLC0415 - only now are the settings meant to be read

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415
    from django.core.management.base import SystemCheckError  # noqa: PLC0415
    from django.db import DatabaseError, connections  # noqa: PLC0415

    try:
        call_command("check", verbosity=0)
        call_command("migrate", verbosity=0, interactive=False)
        password, token = _administrator(), _token()
    except SystemCheckError as error:
        raise RunError(" ".join(str(error).split())) from None
    except DatabaseError as error:
        raise RunError(f"the service's own database cannot be used: {error}") from None
    finally:
        connections.close_all()
    return token, password


def _administrator() -> str:
    from django.contrib.auth import get_user_model  # noqa: PLC0415

    path = _home() / "admin_password"
    users = get_user_model().objects
    if users.filter(username="admin").exists():
        return path.read_text().strip() if path.exists() else "(as you set it)"
    password = secrets.token_urlsafe(12)
    users.create_superuser("admin", "", password)
    _write_secret(path, password)
    return password


def _token() -> str:
    """The token in `$DBVIGIL_HOME/token` where it still holds, else a new one."""
    from django.contrib.auth import get_user_model  # noqa: PLC0415

    from dbvigil.api import tokens  # noqa: PLC0415

    path, now = _home() / "token", datetime.now(UTC)
    if path.exists():
        token = path.read_text().strip()
        if tokens.find(token, now) is not None:
            return token
    _row, token = tokens.create(get_user_model().objects.get(username="admin"), now)
    _write_secret(path, token)
    return token


def _write_secret(path: Path, secret: str) -> None:
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(secret + "\n")


def _wait_until_ready(url: str, token: str, parts: list[Part], ended: threading.Event) -> bool:
    """Whether web and monitor answer.

    False where we were told to end before. Raises `RunError` where they never do.
    """
    request = urllib.request.Request(
        f"{url}core/api/monitoring/health/", headers={"Authorization": f"Bearer {token}"}
    )
    deadline = time.monotonic() + _READY_WITHIN
    while not ended.is_set():
        for part in parts:
            if part.process is not None and part.process.poll() is not None:
                raise RunError(
                    f"the {part.name} ended while starting, with code {part.process.returncode}; see above"
                )
        with contextlib.suppress(OSError, ValueError):
            with urllib.request.urlopen(request, timeout=5) as answer:
                health = json.load(answer)
            sampled = all(entry["last_sample"] for entry in health["databases"].values())
            if health["monitor"]["running"] and sampled:
                return True
        if time.monotonic() > deadline:
            raise RunError(f"nothing answers at {url} after {_READY_WITHIN:g} s; see above")
        ended.wait(0.1)
    return False


def web_command(port: int) -> list[str]:
    return [
        sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--workers", "2", "--threads", "8",
        "--bind", f"127.0.0.1:{port}", "--log-level", "warning", "--graceful-timeout", "5", "service.wsgi",
    ]  # fmt: skip


def _port(text: str) -> int:
    """The port to serve on; raises `RunError` where it is none or taken."""
    try:
        port = int(text)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    except (ValueError, OverflowError):
        raise RunError(f"PORT: {text!r} is not allowed; allowed: 0 to 65535") from None
    except OSError as error:
        raise RunError(
            f"PORT: {text} cannot be used ({error.strerror}); stop what uses it or choose another"
        ) from None


def _home() -> Path:
    from django.conf import settings  # noqa: PLC0415

    return Path(settings.HOME)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _say(text: str) -> None:
    print(f"dbvigil: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
