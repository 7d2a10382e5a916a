"""Records the plans that real servers give, for tests/unit/test_explain.py.

    python -m tests.recorded.explain.record [release …]

For each release one file: by statement of `shop.STATEMENTS` and form, the JSON as the server wrote it. Forms are `explain`, on MySQL also
`version-2`, on MariaDB also `analyze` (these statements read the recording server's own tables alone). Times are as measured then.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from dbvigil.sandbox import RELEASES, PrivateServer
from tests.recorded.explain import shop

FOLDER = Path(__file__).parent
SCHEMA = "shop"


def main() -> None:
    for release in sys.argv[1:] or list(RELEASES):
        with (
            tempfile.TemporaryDirectory() as folder,
            PrivateServer(release, Path(folder) / "server") as server,
        ):
            plans = _plans(server)
        path = FOLDER / f"{release}.json"
        path.write_text(json.dumps(plans, indent=1) + "\n")
        print(path.name, path.stat().st_size)


def _plans(server: PrivateServer) -> dict[str, dict[str, Any]]:
    fill(server, SCHEMA)
    found: dict[str, dict[str, Any]] = {name: {} for name in shop.STATEMENTS}
    with server.connect(database=SCHEMA) as connection, connection.cursor() as cursor:
        for form, prepare, prefix in _forms(server):
            if prepare:
                cursor.execute(prepare)
            for name, sql in shop.STATEMENTS.items():
                cursor.execute(f"{prefix} {sql}")
                (row,) = cursor.fetchall()
                found[name][form] = json.loads(next(iter(row.values())))
    return found


def fill(server: PrivateServer, schema: str) -> None:
    """Makes the shop in a schema of this name."""
    server.execute(f"CREATE DATABASE {schema} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    with server.connect(database=schema) as connection, connection.cursor() as cursor:
        for statement in (*shop.TABLES, *shop.ROWS):
            cursor.execute(statement)
        connection.commit()


def _forms(server: PrivateServer) -> tuple[tuple[str, str, str], ...]:
    if server.flavor == "mariadb":
        return ("explain", "", "EXPLAIN FORMAT=JSON"), ("analyze", "", "ANALYZE FORMAT=JSON")
    return (
        ("explain", "SET explain_json_format_version = 1", "EXPLAIN FORMAT=JSON"),
        ("version-2", "SET explain_json_format_version = 2", "EXPLAIN FORMAT=JSON"),
    )


if __name__ == "__main__":
    main()
