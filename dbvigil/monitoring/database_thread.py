"""One thread that speaks to the service's database on behalf of an asyncio loop.

Django's ORM is synchronous and its connections belong to threads, so the loop hands every database step to
this thread and awaits it. `concurrent.futures` would do, but its executors refuse work once the interpreter
begins to end, which is when leases are given back.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")


class DatabaseThread:
    """Runs calls one after another, each on a usable connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="dbvigil-database", daemon=True)
        self._thread.start()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Awaitable result of `function(*args, **kwargs)`; its exception is raised where it is awaited."""
        future: asyncio.Future[T] = self._loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        def work() -> None:
            result, error = None, None
            try:
                result = function(*args, **kwargs)
            except BaseException as raised:  # noqa: BLE001 - handed to whoever awaits it
                error = raised
                # After a fault of the database the next call starts on a connection that works.
                connections.close_all()
            self._loop.call_soon_threadsafe(settle, result, error)

        self._calls.put(work)
        return future

    def close(self) -> None:
        """Lets the calls so far finish, closes this thread's connections, and ends it."""
        self._calls.put(None)

    def _work(self) -> None:
        while (work := self._calls.get()) is not None:
            work()
        connections.close_all()
