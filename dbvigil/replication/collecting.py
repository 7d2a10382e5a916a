"""What a server tells of its replication beyond what every sample reads. No Django and no clock of its own.

Asked once in half a minute, and at once where a thread's state, an error or a switch has changed; only of servers that have channels,
followers or a group.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Mapping
from typing import Any

from dbvigil.analysis.course import Behind
from dbvigil.analysis.replication import errant_gtids, gtid_executed
from dbvigil.collectors.tables import USER_TABLES
from dbvigil.collectors.values import lower_names, number
from dbvigil.errors import MissingObject, MissingPrivilege, ServerError
from dbvigil.redaction import server_message
from dbvigil.replication.appliers import appliers
from dbvigil.replication.facts import Facts, Row
from dbvigil.server import Server
from dbvigil.targets import Target
from dbvigil.types import Snapshot

EVERY = 30.0
"""Seconds between two visits, at least, where nothing has changed."""
GROUP_EVERY = 5.0
"""The same of a member of a group, whose samples do not show that another has left."""
BEHIND_EVERY = 5.0
"""The same of a replica that is behind: what its applier does now is why."""
BEHIND = 1.0
KEYLESS_EVERY = 3600.0
"""Seconds between two readings of which tables have no primary key."""
KEYLESS_NAMED = 20
UNRECEIVED = 5.0
"""After so many seconds it is news that a receiver has not got what its source has."""

_SETTINGS = (
    "auto_increment_increment",
    "binlog_expire_logs_seconds",
    "binlog_format",
    "binlog_row_image",
    "enforce_gtid_consistency",
    "expire_logs_days",
    "group_replication_group_name",
    "gtid_mode",
    "gtid_strict_mode",
    "innodb_flush_log_at_trx_commit",
    "log_bin",
    "log_replica_updates",
    "log_slave_updates",
    "port",
    "read_only",
    "relay_log_recovery",
    "replica_parallel_workers",
    "rpl_semi_sync_master_enabled",
    "rpl_semi_sync_source_enabled",
    "slave_parallel_threads",
    "slave_parallel_workers",
    "super_read_only",
    "sync_binlog",
)
_STATUS = (
    "Rpl_semi_sync_master_clients",
    "Rpl_semi_sync_master_status",
    "Rpl_semi_sync_source_clients",
    "Rpl_semi_sync_source_status",
)


def _named(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)


# SHOW passes over names that a server does not have.
SETTINGS = f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({_named(_SETTINGS)})"
STATUS = f"SHOW GLOBAL STATUS WHERE Variable_name IN ({_named(_STATUS)})"
MYSQL_REPLICAS = "SHOW REPLICAS"
OLD_REPLICAS = "SHOW SLAVE HOSTS"
MEMBERS = """
    SELECT MEMBER_ID AS uuid, MEMBER_HOST AS host, MEMBER_PORT AS port, MEMBER_STATE AS state, MEMBER_ROLE AS role,
           MEMBER_VERSION AS version
      FROM performance_schema.replication_group_members"""

# Channels of a group are in no SHOW REPLICA STATUS.
MEMBER_ERRORS = """
    SELECT CHANNEL_NAME AS channel, LAST_ERROR_NUMBER AS number, LAST_ERROR_MESSAGE AS message
      FROM performance_schema.replication_connection_status
     WHERE CHANNEL_NAME LIKE 'group\\_replication\\_%' AND LAST_ERROR_NUMBER <> 0
     UNION ALL
    SELECT CHANNEL_NAME, LAST_ERROR_NUMBER, LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_worker
     WHERE CHANNEL_NAME LIKE 'group\\_replication\\_%' AND LAST_ERROR_NUMBER <> 0 LIMIT 8"""

# information_schema.TABLES shows an account only the tables that it may use; InnoDB's dictionary needs PROCESS. A table without a primary
# key, nor a unique one of columns that are never NULL, has this index instead.
_KEYLESS = f"""
    SELECT {{hint}} DISTINCT CONVERT(base.NAME USING utf8mb4) AS name
      FROM information_schema.{{prefix}}INDEXES AS own
      JOIN information_schema.{{prefix}}TABLES AS base ON base.TABLE_ID = own.TABLE_ID
     WHERE own.NAME = 'GEN_CLUST_INDEX' AND {USER_TABLES.replace("NAME", "base.NAME")}"""  # noqa: S608 - of names in this file alone
MYSQL_KEYLESS = _KEYLESS.format(hint="/*+ MAX_EXECUTION_TIME(1500) */", prefix="INNODB_")
MARIADB_KEYLESS = "SET STATEMENT max_statement_time = 1.5 FOR" + _KEYLESS.format(
    hint="", prefix="INNODB_SYS_"
)

_TOO_LONG = (3024, 1969)
"""MySQL's MAX_EXECUTION_TIME and MariaDB's max_statement_time."""

Readings = Mapping[str, Mapping[str, Any]]


class Collector:
    """One server as it is watched: when it is worth asking, and what is remembered between two visits."""

    def __init__(self) -> None:
        self._due = 0.0
        self._key: object = None
        self._keyless: Row | None = None
        self._keyless_due = 0.0
        self._executed: str | None = None
        self._own: str | None = None
        self._replicates = (
            True  # Not known before the first look: a member of a group has neither channel nor follower.
        )

    def due(
        self, snapshot: Snapshot, received: Mapping[str, Behind], moment: float, *, followed: bool = False
    ) -> bool:
        """Whether to ask after this sample; `moment` in seconds of any clock that goes evenly.

        `followed`: another server names this one as its source, though it may not be connected.
        """
        readings = snapshot.readings
        followed = followed or bool(_dump_threads(readings))
        if not readings.get("replication", {}).get("channels") and not followed:
            # A server that replicated until now is asked once more, so that nobody goes on believing so.
            return self._replicates and moment >= self._due
        return moment >= self._due or _key(snapshot, received, followed=followed) != self._key

    async def read(
        self,
        server: Server,
        target: Target,
        snapshot: Snapshot,
        received: Mapping[str, Behind],
        moment: float,
        *,
        followed: bool = False,
    ) -> Facts | None:
        """Asks the server; None where it turns out to replicate nothing. Raises `ServerError`s."""
        own, before = _own_transactions(snapshot), self._own
        # What it wrote itself is held against its source at the visit after: see `findings.errant`.
        self._due, self._own = moment + (EVERY if own == before else 0.0), own
        info, readings = snapshot.server, snapshot.readings
        followers = followed or bool(_dump_threads(readings))
        self._key = _key(snapshot, received, followed=followers)
        # One that is not in its group has a row without a name, or none.
        members = [row for row in await _members(server) if row["uuid"]]
        channels = readings.get("replication", {}).get("channels", ())
        if any(map(_is_behind, channels)):
            self._due = min(self._due, moment + BEHIND_EVERY)
        settings = {row["Variable_name"]: row["Value"] for row in await server.rows(SETTINGS)}
        grouped = bool(settings.get("group_replication_group_name"))
        self._replicates = bool(channels or followers or grouped)
        if not self._replicates:
            return None
        if grouped:
            self._due = min(self._due, moment + GROUP_EVERY)
        status = {row["Variable_name"]: row["Value"] for row in await server.rows(STATUS)}
        if followers and moment >= self._keyless_due:
            self._keyless = await _optional(_keyless(server))
            self._keyless_due = moment + KEYLESS_EVERY
        position = gtid_executed(info, readings.get("status", {}).get("settings", {}))
        stood, self._executed = self._executed, position
        return Facts(
            database=target.alias,
            host=target.host,
            port=target.port,
            at=snapshot.taken_at,
            flavor=info.flavor,
            version=info.version,
            version_text=info.version_text,
            server_id=info.server_id,
            server_uuid=info.server_uuid,
            hostname=info.hostname,
            settings=settings,
            status=status,
            channels=[_channel(row, received) for row in channels],
            replicas=await _replicas(server) if followers else (),
            members=members,
            member_errors=await _member_errors(server) if members else (),
            keyless=self._keyless if followers else None,
            appliers=await _optional(appliers(server)) or () if channels else (),
            executed=position,
            executed_before=stood,
        )


def _dump_threads(readings: Readings) -> int:
    return number(readings.get("sessions", {}).get("dump_threads")) or 0  # type: ignore[return-value]


def _key(snapshot: Snapshot, received: Mapping[str, Behind], *, followed: bool) -> object:
    """Changes with what people want to know at once."""
    readings = snapshot.readings
    watched = (
        "io_running",
        "sql_running",
        "io_error_number",
        "sql_error_number",
        "source_host",
        "source_port",
    )
    return (
        snapshot.connection,
        readings.get("status", {}).get("settings", {}).get("read_only"),
        _own_transactions(snapshot),
        followed,
        tuple(
            (
                row["name"],
                *(row.get(name) for name in watched),
                _is_unreceived(row, received),
                _is_behind(row),
            )
            for row in readings.get("replication", {}).get("channels", ())
        ),
    )


def _own_transactions(snapshot: Snapshot) -> str | None:
    """Those that a replica wrote itself; None of a server that is none."""
    readings = snapshot.readings
    if not readings.get("replication", {}).get("channels"):
        return None
    return errant_gtids(snapshot.server, readings.get("status", {}).get("settings", {}))


def _is_unreceived(row: Row, received: Mapping[str, Behind]) -> bool:
    behind = received.get(row["name"])
    return behind is not None and behind.least > UNRECEIVED


def _is_behind(row: Row) -> bool:
    """By the server's own figure, beyond its intended delay."""
    return (row.get("lag") or 0) - (row.get("delay") or 0) > BEHIND


