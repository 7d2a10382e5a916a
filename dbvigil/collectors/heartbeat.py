"""The row that something writes on a source once a second, as its replica has it: pt-heartbeat's table, or one like it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from dbvigil.collectors.values import number
from dbvigil.server import Server
from dbvigil.types import ServerInfo

# `ts` is text: "2026-01-31T12:00:00.123456", as pt-heartbeat writes it. The table's name is checked where it is set.
_STATEMENT = "SELECT server_id, CAST(ts AS CHAR) AS ts, UTC_TIMESTAMP(6) AS now FROM {table} LIMIT 1000"


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
        name = server.target.heartbeat_zone
        zone = (
            UTC if name == "UTC" else ZoneInfo(name)
        )  # A host without a time zone database has UTC all the same.
        return {
            "ages": [
                [number(row["server_id"]), seconds]
                for row in rows
                if (seconds := age(row["ts"], row["now"], zone)) is not None
            ]
        }


def age(written: str | None, now: datetime, zone: tzinfo) -> float | None:
    """Seconds from a row's moment, in the words of `zone`, until `now` in UTC; None where it is no moment.

    The hour that comes twice in autumn is read as the later of its moments that is not to come.
    """
    try:
        local = datetime.fromisoformat(str(written).strip())
    except ValueError:
        return None
    moment = now.replace(tzinfo=UTC)
    if local.tzinfo is not None:
        return (moment - local).total_seconds()
    ages = [
        (moment - local.replace(tzinfo=zone, fold=fold).astimezone(UTC)).total_seconds() for fold in (1, 0)
    ]
    return next((one for one in ages if one >= -1), ages[0])
