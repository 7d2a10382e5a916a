"""A process tells of its connections: one row, renewed by a thread of its own that starts with the first connection."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from collections import deque
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Any

from django.apps import apps
from django.db import DatabaseError, InterfaceError, connections

from dbvigil.connections import pools
from dbvigil.connections.tracking import TRACKER, install

logger = logging.getLogger("dbvigil.connections")

EVERY_SECONDS = 30.0
FIRST_SECONDS = 3.0
POINTS = 60
"""So many earlier counts go with a row: half an hour."""
KEEP = timedelta(days=1)
_SILENT = ("migrate", "makemigrations", "test", "collectstatic", "check")


class Reporter:
    """Writes this process's row. One a process; a fork begins anew."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._started_at = datetime.now(UTC)
        self._past: dict[str, deque[list[float]]] = {}
        self._troubled = False
        TRACKER.ours.clear()

    def start(self) -> None:
        """Starts the thread unless it runs."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="dbvigil-connections", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        TRACKER.ours.add(threading.get_ident())
        pause = threading.Event()
        pause.wait(FIRST_SECONDS)
        apps.ready_event.wait()
        while True:
            try:
                self.report(datetime.now(UTC))
                self._troubled = False
            except (DatabaseError, InterfaceError) as error:
                if not self._troubled:
                    logger.warning("connections are not reported: %s", type(error).__name__)
                self._troubled = True
            except Exception:
                # A fault of ours, or of a pool that is watched, must not end in the project's process; the log has the place.
                logger.exception("connections could not be reported")
            finally:
                connections.close_all()
            pause.wait(EVERY_SECONDS)

    def report(self, now: datetime) -> None:
        """Writes the row as of `now`, and removes rows of processes that are long gone. Raises `DatabaseError`."""
        from dbvigil.models import ConnectionProcess  # noqa: PLC0415 - this module is loaded before the registry is full

        host, pid = socket.gethostname(), os.getpid()
        ConnectionProcess.objects.update_or_create(
            identity=f"{host}:{pid}:{self._started_at.timestamp():.3f}",
            defaults={
                "host": host,
                "pid": pid,
                "program": _program(),
                "started_at": self._started_at,
                "seen_at": now,
                "databases": self._figures(now),
                "pools": [asdict(one) for one in pools.counts()],
            },
        )
        ConnectionProcess.objects.filter(seen_at__lt=now - KEEP).delete()

    def _figures(self, now: datetime) -> dict[str, Any]:
        found = TRACKER.figures()
        for alias, figures in found.items():
            past = self._past.setdefault(alias, deque(maxlen=POINTS))
            past.append([round(now.timestamp(), 1), figures["open"], figures["in_use"]])
            figures["past"] = list(past)
        return found


REPORTER = Reporter()


def _program() -> str:
    """What a process is called by people: the program and, of a Django command, its name; no further arguments, which may be secret."""
    path = PurePath(sys.argv[0] if sys.argv else "")
    name = path.parent.name if path.name == "__main__.py" else path.name
    command = sys.argv[1] if name in ("manage.py", "django-admin") and len(sys.argv) > 1 else ""
    return f"{name} {command}".strip()[:100]


def arrange() -> None:
    """Watches and reports this process; one that migrates or runs tests is left alone."""
    name = PurePath(sys.argv[0] if sys.argv else "").name
    if (
        name.startswith(("pytest", "py.test"))
        or "pytest" in sys.modules
        or any(word in _SILENT for word in sys.argv[1:2])
    ):
        return
    install()
    TRACKER.on_first = REPORTER.start
    os.register_at_fork(after_in_child=REPORTER.reset)
    os.register_at_fork(after_in_child=pools.forked)
