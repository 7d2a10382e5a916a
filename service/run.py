"""`make run`: the web server, the monitor and, without targets of one's own, a demo shop, in the foreground.

Prints one line on standard output when everything answers. SIGINT or SIGTERM stops all that was started and
ends with exit code 0. A part that ends by itself is started again, later each time, apart from a monitor that
somebody told to stop.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from dbvigil.errors import ConfigurationError
from dbvigil.sandbox import SandboxError
from service.demo.shop import DemoShop
from service.home import using_home
from service.parts import Part, say

_READY_WITHIN = 60.0
DEMO_TARGETS = "demo-targets"
"""Where in the home the settings find the demo's targets."""
# Ours is on this machine, so no proxy of the environment is asked for it.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class RunError(Exception):
    """Why the service cannot run, in one line."""


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")
    # What is kept in the home is for its owner alone.
    os.umask(0o077)
    ended = threading.Event()

    def end(signum: int, frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Under nohup a closed terminal is to be ignored, and stays so.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        run(ended)
    except (RunError, ImproperlyConfigured) as error:
        say(str(error))
        return 1
    return 0


def run(ended: threading.Event) -> None:
    """Starts everything, says so, and keeps it running until `ended`; raises `RunError`."""
    port = _port(os.environ.get("PORT") or "8000")
    home = _set_up()
    # Links in messages lead here, unless people reach it under another address.
    environment = {"DB_ALERT_BASE_URL": f"http://127.0.0.1:{port}/", **os.environ}
    with contextlib.ExitStack() as stack:
        with using_home():
            stack.enter_context(_sole_use(home))
            # One that was killed could not take back what it had told.
            (home / DEMO_TARGETS).unlink(missing_ok=True)
        password, token = _prepare(home)
        tends = []
        demo: Collection[str] = ()
        if not environment.get("DB_MONITORING_TARGETS", "").strip():
            try:
                shop = stack.enter_context(DemoShop(home / "demo"))
            except SandboxError as error:
                raise RunError(f"the demo's servers cannot be started: {error}") from None
            demo = shop.urls
            environment["DB_MONITORING_TARGETS"] = stack.enter_context(_told(home, demo))
            tends.append(shop.tend)
        parts = [
            Part("web server", web_command(port), environment),
            Part("monitor", [sys.executable, "manage.py", "database_monitor", "start"], environment, True),
        ]
        since = datetime.now(UTC)
        for part in parts:
            stack.callback(part.end)
            part.start()
            tends.append(part.tend)
        url = f"http://127.0.0.1:{port}/"
        if not _wait_until_ready(url, token, parts, demo, since, ended):
            return
        print(f"dbvigil ready: {url} user=admin password={password} token={token}", flush=True)
        while not ended.wait(0.25):
            for tend in tends:
                tend(time.monotonic())


def web_command(port: int) -> list[str]:
    """What serves the web on 127.0.0.1:`port`."""
    return [
        sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--workers", "2", "--threads", "8",
        "--bind", f"127.0.0.1:{port}", "--log-level", "warning", "--graceful-timeout", "5", "service.wsgi",
    ]  # fmt: skip


def _set_up() -> Path:
    """Django with the service's settings, checked; the home folder. Raises `RunError` where they are wrong."""
    import django  # noqa: PLC0415 - only now are the settings meant to be read
    from django.conf import settings  # noqa: PLC0415
    from django.core.checks import run_checks  # noqa: PLC0415

    try:
        django.setup()
    except (ImproperlyConfigured, ConfigurationError) as error:
        raise RunError(str(error)) from None
    wrong = [message.msg for message in run_checks() if message.is_serious()]
    if wrong:
        raise RunError("; ".join(wrong))
    return Path(settings.HOME)


@contextlib.contextmanager
def _sole_use(home: Path) -> Iterator[None]:
    """Holds the home folder; raises `RunError` where another run does, whose demo data would be ours too."""
    with (home / "run.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"DBVIGIL_HOME: {home} is in use by another run; stop it or choose another"
            ) from None
        yield


@contextlib.contextmanager
def _told(home: Path, demo: Mapping[str, str]) -> Iterator[str]:
    """The demo's targets as the setting has them, told to every command on this home while it runs."""
    targets = " ".join(f"{name}={url}" for name, url in demo.items())
    draft = home / f"{DEMO_TARGETS}.draft"
    draft.write_text(targets)
    draft.replace(home / DEMO_TARGETS)
    try:
        yield targets
    finally:
        (home / DEMO_TARGETS).unlink(missing_ok=True)


@using_home()
def _prepare(home: Path) -> tuple[str, str]:
    """The database migrated, the administrator and a token made where they are missing: password, token."""
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import DatabaseError, connections  # noqa: PLC0415

    from service import accounts  # noqa: PLC0415

    try:
        call_command("migrate", verbosity=0, interactive=False, stdout=io.StringIO())
        return accounts.administrator(home), accounts.token(home, datetime.now(UTC))
    except (DatabaseError, ImproperlyConfigured) as error:
        said = " ".join(str(error).split())
        raise RunError(f"DATABASE_URL: the service's own database cannot be used: {said}") from None
    finally:
        connections.close_all()


def _wait_until_ready(
    url: str, token: str, parts: list[Part], demo: Collection[str], since: datetime, ended: threading.Event
) -> bool:
    """Whether web and monitor answer and the `demo`'s targets were sampled `since` then.

    False where we were told to end before. Raises `RunError` where they never do.
    """
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{url}core/api/monitoring/health/", headers=headers)
    deadline = time.monotonic() + _READY_WITHIN
    while not ended.is_set():
        for part in parts:
            if part.exit_code is not None:
                raise RunError(f"the {part.name} ended while starting, with code {part.exit_code}; see above")
        # Until both are up: no connection, no answer, or one of a database that is just being written.
        with contextlib.suppress(OSError, ValueError), _OPENER.open(request, timeout=5) as answer:
            health = json.load(answer)
            if health["monitor"]["running"] and all(_sampled(health, alias, since) for alias in demo):
                return True
        if time.monotonic() > deadline:
            raise RunError(f"{url} and the monitor are not ready after {_READY_WITHIN:g} s; see above")
        ended.wait(0.1)
    return False


def _sampled(health: dict[str, Any], alias: str, since: datetime) -> bool:
    last = health["databases"].get(alias, {}).get("last_sample")
    return last is not None and datetime.fromisoformat(last) >= since


def _port(text: str) -> int:
    """The port to serve on, 0 for any that is free; raises `RunError` where it is none or taken."""
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


if __name__ == "__main__":
    raise SystemExit(main())
