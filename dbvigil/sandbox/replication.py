"""Make one private server a replica of another, and wait for it."""

from __future__ import annotations

from typing import Any

from dbvigil.sandbox.errors import ReplicaBehind
from dbvigil.sandbox.grants import REPLICATION_GRANTS
from dbvigil.sandbox.options import Options
from dbvigil.sandbox.server import PrivateServer, random_password

_SOURCE_POSITION = {"mysql": "SHOW BINARY LOG STATUS", "mariadb": "SHOW MASTER STATUS"}
_REPLICA_STATUS = {"mysql": "SHOW REPLICA STATUS", "mariadb": "SHOW ALL SLAVES STATUS"}


def replication_options(flavor: str, *, gtid: bool = True, domain: int = 0) -> Options:
    """Server options for a source or a replica, to be merged into `PrivateServer(options=...)`.

    `domain` is MariaDB's GTID domain: sources that feed one replica must each have their own.
    """
    binary_log: Options = {"log-bin": "binlog", "binlog-format": "ROW", "report-host": "127.0.0.1"}
    if flavor == "mariadb":
        return {**binary_log, "log-slave-updates": "ON", "gtid-domain-id": domain}
    if not gtid:
        return binary_log
    return {**binary_log, "gtid-mode": "ON", "enforce-gtid-consistency": "ON"}


def attach_replica(
    source: PrivateServer,
    replica: PrivateServer,
    *,
    channel: str = "",
    gtid: bool = True,
    delay: int = 0,
    address: tuple[str, int] | None = None,
) -> None:
    """Make `replica` follow `source` and start its threads.

    `channel` names the connection of a replica with several sources; `delay` is a deliberate lag in
    seconds; `address` is where the source is reached, where that is not its own. With `gtid` it reads all
    the source ever logged, without it from the source's position now.
    """
    user, password = f"replica_{replica.port}", random_password()
    source.create_user(user, password, REPLICATION_GRANTS)
    host, port = address or (source.host, source.port)
    word = "SOURCE" if replica.flavor == "mysql" else "MASTER"
    settings: dict[str, Any] = {
        f"{word}_HOST": host,
        f"{word}_PORT": port,
        f"{word}_USER": user,
        f"{word}_PASSWORD": password,
        f"{word}_CONNECT_RETRY": 1,
        f"{word}_DELAY": delay,
    }
    if source.tls is not None:
        settings |= {f"{word}_SSL": 1, f"{word}_SSL_CA": str(source.tls.ca)}
    if not gtid:
        position = source.execute(_SOURCE_POSITION[source.flavor])[0]
        settings |= {f"{word}_LOG_FILE": position["File"], f"{word}_LOG_POS": position["Position"]}
    assignments = [f"{name} = %s" for name in settings]
    if replica.flavor == "mysql":
        assignments += [f"SOURCE_AUTO_POSITION = {int(gtid)}", "GET_SOURCE_PUBLIC_KEY = 1"]
        # From 8.4 a replica gives up after ten attempts, here ten seconds; MariaDB goes on, and earlier MySQL did.
        assignments.append("SOURCE_RETRY_COUNT = 86400")
        change, start = "CHANGE REPLICATION SOURCE TO {} FOR CHANNEL %s", "START REPLICA FOR CHANNEL %s"
        replica.execute(change.format(", ".join(assignments)), *settings.values(), channel)
    else:
        if source.tls is None:
            # From 11.4 a replica insists on TLS unless it is told not to.
            assignments += ["MASTER_SSL = 0", "MASTER_SSL_VERIFY_SERVER_CERT = 0"]
        assignments.append(f"MASTER_USE_GTID = {'slave_pos' if gtid else 'no'}")
        change, start = "CHANGE MASTER %s TO {}", "START SLAVE %s"
        replica.execute(change.format(", ".join(assignments)), channel, *settings.values())
    replica.execute(start, channel)


def wait_until_caught_up(
    replica: PrivateServer, source: PrivateServer, timeout: float = 60.0, *, channel: str = ""
) -> None:
    """Wait until `replica` has applied all that `source` has logged until now; raises ReplicaBehind."""
    if source.flavor == "mariadb":
        position = source.execute("SELECT @@global.gtid_binlog_pos AS gtids")[0]["gtids"]
        answer = replica.execute("SELECT MASTER_GTID_WAIT(%s, %s) AS outcome", position, timeout)
        reached = answer[0]["outcome"] == 0
    elif source.execute("SELECT @@global.gtid_mode AS mode")[0]["mode"] == "ON":
        position = source.execute("SELECT @@global.gtid_executed AS gtids")[0]["gtids"]
        answer = replica.execute("SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %s) AS outcome", position, timeout)
        reached = answer[0]["outcome"] == 0
    else:
        log = source.execute(_SOURCE_POSITION["mysql"])[0]
        position = f"{log['File']}:{log['Position']}"
        sql = "SELECT SOURCE_POS_WAIT(%s, %s, %s, %s) AS outcome"
        outcome = replica.execute(sql, log["File"], log["Position"], timeout, channel)[0]["outcome"]
        reached = outcome is not None and outcome >= 0
    if not reached:
        raise ReplicaBehind(f"{replica!r} did not reach {position} in {timeout:g} s: {_last_errors(replica)}")


def _last_errors(replica: PrivateServer) -> str:
    rows = replica.execute(_REPLICA_STATUS[replica.flavor])
    errors = [row[name] for row in rows for name in ("Last_IO_Error", "Last_SQL_Error") if row[name]]
    return "; ".join(errors) or ("it reports no error" if rows else "it is no replica")
