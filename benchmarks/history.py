"""History against the two plain ways to keep samples in SQL: a column a metric, and a row a reading.

    python benchmarks/history.py [--days 30] [--interval 30] [--random]

One target, every numeric metric of the catalogue, synthetic figures with a daily rhythm and noise (`--random`:
nothing but noise). The peers keep the samples only; history keeps its three rollups as well. Prints sizes on
SQLite, what saving and upkeep cost, and how long queries of one metric take, medians of `REPEATS` runs.
The goals: 40 MiB for 30 days at 30 s, 50 ms for the heaviest query.
"""

# ruff: noqa: PLC0415 - nothing of Django may be imported before it is set up for the benchmark's own folder

from __future__ import annotations

import argparse
import gc
import math
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

REPEATS = 15
METRIC = "queries_rate"
START = datetime(2026, 1, 1, tzinfo=UTC)
MEBIBYTE = 2**20
GOAL_MEBIBYTES, GOAL_DAYS, GOAL_INTERVAL = 40.0, 30, 30
GOAL_MILLISECONDS = 50.0

Readings = dict[str, float]


def realistic(moment: float, elapsed: float, noise: random.Random) -> Readings:
    """A busy shop's figures: rates are counts over a time that is never quite the interval."""
    day = 0.5 - 0.5 * math.cos(2 * math.pi * (moment % 86_400) / 86_400)
    load = max(0.02, 0.15 + day * (1 + 0.15 * noise.gauss(0, 1)))

    def happened(rate: float) -> int:
        mean = rate * load * elapsed
        return max(0, round(noise.gauss(mean, math.sqrt(mean))))

    def a_second(rate: float) -> float:
        return happened(rate) / elapsed

    connections = max(1, round(20 + 60 * load + noise.gauss(0, 3)))
    reads, misses = happened(90_000), happened(15)
    tables, on_disk = happened(80), happened(3)
    data = 5_200_000_000 + int(moment // 600) * 65_536
    index = 2_100_000_000 + int(moment // 600) * 16_384
    return {
        "up": True,
        "uptime": 1_000_000 + round(moment),
        "collection_ms": noise.lognormvariate(1, 0.3),
        "connections": connections,
        "max_connections": 500,
        "max_used_connections": 150,
        "connection_usage": 100 * connections / 500,
        "threads_running": max(1, round(load * 8 + noise.gauss(0, 1))),
        "threads_cached": noise.randint(5, 12),
        "thread_cache_hit_rate": 100.0 if noise.random() < 0.9 else 100 * (1 - 1 / noise.randint(20, 60)),
        "aborted_connects_rate": 0.0,
        "aborted_clients_rate": happened(0.01) / elapsed,
        "queries_rate": a_second(800),
        "transactions_rate": a_second(60),
        "selects_rate": a_second(600),
        "writes_rate": a_second(120),
        "slow_queries": 60 * a_second(0.02),
        "query_time": 0.002 * (1 + load) * noise.lognormvariate(0, 0.2),
        "longest_query_seconds": noise.choice((0, 0, 0, 0, 1, 2)),
        "longest_transaction_seconds": noise.choice((0, 0, 0, 1, 1, 3)),
        "full_scans_rate": a_second(15),
        "tmp_disk_tables_ratio": 100 * on_disk / (on_disk + tables) if tables else 0.0,
        "sort_merge_passes_rate": 0.0,
        "buffer_pool_hit_rate": 100 * (1 - misses / max(reads, 1)),
        "buffer_pool_usage": 100 * (127_000 + noise.randint(0, 500)) / 131_072,
        "buffer_pool_dirty_ratio": 100 * round(2000 + 1500 * load + noise.gauss(0, 100)) / 131_072,
        "row_lock_waits_rate": a_second(0.5),
        "row_lock_time_avg_ms": noise.lognormvariate(1, 0.5),
        "lock_waits_current": int(noise.random() < 0.02),
        "deadlocks_rate": 0.0,
        "history_list_length": round(noise.lognormvariate(4, 1)),
        "checkpoint_age_ratio": 100 * round(8e6 * load * (1 + 0.2 * noise.gauss(0, 1))) / 80e6,
        "log_waits_rate": 0.0,
        "query_cache_hit_rate": 100 * noise.betavariate(40, 10),
        "table_cache_hit_rate": 100 * (1 - noise.randint(0, 5) / noise.randint(4000, 6000)),
        "open_files_ratio": 100 * noise.randint(300, 320) / 65_536,
        "replication_io_running": True,
        "replication_sql_running": True,
        "replication_lag": 0 if noise.random() < 0.95 else noise.randint(1, 4),
        "read_only": True,
        "data_size_bytes": data,
        "index_size_bytes": index,
        "auto_increment_max_usage": 100 * (1e6 + moment) / 2**31,
        "cpu_usage": min(100.0, 100 * max(0.0, 0.1 + 0.5 * load + 0.05 * noise.gauss(0, 1))),
        "memory_usage": 100 * (12e9 + noise.gauss(0, 2e7)) / 16.6e9,
        "disk_usage": 100 * (data + index + 4e10) / 1e11,
        "network_rx_rate": a_second(9e5),
        "network_tx_rate": a_second(4e6),
        "load1": round(max(0.0, 2 * load + 0.2 * noise.gauss(0, 1)), 2),
        "health_score": 100 if noise.random() < 0.9 else 92,
    }


def all_random(names: tuple[str, ...], noise: random.Random) -> Readings:
    """What compresses worst: every metric an unrelated real number at every sample."""
    return {name: noise.lognormvariate(0, 2) for name in names}


def readings(days: int, interval: int, *, worst: bool) -> Iterator[tuple[float, Readings]]:
    from dbvigil.catalogue import NUMERIC

    noise = random.Random(1)
    for place in range(days * 86_400 // interval):
        moment = place * interval + noise.uniform(0, 0.005)
        elapsed = interval + noise.gauss(0, 0.003)
        values = all_random(NUMERIC, noise) if worst else realistic(moment, elapsed, noise)
        yield moment, {name: values[name] for name in NUMERIC}


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Median wall time and CPU time of `work`, in milliseconds."""
    walls, cpus = [], []
    for _ in range(REPEATS):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return 1000 * median(walls), 1000 * median(cpus)


def size(path: Path) -> float:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size / MEBIBYTE


class Wide:
    """One row a sample, one column a metric."""

    name = "wide rows"

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        columns = ", ".join(f"{name} REAL" for name in names)
        self._connection.execute(
            f"CREATE TABLE sample (target INTEGER, taken_at REAL, {columns},"
            " PRIMARY KEY (target, taken_at)) WITHOUT ROWID"
        )
        self._insert = f"INSERT INTO sample VALUES (1, ?, {', '.join('?' for _ in names)})"

    def fill(self, samples: list[tuple[float, Readings]]) -> None:
        self._connection.execute("BEGIN")
        self._connection.executemany(self._insert, ((moment, *values.values()) for moment, values in samples))
        self._connection.execute("COMMIT")

    def read(self, first: float, last: float) -> list[Any]:
        return self._connection.execute(
            f"SELECT taken_at, {METRIC} FROM sample WHERE target = 1 AND taken_at BETWEEN ? AND ?",
            (first, last),
        ).fetchall()

    def close(self) -> None:
        self._connection.close()


class Narrow:
    """One row a reading, clustered by target, metric and time."""

    name = "narrow rows"

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self._numbers = {name: number for number, name in enumerate(names)}
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute(
            "CREATE TABLE reading (target INTEGER, metric INTEGER, taken_at REAL, value REAL,"
            " PRIMARY KEY (target, metric, taken_at)) WITHOUT ROWID"
        )

    def fill(self, samples: list[tuple[float, Readings]]) -> None:
        self._connection.execute("BEGIN")
        for name, number in self._numbers.items():
            rows = ((number, moment, float(values[name])) for moment, values in samples)
            self._connection.executemany("INSERT INTO reading VALUES (1, ?, ?, ?)", rows)
        self._connection.execute("COMMIT")

    def read(self, first: float, last: float) -> list[Any]:
        return self._connection.execute(
            "SELECT taken_at, value FROM reading"
            " WHERE target = 1 AND metric = ? AND taken_at BETWEEN ? AND ?",
            (self._numbers[METRIC], first, last),
        ).fetchall()

    def close(self) -> None:
        self._connection.close()


class Series:
    """The codec of history, one row an hour of one metric; samples only."""

    name = "packed, a row a metric"

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self._numbers = {name: number for number, name in enumerate(names)}
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute(
            "CREATE TABLE part (target INTEGER, metric INTEGER, hour INTEGER, data BLOB,"
            " PRIMARY KEY (target, metric, hour)) WITHOUT ROWID"
        )

    def fill(self, samples: list[tuple[float, Readings]]) -> None:
        from dbvigil.history.packing import pack_chunk
        from dbvigil.history.tiers import of_samples

        hours: dict[int, list[tuple[float, Readings]]] = {}
        for moment, values in samples:
            hours.setdefault(int(moment // 3600), []).append((moment, values))
        self._connection.execute("BEGIN")
        for hour, group in hours.items():
            times = [round(1000 * moment) for moment, _ in group]
            for name, number in self._numbers.items():
                column = of_samples(times, [float(values[name]) for _, values in group])
                data = pack_chunk({"value": column})
                self._connection.execute("INSERT INTO part VALUES (1, ?, ?, ?)", (number, hour, data))
        self._connection.execute("COMMIT")

    def read(self, first: float, last: float) -> list[Any]:
        from dbvigil.history.packing import unpack_chunk

        rows = self._connection.execute(
            "SELECT data FROM part WHERE target = 1 AND metric = ? AND hour BETWEEN ? AND ?",
            (self._numbers[METRIC], first // 3600, last // 3600),
        )
        return [unpack_chunk(data) for (data,) in rows]

    def close(self) -> None:
        self._connection.close()


def compare(folder: Path, samples: list[tuple[float, Readings]]) -> float:
    """Sizes and reading times of the other layouts, samples only; the MiB of the first, which is the plainest."""
    names = tuple(samples[0][1])
    last = samples[-1][0]
    sizes: list[float] = []
    print(f"{'samples only':<26}{'MiB':>8}{'a day, ms':>12}{'all, ms':>12}")
    for layout in (Wide, Narrow, Series):
        path = folder / f"{layout.__name__}.sqlite3"
        peer = layout(path, names)
        peer.fill(samples)
        day, _ = timed(lambda: peer.read(last - 86_400, last))  # noqa: B023 - called before the next turn
        whole, _ = timed(lambda: peer.read(0, last))  # noqa: B023
        peer.close()
        sizes.append(size(path))
        print(f"{layout.name:<26}{sizes[-1]:>8.1f}{day:>12.1f}{whole:>12.1f}")
        path.unlink()
    return sizes[0]


def measure(path: Path, days: int, interval: int, samples: list[tuple[float, Readings]], wide: float) -> None:
    """History itself: what it costs to fill and to ask, beside the `wide` MiB of a plain table."""
    from dbvigil.history.django_db import DjangoHistory
    from dbvigil.models import Chunk
    from dbvigil.types import DatabaseMetrics

    history = DjangoHistory(raw_days=days + 1)
    saving = upkeep = longest = 0.0
    hours = 0
    batch = 3600 // interval
    metrics: Any = None
    for first in range(0, len(samples), batch):
        metrics = [
            DatabaseMetrics("shop", START + timedelta(seconds=moment), **values)  # type: ignore[arg-type]
            for moment, values in samples[first : first + batch]
        ]
        begun = time.process_time()
        history.save(metrics)
        saving += time.process_time() - begun
        now = metrics[-1].timestamp + timedelta(minutes=2)
        more = True
        while more:
            begun, begun_wall = time.process_time(), time.perf_counter()
            more = history.maintain(now)
            upkeep += time.process_time() - begun
            longest = max(longest, time.perf_counter() - begun_wall)
        hours += 1
    print()
    goal = GOAL_MEBIBYTES * days / GOAL_DAYS * GOAL_INTERVAL / interval
    print(
        f"history, with rollups of 1 min, 5 min and 1 h: {size(path):.1f} MiB for {days} days"
        f", {size(path) / wide:.2f} of wide rows' samples   goal <= {goal:g}: {_verdict(size(path) <= goal)}"
    )
    for step in (0, 60, 300, 3600):
        lengths = [len(data) for data in Chunk.objects.filter(step=step).values_list("data", flat=True)]
        print(f"  step {step:>4}: {len(lengths):>4} chunks of {sum(lengths) / len(lengths) / 1024:>6.1f} KiB")
    print(f"save: {1000 * saving / len(samples):.3f} ms CPU a sample, {batch} at once")
    print(f"save: {save_few(history, metrics[0]):.3f} ms CPU a sample, 20 at once")
    print(
        f"maintain: {1000 * upkeep / hours:.0f} ms CPU an hour of a target, longest call {1000 * longest:.0f} ms"
    )
    history.forget("other")
    ask(history, samples[-1][0], days)


def save_few(history: Any, metrics: Any) -> float:
    """CPU milliseconds a sample where twenty are saved at a time."""
    from dataclasses import replace

    begun = time.process_time()
    for turn in range(50):
        moment = metrics.timestamp + timedelta(seconds=turn)
        history.save([replace(metrics, database="other", timestamp=moment) for _ in range(20)])
    return 1000 * (time.process_time() - begun) / 1000


def ask(history: Any, last: float, days: int) -> None:
    """Every way in which a query of one metric can be heavy."""
    end = START + timedelta(seconds=last)
    questions: list[tuple[float, int | None]] = [(1, None), (24, None), (7 * 24, None), (24 * days, None)]
    for step in (30, 60, 90, 119, 120, 235, 240, 250, 300, 600, 3600):
        questions.append((min(24 * days, 11_000 * step // 3600), step))
    print(f"\n{'query of one metric':<26}{'points':>8}{'wall ms':>12}{'CPU ms':>12}")
    slowest = 0.0
    for hours, resolution in questions:
        start = end - timedelta(hours=hours)

        def query(start: datetime = start, resolution: int | None = resolution) -> Any:
            return history.query("shop", [METRIC], start, end, resolution)

        points = len(query().points[METRIC])
        wall, cpu = timed(query)
        slowest = max(slowest, wall)
        label = f"{hours:g} h at {f'{resolution} s' if resolution else 'auto'}"
        print(f"{label:<26}{points:>8}{wall:>12.1f}{cpu:>12.1f}")
    print(
        f"the heaviest {slowest:.1f} ms   goal <= {GOAL_MILLISECONDS:g}: {_verdict(slowest <= GOAL_MILLISECONDS)}"
    )


def _verdict(held: bool) -> str:
    return "met" if held else "MISSED"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--interval", type=int, default=30, help="seconds between two samples")
    parser.add_argument("--random", action="store_true", help="every metric nothing but noise")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dbvigil-bench-") as folder:
        home = Path(folder)
        os.environ["DBVIGIL_HOME"] = folder
        os.environ.pop("DATABASE_URL", None)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "service.settings")
        sys.path.insert(0, str(Path(__file__).parents[1]))

        import django
        from django.conf import settings
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0, interactive=False)
        samples = list(readings(options.days, options.interval, worst=options.random))
        # What only the benchmark holds is kept out of the garbage collections of what it measures.
        gc.collect()
        gc.freeze()
        kind = "random" if options.random else "realistic"
        print(
            f"{len(samples)} samples of {len(samples[0][1])} {kind} metrics, one each {options.interval} s\n"
        )
        wide = compare(home, samples)
        own = Path(str(settings.DATABASES["default"]["NAME"]))
        measure(own, options.days, options.interval, samples, wide)


if __name__ == "__main__":
    main()
