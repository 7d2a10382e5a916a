"""Private MySQL and MariaDB servers: for the tests, the benchmarks and the demo of `make run`.

    with PrivateServer("mariadb-10.11", folder) as server:
        server.execute("SELECT VERSION() AS version")

Each server has its own data folder, port and socket, listens on 127.0.0.1 only, and dies with the
process that started it. Nothing here imports Django or the monitor.
"""

from __future__ import annotations

from dbvigil.sandbox.binaries import RELEASES, ServerBinary, find
from dbvigil.sandbox.errors import SandboxError, ServerNotStarted, ServerUnavailable
from dbvigil.sandbox.grants import MONITORING_GRANTS, RECOVERY_GRANTS, SLOW_LOG_GRANTS, schema_grants
from dbvigil.sandbox.replication import attach_replica, replication_options, wait_until_caught_up
from dbvigil.sandbox.server import PrivateServer
from dbvigil.sandbox.tls import Certificates

__all__ = [
    "MONITORING_GRANTS",
    "RECOVERY_GRANTS",
    "RELEASES",
    "SLOW_LOG_GRANTS",
    "Certificates",
    "PrivateServer",
    "SandboxError",
    "ServerBinary",
    "ServerNotStarted",
    "ServerUnavailable",
    "attach_replica",
    "find",
    "replication_options",
    "schema_grants",
    "wait_until_caught_up",
]
