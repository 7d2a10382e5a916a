"""What InnoDB counts beside the status counters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dbvigil.collectors.values import number
from dbvigil.server import Server
from dbvigil.types import ServerInfo

# A counter that is switched off (innodb_monitor_disable) stands still: it is left out rather than read as 0.
METRICS = """
    SELECT NAME AS name, COUNT AS value FROM information_schema.INNODB_METRICS
     WHERE NAME IN ('lock_deadlocks', 'trx_rseg_history_len') AND STATUS = 'enabled'"""


class InnoDB:
    name: ClassVar = "innodb"
    help: ClassVar = "Deadlocks and the length of the history list, where they are no status counters."
    every: ClassVar = 0.0
    limit: ClassVar = 3.0
    grants: ClassVar[Mapping[str, str]] = {"mysql": "PROCESS ON *.*"}

    def supports(self, info: ServerInfo) -> bool:
        """MariaDB has these among its status counters."""
        return info.is_mysql

    async def collect(self, server: Server) -> Mapping[str, Any]:
        """`{"lock_deadlocks": …, "trx_rseg_history_len": …}`."""
        return {row["name"]: number(row["value"]) for row in await server.rows(METRICS)}
