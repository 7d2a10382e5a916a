"""Prometheus with Debian's mysqld exporter and Alertmanager, private to one benchmark."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from benchmarks.support.waiting import free_port, until
from dbvigil.sandbox import PrivateServer

PROGRAMS = (PROMETHEUS, ALERTMANAGER, EXPORTER) = (
    "prometheus",
    "prometheus-alertmanager",
    "prometheus-mysqld-exporter",
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How Prometheus scrapes and evaluates, and how Alertmanager groups; all in seconds."""

    every: int
    timeout: int
    group_wait: int
    group_interval: int


FASTEST = Pace(every=1, timeout=1, group_wait=0, group_interval=1)
# Debian's prometheus.yml has 15 s, where Prometheus itself has 60 s; the rest are the programs' own.
DEFAULTS = Pace(every=15, timeout=10, group_wait=30, group_interval=300)


@contextmanager
def peers(
    home: Path, servers: Mapping[str, PrivateServer], user: str, password: str, hook: str, pace: Pace
) -> Iterator[None]:
    """Runs them while the block does, once every server was scraped; what is down is posted to `hook`, a group a server."""
    folder = Path(tempfile.mkdtemp(dir=home))
    prometheus, alertmanager = free_port(), free_port()
    exporters = {name: free_port() for name in servers}
    _write(folder / "rules.yml", _rules())
    _write(folder / "prometheus.yml", _scraping(folder, exporters, alertmanager, pace))
    _write(folder / "alertmanager.yml", _routing(hook, pace))
    commands = [
        [
            ALERTMANAGER,
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/alertmanager",
            f"--web.listen-address=127.0.0.1:{alertmanager}",
            "--cluster.listen-address=",
        ],
        [
            PROMETHEUS,
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/prometheus",
            f"--web.listen-address=127.0.0.1:{prometheus}",
        ],
    ]
    for name, server in servers.items():
        account = folder / f"{name}.cnf"
        account.write_text(
            f"[client]\nuser={user}\npassword={password}\nhost=127.0.0.1\nport={server.port}\n"
        )
        commands.append(
            [EXPORTER, f"--config.my-cnf={account}", f"--web.listen-address=127.0.0.1:{exporters[name]}"]
        )
    with (folder / "log").open("w") as log:
        processes = [subprocess.Popen(command, stdout=log, stderr=log) for command in commands]
        try:
            until(lambda: _answers(f"http://127.0.0.1:{alertmanager}/-/ready"), 60, "Alertmanager is ready")
            until(lambda: _scraped(prometheus) == len(servers), 120, "Prometheus has scraped every server")
            yield
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(20)


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


def _rules() -> object:
    rule = {"alert": "Down", "expr": "mysql_up == 0 or up == 0"}
    return {"groups": [{"name": "down", "rules": [rule]}]}


def _scraping(folder: Path, exporters: Mapping[str, int], alertmanager: int, pace: Pace) -> object:
    return {
        "global": {
            "scrape_interval": f"{pace.every}s",
            "evaluation_interval": f"{pace.every}s",
            "scrape_timeout": f"{pace.timeout}s",
        },
        "rule_files": [str(folder / "rules.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]},
        "scrape_configs": [
            {
                "job_name": "mysql",
                "static_configs": [
                    {"targets": [f"127.0.0.1:{port}"], "labels": {"server": name}}
                    for name, port in exporters.items()
                ],
            }
        ],
    }


def _routing(hook: str, pace: Pace) -> object:
    return {
        "route": {
            "receiver": "hook",
            "group_by": ["server"],
            "group_wait": f"{pace.group_wait}s",
            "group_interval": f"{pace.group_interval}s",
        },
        "receivers": [{"name": "hook", "webhook_configs": [{"url": hook}]}],
    }


def _scraped(port: int) -> int:
    """How many servers Prometheus has seen up."""
    answer = _answers(f"http://127.0.0.1:{port}/api/v1/query?query={quote('mysql_up == 1')}")
    return len(json.loads(answer)["data"]["result"]) if answer else 0


def _answers(url: str) -> bytes:
    """What is answered at `url`; nothing while it is not there yet."""
    try:
        with urlopen(url, timeout=5) as answer:
            body: bytes = answer.read()
            return body
    except (URLError, OSError):
        return b""
