"""One full sample against one scrape of Debian's prometheus-mysqld-exporter, on the same server in the same run.

    python benchmarks/sample_vs_exporter.py [--rounds 15] [--visits 20] [--release mariadb-10.11] [--digests 200]

Measured on a private server with `--digests` statement digests and a little traffic before each round:

    client CPU   of the process that reads: for the exporter its whole process; here the sample, its figures, and its snapshot as JSON
    server CPU   of the database server's process
    statements   that reached the server
    wall         from asking to having the figures

Sample and scrape take turns, visit by visit; a round is the mean of its visits, and the figures are medians of the rounds. Both hold their
connection between visits. The exporter runs the collectors that give the same figures (`COLLECTORS`); those on a slow schedule here
(variables every 5 minutes, sizes and AUTO_INCREMENT every 10) are measured a second time as if they were due with every sample: then
the exporter has its counterparts too (`DUE_COLLECTORS`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.support.exporter import EXPORTER, cpu, exporter
from dbvigil import targets
from dbvigil.analysis import rates
from dbvigil.collectors.runner import Sampler, monotonic
from dbvigil.sandbox import MONITORING_GRANTS, PrivateServer
from dbvigil.types import Snapshot

COLLECTORS = (
    "collect.global_status",  # status
    "collect.global_variables",  # max_connections, read_only, open_files_limit
    "collect.slave_status",  # replication
    "collect.slave_hosts",  # replication_role
    "collect.info_schema.processlist",  # sessions
    "collect.info_schema.innodb_metrics",  # deadlocks, history list
    "collect.engine_innodb_status",  # open transactions, lock waits
    "collect.perf_schema.eventsstatements",  # query_time, by digest
    "collect.perf_schema.eventsstatementssum",  # query_time
    "no-collect.info_schema.innodb_cmp",
    "no-collect.info_schema.innodb_cmpmem",
    "no-collect.info_schema.query_response_time",
)
DUE_COLLECTORS = (*COLLECTORS, "collect.auto_increment.columns", "collect.info_schema.tables")
GOALS = {"client CPU": 0.33, "server CPU": 0.5, "statements": 0.5, "wall": 0.5}
ACCOUNT = ("bench", "bench")
EXPORTER_ACCOUNT = ("exporter", "bench")
# What its collectors of replicas and of tables need besides.
EXPORTER_GRANTS = ("REPLICATION MASTER ADMIN ON *.*", "SELECT ON *.*")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one visit: milliseconds, and statements."""

    client: float
    server: float
    statements: float
    wall: float

    def figures(self) -> dict[str, float]:
        return {
            "client CPU": self.client,
            "server CPU": self.server,
            "statements": self.statements,
            "wall": self.wall,
        }


def main() -> None:
    options = _options()
    if shutil.which(EXPORTER) is None:
        sys.exit(
            f"{EXPORTER} is missing; install the package of that name (make setup installs it for benchmarks)"
        )
    with tempfile.TemporaryDirectory(prefix="dbvigil-bench-") as folder:
        home = Path(folder)
        with PrivateServer(options.release, home / "server") as server:
            grants = MONITORING_GRANTS[server.flavor]
            server.create_user(*ACCOUNT, grants)
            server.create_user(*EXPORTER_ACCOUNT, (*grants, *EXPORTER_GRANTS))
            _make_shop(server)
            _make_digests(server, options.digests)
            met = asyncio.run(_compare(server, home, COLLECTORS, options, due=False))
            asyncio.run(_compare(server, home, DUE_COLLECTORS, options, due=True))
    sys.exit(0 if met or not options.strict else 1)


async def _compare(
    server: PrivateServer, home: Path, collectors: Sequence[str], options: argparse.Namespace, *, due: bool
) -> bool:
    ours: list[Cost] = []
    theirs: list[Cost] = []
    sampler = Sampler(targets.parse_url("bench", server.url(*ACCOUNT)))
    previous: list[Snapshot] = []

    async def sample() -> float:
        began = time.process_time()
        snapshot = await sampler.snapshot(datetime.now(UTC), monotonic(), full=due)
        figures = rates.metrics(snapshot, previous[0] if previous else None)
        json.dumps(snapshot.to_dict())
        spent = time.process_time() - began
        previous[:] = [snapshot]
        assert figures.up and not figures.failures, figures.failures
        return spent

    with exporter(server, home, collectors, EXPORTER_ACCOUNT) as (scrape, process):

        async def visit_exporter() -> float:
            began = cpu(process.pid)
            scrape()
            return cpu(process.pid) - began

        for visit in (sample, visit_exporter):
            for _ in range(3):
                await visit()
        for _ in range(options.rounds):
            _traffic(server)
            pairs = [
                (await _cost(server, sample), await _cost(server, visit_exporter))
                for _ in range(options.visits)
            ]
            ours.append(_mean([pair[0] for pair in pairs]))
            theirs.append(_mean([pair[1] for pair in pairs]))
    await sampler.close()
    return _report(server, options, ours, theirs, due)


