"""Replication lag as it is told, beside what it truly is, and beside what the server says itself (Seconds_Behind).

    python benchmarks/replication_lag.py [--server mysql-9.7 mariadb-10.11] [--seconds 12]

A source and its replica, sampled once a second. On the source a row is written four times a second (or not), and its moment noted; what the
replica truly lacks is read from its table, right before and after each sample. The truth is the age of the oldest transaction that the
source has committed and the replica has not. Errors are how far a figure lies outside of the two truths; a figure that is unknown is
counted, not measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dbvigil.sandbox import PrivateServer, attach_replica, replication_options, wait_until_caught_up
from tests.support.observer import Observer
from tests.support.partition import Partition
from tests.support.servers import PrivateServers

GOAL_SECONDS = 1.0
BEATS_A_SECOND = 4
_READ = "SELECT COALESCE(MAX(id), 0) AS newest FROM shop.beat"


@dataclass(frozen=True, slots=True)
class Scene:
    """One way to be behind. `holds` begins it and ends it; `writes`: whether the source goes on writing."""

    name: str
    holds: Callable[[Setting], contextlib.AbstractContextManager[None]]
    writes: bool = True


@dataclass(slots=True)
class Setting:
    """A source, its replica, what lies between them, and when each row was committed."""

    source: PrivateServer
    replica: PrivateServer
    between: Partition
    committed: list[tuple[int, float]] = field(default_factory=list)

    def word(self, text: str) -> str:
        return text.format("REPLICA" if self.source.flavor == "mysql" else "SLAVE")

    def lacks(self) -> float:
        """Seconds since the oldest row was committed that the replica does not have."""
        newest = self.replica.execute(_READ)[0]["newest"]
        moment = time.time()
        return next((moment - at for number, at in self.committed if number > newest), 0.0)


class Writer(threading.Thread):
    """Writes rows on the source, and notes when each was committed."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(daemon=True)
        self._setting = setting
        self._ends = threading.Event()
        self.writes = threading.Event()

    def run(self) -> None:
        with self._setting.source.connect() as connection, connection.cursor() as cursor:
            number = 0
            while not self._ends.wait(1 / BEATS_A_SECOND):
                if self.writes.is_set():
                    number += 1
                    cursor.execute("INSERT INTO shop.beat VALUES (%s)", (number,))
                    self._setting.committed.append((number, time.time()))

    def end(self) -> None:
        self._ends.set()
        self.join()


@contextlib.contextmanager
def nothing(setting: Setting) -> Iterator[None]:
    yield


@contextlib.contextmanager
def locked(setting: Setting) -> Iterator[None]:
    """The replica is held back by a session that holds the table."""
    with setting.replica.connect() as connection, connection.cursor() as cursor:
        cursor.execute("FLUSH TABLES shop.beat WITH READ LOCK")
        yield


@contextlib.contextmanager
def stopped(setting: Setting) -> Iterator[None]:
    setting.replica.execute(setting.word("STOP {} SQL_THREAD"))
    yield
    setting.replica.execute(setting.word("START {} SQL_THREAD"))


@contextlib.contextmanager
def cut(setting: Setting) -> Iterator[None]:
    """The network swallows everything, and tells neither side."""
    setting.between.cut()
    yield
    setting.between.mend()


@contextlib.contextmanager
def long_transaction(setting: Setting) -> Iterator[None]:
    """A transaction that was open on the source for long, whose statements are old by the time it is committed."""
    with setting.source.connect() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO shop.other VALUES (1)")
        timer = threading.Timer(6, lambda: cursor.execute("COMMIT"))
        timer.start()
        yield
        timer.join()
        cursor.execute("DELETE FROM shop.other")
        cursor.execute("COMMIT")


@contextlib.contextmanager
def large_transaction(setting: Setting) -> Iterator[None]:
    """A transaction that takes as long on the replica as it took on the source: five seconds."""

    def work() -> None:
        with setting.source.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION binlog_format = 'STATEMENT'")
            cursor.execute("INSERT INTO shop.other SELECT 2 + SLEEP(5)")

    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()
    setting.source.execute("DELETE FROM shop.other")


