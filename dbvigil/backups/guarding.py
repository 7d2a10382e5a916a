"""What goes on around a backup: a beat that says it lives, an end to what takes too long, and a record that waits for its database."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import DatabaseError, InterfaceError, connections

from dbvigil.backups import jobs
from dbvigil.backups.errors import Ended
from dbvigil.backups.making import Progress
from dbvigil.backups.programs import Stop

logger = logging.getLogger("dbvigil.backups")

T = TypeVar("T")

_TRIES = 60
"""So many seconds what was done is tried to be put on record while the service's database is locked or away."""


def bounded(work: Coroutine[Any, Any, T], seconds: float, stop: Stop) -> T:
    """What `work` comes to; ended by `stop`, and after `seconds`."""

    async def bounded() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker; this is one
        stop.then(lambda: loop.call_soon_threadsafe(task.cancel))
        try:
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError:
            raise Ended(f"it took longer than {seconds / 3600:g} h, and was ended") from None
        except asyncio.CancelledError:
            stop.check()
            raise
        finally:
            stop.then(None)

    return asyncio.run(bounded())


@contextmanager
def beating(number: int, runner: str, progress: Progress, stop: Stop) -> Iterator[None]:
    """Says every two seconds that this process lives, and how far it is; ends the work where it is no longer this process's."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(jobs.BEAT_SECONDS):
            try:
                if not _alive(number, runner, progress):
                    stop.end("another process has given this backup up")
                    return
            except (DatabaseError, InterfaceError) as error:
                logger.warning("backup %d: its beat cannot be written: %s", number, error)
            finally:
                connections.close_all()

    thread = threading.Thread(target=beat, name="dbvigil-backup-beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _alive(number: int, runner: str, progress: Progress) -> bool:
    if progress.plain_bytes and progress.expected_bytes is not None:
        return jobs.change(number, runner, plain_bytes=progress.plain_bytes, size_bytes=progress.size_bytes)
    return jobs.change(number, runner)


def persist(write: Callable[[], bool]) -> bool:
    """What `write` answers; it is tried for a minute while the service's database is locked or away. Raises `DatabaseError`."""
    pause = threading.Event()
    for left in range(_TRIES, -1, -1):
        try:
            return write()
        except (DatabaseError, InterfaceError) as error:
            if not left:
                raise
            logger.warning("what became of a backup cannot be put on record yet: %s", error)
            connections.close_all()
            pause.wait(1.0)
    raise AssertionError("unreachable")
