"""From kill -9 of a real server to the message at a receiver: dbvigil beside Prometheus and Alertmanager, in one run.

    python benchmarks/fault_to_message.py [--rounds 10] [--release mariadb-10.11] [--defaults]

Both watch the same server and post to the same receiver. Prometheus scrapes Debian's exporter and evaluates every second,
Alertmanager groups with no wait: the fastest that they can sensibly be set to. dbvigil samples every 30 s. With `--defaults`
the peers run at theirs as well (scrape and evaluation 15 s, group_wait 30 s), a few rounds of it. A server is killed twice
at most: after that it would be flapping, which is told once. The goal is a median of 0.2 s.

Then a server hangs (SIGSTOP): its connections stay open, so it is noticed at the next sample, which is given up after ten
seconds. The goal is the interval and these ten seconds, and one more for the message.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from dbvigil.sandbox import MONITORING_GRANTS, PrivateServer  # noqa: E402

GOAL = 0.2
INTERVAL = 30.0
HUNG_GOAL = INTERVAL + 10 + 1
DEFAULT_ROUNDS = 3
PROGRAMS = ("prometheus", "prometheus-alertmanager", "prometheus-mysqld-exporter")


class Receiver:
    """Takes POSTs and remembers when one first told that the server is down; `/hook` is ours, `/peer` Alertmanager's."""

    def __init__(self) -> None:
        self.told: dict[str, float] = {}
        self.up: set[str] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                now = time.monotonic()
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.end_headers()
                if self.path == "/peer":
                    fires = body["status"] == "firing"
                else:
                    fires = body["type"] == "alert.fired"
                    if body["data"].get("metric") != "up":
                        return
                if fires:
                    receiver.told.setdefault(self.path, now)
                    receiver.up.discard(self.path)
                else:
                    receiver.up.add(self.path)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.port = self._server.server_address[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--release", default="mariadb-10.11")
    parser.add_argument("--defaults", action="store_true")
    options = parser.parse_args()
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        sys.exit(
            f"not installed: {' '.join(missing)} (Debian: apt-get install --no-install-recommends {' '.join(missing)})"
        )
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbvigil-bench-")))
        servers = [
            stack.enter_context(PrivateServer(options.release, home / f"server{number}"))
            for number in range((options.rounds + 1) // 2 + DEFAULT_ROUNDS * options.defaults)
        ]
        for server in servers:
            server.create_user("bench", "bench", MONITORING_GRANTS[server.flavor])
        receiver = Receiver()
        stack.enter_context(dbvigil(home, servers, receiver.port))
        killed = [*servers, *servers][: options.rounds]
        with peers(home, servers, receiver.port, "1s", "0s"):
            fast = rounds(killed, receiver, 30)
        ours, theirs = median(fast["/hook"]), median(fast["/peer"])
        print(f"kill -9 to the message, {options.release}, {options.rounds} rounds, seconds")
        show("dbvigil, sampling every 30 s", fast["/hook"])
        show("Prometheus 1 s + Alertmanager 0 s", fast["/peer"])
        print(f"  ratio {ours / theirs:.2f}   goal: median <= {GOAL:g} s: {verdict(ours <= GOAL)}")
        with peers(home, servers, receiver.port, "1s", "0s"):
            hung = rounds(servers[-1:], receiver, HUNG_GOAL + 30, hang=True)
        print("hung server to the message")
        show("dbvigil, sampling every 30 s", hung["/hook"])
        show("Prometheus 1 s + Alertmanager 0 s", hung["/peer"])
        print(f"  goal: <= {HUNG_GOAL:g} s: {verdict(max(hung['/hook']) <= HUNG_GOAL)}")
        if options.defaults:
            with peers(home, servers, receiver.port, "15s", "30s"):
                slow = rounds(servers[-DEFAULT_ROUNDS:], receiver, 120)
            print("kill -9 to the message, both at their defaults")
            show("dbvigil at its defaults", slow["/hook"])
            show("the peers at theirs", slow["/peer"])


def verdict(held: bool) -> str:
    return "met" if held else "missed"


def show(name: str, seconds: list[float]) -> None:
    print(f"  {name:36} median {median(seconds):6.3f}   from {min(seconds):.3f} to {max(seconds):.3f}")


def rounds(
    servers: Sequence[PrivateServer], receiver: Receiver, limit: float, *, hang: bool = False
) -> dict[str, list[float]]:
    """Kills (or stops) one server after the other at a random moment; by path the seconds until the message."""
    paths = ("/hook", "/peer")
    found: dict[str, list[float]] = {path: [] for path in paths}
    for server in servers:
        time.sleep(3 + random.random())
        receiver.told.clear()
        receiver.up.clear()
        killed = time.monotonic()
        (server.pause if hang else server.kill)()
        _until(lambda: set(paths) <= set(receiver.told), limit, "not told")
        for path in paths:
            found[path].append(receiver.told[path] - killed)
        (server.resume if hang else server.start)()
        _until(lambda: set(paths) <= receiver.up, 400, "not told that it is over")
    return found


@contextmanager
def dbvigil(home: Path, servers: Sequence[PrivateServer], port: int) -> Iterator[None]:
    """The monitor as a process, sampling the servers every 30 s, which is its default."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "service.settings",
        "DBVIGIL_HOME": str(home),
        "DB_MONITORING_TARGETS": " ".join(
            f"db{place}={server.url('bench', 'bench')}" for place, server in enumerate(servers)
        ),
        "DB_ALERT_WEBHOOK_URL": f"http://127.0.0.1:{port}/hook",
    }
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "--verbosity", "0"], cwd=ROOT, env=environment, check=True)
    with (home / "dbvigil.log").open("w") as log:
        process = subprocess.Popen(
            [*manage, "database_monitor", "start"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        try:
            time.sleep(5)
            yield
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def peers(home: Path, servers: Sequence[PrivateServer], port: int, every: str, wait: str) -> Iterator[None]:
    """An exporter a server, Prometheus and Alertmanager, with one rule: `mysql_up == 0` or no answer."""
    folder = Path(tempfile.mkdtemp(dir=home))
    prometheus, alertmanager, *exporters = (_free_port() for _ in range(2 + len(servers)))
    scraped = [f"127.0.0.1:{exporter}" for exporter in exporters]
    rule = {"alert": "Down", "expr": "mysql_up == 0 or up == 0"}
    (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "down", "rules": [rule]}]}))
    (folder / "prometheus.yml").write_text(
        json.dumps(
            {
                "global": {"scrape_interval": every, "evaluation_interval": every, "scrape_timeout": "1s"},
                "rule_files": [str(folder / "rules.yml")],
                "alerting": {
                    "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]
                },
                "scrape_configs": [{"job_name": "mysql", "static_configs": [{"targets": scraped}]}],
            }
        )
    )
    route = {
        "receiver": "hook",
        "group_by": ["instance"],
        "group_wait": wait,
        "group_interval": "1s" if wait == "0s" else "5m",
    }
    hook = {"name": "hook", "webhook_configs": [{"url": f"http://127.0.0.1:{port}/peer"}]}
    (folder / "alertmanager.yml").write_text(json.dumps({"route": route, "receivers": [hook]}))
    commands = [
        [
            PROGRAMS[1],
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/am",
            f"--web.listen-address=127.0.0.1:{alertmanager}",
            "--cluster.listen-address=",
        ],
        [
            PROGRAMS[0],
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{prometheus}",
        ],
    ]
    for place, (server, address) in enumerate(zip(servers, scraped, strict=True)):
        account = folder / f"my{place}.cnf"
        account.write_text(f"[client]\nuser=bench\npassword=bench\nhost=127.0.0.1\nport={server.port}\n")
        commands.append([PROGRAMS[2], f"--config.my-cnf={account}", f"--web.listen-address={address}"])
    with (folder / "log").open("w") as log:
        processes = [subprocess.Popen(command, stdout=log, stderr=log) for command in commands]
        try:
            time.sleep(5 if every == "1s" else 35)
            yield
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(20)


def _until(done: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            sys.exit(f"{what} within {seconds:g} s")
        time.sleep(0.01)


def _free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
