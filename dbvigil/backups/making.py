"""One backup: two snapshots beside the dump's, the dump itself, and what is written down about it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from dbvigil.backups import census
from dbvigil.backups.census import Inventory, Snapshot, figures_of
from dbvigil.backups.comparing import Truth
from dbvigil.backups.copying import backup_program, copy
from dbvigil.backups.dumping import Dumped, Pace, arguments, dump
from dbvigil.backups.errors import BackupError
from dbvigil.backups.nearby import data_folder
from dbvigil.backups.packing import Packer
from dbvigil.backups.position import Position, position, unmoved, variables
from dbvigil.backups.programs import Program, Stop, dump_program, flavor_of
from dbvigil.backups.verifying import Held
from dbvigil.errors import ServerError
from dbvigil.server import Server
from dbvigil.targets import Target
from dbvigil.types import ServerInfo, iso_utc

_NAMED = 10


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted: which server's databases (none named: all) or, `physical`, its files, into which file, and within which limits."""

    target: Target
    path: Path
    databases: Sequence[str] = ()
    key: str = ""
    compare_seconds: float = 900.0
    bytes_per_second: float = 0.0
    physical: bool = False


@dataclass(slots=True)
class Progress:
    """How far a backup is; written by one thread, read by others."""

    plain_bytes: int = 0
    size_bytes: int = 0
    expected_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A dump that is whole, in its file, and what is known about it."""

    info: ServerInfo
    started_at: datetime
    size: int
    plain: int
    sha256: str
    held: Held
    facts: Mapping[str, Any]


@dataclass(slots=True)
class _Moments:
    """What is known from around the tool's own moment: a dump's snapshot, or the end of a copy."""

    before: Position = field(default_factory=Position)
    after: Position = field(default_factory=Position)


async def make(order: Order, stop: Stop, progress: Progress) -> Made:
    """Dumps and reads what a restore will be compared with. Raises `BackupError`, ServerError, OSError; the file is then not whole."""
    first = Server(order.target, read_timeout=census.PATIENCE_SECONDS)
    try:
        info = await first.connect()
        datadir = None
        if order.physical:
            program = await asyncio.to_thread(backup_program, info)
            datadir = await data_folder(first)
        else:
            program = await asyncio.to_thread(dump_program, flavor_of(info))
        known = await census.inventory(first, order.databases)
        hidden = await census.unseen(first, known)
        if hidden:
            more = f" and {len(hidden) - _NAMED} more" if len(hidden) > _NAMED else ""
            what = "a dump would lack them" if datadir is None else "nothing could compare them"
            raise BackupError(
                f"the account may not see {', '.join(hidden[:_NAMED])}{more}: {what}; GRANT SELECT on them"
            )
        offers = await variables(first)
        progress.expected_bytes = known.bytes
        return await _make(order, first, program, datadir, known, offers, stop, progress)
    finally:
        await first.close()


async def _make(
    order: Order,
    first: Server,
    program: Program,
    datadir: Path | None,
    known: Inventory,
    offers: Mapping[str, str],
    stop: Stop,
    progress: Progress,
) -> Made:
    moments, loop, open_ = _Moments(), asyncio.get_running_loop(), asyncio.Event()
    logs = offers.get("log_bin") in ("ON", "1")
    moments.before = await position(first)
    packer = Packer(order.path, order.key)
    kept = False
    try:
        async with AsyncExitStack() as stack:
            before = await stack.enter_async_context(census.snapshot(first))
            started_at = datetime.now(UTC)
            if datadir is None:
                options = arguments(
                    program.flavor, known.databases, position=logs and moments.before.file is not None
                )
                read = partial(dump, program, order.target, options)
            else:
                read = partial(copy, program, order.target, datadir, order.path.parent)
            dumping = asyncio.ensure_future(
                asyncio.to_thread(
                    read,
                    _Watched(packer, progress),
                    stop,
                    begun=lambda: _soon(loop, open_),
                    pace=Pace(order.bytes_per_second),
                    encrypted=offers.get("have_ssl", "YES") == "YES",
                )
            )
            reading = asyncio.ensure_future(_truth(order, before, known, moments, open_, stack))
            try:
                # A dump that fails ends the reading; the other way round the dump goes on.
                await asyncio.wait({dumping, reading}, return_when=asyncio.FIRST_EXCEPTION)
                dumped = await asyncio.shield(dumping)
                truth = await reading
            finally:
                reading.cancel()
                if not dumping.done():
                    stop.end("the backup ended early")
                await asyncio.wait({dumping, reading})
        packer.close()
        kept = True
    finally:
        if not kept:
            packer.abandon()
    progress.plain_bytes, progress.size_bytes = packer.plain, packer.size
    return Made(
        first.info,
        started_at,
        packer.size,
        packer.plain,
        packer.sha256,
        Held(known.databases, truth, known.others),
        _facts(first.info, program, known, moments, dumped),
    )


def _soon(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    loop.call_soon_threadsafe(event.set)


class _Watched:
    """A packer that tells how far it is."""

    def __init__(self, packer: Packer, progress: Progress) -> None:
        self._packer = packer
        self._progress = progress

    def write(self, data: bytes) -> None:
        self._packer.write(data)
        self._progress.plain_bytes, self._progress.size_bytes = self._packer.plain, self._packer.size


async def _truth(
    order: Order,
    before: Snapshot,
    known: Inventory,
    moments: _Moments,
    open_: asyncio.Event,
    stack: AsyncExitStack,
) -> dict[str, Truth]:
    """Each table as it was just before the dump's snapshot and just after. What cannot be read is no reason to have no backup."""
    second = Server(order.target, read_timeout=census.PATIENCE_SECONDS)
    try:
        await second.connect()
        await open_.wait()
        # A copy may have taken hours until here.
        end = time.monotonic() + order.compare_seconds
        after = await stack.enter_async_context(census.snapshot(second))
        moments.after = await position(second)
        earlier, left = await figures_of(before, known.tables, end - time.monotonic(), time.monotonic)
        if unmoved(moments.before, moments.after):
            later = earlier
        else:
            later, _ = await figures_of(after, known.tables, end - time.monotonic(), time.monotonic)
    except ServerError as error:
        # A server that is gone is told by the dump, whose failure counts.
        return {
            table.name: Truth(None, None, f"the server was not read for it: {error}")
            for table in known.tables
        }
    why = {table.name: _open(table) for table in known.tables}
    return {
        table.name: Truth(
            earlier.get(table.name), later.get(table.name), left.get(table.name, "") or why[table.name]
        )
        for table in known.tables
    }