SCENES = (
    Scene("written to", nothing),
    Scene("idle source", nothing, writes=False),
    Scene("held back by a lock", locked),
    Scene("applier stopped", stopped),
    Scene("transaction long open", long_transaction),
    Scene("large transaction", large_transaction),
    Scene("network cut", cut),
)


@dataclass(slots=True)
class Errors:
    """How far figures lay from the truth, in seconds, and how often there was none."""

    worst: float = 0.0
    unknown: int = 0
    count: int = 0

    def add(self, figure: float | None, low: float, high: float) -> None:
        self.count += 1
        if figure is None:
            self.unknown += 1
        else:
            self.worst = max(self.worst, low - figure, figure - high)

    def __str__(self) -> str:
        known = f"{self.worst:.2f} s" if self.unknown < self.count else "-"
        return f"{known}, unknown {self.unknown} of {self.count}"


async def play(
    setting: Setting, scene: Scene, seconds: int, writer: Writer
) -> tuple[float, Errors, Errors, str]:
    """The largest true lag, our errors, the server's, and which sources of lag were named."""
    ours, servers, sources, largest = Errors(), Errors(), set(), 0.0
    observer = Observer(source=setting.source, replica=setting.replica)
    try:
        if scene.writes:
            writer.writes.set()
        await observer.round()
        with scene.holds(setting):
            began = time.monotonic()
            for second in range(1, seconds + 1):
                await asyncio.sleep(max(0.0, began + second - time.monotonic()))
                before = setting.lacks()
                await observer.round()
                after = setting.lacks()
                (row,) = setting.replica.execute(setting.word("SHOW {} STATUS"))
                low, high = min(before, after), max(before, after)
                largest = max(largest, high)
                channel = observer.channel("replica")
                ours.add(channel.lag, low, high)
                own = row.get("Seconds_Behind_Source", row.get("Seconds_Behind_Master"))
                servers.add(None if own is None else float(own), low, high)
                sources.add(str(channel.lag_source))
        writer.writes.clear()
        await asyncio.to_thread(wait_until_caught_up, setting.replica, setting.source)
    finally:
        await observer.close()
    return largest, ours, servers, ", ".join(sorted(sources))


def pair(servers: PrivateServers, release: str) -> Setting:
    flavor = release.split("-", 1)[0]
    options = {**replication_options(flavor), "innodb-buffer-pool-size": "64M"}
    source, replica = (
        servers(release, options=options),
        servers(release, options={**options, "read-only": "ON"}),
    )
    between = Partition(source.host, source.port)
    attach_replica(source, replica, address=between.address)
    for statement in (
        "CREATE DATABASE shop",
        "CREATE TABLE shop.beat (id INT PRIMARY KEY)",
        "CREATE TABLE shop.other (id INT PRIMARY KEY)",
    ):
        source.execute(statement)
    wait_until_caught_up(replica, source)
    return Setting(source, replica, between)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--server", nargs="*", default=["mysql-9.7", "mariadb-10.11"])
    parser.add_argument("--seconds", type=int, default=12)
    chosen = parser.parse_args()
    print(
        "| server | replica | largest true lag | worst error of dbvigil | told by | worst error of Seconds_Behind |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    met = True
    for release in chosen.server:
        with tempfile.TemporaryDirectory() as folder:
            servers = PrivateServers(Path(folder))
            setting = pair(servers, release)
            writer = Writer(setting)
            writer.start()
            try:
                for scene in SCENES:
                    largest, ours, theirs, sources = asyncio.run(play(setting, scene, chosen.seconds, writer))
                    met = met and ours.worst <= GOAL_SECONDS and not ours.unknown
                    print(
                        f"| {release} | {scene.name} | {largest:.1f} s | {ours} | {sources} | {theirs} |",
                        flush=True,
                    )
            finally:
                writer.end()
                setting.between.close()
                servers.destroy()
    print(f"goal, wrong by {GOAL_SECONDS:g} s at most: " + ("met" if met else "MISSED"))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