def _channel(row: Row, received: Mapping[str, Behind]) -> dict[str, Any]:
    behind = received.get(row["name"])
    return {**row, "unreceived": None if behind is None else behind.least}


async def _optional(asking: Awaitable[Any]) -> Any:
    """What `asking` finds; None where the account may not ask, the server has no such thing or takes too long about it."""
    try:
        return await asking
    except ServerError as error:
        if isinstance(error, MissingPrivilege | MissingObject) or error.code in _TOO_LONG:
            return None
        raise


async def _members(server: Server) -> list[dict[str, Any]]:
    if server.info.is_mariadb or not server.info.performance_schema:
        return []
    found: list[dict[str, Any]] | None = await _optional(server.rows(MEMBERS))
    return found or []


async def _member_errors(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await _optional(server.rows(MEMBER_ERRORS)) or []
    return [
        {
            "channel": row["channel"],
            "number": number(row["number"]),
            "message": server_message(row["message"]),
        }
        for row in found
    ]


async def _replicas(server: Server) -> list[dict[str, Any]] | None:
    renamed = server.info.is_mysql and server.info.at_least(8, 0, 22)
    rows = await _optional(server.rows(MYSQL_REPLICAS if renamed else OLD_REPLICAS))
    if rows is None:
        return None
    found = []
    for row in map(lower_names, rows):
        found.append(
            {
                "server_id": number(row.get("server_id")),
                "uuid": row.get("replica_uuid") or row.get("slave_uuid"),
                "host": row.get("host") or None,
                "port": number(row.get("port")),
            }
        )
    return found


async def _keyless(server: Server) -> dict[str, Any]:
    rows = await server.rows(MARIADB_KEYLESS if server.info.is_mariadb else MYSQL_KEYLESS)
    names = sorted({table_name(row["name"]) for row in rows})
    return {"count": len(names), "names": names[:KEYLESS_NAMED]}


def table_name(name: str) -> str:
    """ "shop/my@002dtable#P#p0" as shop.my-table: a partition's file is its table's."""
    plain = re.sub("@([0-9a-f]{4})", lambda code: chr(int(code[1], 16)), name)
    return re.split("#p#", plain, maxsplit=1, flags=re.IGNORECASE)[0].replace("/", ".", 1)
