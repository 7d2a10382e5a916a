"""What the app adds to every process of a Django project, and what the shortest command takes, beside Django itself.

    python benchmarks/loading.py [--rounds 10]

The stand-alone service's apps without ours, with ours, and `database_monitor status`, in turn, each a process of its own. Processor time is
the smallest of the rounds, memory the most that was resident. Goal: the app adds no more than Django and its own apps take.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BARE = """
from service.settings import *
INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "dbvigil"]
"""
_SET_UP = ("-c", "import django; django.setup()")
GOAL = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="dbvigil-bench-") as folder:
        Path(folder, "without_dbvigil.py").write_text(_BARE)
        os.environ.update(DBVIGIL_HOME=folder, PYTHONPATH=f"{folder}:{ROOT}")
        _measured("service.settings", ("manage.py", "migrate", "--verbosity", "0"))
        cases: dict[str, tuple[str, Sequence[str]]] = {
            "Django and its apps": ("without_dbvigil", _SET_UP),
            "and dbvigil": ("service.settings", _SET_UP),
            "database_monitor status": (
                "service.settings",
                ("manage.py", "database_monitor", "status", "--json"),
            ),
        }
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in cases}
        for _ in range(rounds):
            for name, (settings, command) in cases.items():
                taken[name].append(_measured(settings, command))
    least = {name: min(seconds for seconds, _ in found) for name, found in taken.items()}
    for name, found in taken.items():
        memory = max(mebibytes for _, mebibytes in found)
        ratio = least[name] / least["Django and its apps"]
        print(f"{name:<26} {least[name]:.3f} s of processor time, {memory:.0f} MiB, {ratio:.2f} of Django's")
    ratio = least["and dbvigil"] / least["Django and its apps"]
    print(f"goal: at most {GOAL:g} of Django's: {'met' if ratio <= GOAL else 'MISSED'}")


def _measured(settings: str, command: Sequence[str]) -> tuple[float, float]:
    """Seconds of processor time, and MiB."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": settings},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
