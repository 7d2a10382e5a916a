"""From a fault of a real server to the message at a receiver: dbvigil beside Prometheus and Alertmanager, in one run.

    python benchmarks/fault_to_message.py [--rounds 8] [--release mariadb-10.11] [--defaults]

All watch the same servers and post to the same receiver. dbvigil samples every 30 s, its default. Prometheus scrapes Debian's
exporter and evaluates every second, Alertmanager groups with no wait: the fastest that they can sensibly be set to.

First servers are killed (SIGKILL). The goal is a median of 0.2 s. A part of it is the operating system's, which takes the
process down before it closes the sockets: nobody can know earlier, so that part is shown apart. A server is killed twice
at most: after that it would be flapping, which is told once.

Then servers hang (SIGSTOP): their connections stay open, so it is the next sample that notices, when it is given up after ten
seconds. The goal is the interval, these ten seconds, and one more for the message. A second dbvigil samples every second, as
often as the peers.

With `--defaults` both happen once more with the peers as Debian sets them: scrape and evaluation 15 s (upstream 60 s),
group_wait 30 s.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TypeAlias

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.support.peers import DEFAULTS, FASTEST, PROGRAMS, Pace, peers  # noqa: E402
from benchmarks.support.receiver import Receiver  # noqa: E402
from benchmarks.support.waiting import until  # noqa: E402
from dbvigil.sandbox import MONITORING_GRANTS, RELEASES, PrivateServer  # noqa: E402

INTERVAL = 30
KILL_GOAL = 0.2
# An interval, the limit of a sample (ten seconds, or nine tenths of a shorter interval), and a second for the message.
HANG_GOAL = INTERVAL + 10 + 1
QUICK_HANG_GOAL = 1 + 0.9 + 1
HANGS = 2
DEFAULT_KILLS = 2
# Generous: the peers at their defaults may take a scrape, its timeout, an evaluation and group_wait.
LIMIT = 120.0

OURS, QUICK, PEERS = "/dbvigil", "/dbvigil-quick", "/peers"
GONE = "process"
ROWS = {
    GONE: "the server's process is gone",
    OURS: f"dbvigil, sampling every {INTERVAL} s",
    QUICK: "dbvigil, sampling every 1 s",
    PEERS: "Prometheus and Alertmanager",
}

Servers: TypeAlias = Mapping[str, PrivateServer]
Seconds: TypeAlias = dict[str, list[float]]


def main() -> None:
    options = _options()
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        packages = " ".join(missing)
        sys.exit(f"not installed: {packages} (Debian: apt-get install --no-install-recommends {packages})")
    pairs = (options.rounds + 1) // 2
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbvigil-bench-")))
        names = [f"db{place}" for place in range(HANGS + pairs + DEFAULT_KILLS * options.defaults)]
        servers = {name: stack.enter_context(PrivateServer(options.release, home / name)) for name in names}
        for server in servers.values():
            server.create_user("bench", "bench", MONITORING_GRANTS[server.flavor])
        hung, killed, killed_late = names[:HANGS], names[HANGS : HANGS + pairs], names[HANGS + pairs :]
        receiver = Receiver()
        stack.enter_context(dbvigil(home / "ours", servers, receiver.url(OURS), INTERVAL))
        print(f"seconds from the fault to the message, {options.release}")
        with peers(home, servers, "bench", "bench", receiver.url(PEERS), FASTEST):
            found = kills(servers, [*killed, *killed][: options.rounds], receiver, FASTEST)
            report("killed, the peers at 1 s and 0 s", found, {OURS: KILL_GOAL})
            with dbvigil(home / "quick", {name: servers[name] for name in hung}, receiver.url(QUICK), 1):
                found = hangs(servers, hung, receiver, FASTEST, (OURS, QUICK, PEERS))
            report("hung, the peers at 1 s and 0 s", found, {OURS: HANG_GOAL, QUICK: QUICK_HANG_GOAL})
        if options.defaults:
            with peers(home, servers, "bench", "bench", receiver.url(PEERS), DEFAULTS):
                found = kills(servers, killed_late, receiver, DEFAULTS)
                report("killed, the peers at 15 s and 30 s", found, {OURS: KILL_GOAL})
                found = hangs(servers, hung, receiver, DEFAULTS, (OURS, PEERS))
                report("hung, the peers at 15 s and 30 s", found, {OURS: HANG_GOAL})


def kills(servers: Servers, names: Sequence[str], receiver: Receiver, pace: Pace) -> Seconds:
    """Kills one server after the other at a random moment of the peers' period; by row the seconds of each round."""
    found: Seconds = {GONE: [], OURS: [], PEERS: []}
    for name in names:
        time.sleep(2 + random.random() * pace.every)
        receiver.forget()
        began = time.monotonic()
        servers[name].kill()
        found[GONE].append(time.monotonic() - began)
        _keep(found, receiver, name, began, (OURS, PEERS))
        servers[name].start()
        _wait_until_over(receiver, name, (OURS, PEERS), pace)
    return found


