"""Settings of a server that recovery may change, for as long as the server runs: SET GLOBAL, never SET PERSIST."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dbvigil.errors import DbvigilError, MissingPrivilege
from dbvigil.recovery.sessions import lacking
from dbvigil.server import Server
from dbvigil.types import ServerInfo

MARIADB_WORKERS = "slave_parallel_threads"
SETTABLE = (
    "innodb_flush_log_at_trx_commit",
    "sync_binlog",
    "replica_parallel_workers",
    "slave_parallel_workers",
    MARIADB_WORKERS,
)
"""No other is ever written, whatever a record says."""

VALUES = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})"
UPTIME = "SHOW GLOBAL STATUS WHERE Variable_name = 'Uptime'"
_NUMBER = re.compile(r"\d{1,10}")


async def read(server: Server, names: Sequence[str]) -> dict[str, str]:
    """The values of those settings that the server has."""
    listed = ", ".join(["%s"] * len(names))
    rows = await server.rows(VALUES.format(names=listed), tuple(names))
    return {str(row["Variable_name"]): str(row["Value"]) for row in rows}


async def uptime(server: Server) -> float:
    """Seconds since the server started."""
    return float((await server.rows(UPTIME))[0]["Value"])


async def put(server: Server, name: str, value: str) -> None:
    """Gives a setting its value."""
    if name not in SETTABLE or not _NUMBER.fullmatch(value):
        raise DbvigilError(f"{name} is no setting that recovery changes to {value!r}")
    try:
        await server.rows(f"SET GLOBAL {name} = {value}")
    except MissingPrivilege:
        raise lacking(server.info, privilege(server.info, name)) from None


def privilege(info: ServerInfo, name: str) -> str:
    """What an account needs to change a setting."""
    if not info.is_mariadb:
        return "SYSTEM VARIABLES ADMIN"
    return {"sync_binlog": "BINLOG ADMIN", MARIADB_WORKERS: "REPLICATION SLAVE ADMIN"}.get(name, "SUPER")


def workers_name(info: ServerInfo) -> str:
    """What the number of parallel workers is called."""
    if info.is_mariadb:
        return MARIADB_WORKERS
    return "replica_parallel_workers" if info.at_least(8, 0, 26) else "slave_parallel_workers"
