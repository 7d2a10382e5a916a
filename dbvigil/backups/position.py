"""Where a server stands in its log: for following it from a backup on, and for knowing whether anything was written in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dbvigil.errors import MissingPrivilege, StatementFailed
from dbvigil.server import Server

VARIABLES = """SHOW GLOBAL VARIABLES WHERE Variable_name IN
    ('log_bin',
     'gtid_mode', 'gtid_executed', 'gtid_current_pos', 'gtid_binlog_pos', 'log_replica_updates', 'log_slave_updates', 'have_ssl')"""
LOG_STATUS = "SHOW BINARY LOG STATUS"
OLD_LOG_STATUS = "SHOW MASTER STATUS"


@dataclass(frozen=True, slots=True)
class Position:
    """`gtids` are the transactions that the server has executed, `file` and `offset` the end of its binary log. None: not known.

    `complete` says whether every write moves it, so that the same position twice means that nothing was written in between.
    """

    gtids: str | None = None
    file: str | None = None
    offset: int | None = None
    complete: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {"gtids": self.gtids, "file": self.file, "offset": self.offset}


def unmoved(before: Position, after: Position) -> bool:
    """Whether it is certain that nothing was committed from `before` to `after`."""
    return before.complete and before == after


async def variables(server: Server) -> Mapping[str, str]:
    """What there is to know before a position is asked for."""
    return {row["Variable_name"]: str(row["Value"]) for row in await server.rows(VARIABLES)}


async def position(server: Server) -> Position:
    """Where the server stands now. Raises ServerError."""
    known = await variables(server)
    if known.get("log_bin") not in ("ON", "1"):
        return Position(gtids=known.get("gtid_current_pos") or known.get("gtid_executed") or None)
    file, offset = await _end_of_log(server)
    relays = known.get("log_replica_updates", known.get("log_slave_updates")) == "ON"
    if server.info.is_mariadb:
        gtids = known.get("gtid_current_pos") or known.get("gtid_binlog_pos") or None
        return Position(gtids, file, offset, complete=file is not None and relays)
    if known.get("gtid_mode") == "ON":
        return Position(known.get("gtid_executed") or None, file, offset, complete=True)
    return Position(None, file, offset, complete=file is not None and relays)


async def _end_of_log(server: Server) -> tuple[str | None, int | None]:
    """Needs REPLICATION CLIENT (MariaDB: BINLOG MONITOR); nothing without it."""
    renamed = server.info.is_mysql and server.info.at_least(8, 2)
    try:
        rows = await server.rows(LOG_STATUS if renamed else OLD_LOG_STATUS)
    except (MissingPrivilege, StatementFailed):
        return None, None
    return (str(rows[0]["File"]), int(rows[0]["Position"])) if rows else (None, None)
