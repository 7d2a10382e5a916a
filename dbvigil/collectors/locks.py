"""Row lock waits at this moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from dbvigil.collectors.values import number
from dbvigil.server import Server
from dbvigil.types import ServerInfo

# A transaction may wait for several others at once: it is one wait. The status counter Innodb_row_lock_current_waits is not used, for
# both servers have had it wrong and below 0.
MYSQL_WAITS = """
    SELECT COUNT(DISTINCT REQUESTING_ENGINE_TRANSACTION_ID) AS waiting, COUNT(DISTINCT BLOCKING_ENGINE_TRANSACTION_ID) AS blocking
      FROM performance_schema.data_lock_waits"""
INNODB_WAITS = """
    SELECT COUNT(DISTINCT requesting_trx_id) AS waiting, COUNT(DISTINCT blocking_trx_id) AS blocking
      FROM information_schema.INNODB_LOCK_WAITS"""


class Locks:
    name: ClassVar = "locks"
    help: ClassVar = "Transactions that wait for a row lock, and those they wait for."
    every: ClassVar = 0.0
    limit: ClassVar = 3.0
    grants: ClassVar[Mapping[str, str]] = {
        "mysql": "SELECT ON performance_schema.*",
        "mariadb": "PROCESS ON *.*",
    }

    def supports(self, info: ServerInfo) -> bool:
        return True

    async def collect(self, server: Server) -> Mapping[str, Any]:
        """`{"waiting", "blocking"}`: numbers of transactions."""
        # information_schema.INNODB_LOCK_WAITS went with MySQL 8.0.
        statement = MYSQL_WAITS if server.info.is_mysql and server.info.at_least(8, 0) else INNODB_WAITS
        (row,) = await server.rows(statement)
        return {name: number(value) for name, value in row.items()}
