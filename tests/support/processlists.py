"""Process lists made by chance, each row with what it is by the way it was made: an oracle that reads nothing of what it made.

A row is `endable` only where it was made as a plain long SELECT (or an idle session) and nothing was done to it afterwards; every other
was given at least one mark of what must never be ended.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from dbvigil.recovery.policy import LONGEST_TEXT, Own, Row

LIMIT = 60.0
OWN = Own(frozenset({"dbvigil", "Mender"}), frozenset({7, 8}), hidden=True)

_COLUMNS = ("id", "name", "`for update`", "o.total", "`lock`", "t.`into`")
_VALUES = ("1", "'ada'", "'FOR UPDATE'", '"INTO OUTFILE"', "'it''s -- no comment'", "NULL", "x'41'", "?")
_CALLS = (
    "COUNT(*)",
    "SUM(o.total)",
    "CONCAT(name, 'x')",
    "IF(id > 3, 1, 0)",
    "SLEEP(10)",
    "COALESCE(name, ?)",
    "CAST(id AS CHAR(10))",
)
_COMMENTS = (
    "",
    "/* a job */ ",
    "-- a job\n",
    "# a job\n",
    "/*+ MAX_EXECUTION_TIME(1000) */ ",
    "/* FOR UPDATE */ ",
)
_HARMLESS = ("GROUP BY name", "ORDER BY id", "LIMIT 10", "")
# A thing that makes of a SELECT what must not be ended, and where it stands.
_POISON = (
    "FOR UPDATE",
    "FOR SHARE",
    "LOCK IN SHARE MODE",
    "FOR UPDATE SKIP LOCKED",
    "INTO OUTFILE '/tmp/x'",
    "INTO @a",
    "INTO DUMPFILE '/tmp/x'",
)
_POISONED_CALLS = (
    "pay(1)",
    "shop.pay(id)",
    "`pay`(id)",
    "GET_LOCK('a', 10)",
    "shop . pay(1)",
    "NEXTVAL(s)",
    "@a := 5",
    "LOAD_FILE('/x')",
)
_OTHERS = (
    "INSERT INTO t VALUES (1)", "INSERT INTO t SELECT * FROM o", "UPDATE t SET a = 1", "DELETE FROM t", "REPLACE INTO t VALUES (1)",
    "CREATE TABLE t (id INT)", "ALTER TABLE t ADD b INT", "DROP TABLE t", "TRUNCATE TABLE t", "CREATE INDEX i ON t (a)",
        "RENAME TABLE a TO b",
    "OPTIMIZE TABLE t", "ANALYZE TABLE t", "REPAIR TABLE t", "CHECK TABLE t", "LOAD DATA INFILE 'x' INTO TABLE t", "CALL pay(1)",
    "EXECUTE stmt", "PREPARE s FROM 'SELECT 1'", "XA START 'a'", "XA PREPARE 'a'", "XA COMMIT 'a'", "COMMIT", "ROLLBACK", "BEGIN",
    "FLUSH TABLES WITH READ LOCK", "BACKUP STAGE START", "LOCK INSTANCE FOR BACKUP", "LOCK TABLES t READ", "HANDLER t OPEN",
    "START SLAVE", "START REPLICA", "STOP REPLICA", "CHANGE MASTER TO MASTER_HOST = 'x'", "SHOW TABLES", "SET GLOBAL a = 1",
        "DO SLEEP(5)",
    "KILL 5", "GRANT ALL ON *.* TO x", "SELECT /*!40001 SQL_NO_CACHE */ * FROM `t`", "SELECT SQL_NO_CACHE * FROM t",
    "/*!50000 SELECT 1 */", "SELECT 1; DROP TABLE t", "SELECT 'an open string", "SELECT /* an open comment",
        "WITH a AS (SELECT 1) DELETE FROM t",
    "WITH a AS (SELECT 1) UPDATE t SET b = 1", "TABLE t", "VALUES ROW(1)", "DELETE t FROM t JOIN (SELECT 1) AS o", "(", ";", "SELECT",
    "BEGIN NOT ATOMIC SELECT 1; END", "SET STATEMENT max_statement_time = 1 FOR UPDATE t SET a = 1", "EXPLAIN SELECT 1",
        "CLONE LOCAL DATA DIRECTORY 'x'",
    "IMPORT TABLE FROM 'x'", "INSTALL PLUGIN x SONAME 'y'", "PURGE BINARY LOGS TO 'x'", "RESET REPLICA", "SHUTDOWN", "RESTART",
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A row, and whether it may be ended. `mark` says what was done to it."""

    row: Row
    endable: bool
    mark: str


def select(dice: random.Random) -> str:
    """A SELECT that only reads, in one of many shapes."""
    parts = [
        dice.choice((dice.choice(_COLUMNS), dice.choice(_CALLS), dice.choice(_VALUES)))
        for _ in range(dice.randint(1, 4))
    ]
    where = f"WHERE {dice.choice(_COLUMNS)} = {dice.choice(_VALUES)}" if dice.random() < 0.6 else ""
    source = dice.choice(
        ("orders AS o", "shop.orders AS o", "(SELECT id, name FROM people) AS o", "o JOIN t ON o.id = t.id")
    )
    text = f"SELECT {', '.join(parts)} FROM {source} {where} {dice.choice(_HARMLESS)}".strip()
    match dice.randrange(6):
        case 0:
            text = f"({text})"
        case 1:
            text = f"WITH c AS ({text}) SELECT * FROM c"
        case 2:
            text = f"({text}) UNION ALL (SELECT 1)"
        case 3:
            text = f"SELECT * FROM t WHERE id IN ({text})"
    return dice.choice(_COMMENTS) + _cased(text, dice) + dice.choice(("", ";", " ", "\n"))


