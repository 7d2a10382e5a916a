"""DB_MONITORING_AUTOSTART: the monitor as a thread of the web process.

Each web worker starts one; the leases let a single one sample, the others stand by and take over when that
worker goes. In a server that is known by name it starts with the process, in any other with the first
request. Management commands do not start it, apart from `runserver`'s serving process.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import PurePath

from django.apps import apps
from django.core.signals import request_started

from dbvigil import conf
from dbvigil.errors import ConfigurationError

logger = logging.getLogger("dbvigil.monitor")

_SERVERS = frozenset(
    (
        "gunicorn",
        "uwsgi",
        "uvicorn",
        "daphne",
        "hypercorn",
        "granian",
        "waitress-serve",
        "waitress",
        "mod_wsgi",
        "httpd",
        "apache2",
    )
)
_COMMAND_LINES = frozenset(("manage.py", "django-admin", "django-admin.py", "django", "pytest", "py.test"))


class Role(Enum):
    """What a process is, judged by how it was started."""

    SERVER = "serves from its start"
    COMMAND = "runs a command and serves nothing"
    UNKNOWN = "tells by its first request"


def role(argv: Sequence[str], environ: Mapping[str, str]) -> Role:
    """Judges a process by its command line; `runserver`'s reloader is a command, its child the server."""
    path = PurePath(argv[0] if argv else "")
    program = path.parent.name if path.name == "__main__.py" else path.name
    if program in _SERVERS:
        return Role.SERVER
    if program not in _COMMAND_LINES:
        return Role.UNKNOWN
    serving = "runserver" in argv[1:2] and ("--noreload" in argv or environ.get("RUN_MAIN") == "true")
    return Role.SERVER if serving else Role.COMMAND


def arrange() -> None:
    """Starts the monitor in this process, and in each that is forked from it, where the setting says so."""
    try:
        wanted = conf.load().autostart
    except ConfigurationError:
        # The system checks report a wrong setting with its name; starting on it would only add a traceback.
        return
    if not wanted:
        return
    match role(sys.argv, os.environ):
        case Role.SERVER:
            os.register_at_fork(after_in_child=_start_soon)
            _start_soon()
        case Role.UNKNOWN:
            request_started.connect(_start_on_request, dispatch_uid="dbvigil.autostart")
        case Role.COMMAND:
            pass


def _start_on_request(**kwargs: object) -> None:
    request_started.disconnect(dispatch_uid="dbvigil.autostart")
    _start_soon()


def _start_soon() -> None:
    threading.Thread(target=_start, name="dbvigil-autostart", daemon=True).start()


def _start() -> None:
    # The registry is still being filled when an app's `ready` runs.
    apps.ready_event.wait()
    from dbvigil.monitoring import get_database_monitor  # noqa: PLC0415 - models cannot be imported before the registry is full

    get_database_monitor().start(standby=True)
    logger.info("the monitor thread runs in process %d", os.getpid())
