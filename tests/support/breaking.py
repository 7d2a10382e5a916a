"""Ways in which replication breaks, and how each is mended: between any source and its replica, whatever else follows or is followed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dbvigil.sandbox import PrivateServer, replication_options, wait_until_caught_up
from dbvigil.sandbox.options import Options
from tests.support.servers import PrivateServers
from tests.support.waiting import wait_for

PASSWORD = "Chosen-by-the-test-1"


@dataclass(frozen=True, slots=True)
class Pair:
    """A source and its replica over `channel`, with a table `item` in `schema`, all caught up.

    `top` is where people write, if that is not the source itself.
    """

    source: PrivateServer
    replica: PrivateServer
    channel: str = ""
    schema: str = "shop"
    top: PrivateServer | None = None

    @property
    def writer(self) -> PrivateServer:
        return self.top or self.source

    def catch_up(self) -> None:
        wait_until_caught_up(self.replica, self.writer, channel=self.channel)

    @property
    def mysql(self) -> bool:
        return self.source.flavor == "mysql"

    @property
    def table(self) -> str:
        return f"{self.schema}.item"

    def word(self, action: str, thread: str = "") -> str:
        """START, STOP or SHOW … for this channel in the flavor's words."""
        if self.mysql:
            return f"{action} REPLICA {thread} FOR CHANNEL '{self.channel}'"
        return f"{action} SLAVE '{self.channel}' {thread}".strip()

    def quietly(self, *statements: str, source: bool = False) -> None:
        """On the replica (or the source), and not in its binary log."""
        with (self.source if source else self.replica).connect() as connection, connection.cursor() as cursor:
            for statement in ("SET SESSION sql_log_bin = 0", *statements):
                cursor.execute(statement)

    def change(self, setting: str) -> None:
        """CHANGE REPLICATION SOURCE TO SOURCE_<setting>."""
        self.replica.execute(self.word("STOP"))
        self.replica.execute(
            f"CHANGE REPLICATION SOURCE TO SOURCE_{setting} FOR CHANNEL '{self.channel}'"
            if self.mysql
            else f"CHANGE MASTER '{self.channel}' TO MASTER_{setting}"
        )
        self.replica.execute(self.word("START"))

    def restart(self) -> None:
        self.replica.execute(self.word("STOP"))
        self.replica.execute(self.word("START"))

    def status(self, name: str) -> object:
        (row,) = self.replica.execute(self.word("SHOW", "STATUS"))
        return row[name]

    def await_error(self, kind: str) -> None:
        runs = f"{'Replica' if self.mysql else 'Slave'}_{kind}_Running"
        # A thread tells its error a little before it stands still.
        wait_for(
            lambda: self.status(f"Last_{kind}_Errno") and self.status(runs) != "Yes", "the thread's error"
        )


