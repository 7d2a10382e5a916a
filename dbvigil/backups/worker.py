"""The process that makes one backup, started by the monitor: `python -m dbvigil.backups.worker NUMBER`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

import django
import psutil


def step_back() -> None:
    """Lets everybody else go first, at the processor and at the disks; what is started from here does the same."""
    os.nice(19)
    # A container may forbid it; the backup is made all the same.
    with contextlib.suppress(OSError, psutil.Error):
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


def main(number: int) -> int:
    """Makes the backup that waits as `number`; 0 where it is good."""
    step_back()
    django.setup()
    from dbvigil import conf  # noqa: PLC0415 - models cannot be imported before the registry is full
    from dbvigil.backups.programs import Stop  # noqa: PLC0415
    from dbvigil.backups.running import Place, run  # noqa: PLC0415

    stop = Stop()
    signal.signal(signal.SIGTERM, lambda *_: stop.end("the monitor stopped"))
    configuration = conf.load()
    return 0 if run(number, Place(configuration.backups, configuration.targets), stop).status == "done" else 1


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1])))
