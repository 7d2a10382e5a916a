"""`manage.py` under a wall clock that a test moves while the process runs; its monotonic clock goes on, as a host's does.

process = service.popen(sys.executable, "-m", "tests.support.moved_clock", str(file), "database_monitor", "start")
move(file, 3600)
"""

from __future__ import annotations

import os
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import time_machine
from django.core.management import execute_from_command_line

_LOOK_EVERY = 0.02


def move(file: Path, seconds: float) -> None:
    """From now on the clock of the processes that follow `file` is `seconds` ahead of the host's."""
    aside = file.with_suffix(".new")
    aside.write_text(str(seconds))
    aside.replace(file)


def _follow(file: Path, clock: time_machine.Traveller) -> None:
    ahead = 0.0
    while True:
        wanted = float(file.read_text())
        if wanted != ahead:
            clock.shift(timedelta(seconds=wanted - ahead))
            ahead = wanted
        time.sleep(_LOOK_EVERY)


def main() -> None:
    file = Path(sys.argv[1])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")
    with time_machine.travel(datetime.now().astimezone(), tick=True) as clock:
        threading.Thread(target=_follow, args=(file, clock), daemon=True).start()
        execute_from_command_line(["manage.py", *sys.argv[2:]])


if __name__ == "__main__":
    main()
