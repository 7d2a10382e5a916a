"""Records the slow logs of this folder from real servers: `python -m tests.recorded.slowlog.record [RELEASE...]`.

MySQL is recorded twice, without and with `log_slow_extra`. The traffic is that of `traffic`, and nothing of the machine that recorded
it stays in the files.
"""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from pathlib import Path

import pymysql

from dbvigil.sandbox import RELEASES, PrivateServer
from dbvigil.sandbox.options import Options
from tests.recorded.slowlog.traffic import BLOCKS, PLAIN, SETUP, hostile

FOLDER = Path(__file__).parent
COMMON: Options = {"slow-query-log": "ON", "long-query-time": "0", "log-slow-admin-statements": "ON"}
OPTIONS: dict[str, dict[str, Options]] = {
    "mysql": {"": {}, "-extra": {"log-slow-extra": "ON"}},
    "mariadb": {"": {"log-slow-verbosity": "query_plan,innodb,explain"}},
}


def main() -> None:
    for release in sys.argv[1:] or RELEASES:
        flavor = release.split("-", 1)[0]
        for suffix, options in OPTIONS[flavor].items():
            record(release, options, FOLDER / f"{release}{suffix}.log")


def record(release: str, options: Options, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "slow.log"
        with PrivateServer(release, Path(folder) / "server", options={**COMMON, **options}) as server:
            for statement in SETUP:
                server.execute(statement)
            server.execute(f"SET GLOBAL slow_query_log_file = '{log}'")
            drive(server)
            server.stop()
            target.write_bytes(_anonymous(log.read_bytes()))
    print(target.name, target.stat().st_size)


def drive(server: PrivateServer) -> None:
    """The whole traffic, over one connection that asks for many statements at once where it is hostile."""
    with server.connect(database="shop") as connection, connection.cursor() as cursor:
        for text, times in PLAIN:
            for number in range(1, times + 1):
                with contextlib.suppress(pymysql.Error):
                    cursor.execute(text.replace("{n}", str(number)))
        connection.select_db("my shop")
        cursor.execute("SELECT COUNT(*) FROM t")
        connection.select_db("shop")
        cursor.execute("PREPARE one FROM 'SELECT * FROM orders WHERE id = ?'")
        cursor.execute("SET @a = 1")
        cursor.execute("EXECUTE one USING @a")
        connection.ping(reconnect=False)
        for text in hostile(BLOCKS[server.flavor]):
            try:
                cursor.execute(text)
            except pymysql.Error as error:
                print("refused:", error.args[0], text.split("\n", 1)[0])


def _anonymous(text: bytes) -> bytes:
    version = rb"/usr/sbin/\1, Version: \2 (log). started with:"
    text = re.sub(
        rb"^\S*/(mysqld|mariadbd), Version: (\S+) .*started with:", version, text, flags=re.MULTILINE
    )
    text = re.sub(rb"(?<=slow_query_log_file = ').*(?=')", b"/var/lib/mysql/slow.log", text)
    return re.sub(
        rb"^Tcp port: .*", b"Tcp port: 3306  Unix socket: /run/mysqld/mysqld.sock", text, flags=re.MULTILINE
    )


if __name__ == "__main__":
    main()
