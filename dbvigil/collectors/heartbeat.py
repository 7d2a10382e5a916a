"""The row that something writes on a source once a second, as its replica has it: pt-heartbeat's table, or one like it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dbvigil.collectors.values import number
from dbvigil.server import Server
from dbvigil.types import ServerInfo

# `ts` is text: "2026-01-31T12:00:00.123456", in UTC. The table's name is checked where it is set.
_STATEMENT = (
    "SELECT server_id, TIMESTAMPDIFF(MICROSECOND, REPLACE(ts, 'T', ' '), UTC_TIMESTAMP(6)) / 1e6 AS age"
    " FROM {table} LIMIT 1000"
)


class Heartbeat:
    name: ClassVar = "heartbeat"
    help: ClassVar = (
        "The age of each source's heartbeat row, where the target's URL names the table of heartbeats."
    )
    every: ClassVar = 0.0
    limit: ClassVar = 1.0
    grants: ClassVar[Mapping[str, str]] = {
        "mysql": "SELECT on the table of heartbeats",
        "mariadb": "SELECT on the table of heartbeats",
    }

    def supports(self, info: ServerInfo) -> bool:
        return True

    async def collect(self, server: Server) -> Mapping[str, Any]:
        """`{"ages": [[server id, seconds], …]}`; nothing is asked where no table is named."""
        table = server.target.heartbeat
        if table is None:
            return {}
        schema, _, name = table.partition(".")
        rows = await server.rows(_STATEMENT.format(table=f"`{schema}`.`{name}`"))
        return {
            "ages": [
                [number(row["server_id"]), float(age)]
                for row in rows
                if (age := number(row["age"])) is not None
            ]
        }
