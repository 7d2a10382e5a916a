"""Servers with something to back up, and backups as the code makes them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from dbvigil.backups.making import Made, Order, Progress, make
from dbvigil.backups.programs import Stop
from dbvigil.backups.verifying import Proof, verify
from dbvigil.sandbox import PrivateServer
from dbvigil.sandbox.grants import BACKUP_GRANTS, PHYSICAL_BACKUP_GRANTS
from dbvigil.targets import Target, parse_url

USER, PASSWORD = "keeper", "p\"a\\ss #'w %ö\t;$x"
KEY = "0123456789abcdef" * 3
ACCOUNTS = 40
TOTAL = ACCOUNTS * 1000


def keeper(server: PrivateServer, *, physical: bool = False) -> Target:
    """The server as an account sees it that has the grants of the docs, and a password that is hard to write down."""
    grants = PHYSICAL_BACKUP_GRANTS if physical else BACKUP_GRANTS[server.flavor]
    server.create_user(USER, PASSWORD, grants)
    return parse_url("shop", server.url(USER, PASSWORD))


def bank(server: PrivateServer, schema: str) -> None:
    """Accounts in two tables between which money moves: the sum over both stays what it is."""
    server.execute(f"CREATE DATABASE `{schema}` CHARACTER SET utf8mb4")
    with server.connect(database=schema) as connection, connection.cursor() as cursor:
        for table in ("current_accounts", "savings"):
            cursor.execute(f"CREATE TABLE {table} (id INT PRIMARY KEY, balance INT NOT NULL) ENGINE=InnoDB")
            rows = ", ".join(f"({number}, {TOTAL // (2 * ACCOUNTS)})" for number in range(ACCOUNTS))
            cursor.execute(f"INSERT INTO {table} VALUES {rows}")
        cursor.execute(
            "CREATE TABLE log (id BIGINT AUTO_INCREMENT PRIMARY KEY, note VARCHAR(40)) ENGINE=InnoDB"
        )


def total(server: PrivateServer, schema: str) -> int:
    sql = f"""SELECT (SELECT SUM(balance) FROM `{schema}`.current_accounts)
                   + (SELECT SUM(balance) FROM `{schema}`.savings) AS total"""
    return int(server.execute(sql)[0]["total"])


@contextlib.contextmanager
def transfers(server: PrivateServer, schema: str) -> Iterator[list[int]]:
    """Money moves without pause for as long as the block lasts; yields a list that grows by one with each transfer."""
    over, done = threading.Event(), [0]

    def move() -> None:
        with server.connect(database=schema, autocommit=False) as connection, connection.cursor() as cursor:
            while not over.is_set():
                place = done[0] % ACCOUNTS
                cursor.execute("UPDATE current_accounts SET balance = balance - 1 WHERE id = %s", (place,))
                cursor.execute("UPDATE savings SET balance = balance + 1 WHERE id = %s", (place,))
                cursor.execute("INSERT INTO log (note) VALUES ('moved')")
                connection.commit()
                done[0] += 1

    thread = threading.Thread(target=move)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()


def made(target: Target, path: Path, stop: Stop | None = None, **values: Any) -> Made:
    """One backup of `target` into `path`."""
    return asyncio.run(make(replace(Order(target, path), **values), stop or Stop(), Progress()))


def copied(target: Target, path: Path, stop: Stop | None = None, **values: Any) -> Made:
    """One copy of the files of `target` into `path`."""
    return made(target, path, stop, physical=True, **values)


def proved(
    path: Path, found: Made, folder: Path, keys: tuple[str, ...] = (), *, physical: bool = False
) -> Proof:
    """The backup at `path` as its restore proves it."""
    return asyncio.run(
        verify(path, found.sha256, keys, found.held, found.info, folder, Stop(), physical=physical)
    )


def everything(server: PrivateServer, schema: str) -> None:
    """A schema with a column of every type, odd names, and everything that is no table."""
    with server.connect(autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION sql_mode = ''")
        for statement in _everything(schema, server.flavor):
            cursor.execute(statement)


def _everything(schema: str, flavor: str) -> Iterator[str]:
    name = f"`{schema}`"
    yield f"CREATE DATABASE {name} CHARACTER SET utf8mb4"
    yield f"USE {name}"
    yield """CREATE TABLE `odd ``name-ü` (`a ``b` INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20), c CHAR(5) CHARACTER SET latin1,
        t LONGTEXT, b BLOB, vb VARBINARY(9), f FLOAT, d DOUBLE, n DECIMAL(30,10), j JSON,
        bi BIT(7), ts TIMESTAMP NULL, dt DATETIME(6), da DATE, ti TIME(3), y YEAR, e ENUM('a','é'), s SET('x','y'), g POINT,
        made DOUBLE AS (d * 2) STORED, seen DOUBLE AS (d * 3) VIRTUAL)"""
    yield """INSERT INTO `odd ``name-ü` (v, c, t, b, vb, f, d, n, j, bi, ts, dt, da, ti, y, e, s, g) VALUES
        ('é\\'\\\\\\n\\0x', 'dé', REPEAT('né', 90000), X'00FF27220A', X'0001', 1/7, 1/7, 12345678901234567890.0123456789,
         '{"b": [1.5, null], "a": "é"}',
         b'1010101', '2026-01-31 03:15:00', '2026-01-31 03:15:00.123456', '0000-00-00', '-12:00:00.5', 2026, 'é', 'x,y', POINT(1.5, -2))"""
    yield "INSERT INTO `odd ``name-ü` () VALUES ()"
    yield "CREATE TABLE parent (id INT PRIMARY KEY)"
    yield "CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id))"
    yield "INSERT INTO parent VALUES (1), (2)"
    yield "INSERT INTO child VALUES (1, 2)"
    yield "CREATE TABLE empty_one (id INT)"
    yield "CREATE TABLE twins (v INT)"
    yield "INSERT INTO twins VALUES (7), (7), (NULL)"
    yield "CREATE TABLE parts (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 3"
    yield "INSERT INTO parts VALUES (1), (2), (3), (4)"
    yield "CREATE VIEW shown AS SELECT id FROM parent"
    yield "CREATE PROCEDURE doing() SELECT 1"
    yield "CREATE FUNCTION one() RETURNS INT DETERMINISTIC RETURN 1"
    yield "CREATE TRIGGER before_child BEFORE INSERT ON child FOR EACH ROW SET NEW.id = NEW.id"
    yield "CREATE EVENT daily ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1"
    yield "CREATE TABLE loose (v INT) ENGINE=MyISAM"
    yield "INSERT INTO loose VALUES (1)"
    if flavor == "mariadb":
        yield "CREATE SEQUENCE numbers START WITH 100"
        yield "CREATE TABLE versioned (id INT PRIMARY KEY) WITH SYSTEM VERSIONING"
        yield "INSERT INTO versioned VALUES (1)"
