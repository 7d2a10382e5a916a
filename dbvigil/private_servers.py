"""A private server of a monitored one's kind, for what must not be tried on that one itself."""

from __future__ import annotations

import asyncio
import logging
import shutil
from pathlib import Path

from dbvigil.errors import DbvigilError
from dbvigil.types import ServerInfo

try:
    from dbvigil.sandbox import RELEASES, PrivateServer, SandboxError, ServerBinary, ServerUnavailable, find
except ImportError:  # PyMySQL is there for the stand-alone service, not for every Django project
    PrivateServer = None  # type: ignore[assignment,misc]

logger = logging.getLogger("dbvigil.private_servers")

__all__ = ["NoPlace", "PrivateServer", "closest", "remove", "start"]


class NoPlace(DbvigilError):
    """There is no private server to be had; the message says what is missing."""


def closest(info: ServerInfo) -> ServerBinary:
    """The release of the same flavor whose version is nearest; raises `NoPlace`."""
    if PrivateServer is None:
        raise NoPlace("a private server needs PyMySQL (pip install 'dbvigil[service]')")
    flavor = "mariadb" if info.is_mariadb else "mysql"
    found: list[ServerBinary] = []
    missing = []
    for name, release in RELEASES.items():
        if release.flavor == flavor:
            try:
                found.append(find(name))
            except ServerUnavailable as error:
                missing.append(str(error))
    if not found:
        raise NoPlace("; ".join(missing) or f"no private server of {flavor} is known")
    wanted = info.version
    return min(found, key=lambda one: [abs(a - b) for a, b in zip(one.version, wanted, strict=True)])


async def start(private: PrivateServer) -> None:
    """Raises `NoPlace`. Where this is cancelled the start is waited for first, so that `remove` finds all there is."""
    starting = asyncio.ensure_future(asyncio.to_thread(private.start))
    try:
        await asyncio.shield(starting)
    except asyncio.CancelledError:
        await asyncio.wait([starting])
        raise
    except SandboxError as error:
        raise NoPlace(f"a private server did not start: {error}") from None


async def remove(private: PrivateServer, folder: Path) -> None:
    """Ends the server and removes `folder`, in which it lives, even where this is cancelled; what cannot be removed is logged."""
    await asyncio.shield(asyncio.to_thread(_remove, private, folder))


def _remove(private: PrivateServer, folder: Path) -> None:
    private.destroy()
    if not folder.exists():
        return
    try:
        shutil.rmtree(folder)
    except OSError as error:
        logger.error("%s has rows of a monitored server in it and cannot be removed: %s", folder, error)