async def _cost(server: PrivateServer, visit: Callable[[], Awaitable[float]]) -> Cost:
    questions, began, before = _questions(server), time.perf_counter(), cpu(server.pid)
    client = await visit()
    wall = time.perf_counter() - began
    # What the server does after its last answer belongs to the visit too.
    await asyncio.sleep(0.005)
    spent = cpu(server.pid) - before
    return Cost(client * 1000, spent * 1000, _questions(server) - questions - 1, wall * 1000)


def _mean(costs: Sequence[Cost]) -> Cost:
    columns = zip(*(cost.figures().values() for cost in costs), strict=True)
    return Cost(*(statistics.fmean(column) for column in columns))


def _report(
    server: PrivateServer,
    options: argparse.Namespace,
    ours: Sequence[Cost],
    theirs: Sequence[Cost],
    due: bool,
) -> bool:
    what = "every collector due" if due else "an ordinary sample"
    print(
        f"{what}: {server.binary.name}, {options.digests} digests, {options.rounds} rounds of {options.visits} visits"
    )
    print(f"  {'':12}{'dbvigil':>12}{'exporter':>12}{'ratio':>8}{'goal':>8}")
    met = True
    for name, goal in GOALS.items():
        mine = statistics.median(cost.figures()[name] for cost in ours)
        peer = statistics.median(cost.figures()[name] for cost in theirs)
        ratio = statistics.median(
            own.figures()[name] / other.figures()[name] for own, other in zip(ours, theirs, strict=True)
        )
        unit = "" if name == "statements" else " ms"
        print(
            f"  {name:12}{mine:>9.2f}{unit:3}{peer:>9.2f}{unit:3}{ratio:>8.2f}{'' if due else f'<= {goal}':>8}"
        )
        met = met and ratio <= goal
    if not due:
        print(f"  goals {'met' if met else 'MISSED'}")
    return met


# -- what is measured


_counting: dict[PrivateServer, Callable[[], int]] = {}


def _questions(server: PrivateServer) -> int:
    """Statements that the server has had from clients; asking is one of them."""
    if server not in _counting:
        connection = server.connect()

        def ask() -> int:
            with connection.cursor() as cursor:
                cursor.execute("SHOW GLOBAL STATUS LIKE 'Questions'")
                (row,) = cursor.fetchall()
                return int(row["Value"])

        _counting[server] = ask
    return _counting[server]()


# -- what the server has to do besides


def _make_shop(server: PrivateServer) -> None:
    server.execute("CREATE DATABASE shop")
    for table in range(20):
        server.execute(
            f"CREATE TABLE shop.t{table} (id INT PRIMARY KEY AUTO_INCREMENT, a INT, b VARCHAR(50), KEY (a))"
        )
        rows = ", ".join(f"({row}, 'row {row}')" for row in range(1000))
        server.execute(f"INSERT INTO shop.t{table} (a, b) VALUES {rows}")


def _make_digests(server: PrivateServer, number: int) -> None:
    with server.connect() as connection, connection.cursor() as cursor:
        for digest in range(number):
            columns = ", ".join(f"a AS c{digest}_{column}" for column in range(3))
            cursor.execute(f"SELECT {columns} FROM shop.t{digest % 20} WHERE id = 1")


def _traffic(server: PrivateServer) -> None:
    with server.connect() as connection, connection.cursor() as cursor:
        for number in range(50):
            cursor.execute(f"SELECT * FROM shop.t{number % 20} WHERE id = {number}")
            cursor.execute(f"UPDATE shop.t{number % 20} SET a = a + 1 WHERE id = {number}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--visits", type=int, default=20)
    parser.add_argument("--digests", type=int, default=200)
    # The exporter's words for replication are those that MySQL gave up with 8.4.
    parser.add_argument("--release", default="mariadb-10.11", choices=["mariadb-10.11", "mariadb-11.8"])
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a goal is missed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
