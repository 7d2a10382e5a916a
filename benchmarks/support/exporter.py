"""Debian's prometheus-mysqld-exporter beside a server, and what a process has used."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dbvigil.sandbox import PrivateServer

EXPORTER = "prometheus-mysqld-exporter"


def cpu(pid: int) -> float:
    """CPU seconds of another process, ended threads included, in the resolution of the scheduler."""
    return time.clock_gettime((~pid << 3) | 2)


@contextmanager
def exporter(
    server: PrivateServer, home: Path, collectors: Sequence[str], account: tuple[str, str]
) -> Iterator[tuple[Callable[[], None], subprocess.Popen[bytes]]]:
    """Runs the exporter over `account`; yields what asks it once, and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    user, password = account
    flags = [f"--{collector}" for collector in collectors]
    process = subprocess.Popen(
        [
            EXPORTER,
            f"--web.listen-address=127.0.0.1:{port}",
            f"--config.my-cnf={home / 'none'}",
            "--log.level=error",
            *flags,
        ],
        env=os.environ | {"DATA_SOURCE_NAME": f"{user}:{password}@tcp(127.0.0.1:{server.port})/"},
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def scrape() -> None:
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200 and b"mysql_up 1" in text

    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                scrape()
                break
            except OSError:
                connection.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield scrape, process
    finally:
        connection.close()
        process.terminate()
        process.wait(10)
