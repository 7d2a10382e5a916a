"""What the actions on replicas share: their channels, and starting and stopping of their threads in each flavor's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from dbvigil.collectors.replication import Replication
from dbvigil.errors import MissingPrivilege, StatementFailed
from dbvigil.recovery.sessions import lacking
from dbvigil.server import Server

Thread = Literal["receiver", "applier"]
GROUPS = ("group_replication_applier", "group_replication_recovery")
"""Channels of MySQL's group replication, which looks after them itself."""
WORKERS = "SELECT CHANNEL_NAME AS name, LAST_ERROR_NUMBER AS error FROM performance_schema.replication_applier_status_by_worker"
ALREADY = (1254, 3083)
"""The thread runs already, or has stopped already."""

_THREADS: Mapping[Thread, str] = {"receiver": "IO_THREAD", "applier": "SQL_THREAD"}


async def channels(server: Server) -> list[dict[str, Any]]:
    """The channels, as the collector has them; `running` by thread is True, False or None (connecting, unknown), and `error` its number."""
    if not server.connected:
        await server.connect()
    found = (await Replication().collect(server))["channels"]
    for channel in found:
        channel["running"] = {
            "receiver": _running(channel["io_running"]),
            "applier": _running(channel["sql_running"]),
        }
        channel["error"] = {"receiver": channel["io_error_number"], "applier": channel["sql_error_number"]}
    return list(found)


async def worker_errors(server: Server, channel: str) -> set[int]:
    """The errors of a channel's parallel workers (MySQL), which its own may stand for."""
    if not server.info.is_mysql or not server.info.performance_schema:
        return set()
    return {
        int(row["error"])
        for row in await server.rows(WORKERS)
        if row["name"] == channel and int(row["error"])
    }


async def start(server: Server, channel: str, thread: Thread) -> None:
    """Starts one thread of a channel; that it runs already is well."""
    await _say(server, "START", channel, thread)


async def stop(server: Server, channel: str, thread: Thread) -> None:
    """Stops one thread of a channel; that it has stopped already is well."""
    await _say(server, "STOP", channel, thread)


async def _say(server: Server, word: str, channel: str, thread: Thread) -> None:
    info = server.info
    if info.is_mariadb:
        statement = f"{word} SLAVE {{}} {_THREADS[thread]}"
    else:
        noun = "REPLICA" if info.at_least(8, 0, 22) else "SLAVE"
        statement = f"{word} {noun} {_THREADS[thread]} FOR CHANNEL {{}}"
    try:
        await server.rows(statement.format("%s"), (channel,))
    except MissingPrivilege:
        raise lacking(info, "REPLICATION SLAVE ADMIN") from None
    except StatementFailed as error:
        if error.code not in ALREADY:
            raise


def _running(said: object) -> bool | None:
    return {"yes": True, "no": False}.get(str(said).lower())
