"""The servers' own programs before a server that wants to be told the password: none of them tells it."""

from __future__ import annotations

import asyncio

import pytest

from dbvigil.backups.programs import Stop, Tool, client_program, dump_program
from dbvigil.targets import Target
from tests.support import rogue
from tests.support.rogue import Rogue, Script

PASSWORD = "kZ7w-secret-word"

WISHES: dict[str, Script] = {
    "clear text in the greeting": rogue.ask("mysql_clear_password", by_switch=False),
    "clear text by switch": rogue.ask("mysql_clear_password"),
    "clear text at the second switch": rogue.ask_twice("mysql_native_password", "mysql_clear_password"),
    "dialog by switch": rogue.ask("dialog", data=b"\x04Password: "),
}
KEYS: dict[str, Script] = {
    "sha256 by switch": rogue.full_authentication(by_switch=True, plugin="sha256_password"),
    "caching sha2 by switch": rogue.full_authentication(by_switch=True),
}
"""What MySQL's programs answer on this machine, as the driver does: nobody is in between."""


@pytest.mark.parametrize(
    ("flavor", "wish"),
    [(flavor, wish) for flavor in ("mariadb", "mysql") for wish in WISHES]
    + [("mariadb", wish) for wish in KEYS],
)
@pytest.mark.parametrize("which", [dump_program, client_program], ids=["dump", "client"])
async def test_no_program_tells_a_rogue_the_password(which: object, flavor: str, wish: str) -> None:
    assert callable(which)
    program = which(flavor)
    async with Rogue({**WISHES, **KEYS}[wish]) as enemy:
        target = Target("t", host="127.0.0.1", port=enemy.port, user="keeper", password=PASSWORD)
        tool = Tool(program, target, ("shop",), Stop(), encrypted=False)

        def to_its_end() -> None:
            with tool.running() as process:
                process.wait(60)

        await asyncio.to_thread(to_its_end)
        assert enemy.connections
    assert tool.failure()
    assert not enemy.heard(PASSWORD)
