"""Records what real servers say of deadlocks, for tests/unit/test_deadlocks.py.

    python -m tests.recorded.deadlocks.record [release …]

For each release a folder, and for each scene of `scenes.SCENES` one file: SHOW ENGINE INNODB STATUS up to its list of transactions.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pymysql

from dbvigil.sandbox import RELEASES, PrivateServer
from dbvigil.sandbox.server import Connection
from tests.recorded.deadlocks.scenes import ROWS, SCENES, TABLES, Scene

FOLDER = Path(__file__).parent
SCHEMA = "bank"
END = "\n------------\nTRANSACTIONS\n------------\n"

_LOCK_WAIT = "SELECT COUNT(*) AS waiting FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id = %s AND trx_state = 'LOCK WAIT'"


def main() -> None:
    for release in sys.argv[1:] or list(RELEASES):
        folder = FOLDER / release
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with (
            tempfile.TemporaryDirectory() as home,
            PrivateServer(release, Path(home) / "server") as server,
        ):
            for name, scene in SCENES.items():
                text = status(server, scene)
                (folder / f"{name}.txt").write_text(text[: text.rindex(END) + len(END)])
        print(release, len(list(folder.iterdir())))


def status(server: PrivateServer, scene: Scene) -> str:
    """What InnoDB tells after `scene` was played in a schema of its own."""
    fill(server, SCHEMA)
    play(server, SCHEMA, scene)
    (row,) = server.execute("SHOW ENGINE INNODB STATUS")
    text: str = row["Status"]
    return text


def fill(server: PrivateServer, schema: str) -> None:
    """Makes the tables anew in a schema of this name."""
    server.execute(f"DROP DATABASE IF EXISTS {schema}")
    server.execute(f"CREATE DATABASE {schema}")
    with server.connect(database=schema) as connection, connection.cursor() as cursor:
        for statement in (*TABLES, *ROWS):
            cursor.execute(statement)


def play(server: PrivateServer, schema: str, scene: Scene) -> int:
    """Makes the deadlock; the connection id of the session whose transaction was undone."""
    waits: dict[int, threading.Thread] = {}
    undone: list[int] = []
    with _sessions(server, schema, scene) as sessions:

        def run(session: int, statement: str) -> None:
            with sessions[session].cursor() as cursor:
                cursor.execute(statement)

        def finish(session: int, statement: str) -> None:
            try:
                run(session, statement)
            except pymysql.err.OperationalError as error:
                if error.args[0] != 1213:
                    raise
                undone.append(_id(sessions[session]))
            # Those that wait for it go on.
            sessions[session].rollback()

        last = {session: place for place, (session, _) in enumerate(scene.steps)}
        for place, (session, statement) in enumerate(scene.steps):
            if place != last[session]:
                run(session, statement)
                continue
            waits[session] = threading.Thread(target=finish, args=(session, statement), daemon=True)
            waits[session].start()
            if place < len(scene.steps) - 1:
                _until_waiting(server, _id(sessions[session]))
        for session, thread in waits.items():
            thread.join(20)
            assert not thread.is_alive(), (session, scene.steps)
    assert undone, "no transaction was undone"
    return undone[0]


@contextmanager
def _sessions(server: PrivateServer, schema: str, scene: Scene) -> Iterator[dict[int, Connection]]:
    sessions: dict[int, Connection] = {}
    try:
        for number in sorted({session for session, _ in scene.steps}):
            sessions[number] = server.connect(database=schema, autocommit=False)
            with sessions[number].cursor() as cursor:
                cursor.execute("SET SESSION innodb_lock_wait_timeout = 15")
                cursor.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {scene.isolation}")
        yield sessions
    finally:
        for session in sessions.values():
            with suppress(pymysql.MySQLError):
                session.close()


def _until_waiting(server: PrivateServer, connection_id: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        (row,) = server.execute(_LOCK_WAIT, connection_id)
        if row["waiting"]:
            return
        time.sleep(0.12)
    raise AssertionError(f"session {connection_id} does not wait")


def _id(connection: Connection) -> int:
    number = connection.thread_id()  # type: ignore[no-untyped-call]
    assert isinstance(number, int)
    return number


if __name__ == "__main__":
    main()
