"""A real source and its replica, broken in every way that a table in the documentation names: each gives the one right finding, and once
it is mended none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from dbvigil.replication.findings.threads import SILENT_SECONDS
from dbvigil.sandbox import PrivateServer, attach_replica, replication_options, wait_until_caught_up
from tests.support.observer import Observer, found
from tests.support.partition import Partition, Unable
from tests.support.servers import PrivateServers
from tests.support.waiting import wait_for

PASSWORD = "Chosen-by-the-test-1"


@dataclass(frozen=True, slots=True)
class Pair:
    """A source and its replica with a table `shop.item`, all caught up."""

    source: PrivateServer
    replica: PrivateServer

    @property
    def mysql(self) -> bool:
        return self.source.flavor == "mysql"

    def word(self, action: str, thread: str = "") -> str:
        return f"{action} {'REPLICA' if self.mysql else 'SLAVE'} {thread}".strip()

    def quietly(self, *statements: str, source: bool = False) -> None:
        """On the replica (or the source), and not in its binary log."""
        with (self.source if source else self.replica).connect() as connection, connection.cursor() as cursor:
            for statement in ("SET SESSION sql_log_bin = 0", *statements):
                cursor.execute(statement)

    def change(self, setting: str) -> None:
        """CHANGE REPLICATION SOURCE TO SOURCE_<setting>."""
        self.replica.execute(self.word("STOP"))
        self.replica.execute(
            f"CHANGE REPLICATION SOURCE TO SOURCE_{setting}"
            if self.mysql
            else f"CHANGE MASTER TO MASTER_{setting}"
        )
        self.replica.execute(self.word("START"))

    def restart(self) -> None:
        self.replica.execute(self.word("STOP"))
        self.replica.execute(self.word("START"))

    def status(self, name: str) -> object:
        (row,) = self.replica.execute("SHOW REPLICA STATUS" if self.mysql else "SHOW SLAVE STATUS")
        return row[name]

    def await_error(self, kind: str) -> None:
        wait_for(lambda: self.status(f"Last_{kind}_Errno"), "the thread's error")


Step = Callable[[Pair], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """How a pair is broken, whose finding that is to be, and how it is mended."""

    name: str
    breaks: Step
    database: str
    finding: str
    mends: Step


def duplicate_key(pair: Pair) -> None:
    pair.quietly("INSERT INTO shop.item VALUES (7, 'theirs')")
    pair.source.execute("INSERT INTO shop.item VALUES (7, 'ours')")
    pair.await_error("SQL")


def no_duplicate_key(pair: Pair) -> None:
    pair.quietly("DELETE FROM shop.item WHERE id = 7")
    pair.restart()


def row_missing(pair: Pair) -> None:
    pair.quietly("DELETE FROM shop.item WHERE id = 1")
    pair.source.execute("UPDATE shop.item SET name = 'changed' WHERE id = 1")
    pair.await_error("SQL")


def no_row_missing(pair: Pair) -> None:
    pair.quietly("INSERT INTO shop.item VALUES (1, 'one')")
    pair.restart()
    wait_until_caught_up(pair.replica, pair.source)
    pair.source.execute("UPDATE shop.item SET name = 'one' WHERE id = 1")


def table_missing(pair: Pair) -> None:
    pair.quietly("RENAME TABLE shop.item TO shop.hidden")
    pair.source.execute("INSERT INTO shop.item VALUES (20, 'twenty')")
    pair.await_error("SQL")


def no_table_missing(pair: Pair) -> None:
    pair.quietly("RENAME TABLE shop.hidden TO shop.item")
    pair.restart()


def wrong_password(pair: Pair) -> None:
    pair.change("PASSWORD = 'wrong'")
    pair.await_error("IO")


def right_password(pair: Pair) -> None:
    (row,) = pair.source.execute(
        "SELECT user AS user, host AS host FROM mysql.user WHERE user LIKE 'replica\\_%'"
    )
    pair.quietly(f"ALTER USER '{row['user']}'@'{row['host']}' IDENTIFIED BY '{PASSWORD}'", source=True)
    pair.change(f"PASSWORD = '{PASSWORD}'")


def errant(pair: Pair) -> None:
    pair.replica.execute("INSERT INTO shop.item VALUES (99, 'by mistake')")


def no_errant(pair: Pair) -> None:
    pair.quietly("DELETE FROM shop.item WHERE id = 99")
    if not pair.mysql:
        # MariaDB names the newest of a domain alone.
        pair.source.execute("INSERT INTO shop.item VALUES (30, 'thirty')")
        return
    (row,) = pair.replica.execute("SELECT @@server_uuid AS uuid, @@gtid_executed AS executed")
    (own,) = [part for part in row["executed"].replace("\n", "").split(",") if part.startswith(row["uuid"])]
    with pair.source.connect() as connection, connection.cursor() as cursor:
        for statement in (f"SET GTID_NEXT = '{own}'", "BEGIN", "COMMIT", "SET GTID_NEXT = 'AUTOMATIC'"):
            cursor.execute(statement)


def binlog_gone(pair: Pair) -> None:
    pair.replica.execute(pair.word("STOP"))
    pair.source.execute("INSERT INTO shop.item VALUES (50, 'fifty')")
    pair.source.execute("FLUSH BINARY LOGS")
    newest = pair.source.execute("SHOW BINARY LOGS")[-1]["Log_name"]
    pair.source.execute("INSERT INTO shop.item VALUES (51, 'fifty-one')")
    wait_for(
        lambda: (
            not pair.source.execute(
                "SELECT 1 FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'"
            )
        ),
        "the end of the replica's connection",
    )

    def purged() -> bool:
        # A log that InnoDB may still need for its recovery is left alone, without a word.
        pair.source.execute(f"PURGE BINARY LOGS TO '{newest}'")
        return bool(pair.source.execute("SHOW BINARY LOGS")[0]["Log_name"] == newest)

    wait_for(purged, "the binary logs' end")
    pair.replica.execute(pair.word("START"))
    pair.await_error("IO")


def on(server: str, statement: str, thread: str = "") -> Step:
    """A statement on the pair's source or replica; one that begins with START or STOP in the flavor's words."""

    def run(pair: Pair) -> None:
        told = pair.word(statement, thread) if statement in ("START", "STOP") else statement
        (pair.source if server == "source" else pair.replica).execute(told)

    return run


def kill(pair: Pair) -> None:
    pair.source.kill()


def start(pair: Pair) -> None:
    pair.source.start()


def pause(pair: Pair) -> None:
    pair.source.pause()


def resume(pair: Pair) -> None:
    pair.source.resume()


def leave(pair: Pair) -> None:
    """The replica would have to be built anew."""


def fault(name: str, finding: str, breaks: Step, mends: Step, database: str = "replica") -> Fault:
    return Fault(name, breaks, database, finding, mends)


def setting(name: str, bad: str, good: str, server: str = "source") -> tuple[Step, Step]:
    return on(server, f"SET GLOBAL {name} = {bad}"), on(server, f"SET GLOBAL {name} = {good}")


KEYLESS = on("source", "CREATE TABLE shop.bare (a INT)"), on("source", "DROP TABLE shop.bare")
RETENTION = setting("binlog_expire_logs_seconds", "3600", "2592000")
SETTINGS = ("binlog_format", "no_primary_key", "retention_short")
"""What is not looked at with every sample, so that the fault has to be there at the first look."""
FAULTS = (
    fault("a row of the same key on the replica", "duplicate_key", duplicate_key, no_duplicate_key),
    fault("a row deleted on the replica", "row_missing", row_missing, no_row_missing),
    fault("a table dropped on the replica", "table_missing", table_missing, no_table_missing),
    fault("a wrong password", "wrong_password", wrong_password, right_password),
    fault("the source killed", "source_unreachable", kill, start),
    fault("the source stopped (SIGSTOP)", "source_unreachable", pause, resume),
    fault("STOP of the receiver", "receiver_stopped", on("replica", "STOP", "IO_THREAD"), on("replica", "START")),
    fault("STOP of the applier", "applier_stopped", on("replica", "STOP", "SQL_THREAD"), on("replica", "START")),
    fault("read_only = OFF on the replica", "replica_writable", *setting("read_only", "OFF", "ON", "replica")),
    fault("a write on the replica", "errant_transactions", errant, no_errant),
    fault("binlog_format = STATEMENT", "binlog_format", *setting("binlog_format", "'STATEMENT'", "'ROW'"), "source"),
    fault("a table without a primary key", "no_primary_key", *KEYLESS, "source"),
    fault("binary logs kept for an hour", "retention_short", *RETENTION, "source"),
    fault("binary logs purged before they were fetched", "binlog_gone", binlog_gone, leave),
)  # fmt: skip


def unattached(servers: PrivateServers, release: str) -> Pair:
    """A source with its table, and a server that is set up as a replica and follows nobody yet."""
    options = {
        **replication_options(release.split("-", 1)[0]),
        "binlog-expire-logs-seconds": "2592000",
        "relay-log-recovery": "ON",
        "innodb-buffer-pool-size": "32M",
    }
    source = servers(release, options=options)
    source.execute("CREATE DATABASE shop")
    source.execute("CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(20))")
    source.execute("INSERT INTO shop.item VALUES (1, 'one'), (2, 'two')")
    return Pair(source, servers(release, options={**options, "read-only": "ON"}))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, release: str) -> Iterator[Pair]:
    servers = PrivateServers(tmp_path_factory.mktemp(release))
    try:
        made = unattached(servers, release)
        attach_replica(made.source, made.replica)
        wait_until_caught_up(made.replica, made.source)
        yield made
    finally:
        servers.destroy()


@asynccontextmanager
async def observing(pair: Pair) -> AsyncIterator[Observer]:
    observer = Observer(source=pair.source, replica=pair.replica)
    try:
        yield observer
    finally:
        await observer.close()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.finding + "-" + fault.name.split()[-1])
async def test_each_fault_has_its_finding_and_no_other(pair: Pair, fault: Fault) -> None:
    async with observing(pair) as observer:
        if fault.finding not in SETTINGS:
            await observer.until_found()
        fault.breaks(pair)
        for _ in range(2):
            seen = await observer.round()
        assert found(seen) == [(fault.database, fault.finding)], "within two samples"
        fault.mends(pair)
    if fault.finding == "binlog_gone":
        return
    async with observing(pair) as observer:
        await observer.until_found()
        wait_until_caught_up(pair.replica, pair.source)


async def test_a_cut_network_is_told_and_lag_goes_on_growing(
    private_server: PrivateServers, release: str
) -> None:
    pair = unattached(private_server, release)
    try:
        between = Partition(pair.source.host, pair.source.port)
    except Unable as error:
        pytest.skip(f"no network namespace can be made here: {error}")
    try:
        attach_replica(pair.source, pair.replica, address=between.address)
        wait_until_caught_up(pair.replica, pair.source)
        async with observing(pair) as observer:
            await observer.until_found()
            between.cut()
            pair.source.execute("INSERT INTO shop.item VALUES (40, 'forty')")
            seen = await observer.until_found(("replica", "receiver_silent"))
            assert "The monitor reaches the source" in seen.findings[0].detail
            channel = observer.channel("replica")
            assert channel.io_running is True, "the server itself believes in its connection"
            assert channel.lag_source == "positions"
            await observer.until(lambda _: (observer.channel("replica").lag or 0) >= SILENT_SECONDS + 1)
            (edge,) = seen.topology.edges
            assert edge.source == "source", "though it is reached by another address"
    finally:
        between.close()


def test_the_documentation_names_every_fault() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "replication.md").read_text()
    for fault in FAULTS:
        assert f"| {fault.name} | `{fault.finding}` |" in page, fault.name
