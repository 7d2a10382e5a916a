"""Whether two addresses lead to one server."""

from __future__ import annotations

from collections.abc import Sequence

from dbvigil.errors import ServerError
from dbvigil.server import Server
from dbvigil.targets import Target

IDENTITY = (
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid', 'server_id', 'hostname', 'port', 'datadir')"
)


async def monitored_as(server: Server, targets: Sequence[Target]) -> str | None:
    """Which of `targets` this server is, by its address or by what it says it is; None where it is none of them."""
    own = await _identity(server)
    for target in targets:
        if _address(target) == _address(server.target) or own == await _identity_of(target):
            return target.alias
    return None


def _address(target: Target) -> str:
    return f"this machine:{target.port}" if target.is_local and target.socket is None else target.address


async def _identity_of(target: Target) -> dict[str, str] | None:
    server = Server(target)
    try:
        return await _identity(server)
    except ServerError:
        # One that does not answer now is known by its address alone.
        return None
    finally:
        await server.close()


async def _identity(server: Server) -> dict[str, str]:
    return {row["Variable_name"]: str(row["Value"]) for row in await server.rows(IDENTITY)}
