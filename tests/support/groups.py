"""A replication group of MySQL, of real servers on this machine."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from dataclasses import dataclass

import pymysql

from dbvigil.sandbox import PrivateServer, replication_options
from tests.support.partition import Space
from tests.support.servers import PrivateServers
from tests.support.waiting import wait_for

NAME = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
_PASSWORD = "Of-a-group-for-a-minute-1"
_HERE = "127.0.0.1"
_NOT_STARTED = 3092


def group(
    servers: PrivateServers, release: str, count: int = 3, space: Space | None = None
) -> list[PrivateServer]:
    """`count` members, the first the primary, all ONLINE; with a `space` the last one lives there."""
    places = [_Place(_HERE if space is None else space.near, port) for port in _free_ports(count)]
    if space is not None:
        places[-1] = _Place(space.far, places[-1].port, space.prefix)
    members = []
    for place in places:
        members.append(
            servers(
                release,
                within=place.within,
                options={
                    **replication_options("mysql"),
                    "bind-address": "*",
                    "report-host": place.host,
                    "binlog-expire-logs-seconds": "2592000",
                    "plugin-load-add": "group_replication.so",
                    "loose-group-replication-group-name": NAME,
                    "loose-group-replication-local-address": place.address,
                    "loose-group-replication-group-seeds": ",".join(one.address for one in places),
                    "loose-group-replication-start-on-boot": "OFF",
                    "loose-group-replication-ip-allowlist": f"{_HERE},198.18.0.0/15",
                    "loose-group-replication-member-expel-timeout": 0,
                    "loose-group-replication-autorejoin-tries": 0,
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
    # Each hears of the others in its own time.
    wait_for(lambda: all(online(member) == count for member in members), "the group's members")
    return members


def online(member: PrivateServer) -> int:
    """How many members this one sees ONLINE."""
    (row,) = member.execute(
        "SELECT COUNT(*) AS members FROM performance_schema.replication_group_members WHERE MEMBER_STATE = 'ONLINE'"
    )
    count: int = row["members"]
    return count


def rejoin(member: PrivateServer, count: int = 3) -> None:
    """Brings a member back that has left or was expelled, and waits until all are together."""
    member.execute("STOP GROUP_REPLICATION")
    wait_for(lambda: _let_in(member), "the member to be let in", 60)
    # A member that failed refuses everybody but administrators until it is told otherwise.
    member.execute("SET GLOBAL offline_mode = OFF")
    wait_for(lambda: online(member) == count, "the member to be back", 60)


def _let_in(member: PrivateServer) -> bool:
    """Whether it could start: the others refuse it for as long as they take it for the one that it was before."""
    try:
        member.execute("START GROUP_REPLICATION")
    except pymysql.err.OperationalError as refused:
        if refused.args[0] != _NOT_STARTED:
            raise
        return False
    return True


def recover_with(member: PrivateServer, password: str = _PASSWORD) -> None:
    """The password that a member fetches with what it lacks."""
    member.execute(
        f"CHANGE REPLICATION SOURCE TO SOURCE_USER = 'grouped', SOURCE_PASSWORD = '{password}' FOR CHANNEL 'group_replication_recovery'"
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a member speaks with the others."""

    host: str
    port: int
    within: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


def _prepare(member: PrivateServer) -> None:
    with member.connect() as connection, connection.cursor() as cursor:
        for statement in (
            "SET SESSION sql_log_bin = 0",
            f"CREATE USER 'grouped'@'%' IDENTIFIED BY '{_PASSWORD}'",
            "GRANT REPLICATION SLAVE, CONNECTION_ADMIN, BACKUP_ADMIN, GROUP_REPLICATION_STREAM ON *.* TO 'grouped'@'%'",
        ):
            cursor.execute(statement)
    recover_with(member)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(closing(socket.socket())) for _ in range(count)]
        for one in sockets:
            one.bind((_HERE, 0))
        return [one.getsockname()[1] for one in sockets]
