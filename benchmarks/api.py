"""Requests a second and waiting times of `health/` and `metrics/` under 50 clients, against a scraped
exporter.

    python benchmarks/api.py [--clients 50] [--seconds 5] [--targets 10] [--release mariadb-10.11]

The service's web server as `make run` starts it, with the newest samples of a few targets in its database.
Each client asks again as soon as it is answered. The peer is Debian's prometheus-mysqld-exporter under the
same clients: it asks its server at every scrape, where dbvigil answers from the last sample. Printed for
both: requests a second, median and 99th percentile of the wait, and the statements that reached the server,
of which the goal for dbvigil is none.
"""

# ruff: noqa: PLC0415 - nothing of Django may be imported before it is set up for the benchmark's own folder

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from dbvigil.sandbox import MONITORING_GRANTS, PrivateServer  # noqa: E402

EXPORTER = "prometheus-mysqld-exporter"
API = "/core/api/monitoring/"


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients saw: waiting times in seconds of every answer, over `seconds`."""

    waits: list[float]
    seconds: float
    statements: int

    @property
    def rate(self) -> float:
        return len(self.waits) / self.seconds

    def __str__(self) -> str:
        p99 = quantiles(self.waits, n=100)[98]
        return (
            f"{self.rate:7.0f} requests/s   p50 {median(self.waits) * 1000:6.1f} ms   p99 {p99 * 1000:6.1f} ms   "
            f"{self.statements} statements on the server"
        )


def main() -> None:
    options = _options()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dbvigil-bench-")))
        server = stack.enter_context(PrivateServer(options.release, home / "server"))
        server.create_user("bench", "bench", MONITORING_GRANTS[server.flavor])
        environment = _environment(home, server, options.targets)
        tokens = _seed(environment, options.clients)
        port = stack.enter_context(web_server(environment))
        watcher = stack.enter_context(server.connect())

        def load(path: str, port: int = port, keys: list[str] = tokens) -> Load:
            asyncio.run(_clients(port, path, keys, 0.5))
            before = _questions(watcher)
            waits, seconds = asyncio.run(_clients(port, path, keys, options.seconds))
            return Load(waits, seconds, _questions(watcher) - before - 1)

        print(f"{options.clients} clients, {options.targets} targets ({server!r})")
        ours = {name: load(API + name) for name in ("health/", "metrics/")} | {"/metrics": load("/metrics")}
        for name, seen in ours.items():
            print(f"  dbvigil {name:9} {seen}")
        if shutil.which(EXPORTER) is None:
            sys.exit(f"  no peer: install Debian's {EXPORTER}")
        peer = load("/metrics", stack.enter_context(exporter(server)), [""] * options.clients)
        print(f"  exporter /metrics {peer}")
        for name, seen in ours.items():
            ratio = seen.rate / peer.rate
            print(
                f"  {name}: {ratio:.2f} times the exporter's requests/s, for {options.targets} targets against 1"
            )
        asked = sum(seen.statements for seen in ours.values())
        print(
            f"  {asked} statements on the server for dbvigil's clients   goal 0: {'MISSED' if asked else 'met'}"
        )


async def _clients(port: int, path: str, tokens: list[str], seconds: float) -> tuple[list[float], float]:
    """One client a token, each asking `path` again and again for `seconds`: waiting times, and the time it
    took.
    """
    started = time.perf_counter()
    until = started + seconds
    waits = await asyncio.gather(*(_client(port, path, token, until) for token in tokens))
    return [wait for client in waits for wait in client], time.perf_counter() - started


async def _client(port: int, path: str, token: str, until: float) -> list[float]:
    waits: list[float] = []
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while (asked := time.perf_counter()) < until:
        writer.write(request)
        kept = await _answer(reader)
        waits.append(time.perf_counter() - asked)
        if not kept:
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    return waits


async def _answer(reader: asyncio.StreamReader) -> bool:
    """Reads one answer, which must be a 200; whether the connection stays open."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b" 200 " not in head.split(b"\r\n", 1)[0]:
        raise RuntimeError(head.decode())
    if b"transfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    else:
        await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
    return b"connection: close" not in head


@contextmanager
def web_server(environment: dict[str, str]) -> Iterator[int]:
    """The port of the service's web server, which is stopped at the end."""
    from service.run import web_command

    port = _free_port()
    with _process(web_command(port), environment):
        _wait_for(port)
        yield port


@contextmanager
def exporter(server: PrivateServer) -> Iterator[int]:
    """The port of the exporter on `server`, with the collectors that give the same figures."""
    port = _free_port()
    command = [
        EXPORTER, f"--web.listen-address=127.0.0.1:{port}", "--collect.global_status", "--collect.global_variables",
        "--collect.slave_status", "--collect.engine_innodb_status", "--collect.info_schema.processlist",
        "--log.level=error",
    ]  # fmt: skip
    source = f"bench:bench@({server.host}:{server.port})/"
    with _process(command, {**os.environ, "DATA_SOURCE_NAME": source}):
        _wait_for(port)
        yield port


@contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _environment(home: Path, server: PrivateServer, targets: int) -> dict[str, str]:
    urls = (f"shop{number}={server.url('bench', 'bench')}" for number in range(targets))
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "service.settings",
        "DBVIGIL_HOME": str(home / "service"),
        "DB_MONITORING_TARGETS": " ".join(urls),
        "PYTHONPATH": str(ROOT),
    }


_SEED = """
import sys
from datetime import UTC, datetime
from django.contrib.auth.models import User
from django.core.management import call_command
from dbvigil.api import tokens
from dbvigil.monitoring import get_database_monitor
call_command("migrate", verbosity=0)
get_database_monitor().collect_all()
user, now = User.objects.create_user("bench"), datetime.now(UTC)
for _ in range(int(sys.argv[1])):
    print(tokens.create(user, now)[1])
"""


def _seed(environment: dict[str, str], clients: int) -> list[str]:
    """One real sample of every target in the service's database, and a token for each client."""
    code = f"import django; django.setup()\n{_SEED}"
    done = subprocess.run(
        [sys.executable, "-c", code, str(clients)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout.split()


def _questions(watcher: Any) -> int:
    """Statements the server has been sent so far, this one included."""
    with watcher.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Questions'")
        return int(cursor.fetchone()["Value"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--targets", type=int, default=10)
    parser.add_argument("--release", default="mariadb-10.11")
    return parser.parse_args()


if __name__ == "__main__":
    main()
