"""What a server's digest makes of each recorded statement."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from pymysql.err import MySQLError

from dbvigil.sandbox import PrivateServer

FOLDER = Path(__file__).parent
STATEMENTS: tuple[str, ...] = tuple(json.loads((FOLDER / "statements.json").read_text()))
"""Of many kinds. A few are errors on one of the flavours; most of those have a digest all the same."""
SCHEMA = "pairs"
TABLES = (
    "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a INT, b VARCHAR(40), c DATETIME, d DECIMAL(9, 2), e DOUBLE, f BLOB, KEY (a))",
    "CREATE TABLE u (id INT PRIMARY KEY AUTO_INCREMENT, t_id INT, name VARCHAR(40), kind CHAR(1), KEY (t_id))",
    "CREATE TABLE `order item` (`id` INT, `group` INT, `it's` INT, `a#b` INT, `select` INT)",
    "CREATE TABLE log_2024 (id INT, col_1 INT, 2nd INT)",
    "INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y'), (3, 'z')",
    "CREATE PROCEDURE p (x INT, y VARCHAR(9)) SELECT x, y",
)

KEEP_HISTORY = """
    UPDATE performance_schema.setup_consumers SET ENABLED = 'YES'
     WHERE NAME IN ('events_statements_current', 'events_statements_history')"""
THREAD = "SELECT THREAD_ID AS thread FROM performance_schema.threads WHERE PROCESSLIST_ID = CONNECTION_ID()"
LATEST = """
    SELECT SQL_TEXT AS sql_text, DIGEST_TEXT AS digest_text FROM performance_schema.events_statements_history
     WHERE THREAD_ID = %s AND NESTING_EVENT_ID IS NULL AND SQL_TEXT <> 'DO 0' ORDER BY EVENT_ID DESC LIMIT 1"""
# A statement is in the history once the next one of its session is answered, for it gets there after its own answer.
NEXT = "DO 0"


def digests(server: PrivateServer) -> dict[str, str]:
    """By statement, for those that the server's history shows: a private server's, whose history this turns on."""
    server.execute(KEEP_HISTORY)
    server.execute(f"CREATE DATABASE {SCHEMA}")
    found: dict[str, str] = {}
    with (
        server.connect() as watching,
        watching.cursor() as watch,
        server.connect(database=SCHEMA) as running,
        running.cursor() as run,
    ):
        for statement in TABLES:
            run.execute(statement)
        run.execute(THREAD)
        (thread,) = run.fetchall()
        for statement in STATEMENTS:
            failed = False
            try:
                run.execute(statement)
                while run.nextset():
                    pass
            except MySQLError:
                # Not every flavour knows every statement; its digest may be there.
                failed = True
            with contextlib.suppress(MySQLError):
                run.execute(NEXT)
            watch.execute(LATEST, (thread["thread"],))
            latest = watch.fetchone()
            if failed:
                running.rollback()
            if latest and latest["sql_text"] == statement and latest["digest_text"]:
                found[statement] = latest["digest_text"]
    return found
