"""A replication group of MySQL, of real servers on this machine."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing

from dbvigil.sandbox import PrivateServer, replication_options
from tests.support.servers import PrivateServers
from tests.support.waiting import wait_for

NAME = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
_PASSWORD = "Of-a-group-for-a-minute-1"


def group(servers: PrivateServers, release: str, count: int = 3) -> list[PrivateServer]:
    """`count` members, the first the primary, all ONLINE."""
    ports = _free_ports(count)
    seeds = ",".join(f"127.0.0.1:{port}" for port in ports)
    members = []
    for port in ports:
        members.append(
            servers(
                release,
                options={
                    **replication_options("mysql"),
                    "plugin-load-add": "group_replication.so",
                    "loose-group-replication-group-name": NAME,
                    "loose-group-replication-local-address": f"127.0.0.1:{port}",
                    "loose-group-replication-group-seeds": seeds,
                    "loose-group-replication-start-on-boot": "OFF",
                    "loose-group-replication-ip-allowlist": "127.0.0.1",
                    "loose-group-replication-member-expel-timeout": 0,
                    "loose-group-replication-recovery-get-public-key": "ON",
                    "disabled-storage-engines": "MyISAM,BLACKHOLE,FEDERATED,ARCHIVE,MEMORY",
                },
            )
        )
    for number, member in enumerate(members):
        _prepare(member)
        if number == 0:
            member.execute("SET GLOBAL group_replication_bootstrap_group = ON")
        member.execute("START GROUP_REPLICATION")
        if number == 0:
            member.execute("SET GLOBAL group_replication_bootstrap_group = OFF")
    wait_for(lambda: online(members[0]) == count, "the group's members", 60)
    return members


def online(member: PrivateServer) -> int:
    """How many members this one sees ONLINE."""
    (row,) = member.execute(
        "SELECT COUNT(*) AS members FROM performance_schema.replication_group_members WHERE MEMBER_STATE = 'ONLINE'"
    )
    count: int = row["members"]
    return count


def _prepare(member: PrivateServer) -> None:
    with member.connect() as connection, connection.cursor() as cursor:
        for statement in (
            "SET SESSION sql_log_bin = 0",
            f"CREATE USER 'grouped'@'127.0.0.1' IDENTIFIED BY '{_PASSWORD}'",
            "GRANT REPLICATION SLAVE, CONNECTION_ADMIN, BACKUP_ADMIN, GROUP_REPLICATION_STREAM ON *.* TO 'grouped'@'127.0.0.1'",
            f"CHANGE REPLICATION SOURCE TO SOURCE_USER = 'grouped', SOURCE_PASSWORD = '{_PASSWORD}'"
            " FOR CHANNEL 'group_replication_recovery'",
        ):
            cursor.execute(statement)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(closing(socket.socket())) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
