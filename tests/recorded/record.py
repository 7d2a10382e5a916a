"""Records what real servers answer, by flavor and version, for tests/recorded/test_recordings.py.

    python tests/recorded/record.py [release …]

For each release a source, its replica, and a server without performance_schema are started and sampled three times under a little traffic.
What was read goes into one JSON file each, with the figures that came of it: read those before they are committed, for from then on they
are what is right. Names of this machine are replaced.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from dbvigil.analysis import rates
from dbvigil.backups.judging import NAMES as BACKUPS
from dbvigil.sandbox import (
    RELEASES,
    PrivateServer,
    attach_replica,
    replication_options,
    wait_until_caught_up,
)
from dbvigil.types import DatabaseMetrics, Snapshot
from tests.support.servers import add_monitoring_user
from tests.support.visits import Visits

FOLDER = Path(__file__).parent


def main() -> None:
    for release in sys.argv[1:] or RELEASES:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            flavor = release.split("-", 1)[0]
            options = replication_options(flavor)
            source, replica, plain = (
                stack.enter_context(PrivateServer(release, Path(folder) / name, **arguments))
                for name, arguments in (
                    ("source", {"options": options}),
                    ("replica", {"options": {**options, "read-only": "ON"}}),
                    ("plain", {"performance_schema": False}),
                )
            )
            for server in (source, replica, plain):
                add_monitoring_user(server)
            attach_replica(source, replica)
            for name, server, busy in (
                ("source", source, source),
                ("replica", replica, source),
                ("plain", plain, plain),
            ):
                busy.execute(f"CREATE DATABASE {name}_shop")
                snapshots = asyncio.run(_record(server, busy, f"{name}_shop", source, replica))
                _write(FOLDER / f"{release}-{name}.json", snapshots)


async def _record(
    server: PrivateServer, busy: PrivateServer, schema: str, source: PrivateServer, replica: PrivateServer
) -> list[Snapshot]:
    busy.execute(
        f"CREATE TABLE {schema}.t (id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, a INT, b TEXT, KEY (a))"
    )
    visits = Visits.of(server)
    try:
        for number in range(3):
            with busy.connect() as connection, connection.cursor() as cursor:
                for row in range(20):
                    cursor.execute(f"INSERT INTO {schema}.t (a, b) VALUES ({row}, 'b')")
                    cursor.execute(f"SELECT a, COUNT(*) FROM {schema}.t GROUP BY a ORDER BY COUNT(*)")
                cursor.execute("BEGIN")
                cursor.execute(f"UPDATE {schema}.t SET a = 5 WHERE id = {number + 1}")
                cursor.execute("COMMIT")
            wait_until_caught_up(replica, source)
            await asyncio.sleep(1)
            await visits.sample()
    finally:
        await visits.close()
    return [_anonymous(snapshot) for snapshot in visits.snapshots]


def _anonymous(snapshot: Snapshot) -> Snapshot:
    """Without the names of the machine that recorded it."""
    readings = {name: dict(reading) for name, reading in snapshot.readings.items()}
    if "variables" in readings:
        readings["variables"]["datadir"] = "/var/lib/mysql/"
    server = replace(snapshot.server, hostname="db1")
    return replace(
        snapshot,
        clock="boot",
        connection="first",
        monotonic=round(snapshot.monotonic, 3),
        server=server,
        readings=readings,
    )


def _write(path: Path, snapshots: list[Snapshot]) -> None:
    document = {"snapshots": [snapshot.to_dict() for snapshot in snapshots], "figures": figures(snapshots)}
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")
    print(path.name, path.stat().st_size)


def figures(snapshots: list[Snapshot]) -> list[dict[str, Any]]:
    """The figures of each snapshot in turn, JSON-ready, without those that no server is asked for."""
    found: list[DatabaseMetrics] = []
    for number, snapshot in enumerate(snapshots):
        found.append(
            rates.metrics(snapshot, snapshots[number - 1] if number else None, found[-1] if found else None)
        )
    bodies = [json.loads(json.dumps(each.to_dict())) for each in found]
    return [{name: value for name, value in body.items() if name not in BACKUPS} for body in bodies]


if __name__ == "__main__":
    main()
