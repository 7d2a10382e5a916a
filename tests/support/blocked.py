"""Sessions that stand in each other's way, on real servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pymysql

from dbvigil.sandbox import PrivateServer
from dbvigil.sandbox.server import Connection
from tests.support.waiting import PATIENCE, wait_for


@contextmanager
def holding(server: PrivateServer, *statements: str, **arguments: object) -> Iterator[Connection]:
    """A session in a transaction in which `statements` have run. It is undone at the end."""
    with server.connect(autocommit=False, **arguments) as connection:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        yield connection
        with suppress(pymysql.MySQLError):
            connection.rollback()


@contextmanager
def running(server: PrivateServer, statement: str, connection: Connection | None = None) -> Iterator[int]:
    """A session that runs `statement` in the background; its id. It is ended at the end."""
    session = connection or server.connect()

    def run() -> None:
        with suppress(pymysql.MySQLError), session.cursor() as cursor:
            cursor.execute(statement)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield number_of(session)
    finally:
        with suppress(pymysql.MySQLError):
            server.execute(f"KILL {number_of(session)}")
        thread.join()


def number_of(connection: Connection) -> int:
    number = connection.thread_id()  # type: ignore[no-untyped-call]
    assert isinstance(number, int)
    return number


def until_alone(watcher: Connection) -> None:
    """Waits until no other client is connected: a server counts one that has gone, and its goodbye as a query, when it comes to it."""

    def alone() -> bool:
        with watcher.cursor() as cursor:
            return not cursor.execute(
                "SELECT 1 FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND COMMAND <> 'Daemon'"
                " AND USER NOT IN ('system user', 'event_scheduler')"
            )

    wait_for(alone, "the end of the other connections")


def until(look: Callable[[], bool], what: str) -> None:
    """Waits until `look` is true."""
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, what
        # InnoDB shows transactions from a copy, which it does not renew while it is read more often than every 0.1 s.
        time.sleep(0.15)