Step = Callable[[Pair], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """How a pair is broken, whose finding that is to be, and how it is mended. `database` is "source" or "replica"."""

    name: str
    breaks: Step
    database: str
    finding: str
    mends: Step


def fault(name: str, finding: str, breaks: Step, mends: Step, database: str = "replica") -> Fault:
    return Fault(name, breaks, database, finding, mends)


def item_table(server: PrivateServer, schema: str = "shop") -> None:
    """The table that faults are made with."""
    server.execute(f"CREATE DATABASE {schema}")
    server.execute(f"CREATE TABLE {schema}.item (id INT PRIMARY KEY, name VARCHAR(20))")
    server.execute(f"INSERT INTO {schema}.item VALUES (1, 'one'), (2, 'two')")


def server(
    servers: PrivateServers,
    release: str,
    options: Options | None = None,
    /,
    *,
    domain: int = 0,
    within: tuple[str, ...] = (),
    **more: str | int,
) -> PrivateServer:
    """A small server that nothing is wrong about as a source or, with `read_only="ON"`, as a replica; `options` and `more` are its own."""
    return servers(
        release,
        within=within,
        options={
            **replication_options(release.split("-", 1)[0], domain=domain),
            "binlog-expire-logs-seconds": "2592000",
            "relay-log-recovery": "ON",
            "innodb-buffer-pool-size": "32M",
            **(options or {}),
            **more,
        },
    )


# -- steps


def duplicate_key(pair: Pair) -> None:
    pair.quietly(f"INSERT INTO {pair.table} VALUES (7, 'theirs')")
    pair.writer.execute(f"INSERT INTO {pair.table} VALUES (7, 'ours')")
    pair.await_error("SQL")


def no_duplicate_key(pair: Pair) -> None:
    pair.quietly(f"DELETE FROM {pair.table} WHERE id = 7")
    pair.restart()
    pair.catch_up()
    pair.writer.execute(f"DELETE FROM {pair.table} WHERE id = 7")


def row_missing(pair: Pair) -> None:
    pair.quietly(f"DELETE FROM {pair.table} WHERE id = 1")
    pair.writer.execute(f"UPDATE {pair.table} SET name = 'changed' WHERE id = 1")
    pair.await_error("SQL")


def no_row_missing(pair: Pair) -> None:
    pair.quietly(f"INSERT INTO {pair.table} VALUES (1, 'one')")
    pair.restart()
    pair.catch_up()
    pair.writer.execute(f"UPDATE {pair.table} SET name = 'one' WHERE id = 1")


def table_missing(pair: Pair) -> None:
    pair.quietly(f"RENAME TABLE {pair.table} TO {pair.schema}.hidden")
    pair.writer.execute(f"INSERT INTO {pair.table} VALUES (20, 'twenty')")
    pair.await_error("SQL")


def no_table_missing(pair: Pair) -> None:
    pair.quietly(f"RENAME TABLE {pair.schema}.hidden TO {pair.table}")
    pair.restart()
    pair.catch_up()
    pair.writer.execute(f"DELETE FROM {pair.table} WHERE id = 20")


def wrong_password(pair: Pair) -> None:
    pair.change("PASSWORD = 'wrong'")
    pair.await_error("IO")


def right_password(pair: Pair) -> None:
    account = f"'replica_{pair.replica.port}'@'%'"
    pair.quietly(f"ALTER USER {account} IDENTIFIED BY '{PASSWORD}'", source=True)
    pair.change(f"PASSWORD = '{PASSWORD}'")


def errant(pair: Pair) -> None:
    pair.replica.execute(f"INSERT INTO {pair.table} VALUES (99, 'by mistake')")


def no_errant(pair: Pair) -> None:
    pair.quietly(f"DELETE FROM {pair.table} WHERE id = 99")
    if not pair.mysql:
        # MariaDB names the newest of a domain alone.
        pair.writer.execute(f"INSERT INTO {pair.table} VALUES (30, 'thirty')")
        return
    (row,) = pair.replica.execute("SELECT @@server_uuid AS uuid, @@gtid_executed AS executed")
    (own,) = [part for part in row["executed"].replace("\n", "").split(",") if part.startswith(row["uuid"])]
    with pair.source.connect() as connection, connection.cursor() as cursor:
        for statement in (f"SET GTID_NEXT = '{own}'", "BEGIN", "COMMIT", "SET GTID_NEXT = 'AUTOMATIC'"):
            cursor.execute(statement)


def binlog_gone(pair: Pair) -> None:
    pair.replica.execute(pair.word("STOP"))
    pair.writer.execute(f"INSERT INTO {pair.table} VALUES (50, 'fifty')")
    pair.source.execute("FLUSH BINARY LOGS")
    newest = pair.source.execute("SHOW BINARY LOGS")[-1]["Log_name"]
    pair.writer.execute(f"INSERT INTO {pair.table} VALUES (51, 'fifty-one')")
    account = f"replica_{pair.replica.port}"
    wait_for(
        lambda: (
            not pair.source.execute(
                "SELECT 1 FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%%' AND USER = %s",
                account,
            )
        ),
        "the end of the replica's connection",
    )

    def purged() -> bool:
        # A log that InnoDB, or another replica, may still need is left alone, without a word.
        pair.source.execute(f"PURGE BINARY LOGS TO '{newest}'")
        return bool(pair.source.execute("SHOW BINARY LOGS")[0]["Log_name"] == newest)

    wait_for(purged, "the binary logs' end")
    pair.replica.execute(pair.word("START"))
    pair.await_error("IO")


def leave(pair: Pair) -> None:
    """The replica would have to be built anew."""


def on(database: str, statement: str, thread: str = "") -> Step:
    """A statement on the pair's source or replica; one that is START or STOP in the flavor's words."""

    def run(pair: Pair) -> None:
        told = pair.word(statement, thread) if statement in ("START", "STOP") else statement
        (pair.source if database == "source" else pair.replica).execute(told.format(schema=pair.schema))

    return run


def setting(name: str, bad: str, good: str, database: str = "source") -> tuple[Step, Step]:
    return on(database, f"SET GLOBAL {name} = {bad}"), on(database, f"SET GLOBAL {name} = {good}")


def kill(pair: Pair) -> None:
    pair.source.kill()


def start(pair: Pair) -> None:
    pair.source.start()


def pause(pair: Pair) -> None:
    pair.source.pause()


def resume(pair: Pair) -> None:
    pair.source.resume()


# -- faults of a pair, wherever it stands

DUPLICATE_KEY = fault(
    "a row of the same key on the replica", "duplicate_key", duplicate_key, no_duplicate_key
)
ROW_MISSING = fault("a row deleted on the replica", "row_missing", row_missing, no_row_missing)
TABLE_MISSING = fault("a table dropped on the replica", "table_missing", table_missing, no_table_missing)
WRONG_PASSWORD = fault("a wrong password", "wrong_password", wrong_password, right_password)
KILLED = fault("the source killed", "source_unreachable", kill, start)
PAUSED = fault("the source stopped (SIGSTOP)", "source_unreachable", pause, resume)
RECEIVER = fault(
    "STOP of the receiver", "receiver_stopped", on("replica", "STOP", "IO_THREAD"), on("replica", "START")
)
APPLIER = fault(
    "STOP of the applier", "applier_stopped", on("replica", "STOP", "SQL_THREAD"), on("replica", "START")
)
WRITABLE = fault(
    "read_only = OFF on the replica", "replica_writable", *setting("read_only", "OFF", "ON", "replica")
)
ERRANT = fault("a write on the replica", "errant_transactions", errant, no_errant)
FORMAT = fault(
    "binlog_format = STATEMENT", "binlog_format", *setting("binlog_format", "'STATEMENT'", "'ROW'"), "source"
)
KEYLESS = fault(
    "a table without a primary key",
    "no_primary_key",
    on("source", "CREATE TABLE {schema}.bare (a INT)"),
    on("source", "DROP TABLE {schema}.bare"),
    "source",
)
RETENTION = fault(
    "binary logs kept for an hour",
    "retention_short",
    *setting("binlog_expire_logs_seconds", "3600", "2592000"),
    "source",
)
PURGED = fault("binary logs purged before they were fetched", "binlog_gone", binlog_gone, leave)
