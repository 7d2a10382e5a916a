"""Servers that replicate, as facts: for what is pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dbvigil.replication.facts import Facts
from dbvigil.replication.findings import View, find
from dbvigil.replication.topology import topology

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)

MYSQL_SETTINGS = {
    "binlog_expire_logs_seconds": "2592000",
    "binlog_format": "ROW",
    "gtid_mode": "ON",
    "log_replica_updates": "ON",
    "read_only": "OFF",
    "relay_log_recovery": "ON",
    "sync_binlog": "1",
}
MARIADB_SETTINGS = {
    "binlog_expire_logs_seconds": "2592000",
    "binlog_format": "ROW",
    "log_slave_updates": "ON",
    "read_only": "OFF",
    "relay_log_recovery": "ON",
    "sync_binlog": "1",
}


def uuid(number: int) -> str:
    return f"{number:08x}-0000-0000-0000-000000000000"


def server(name: str, number: int, *follows: int, flavor: str = "mysql", **values: Any) -> Facts:
    """Server `number`, on host db<number>, that follows the servers of these numbers."""
    mysql = flavor == "mysql"
    own = MYSQL_SETTINGS if mysql else MARIADB_SETTINGS
    settings = {**own, "read_only": "ON" if follows else "OFF", **values.pop("settings", {})}
    standing = f"{uuid(1)}:1-9" if mysql else "0-1-9"
    defaults: dict[str, Any] = {
        "version": (9, 7, 4) if mysql else (10, 11, 14),
        "version_text": "9.7.4" if mysql else "10.11.14-MariaDB",
        "server_id": number,
        "server_uuid": uuid(number) if mysql else None,
        "executed": standing,
        "executed_before": standing,
        "channels": [channel(other, flavor, several=len(follows) > 1) for other in follows],
    }
    return Facts(name, f"db{number}", 3306, NOW, flavor, settings=settings, **{**defaults, **values})


def channel(other: int, flavor: str = "mysql", *, several: bool = False, **values: Any) -> dict[str, Any]:
    """A channel's row that follows server `other` and is well."""
    mysql = flavor == "mysql"
    return {
        "name": f"from{other}" if several else "",
        "source_host": f"db{other}",
        "source_port": 3306,
        "source_server_id": other,
        "source_uuid": uuid(other) if mysql else None,
        "io_running": "Yes",
        "sql_running": "Yes",
        "lag": 0,
        "lag_source": "seconds_behind",
        "delay": 0,
        "using_gtid": 1 if mysql else "Slave_Pos",
        "unreceived": 0.0,
        **values,
    }


def view(*servers: Facts) -> View:
    return View({one.database: one for one in servers}, topology(servers))


def found(*servers: Facts) -> list[tuple[str, str]]:
    """(database, id) of each finding."""
    return [(one.database, one.id) for one in find(view(*servers))]