def poisoned(dice: random.Random) -> str:
    """A text that looks like a SELECT, or does not, and must not be ended."""
    match dice.randrange(4):
        case 0:
            return dice.choice(_COMMENTS) + _cased(dice.choice(_OTHERS), dice)
        case 1:
            return f"{select(dice).rstrip('; ')} {_cased(dice.choice(_POISON), dice)}".replace(
                "-- a job\n", ""
            )
        case 2:
            return f"SELECT {dice.choice(_POISONED_CALLS)} FROM orders WHERE id = {dice.choice(_VALUES)}"
        case _:
            return f"SELECT * FROM t WHERE id IN (SELECT id FROM o {dice.choice(('FOR UPDATE', 'LOCK IN SHARE MODE'))})"


def _cased(text: str, dice: random.Random) -> str:
    return dice.choice((text, text.lower())) if "'" not in text and '"' not in text else text


def texts(dice: random.Random, count: int) -> tuple[list[str], list[str]]:
    """So many of each, to draw from."""
    return [select(dice) for _ in range(count)], [poisoned(dice) for _ in range(count)]


Mark = tuple[str, Callable[[Row, random.Random], Row]]


def _given(name: str, *values: object) -> Mark:
    return name, lambda row, dice: replace(row, **{name: dice.choice(values)})


_PROTECTED: tuple[Mark, ...] = (
    _given("user", None, "", "system user", "event_scheduler", "unauthenticated user", "mysql.session", "mariadb.sys", "rdsadmin"),
    _given("user", "dbvigil", "DBVIGIL", "mender", "Mender"),
    _given("user", "backup", "nightly_backup", "repl", "replication", "xtrabackup", "mysqldump", "slave_user", "gh-ost"),
    _given("id", 7, 8, 0, -1),
    _given("program", "mysqldump", "mariadb-dump", "mariabackup", "xtrabackup", "mysqlpump", "mydumper", "mysqlsh", "/usr/bin/gh-ost"),
    _given("state", "Slave has read all relay log", "Waiting for master to send event", "Source has sent all binlog to replica",
           "Replica has read all relay log", "Group Replication wait", "Waiting for backup lock", "rolling back",
               "Sending binlog event to slave"),
    _given("thread", "thread/sql/slave_sql", "thread/sql/replica_worker", "thread/group_rpl/THD_applier",
        "thread/innodb/srv_purge_thread"),
    _given("command", "Binlog Dump", "Binlog Dump GTID", "Connect", "Daemon", "Slave_IO", "Slave_SQL", "Slave_worker",
        "Group Replication",
           "Table Dump", "Execute", "Prepare", "Init DB", "Quit", "Killed", "Delayed insert", "Register Slave", "Connect Out",
               "Fetch", None),
    _given("seconds", None, 0.0, 1.0, 59.9),
)  # fmt: skip

_STATEMENTS: tuple[Mark, ...] = (
    *_PROTECTED,
    _given("command", "Sleep"),
    _given("text", None, "", "   "),
    ("cut", lambda row, dice: replace(row, text=(row.text or "").ljust(LONGEST_TEXT, "x"))),
    _given("outer", "statement/sql/call_procedure", "statement/sql/execute_sql", "statement/sql/create_table",
        "statement/com/Execute", "statement/sp/stmt"),
    _given("outer", None),
)  # fmt: skip

_RESTING: tuple[Mark, ...] = (
    *_PROTECTED,
    _given("command", "Query"),
    _given("text", "SELECT 1", "UPDATE t SET a = 1"),
    _given("transaction", True, None),
    _given("last", "XA START 'a'", "xa end 'a'", "/* x */ XA PREPARE 'a'", "LOCK TABLES t WRITE", "FLUSH TABLES WITH READ LOCK",
        "BACKUP STAGE START"),
)  # fmt: skip


def running(dice: random.Random, number: int, reads: list[str], others: list[str]) -> Made:
    """One session that runs something; about every third may be ended."""
    row = Row(
        number, dice.choice(("app", "web", "ada")), f"10.0.0.{number % 9}:4{number}", dice.choice(("shop", None)), "Query",
        dice.choice(("Sending data", "executing", None, "")), dice.choice((LIMIT, 61.0, 5000.0)), dice.choice(reads),
        dice.choice((None, "python", "php")), str(number), "statement/sql/select", None, dice.choice((None, "thread/sql/one_connection")),
        dice.choice((True, False, None)),
    )  # fmt: skip
    if dice.random() < 0.35:
        return Made(row, True, "nothing")
    if dice.random() < 0.4:
        return Made(replace(row, text=dice.choice(others)), False, "text")
    return _marked(row, dice, _STATEMENTS)


def resting(dice: random.Random, number: int) -> Made:
    """One session that rests; about every third may be closed."""
    row = Row(
        number, dice.choice(("app", "web", "ada")), f"10.0.0.{number % 9}:4{number}", dice.choice(("shop", None)), "Sleep", "",
        dice.choice((LIMIT, 61.0, 5000.0)), None, dice.choice((None, "python")), str(number), None,
        dice.choice((None, "SELECT 1", "COMMIT")), dice.choice((None, "thread/sql/one_connection")), False,
    )  # fmt: skip
    return Made(row, True, "nothing") if dice.random() < 0.35 else _marked(row, dice, _RESTING)


def _marked(row: Row, dice: random.Random, marks: tuple[Mark, ...]) -> Made:
    chosen = dice.sample(marks, dice.choice((1, 1, 1, 2, 3)))
    for _, give in chosen:
        row = give(row, dice)
    # A later mark may have taken an earlier one's place: of "Sleep" and "Execute" either protects.
    return Made(row, False, " ".join(name for name, _ in chosen))
