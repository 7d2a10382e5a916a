"""A dump into a server, by the client of that server's own flavor. Which server that may be is looked at before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dbvigil.backups import census
from dbvigil.backups.errors import BackupError
from dbvigil.backups.position import variables
from dbvigil.backups.programs import Stop, Tool, client_program, flavor_of
from dbvigil.identity import monitored_as
from dbvigil.server import Server
from dbvigil.targets import Target

T = TypeVar("T")

# Of the client's own commands none is heard but DELIMITER: no text of a dump can reach this machine's shell.
ARGUMENTS = ("--binary-mode", "--max-allowed-packet=1G", "--default-character-set=utf8mb4")


@dataclass(frozen=True, slots=True)
class Looked:
    """A server that may be written to: whether TLS can be had there, and the alias as which it is monitored, if it is."""

    encrypted: bool
    alias: str | None


async def check_place(
    target: Target,
    flavor: str,
    databases: Sequence[str],
    monitored: Sequence[Target],
    addresses: Mapping[str, str],
    *,
    force: bool,
) -> Looked:
    """Raises `BackupError` where a backup of `flavor` with these databases must not be restored on `target`.

    A monitored server, by its address or by what it says of itself, and databases that are there already, need `force`. `addresses` are
    those of servers that other processes monitor, with their aliases.
    """
    server = Server(target)
    try:
        info = await server.connect()
        if flavor_of(info) != flavor:
            raise BackupError(
                f"the backup is {flavor}'s, and {target.address} is {info.version_text}: a dump of one is not the other's"
            )
        alias = await monitored_as(server, monitored) or addresses.get(target.address)
        if alias is not None and not force:
            raise BackupError(
                f"{target.address} is monitored as {alias}: nothing is restored over it without --force"
            )
        there = {str(row["name"]) for row in await server.rows(census.DATABASES)}
        taken = sorted(there & set(databases))
        if taken and not force:
            raise BackupError(
                f"{target.address} has {', '.join(taken)} already: nothing is replaced without --force"
            )
        return Looked((await variables(server)).get("have_ssl", "YES") == "YES", alias)
    finally:
        await server.close()


def restore(
    target: Target,
    flavor: str,
    dump: Iterable[bytes],
    stop: Stop,
    *,
    encrypted: bool = True,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Feeds `dump` to the client, which ends at the first error. Blocks; `progress` is told the bytes fed so far.

    Raises `BackupError`; and what reading `dump` raises, after which a part is restored.
    """
    feed(Tool(client_program(flavor), target, ARGUMENTS, stop, fed=True, encrypted=encrypted), dump, progress)


def feed(tool: Tool, backup: Iterable[bytes], progress: Callable[[int], None] = lambda done: None) -> None:
    """Gives `tool` all of `backup` and waits for its end. Raises `BackupError`, and what reading `backup` raises."""
    done = 0
    with tool.running() as process:
        assert process.stdin is not None  # noqa: S101 - for the type checker; it is a pipe
        try:
            for data in backup:
                process.stdin.write(data)
                done += len(data)
                progress(done)
            process.stdin.close()
        except BrokenPipeError:
            # The client has ended; why, it says itself.
            process.wait()
        process.wait()
    failure = tool.failure()
    if failure:
        raise BackupError(failure)


async def finished(stop: Stop, work: Callable[[], T]) -> T:
    """What `work` comes to, without blocking; cancelled, it ends the programs that `work` runs under `stop`."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.end("it was cancelled")
        await asyncio.wait([running])
        raise
