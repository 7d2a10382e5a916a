"""Collecting digests against prometheus-mysqld-exporter's eventsstatements collector, on the same server in the same run.

    python benchmarks/digest_collection.py [--release mariadb-10.11 mysql-9.7] [--digests 200 2000] [--rounds 9] [--visits 10]

Server CPU of one visit, by the database server's process. Here a visit is `read_digests`, of what was seen since the visit before, and
`read_texts` for the kinds of statement that are new; there it is one scrape with `collect.perf_schema.eventsstatements` and nothing else,
as it comes (the 250 digests that took most time, texts cut at 120 characters). Before each turn an application sends a little traffic:
the same twenty kinds of statement, and one that was not there before. Visits take turns; a round is the mean of its visits, the figures
are medians of the rounds. `all` is a visit as the first one after a start is, which reads every digest.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.support.exporter import EXPORTER, cpu, exporter
from dbvigil.queries.digests import Reading, merged, read_digests, read_texts
from dbvigil.sandbox import MONITORING_GRANTS, PrivateServer
from dbvigil.server import Server
from dbvigil.targets import parse_url

COLLECTORS = (
    "collect.perf_schema.eventsstatements",
    "no-collect.global_status",
    "no-collect.global_variables",
    "no-collect.slave_status",
    "no-collect.info_schema.innodb_cmp",
    "no-collect.info_schema.innodb_cmpmem",
    "no-collect.info_schema.query_response_time",
)
GOAL = 1.0
OURS, THEIRS = ("bench", "bench"), ("exporter", "bench")
Visit = Callable[[], Awaitable[None]]


def main() -> None:
    options = _options()
    if shutil.which(EXPORTER) is None:
        sys.exit(f"{EXPORTER} is missing; install the package of that name (`make bench` does)")
    print(f"server CPU a visit, load {os.getloadavg()[0]:.0f}; medians of {options.rounds} rounds")
    print(f"  {'':14}{'digests':>8}{'dbvigil':>12}{'all':>12}{'exporter':>12}{'ratio':>8}{'goal':>8}")
    met = True
    for release in options.release:
        for digests in options.digests:
            with tempfile.TemporaryDirectory(prefix="dbvigil-bench-") as folder:
                home = Path(folder)
                with PrivateServer(release, home / "server") as server:
                    for account in (OURS, THEIRS):
                        server.create_user(*account, MONITORING_GRANTS[server.flavor])
                    met = asyncio.run(_compare(server, home, digests, options)) and met
    print(f"  goal {'met' if met else 'MISSED'}")
    sys.exit(0 if met or not options.strict else 1)


async def _compare(server: PrivateServer, home: Path, digests: int, options: argparse.Namespace) -> bool:
    traffic = _Traffic(server, digests)
    ours = Server(parse_url("bench", server.url(*OURS)))
    reading = await read_digests(ours, datetime.now(UTC))
    # The server's clock tells digests apart by the second: those of the making are not to be "seen since".
    await asyncio.sleep(2.5)
    latest = [reading]

    async def sample() -> None:
        before: Reading = latest[0]
        now = await read_digests(ours, datetime.now(UTC), before.clock)
        new = [key for key in now.digests if key not in before.digests]
        texts = await read_texts(ours, new)
        assert len(texts) >= len(new) > 0
        latest[0] = merged(before, now)

    async def everything() -> None:
        await read_digests(ours, datetime.now(UTC))

    costs: dict[str, list[float]] = {"ours": [], "all": [], "theirs": []}
    with exporter(server, home, COLLECTORS, THEIRS) as (scrape, _):

        async def scraped() -> None:
            await asyncio.to_thread(scrape)

        visits: dict[str, Visit] = {"ours": sample, "all": everything, "theirs": scraped}
        for visit in visits.values():
            traffic.send()
            await visit()
        for _ in range(options.rounds):
            spent: dict[str, list[float]] = {name: [] for name in visits}
            for _ in range(options.visits):
                traffic.send()
                for name, visit in visits.items():
                    spent[name].append(await _cost(server, visit))
            for name, values in spent.items():
                costs[name].append(statistics.fmean(values))
    await ours.close()
    middle = {name: statistics.median(values) * 1000 for name, values in costs.items()}
    ratio = statistics.median(mine / peer for mine, peer in zip(costs["ours"], costs["theirs"], strict=True))
    print(
        f"  {server.binary.name:14}{digests:>8}{middle['ours']:>9.2f} ms{middle['all']:>9.2f} ms{middle['theirs']:>9.2f} ms"
        f"{ratio:>8.2f}{f'<= {GOAL:g}':>8}",
        flush=True,
    )
    return ratio <= GOAL


async def _cost(server: PrivateServer, visit: Visit) -> float:
    # What the traffic leaves to do, and what the server does after its last answer, belongs to nobody and to the visit.
    await asyncio.sleep(0.005)
    began = cpu(server.pid)
    await visit()
    await asyncio.sleep(0.005)
    return cpu(server.pid) - began


class _Traffic:
    """A shop with so many kinds of statement, of which a few are used again and again."""

    def __init__(self, server: PrivateServer, digests: int) -> None:
        server.execute("CREATE DATABASE shop")
        for table in range(20):
            server.execute(
                f"CREATE TABLE shop.t{table} (id INT PRIMARY KEY AUTO_INCREMENT, a INT, b VARCHAR(50), KEY (a))"
            )
        self._cursor = server.connect(database="shop").cursor()
        self._numbers = itertools.count()
        for _ in range(digests):
            self._ask(next(self._numbers))
        self._busy = range(20)

    def send(self) -> None:
        for number in self._busy:
            self._ask(number)
        self._ask(next(self._numbers))
        time.sleep(0.002)

    def _ask(self, number: int) -> None:
        columns = ", ".join(f"a AS c{number}_{place}" for place in range(3))
        self._cursor.execute(f"SELECT {columns} FROM t{number % 20} WHERE id = 1")
        self._cursor.fetchall()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--release", nargs="+", default=["mariadb-10.11", "mysql-9.7"])
    parser.add_argument("--digests", nargs="+", type=int, default=[200, 2000])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--visits", type=int, default=10)
    parser.add_argument("--strict", action="store_true", help="exit with 1 where the goal is missed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
