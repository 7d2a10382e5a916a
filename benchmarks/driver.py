"""What one full set of readings costs this process in CPU: `Server.rows` against other ways to the same rows.

    python benchmarks/driver.py [--release mariadb-10.11] [--rounds 100] [--tls]

Every reader runs the same statements on the same private server in this process, in turns, so that the machine's moods strike all alike.
Peers that are not installed are left out and named; `pip install mysqlclient aiomysql mysql-connector-python` has them all.
The goal is that our checks cost a quarter at most over asyncmy, whose parser we use.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import asyncmy
import asyncmy.cursors
import pymysql
import pymysql.cursors

from dbvigil.sandbox import MONITORING_GRANTS, PrivateServer
from dbvigil.server import Server
from dbvigil.targets import parse_url

# As many rows and columns as a sample with all its collectors reads.
STATEMENTS = (
    "SHOW GLOBAL STATUS",
    "SHOW GLOBAL VARIABLES",
    "SELECT THREAD_ID, NAME, PROCESSLIST_ID, PROCESSLIST_USER, PROCESSLIST_COMMAND, PROCESSLIST_TIME, PROCESSLIST_INFO"
    " FROM performance_schema.threads",
    "SELECT * FROM information_schema.INNODB_TRX",
    "SELECT SCHEMA_NAME, DIGEST, DIGEST_TEXT, COUNT_STAR, SUM_TIMER_WAIT, SUM_ERRORS, SUM_ROWS_EXAMINED, SUM_ROWS_SENT,"
    " FIRST_SEEN, LAST_SEEN FROM performance_schema.events_statements_summary_by_digest LIMIT 200",
)
DIGESTS = 220
GOAL = 1.25

Read = Callable[[], list[list[dict[str, Any]]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", default="mariadb-10.11")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--tls", action="store_true", help="encrypted, where the server and the reader can")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="dbvigil-bench-") as folder,
        PrivateServer(options.release, Path(folder) / "server") as server,
    ):
        server.create_user("bench", "bench", MONITORING_GRANTS[server.flavor])
        with server.connect() as connection, connection.cursor() as cursor:
            for number in range(DIGESTS):
                cursor.execute(
                    f"SELECT {number} AS c{number} FROM mysql.user WHERE User = 'u{number}' ORDER BY Host LIMIT 1"
                )
        compare(server, options.rounds, tls=options.tls)


def compare(server: PrivateServer, rounds: int, *, tls: bool) -> None:
    with asyncio.Runner() as runner:
        readers = {name: start(server, runner, tls) for name, start in READERS.items() if _is_there(name)}
        rows = {name: [len(table) for table in read()] for name, read in readers.items()}
        seconds: dict[str, list[float]] = {name: [] for name in readers}
        for _ in range(rounds):
            for name, read in readers.items():
                gc.collect(0)
                started = time.process_time()
                read()
                seconds[name].append(time.process_time() - started)
        # aiomysql's connection wants to be closed while there is a loop.
        readers.clear()
    ours = median(seconds["dbvigil"])
    print(
        f"{server.binary.name}, {'TLS' if tls else 'plain'}, {sum(rows['dbvigil'])} rows in {len(STATEMENTS)} statements, client CPU:"
    )
    for name, times in sorted(seconds.items(), key=lambda item: median(item[1])):
        print(f"  {name:<24}{median(times) * 1000:7.2f} ms  {median(times) / ours:5.2f} x")
    ratio = ours / median(seconds["asyncmy, dictionaries"])
    print(
        f"  {ratio:.2f} of asyncmy's dictionaries   goal <= {GOAL:g}: {'met' if ratio <= GOAL else 'MISSED'}"
    )
    for name in READERS.keys() - seconds.keys():
        print(f"  {name:<24}is not installed")


# -- readers: rows as dictionaries, as the collectors want them


def dbvigil(server: PrivateServer, runner: asyncio.Runner, tls: bool) -> Read:
    client = Server(
        parse_url("bench", server.url("bench", "bench", ssl_mode="required" if tls else "disabled"))
    )

    async def read() -> list[list[dict[str, Any]]]:
        return [await client.rows(statement) for statement in STATEMENTS]

    return lambda: runner.run(read())


def _asyncmy(
    server: PrivateServer, runner: asyncio.Runner, tls: bool, kind: Any, shape: Callable[[Any], Any]
) -> Read:
    connection = runner.run(
        _connected(asyncmy.Connection(**_account(server), autocommit=True, ssl=_ssl(tls)))
    )

    async def read() -> list[list[dict[str, Any]]]:
        tables = []
        for statement in STATEMENTS:
            async with connection.cursor(kind) as cursor:
                await cursor.execute(statement)
                tables.append(shape(cursor))
        return tables

    return lambda: runner.run(read())


def asyncmy_dictionaries(server: PrivateServer, runner: asyncio.Runner, tls: bool) -> Read:
    def shape(cursor: Any) -> Any:
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=False)) for row in cursor._rows]

    return _asyncmy(server, runner, tls, asyncmy.cursors.Cursor, shape)


def asyncmy_tuples(server: PrivateServer, runner: asyncio.Runner, tls: bool) -> Read:
    return _asyncmy(server, runner, tls, asyncmy.cursors.Cursor, lambda cursor: list(cursor._rows))


async def _connected(connection: Any) -> Any:
    await connection.connect()
    return connection


def aiomysql(server: PrivateServer, runner: asyncio.Runner, tls: bool) -> Read:
    module = importlib.import_module("aiomysql")
    connection = runner.run(module.connect(**_account(server), ssl=_context() if tls else None))

    async def read() -> list[list[dict[str, Any]]]:
        tables = []
        for statement in STATEMENTS:
            async with connection.cursor(module.DictCursor) as cursor:
                await cursor.execute(statement)
                tables.append(await cursor.fetchall())
        return tables

    return lambda: runner.run(read())


def _blocking(connection: Any, **arguments: Any) -> Read:
    def read() -> list[list[dict[str, Any]]]:
        tables = []
        for statement in STATEMENTS:
            cursor = connection.cursor(**arguments)
            cursor.execute(statement)
            tables.append(list(cursor.fetchall()))
            cursor.close()
        return tables

    return read


def pymysql_(server: PrivateServer, runner: asyncio.Runner, tls: bool) -> Read:
    connection = pymysql.connect(**_account(server), cursorclass=pymysql.cursors.DictCursor, ssl=_ssl(tls))
    return _blocking(connection)


def mysqlclient(server: PrivateServer, runner: asyncio.Runner, tls: bool) -> Read:
    module, cursors = importlib.import_module("MySQLdb"), importlib.import_module("MySQLdb.cursors")
    mode = {"ssl_mode": "REQUIRED"} if tls else {}
    return _blocking(
        module.connect(**_account(server), charset="utf8mb4", **mode), cursorclass=cursors.DictCursor
    )


def connector(server: PrivateServer, runner: asyncio.Runner, tls: bool) -> Read:
    module = importlib.import_module("mysql.connector")
    connection = module.connect(**_account(server), use_pure=True, ssl_disabled=not tls)
    return _blocking(connection, dictionary=True)


def _account(server: PrivateServer) -> dict[str, Any]:
    return {"host": server.host, "port": server.port, "user": "bench", "password": "bench"}


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _ssl(tls: bool) -> ssl.SSLContext | None:
    return _context() if tls else None


READERS: dict[str, Callable[[PrivateServer, asyncio.Runner, bool], Read]] = {
    "dbvigil": dbvigil,
    "asyncmy, dictionaries": asyncmy_dictionaries,
    "asyncmy, tuples": asyncmy_tuples,
    "aiomysql": aiomysql,
    "PyMySQL": pymysql_,
    "mysqlclient": mysqlclient,
    "mysql-connector (pure)": connector,
}
_MODULES = {"aiomysql": "aiomysql", "mysqlclient": "MySQLdb", "mysql-connector (pure)": "mysql.connector"}


def _is_there(name: str) -> bool:
    try:
        importlib.import_module(_MODULES.get(name, "dbvigil"))
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    main()
