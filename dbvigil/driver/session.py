"""How the monitor behaves as a guest: what is set in its session, and what is asked about the server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dbvigil.types import Flavor, ServerInfo

# SHOW rather than SELECT @@…: it leaves out what a server does not have, where SELECT would be refused.
IDENTITY = (
    "SHOW VARIABLES WHERE Variable_name IN"
    " ('version', 'version_comment', 'hostname', 'server_id', 'server_uuid', 'performance_schema')"
)

LOCK_WAIT_SECONDS = 2
"""How long a statement may wait for a lock that somebody else holds; less than a collector's time limit."""

# The server drops a session that its monitor has left behind (a host that vanished) after this time.
_IDLE_SECONDS = 3600
_NEVER = 31_536_000

REFUSALS = {
    1193: "the server does not have the variable",
    1227: "the account may not set the variable",
    1229: "the variable is a global one",
    1231: "the server does not take the value",
    1238: "the variable is read-only",
}
"""Error codes on which one setting is left as the server has it: a managed service may refuse some."""


def settings(info: ServerInfo, statement_seconds: float) -> tuple[str, ...]:
    """The assignments of one SET statement, most important first.

    Left alone: `information_schema_stats_expiry` (0 makes MySQL read every table's figures anew; the
    collector that wants it says so in its own statement). With `log_queries_not_using_indexes` on, MySQL 8.0
    and later log such statements of the monitor too: `min_examined_row_limit` would help, which needs a
    privilege that a monitor should not have.
    """
    common = (
        "autocommit = 1",
        f"lock_wait_timeout = {LOCK_WAIT_SECONDS}",
        f"innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}",
        # Numbers, quotes and backslashes mean the same everywhere.
        "sql_mode = ''",
        # The handshake's wish is not heard by a server with character_set_client_handshake off.
        "character_set_client = utf8mb4",
        "character_set_connection = utf8mb4",
        "character_set_results = utf8mb4",
        # InnoDB gives its times in the zone of the server's process: NOW() must be in the same.
        "time_zone = 'SYSTEM'",
        f"wait_timeout = {_IDLE_SECONDS}",
        # Neither in the slow log nor in Slow_queries.
        f"long_query_time = {_NEVER}",
    )
    if info.is_mariadb:
        read_only = "transaction_read_only" if info.at_least(11, 1, 1) else "tx_read_only"
        limit = f"max_statement_time = {statement_seconds:g}"
        return (*common, limit, f"{read_only} = 1", "slow_query_log = 0")
    if info.at_least(5, 7, 20):
        return (
            *common,
            f"max_execution_time = {round(statement_seconds * 1000)}",
            "transaction_read_only = 1",
        )
    return common


def identity(variables: Mapping[str, Any]) -> ServerInfo:
    """What a server is, from the variables of `IDENTITY`."""
    version = str(variables.get("version", ""))
    comment = str(variables.get("version_comment", ""))
    server_id = variables.get("server_id")
    return ServerInfo(
        flavor=_flavor(version, comment),
        version=parse_version(version),
        version_text=version,
        performance_schema=variables.get("performance_schema") == "ON",
        server_id=None if server_id is None else int(server_id),
        server_uuid=variables.get("server_uuid"),
        hostname=variables.get("hostname"),
    )


def parse_version(text: str) -> tuple[int, int, int]:
    """`(10, 11, 19)` of "10.11.19-MariaDB-0+deb12u1", "5.5.5-10.11.19-MariaDB" and the like; zeros if none."""
    # Replicas of before MariaDB 11 want to hear a 5 in front.
    match = re.match(r"(?:5\.5\.5-(?=1\d\.))?(\d+)\.(\d+)(?:\.(\d+))?", text)
    if match is None:
        return 0, 0, 0
    major, minor, patch = match.groups(default="0")
    return int(major), int(minor), int(patch)


def _flavor(version: str, comment: str) -> Flavor:
    said = f"{version} {comment}".lower()
    if "mariadb" in said:
        return "mariadb"
    return "percona" if "percona" in said else "mysql"