def _open(table: census.Table) -> str:
    return "" if table.transactional else "its engine has no snapshots: it may have changed meanwhile"


def _facts(
    info: ServerInfo, program: Program, known: Inventory, moments: _Moments, dumped: Dumped
) -> dict[str, Any]:
    before, after = moments.before, moments.after
    exact = unmoved(before, after)
    warnings = []
    loose = [table.name for table in known.tables if not table.transactional]
    if loose:
        shown = ", ".join(loose[:_NAMED]) + (
            f" and {len(loose) - _NAMED} more" if len(loose) > _NAMED else ""
        )
        warnings.append(
            f"{shown}: not in the snapshot, for their engine is not transactional; ALTER TABLE … ENGINE=InnoDB helps"
        )
    file, offset = dumped.log_file, dumped.log_position
    if file is None and exact:
        file, offset = before.file, before.offset
    return {
        "flavor": flavor_of(info),
        "server_version": info.version_text,
        "tool": program.version,
        "databases": list(known.databases),
        "tables": len(known.tables),
        "position": {
            "exact": exact or file is not None,
            "gtids": dumped.gtids or (before.gtids if exact else None),
            "gtids_before": before.gtids,
            "gtids_after": after.gtids,
            "file": file,
            "offset": offset,
        },
        "warnings": warnings,
    }


def manifest(made: Made, *, number: int, database: str, source: str, key: str) -> dict[str, Any]:
    """What is written down beside the file."""
    return {
        "format": 1,
        "backup": number,
        "database": database,
        "source": source,
        "started_at": iso_utc(made.started_at),
        "size_bytes": made.size,
        "plain_bytes": made.plain,
        "sha256": made.sha256,
        "key": key,
        "server": {
            "flavor": made.info.flavor,
            "version": list(made.info.version),
            "version_text": made.info.version_text,
        },
        **made.facts,
        "held": made.held.to_dict(),
    }
