"""How many targets one monitor process sustains on one core without a late sample, and what a target costs in memory.

    python benchmarks/targets.py [--targets 1000] [--interval 10] [--seconds 60] [--release mariadb-10.11]

The targets are connections to a few real private servers. The monitor is pinned to one core, the servers to the others where there are any.
A sample is late when it came more than half a second after it was due. The goal is 1,000 targets at 10 s.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from itertools import pairwise
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from dbvigil.sandbox import MONITORING_GRANTS, PrivateServer  # noqa: E402

SERVERS = 2
LATE = 0.5


def main() -> None:
    options = _options()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbvigil-bench-")))
        servers = [
            stack.enter_context(
                PrivateServer(
                    options.release,
                    home / f"server{number}",
                    options={"max-connections": options.targets // SERVERS + 50, "table-open-cache": 2000},
                )
            )
            for number in range(SERVERS)
        ]
        cores = sorted(os.sched_getaffinity(0))
        for server in servers:
            server.create_user("bench", "bench", MONITORING_GRANTS[server.flavor])
            os.sched_setaffinity(server.pid, cores[1:] or cores)
        few = measure(home / "few", servers, 10, options.interval, 2 * options.interval, cores[0])
        many = measure(home / "many", servers, options.targets, options.interval, options.seconds, cores[0])
    memory = (many["rss"] - few["rss"]) / (options.targets - 10)
    print(
        f"{options.targets} targets at {options.interval:g} s on one core ({options.release}): "
        f"late samples {many['late']:.0f} of {many['samples']:.0f}, latest by {many['worst']:.3f} s"
        f"   goal 0: {'MISSED' if many['late'] else 'met'}"
    )
    print(
        f"  CPU {many['cpu']:.2f} of a core, {many['cpu'] * options.interval / options.targets * 1000:.2f} ms a sample"
    )
    print(f"  memory {many['rss'] / 2**20:.0f} MiB, {memory / 2**10:.0f} KiB a target")


def measure(
    home: Path, servers: list[PrivateServer], targets: int, interval: float, seconds: float, core: int
) -> dict[str, float]:
    """One monitor on `targets` targets for `seconds` after every target was sampled once."""
    home.mkdir()
    pairs = (
        f"t{number}={servers[number % len(servers)].url('bench', 'bench', ssl_mode='disabled')}"
        for number in range(targets)
    )
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "service.settings",
        "DBVIGIL_HOME": str(home),
        "DB_MONITORING_TARGETS": " ".join(pairs),
        "PYTHONPATH": str(ROOT),
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=environment, check=True)
    command = [sys.executable, "manage.py", "database_monitor", "start", "--interval", f"{interval:g}"]
    monitor = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        os.sched_setaffinity(monitor.pid, [core])
        process = psutil.Process(monitor.pid)
        database = home / "dbvigil.sqlite3"
        deadline = time.monotonic() + 120
        while _count(database) < targets:
            if time.monotonic() > deadline:
                raise SystemExit(f"only {_count(database)} of {targets} targets were sampled in 120 s")
            time.sleep(0.2)
        # The first round is spread over seconds and reads everything; it is not the steady state.
        time.sleep(interval)
        cpu, began = sum(process.cpu_times()[:2]), time.monotonic()
        first = time.time()
        time.sleep(seconds)
        used = (sum(process.cpu_times()[:2]) - cpu) / (time.monotonic() - began)
        rss = process.memory_info().rss
    finally:
        monitor.terminate()
        monitor.wait(30)
    late, worst, samples = _lateness(database, first, interval)
    return {"cpu": used, "rss": rss, "late": late, "worst": worst, "samples": samples}


def _count(database: Path) -> int:
    with closing(sqlite3.connect(database, timeout=10)) as connection:
        row = connection.execute("SELECT COUNT(*) FROM dbvigil_targetstate WHERE samples > 0").fetchone()
        return int(row[0])


def _lateness(database: Path, since: float, interval: float) -> tuple[int, float, int]:
    """Late samples, the worst delay (seconds) and all samples since `since`. Slots are one interval apart, so a sample that
    comes more than an interval after the one before it was that much late."""
    by_target: dict[str, list[float]] = {}
    with closing(sqlite3.connect(database, timeout=10)) as connection:
        for alias, moment in connection.execute(
            "SELECT database, taken_at FROM dbvigil_sample ORDER BY taken_at"
        ):
            by_target.setdefault(alias, []).append(moment / 1000)
    delays = [
        later - earlier - interval
        for times in by_target.values()
        for earlier, later in pairwise(times)
        if later >= since
    ]
    return sum(delay > LATE for delay in delays), max(delays, default=0.0), len(delays)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--interval", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--release", default="mariadb-10.11")
    return parser.parse_args()


if __name__ == "__main__":
    main()
