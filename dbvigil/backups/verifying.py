"""A backup is proved: restored into a private server of the same kind, and compared with what the monitored one held."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbvigil.backups import census
from dbvigil.backups.comparing import Comparison, Truth, compare, missing
from dbvigil.backups.copying import release_of
from dbvigil.backups.errors import BackupError
from dbvigil.backups.packing import check_whole, unpacked
from dbvigil.backups.preparing import layout, prepare
from dbvigil.backups.programs import Stop, flavor_of
from dbvigil.backups.restoring import finished, restore
from dbvigil.private_servers import NoPlace, PrivateServer, closest, remove, start
from dbvigil.server import Server
from dbvigil.targets import Target
from dbvigil.types import ServerInfo

OPTIONS: Mapping[str, str | int | None] = {
    "innodb-buffer-pool-size": "256M",
    "max-allowed-packet": "1G",
    "skip-networking": None,
    "event-scheduler": "OFF",
    # Whatever the monitored server let in, it lets in.
    "innodb-strict-mode": "OFF",
}
COPIED: Mapping[str, str | int | None] = {
    # Its accounts are the monitored server's, and so are its plugins, which are not loaded then either.
    "skip-grant-tables": None,
    # It may have been a replica: it must follow nobody.
    "skip-slave-start": None,
}
"""What a server is told besides that is started on a copy of another one's files."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is to be found in a restore: how the server held each table, and the names of all else, by kind."""

    databases: Sequence[str]
    tables: Mapping[str, Truth]
    others: Mapping[str, Sequence[str]]

    def to_dict(self) -> dict[str, Any]:
        return {
            "databases": list(self.databases),
            "tables": {name: truth.to_dict() for name, truth in self.tables.items()},
            "others": {kind: list(names) for kind, names in self.others.items()},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Held:
        tables = {name: Truth.from_dict(truth) for name, truth in data["tables"].items()}
        return cls(data["databases"], tables, data["others"])


@dataclass(frozen=True, slots=True)
class Proof:
    """What the restore has shown, into which server, and how long that took (seconds)."""

    comparison: Comparison
    server: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        return {**self.comparison.to_dict(), "server": self.server, "seconds": round(self.seconds, 3)}


async def verify(
    path: Path,
    digest: str,
    keys: Sequence[str],
    held: Held,
    info: ServerInfo,
    folder: Path,
    stop: Stop,
    *,
    physical: bool = False,
) -> Proof:
    """Restores the file at `path` and compares. `folder` is a new one, removed at the end. `physical`: it is a copy of files.

    Raises `DamagedBackup` where the file is not what was written, `BackupError` where it cannot be restored or there is no server for it.
    """
    began = time.monotonic()
    await asyncio.to_thread(check_whole, path, digest)
    backup = unpacked(path, keys)
    async with _private(info, folder, backup if physical else None, stop) as (target, version):
        if not physical:
            await finished(stop, lambda: restore(target, flavor_of(info), backup, stop))
        stop.check()
        server = Server(target, read_timeout=census.PATIENCE_SECONDS)
        await server.connect()
        found = await census.inventory(server, held.databases, grantless=physical)
        async with census.snapshot(server) as view:
            wanted = [table for table in found.tables if table.name in held.tables]
            figures, _left = await census.figures_of(view, wanted, census.PATIENCE_SECONDS, time.monotonic)
        lost = [
            text
            for kind, names in held.others.items()
            for text in missing(kind, names, found.others.get(kind, ()))
        ]
        comparison = Comparison(compare(held.tables, figures), lost)
        return Proof(comparison, version, time.monotonic() - began)


@contextlib.asynccontextmanager
async def _private(
    info: ServerInfo, folder: Path, copied: Iterator[bytes] | None, stop: Stop
) -> AsyncIterator[tuple[Target, str]]:
    """An empty server, or one on `copied` files."""
    try:
        binary = await asyncio.to_thread(closest, info)
    except NoPlace as error:
        raise BackupError(f"no private server can be had for the restore: {error}") from None
    if copied is not None and binary.version[:2] != info.version[:2]:
        raise BackupError(
            f"no private server can be had for the copy: it has to be of MariaDB {release_of(info)}, and there is {binary.version_text}"
        )
    data, options = folder / "copy", OPTIONS
    private = PrivateServer(binary, folder / "server", performance_schema=False, options=OPTIONS)
    try:
        if copied is not None:
            data.mkdir(mode=0o700, parents=True)
            await finished(stop, lambda: prepare(info, copied, data, stop))
            options = {**OPTIONS, **COPIED, **layout(data)}
            private = PrivateServer(
                binary, folder / "server", performance_schema=False, options=options, data=data
            )
        try:
            await start(private)
        except NoPlace as error:
            raise BackupError(str(error)) from None
        yield Target("restore", user="root", socket=str(private.socket)), binary.version_text
    finally:
        await remove(private, folder)