def hangs(
    servers: Servers, names: Sequence[str], receiver: Receiver, pace: Pace, watchers: Sequence[str]
) -> Seconds:
    """As `kills`, but the servers stand still, at a random moment of dbvigil's interval, and go on afterwards."""
    found: Seconds = {watcher: [] for watcher in watchers}
    for name in names:
        time.sleep(2 + random.random() * INTERVAL)
        receiver.forget()
        began = time.monotonic()
        servers[name].pause()
        _keep(found, receiver, name, began, watchers)
        servers[name].resume()
        _wait_until_over(receiver, name, watchers, pace)
    return found


def _keep(found: Seconds, receiver: Receiver, name: str, began: float, watchers: Sequence[str]) -> None:
    receiver.wait_until_told(watchers, name, LIMIT)
    for watcher in watchers:
        found[watcher].append(receiver.told[watcher, name] - began)


def _wait_until_over(receiver: Receiver, name: str, watchers: Sequence[str], pace: Pace) -> None:
    """Peers that group for minutes are not waited for: a group is one server's, so what it says late disturbs no other."""
    patient = [watcher for watcher in watchers if watcher != PEERS or pace.group_interval < LIMIT]
    receiver.wait_until_over(patient, name, LIMIT)


def report(title: str, found: Seconds, goals: Mapping[str, float]) -> None:
    """A table of medians, each with its ratio to the peers' and the goal where there is one."""
    print(f"{f'{title}, {len(found[OURS])} rounds':40}{'median':>9}{'least':>9}{'most':>9}{'ratio':>8}  goal")
    theirs = median(found[PEERS])
    for row, seconds in found.items():
        ours = median(seconds)
        ratio = "" if row in (GONE, PEERS) else f"{ours / theirs:.2g}"
        line = f"  {ROWS[row]:38}{ours:9.3f}{min(seconds):9.3f}{max(seconds):9.3f}{ratio:>8}"
        if row in goals:
            line += f"  <= {goals[row]:g}: {'met' if ours <= goals[row] else 'MISSED'}"
        print(line.rstrip(), flush=True)


@contextmanager
def dbvigil(home: Path, servers: Servers, hook: str, interval: int) -> Iterator[None]:
    """The monitor as a process of its own, once it has sampled every server."""
    home.mkdir()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "service.settings",
        "DBVIGIL_HOME": str(home),
        "DB_MONITORING_INTERVAL": str(interval),
        "DB_MONITORING_TARGETS": " ".join(
            f"{name}={server.url('bench', 'bench')}" for name, server in servers.items()
        ),
        "DB_ALERT_WEBHOOK_URL": hook,
    }
    manage = [sys.executable, "manage.py"]

    def all_up() -> bool:
        status = subprocess.run(
            [*manage, "database_monitor", "metrics", "--json"],
            cwd=ROOT, env=environment, capture_output=True, check=True,
        )  # fmt: skip
        return all(figures["up"] for figures in json.loads(status.stdout)["databases"].values())

    subprocess.run([*manage, "migrate", "--verbosity", "0"], cwd=ROOT, env=environment, check=True)
    with (home / "dbvigil.log").open("w") as log:
        process = subprocess.Popen(
            [*manage, "database_monitor", "start"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        try:
            until(all_up, 60, "dbvigil has sampled every server")
            yield
        finally:
            process.terminate()
            process.wait(20)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=8, help="kills in all, two a server (default 8)")
    parser.add_argument("--release", default="mariadb-10.11", choices=sorted(RELEASES))
    parser.add_argument(
        "--defaults", action="store_true", help="also beside the peers at their defaults; takes five minutes"
    )
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}: it must be at least 1")
    return options


if __name__ == "__main__":
    main()
