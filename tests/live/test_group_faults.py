"""A real group of three, whose members are lost in every way: each is told of the member that it is about, and of no other."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dbvigil.replication.report import Report
from dbvigil.sandbox import PrivateServer
from tests.support import groups
from tests.support.observer import Observer, found
from tests.support.partition import Space, Unable
from tests.support.servers import PrivateServers

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "replication.md"


@dataclass(slots=True)
class Three:
    """A group of a, the primary, b, and c, which a network of its own leads to where one can be made."""

    a: PrivateServer
    b: PrivateServer
    c: PrivateServer
    space: Space | None
    unable: str

    def quietly(self, *statements: str) -> None:
        """On c, and not in its binary log."""
        with self.c.connect() as connection, connection.cursor() as cursor:
            for statement in ("SET SESSION sql_log_bin = 0", "SET GLOBAL super_read_only = OFF", *statements):
                cursor.execute(statement)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    servers, space, unable = PrivateServers(tmp_path_factory.mktemp("group")), None, ""
    try:
        space = Space()
    except Unable as error:
        unable = str(error)
    try:
        first, second, third = groups.group(servers, "mysql-9.7", space=space)
        yield Three(first, second, third, space, unable)
    finally:
        servers.destroy()
        if space is not None:
            space.close()


def observing(three: Three) -> Observer:
    return Observer(True, a=three.a, b=three.b, c=three.c)


Step = Callable[[Three], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """How the group is broken, all that is to be found, and how it is mended. `says` is in the first finding's detail."""

    name: str
    breaks: Step
    expected: tuple[tuple[str, str], ...]
    mends: Step
    says: str = ""

    @property
    def row(self) -> str:
        told = ", ".join(f"{database}: `{finding}`" for database, finding in self.expected)
        return f"| a group of three | a, b, c | {self.name} | {told} |"


def killed(three: Three) -> None:
    three.c.kill()


def started(three: Three) -> None:
    three.c.start()
    groups.rejoin(three.c)


def paused(three: Three) -> None:
    three.c.pause()


def resumed(three: Three) -> None:
    three.c.resume()
    groups.rejoin(three.c)


def cut(three: Three) -> None:
    if three.space is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no network can be cut here: {three.unable}")
    three.space.cut()


def mended(three: Three) -> None:
    assert three.space is not None
    three.space.mend()
    groups.rejoin(three.c)


def conflict(three: Three) -> None:
    three.quietly("CREATE DATABASE theirs")
    three.a.execute("CREATE DATABASE theirs")


def no_conflict(three: Three) -> None:
    three.quietly("DROP DATABASE theirs")
    groups.rejoin(three.c)


def no_recovery(three: Three) -> None:
    three.c.execute("STOP GROUP_REPLICATION")
    groups.recover_with(three.c, "wrong")
    three.a.execute("CREATE DATABASE lacking")
    three.c.execute("START GROUP_REPLICATION")


def recovery(three: Three) -> None:
    three.c.execute("STOP GROUP_REPLICATION")
    groups.recover_with(three.c)
    groups.rejoin(three.c)


def primary_killed(three: Three) -> None:
    three.a.kill()


def primary_started(three: Three) -> None:
    three.a.start()
    groups.rejoin(three.a)


def two_paused(three: Three) -> None:
    three.b.pause()
    three.c.pause()


def leave(three: Three) -> None:
    """Only a person may say which half goes on."""
    three.b.resume()
    three.c.resume()


C_LOST = (("c", "member_lost"),)
FAULTS = (
    Fault("a member killed", killed, C_LOST, started),
    Fault("a member stopped (SIGSTOP)", paused, C_LOST, resumed),
    Fault("a member cut off from the others' network", cut, C_LOST, mended),
    Fault("a member whose applier fails (ERROR)", conflict, C_LOST, no_conflict, "offline mode"),
    Fault(
        "a member that may not fetch what it lacks (RECOVERING)", no_recovery, (("c", "member_recovery_failing"),), recovery, "Error",
    ),
    Fault("the primary killed", primary_killed, (("a", "member_lost"),), primary_started),
    Fault(
        "two of three stopped (SIGSTOP)", two_paused, (("a", "no_quorum"), ("b", "member_lost"), ("c", "member_lost")), leave,
    ),
)  # fmt: skip


def told(seen: Report, fault: Fault) -> bool:
    """Whether all that is expected is found, nothing else, and the reason with it."""
    return found(seen) == sorted(fault.expected) and any(fault.says in one.detail for one in seen.findings)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_member_that_is_lost_is_told(three: Three, fault: Fault) -> None:
    async with observing(three) as observer:
        await observer.until_found()
        await asyncio.to_thread(fault.breaks, three)
        # The group itself takes five seconds to suspect one of its own, and a member is asked every five what it stopped on.
        try:
            await observer.until(lambda seen: told(seen, fault), seconds=60)
        except TimeoutError:
            details = [(one.database, one.id, one.detail) for one in observer.report.findings]
            raise AssertionError(f"expected {fault.expected}, found {details}") from None
        await asyncio.to_thread(fault.mends, three)
    if fault.mends is not leave:
        async with observing(three) as observer:
            await observer.until(lambda seen: found(seen) == [] and len(seen.databases) == 3, seconds=40)


def test_the_documentation_has_every_fault_of_a_group() -> None:
    page = PAGE.read_text()
    assert [fault.row for fault in FAULTS if fault.row not in page] == []
