"""Where an index is tried: a private server of the same kind, or a server that was named for it. Nothing remains there afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dbvigil.errors import ConfigurationError, StatementFailed
from dbvigil.identity import monitored_as
from dbvigil.private_servers import NoPlace, PrivateServer, closest, remove, start
from dbvigil.queries.rules.ddl import quoted
from dbvigil.server import Server
from dbvigil.targets import Target, parse_url
from dbvigil.types import ServerInfo

SETTING = "DB_SANDBOX_URL"
PREFIX = "dbvigil_proof_"
"""What every schema is called that a proof makes on a server that was named for it."""

SETTINGS = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})"
CREATE = "CREATE DATABASE {name}"
DROP = "DROP DATABASE IF EXISTS {name}"
# The monitor's connections can only read; the sandbox is there to be written.
WRITABLE = "SET SESSION {variable} = 0"
UNLIMITED = {"mariadb": "SET SESSION max_statement_time = 0", "mysql": "SET SESSION max_execution_time = 0"}

COPIED = (
    "optimizer_switch", "optimizer_prune_level", "optimizer_search_depth", "optimizer_use_condition_selectivity",
    "eq_range_index_dive_limit", "range_optimizer_max_mem_size", "join_buffer_size", "join_cache_level", "sort_buffer_size",
    "read_rnd_buffer_size", "mrr_buffer_size", "tmp_table_size", "max_heap_table_size", "max_length_for_sort_data", "group_concat_max_len",
    "internal_tmp_mem_storage_engine", "div_precision_increment",
)  # fmt: skip
"""What decides on plans, copied from the monitored server where both have it; global statistics settings go to a private server alone."""
STATISTICS = (
    "innodb_stats_persistent_sample_pages", "innodb_stats_method", "innodb_stats_include_delete_marked", "use_stat_tables",
    "histogram_type",
)  # fmt: skip

_PATIENCE_SECONDS = 300.0
_BUFFER_POOL = "256M"


Worked = Callable[[], float | None]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A connection that may write, and the sandbox's schema for each schema of the source (lower case), for both sizes of the sample."""

    server: Server
    big: Mapping[str, str]
    small: Mapping[str, str]
    own: str
    """A schema for what the proof itself needs."""
    kind: str
    version: tuple[int, int, int]
    worked: Worked | None = None
    """The milliseconds of processor time that the server has used so far, where that can be seen."""


@contextlib.asynccontextmanager
async def sandbox_for(
    source: Server, schemas: Collection[str], *, url: str = "", forbidden: Sequence[Target] = ()
) -> AsyncIterator[Sandbox]:
    """A sandbox for `source`, removed at the end whatever happened: on the server of `url`, or a private one.

    `schemas` are the source's. `forbidden` are targets whose servers are never written to, the source's among them. Raises `NoPlace`.
    """
    settings = await _settings(source)
    if url:
        target = replace(_target(url), read_timeout=_PATIENCE_SECONDS)
        async with _opened(target) as server:
            await _refuse(server, forbidden, source)
            async with _schemas(server, source, schemas, settings, "named") as made:
                yield made
        return
    async with _private(source.info) as (private, worked), _opened(private) as server:
        for name, value in settings.items():
            if name in STATISTICS:
                await _set(server, f"SET GLOBAL {name} = {_text(value)}")
        async with _schemas(server, source, schemas, settings, "private") as made:
            yield replace(made, worked=worked)


def _target(url: str) -> Target:
    try:
        return parse_url("sandbox", url)
    except ConfigurationError as error:
        raise ConfigurationError(SETTING, error.given, error.allowed) from None


async def _refuse(server: Server, forbidden: Sequence[Target], source: Server) -> None:
    """Raises `ConfigurationError` where the sandbox is a monitored server, by whatever address it is called."""
    alias = await monitored_as(server, (source.target, *forbidden))
    if alias is not None:
        raise ConfigurationError(
            SETTING, server.target.address, f"it is monitored as {alias}; allowed is any other server"
        )


async def _settings(source: Server) -> dict[str, str]:
    names = ", ".join(f"'{name}'" for name in (*COPIED, *STATISTICS))
    rows = await source.rows(SETTINGS.format(names=names))
    return {row["Variable_name"]: str(row["Value"]) for row in rows}


@contextlib.asynccontextmanager
async def _opened(target: Target) -> AsyncIterator[Server]:
    server = Server(target, connect_timeout=20.0, read_timeout=_PATIENCE_SECONDS)
    try:
        info = await server.connect()
        old = info.is_mariadb and not info.at_least(11, 1, 1)
        await server.rows(WRITABLE.format(variable="tx_read_only" if old else "transaction_read_only"))
        await server.rows(UNLIMITED["mariadb" if info.is_mariadb else "mysql"])
        # Replicas of a named server have no use for the sample; an account that may not say so leaves it in the binary log.
        await _set(server, "SET SESSION sql_log_bin = 0")
        yield server
    finally:
        await server.close()


@contextlib.asynccontextmanager
async def _schemas(
    server: Server, source: Server, schemas: Collection[str], settings: Mapping[str, str], kind: str
) -> AsyncIterator[Sandbox]:
    for name, value in settings.items():
        if name in COPIED:
            # One switch at a time: the sandbox may not know one of them.
            for part in value.split(",") if name == "optimizer_switch" else [value]:
                await _set(server, f"SET SESSION {name} = {_text(part)}")
    token = PREFIX + secrets.token_hex(4)
    known = sorted({name.lower() for name in schemas})
    big = {name: f"{token}_big{place}" for place, name in enumerate(known)}
    small = {name: f"{token}_small{place}" for place, name in enumerate(known)}
    names = [*big.values(), *small.values(), token]
    if server.info.is_mariadb != source.info.is_mariadb:
        raise NoPlace("the sandbox and the monitored server are of different flavours")
    try:
        for name in names:
            await server.rows(CREATE.format(name=quoted(name)))
        yield Sandbox(server, big, small, token, kind, server.info.version)
    finally:
        # A private server is removed as a whole. Of a named one even a connection lost in mid-statement leaves nothing behind.
        if kind == "named":
            await _drop(server.target, names)


async def _drop(target: Target, names: Sequence[str]) -> None:
    async with _opened(target) as server:
        for name in names:
            await server.rows(DROP.format(name=quoted(name)))


@contextlib.asynccontextmanager
async def _private(info: ServerInfo) -> AsyncIterator[tuple[Target, Worked]]:
    try:
        binary = await asyncio.to_thread(closest, info)
    except NoPlace as error:
        raise NoPlace(f"{error}; or name a server in {SETTING}") from None
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="dbvigil-proof-"))
    options: dict[str, str | int | None] = {
        "innodb-buffer-pool-size": _BUFFER_POOL,
        "innodb-stats-auto-recalc": "OFF",
        "innodb-adaptive-hash-index": "OFF",
        "skip-networking": None,
    }
    private = PrivateServer(binary, folder / "server", performance_schema=False, options=options)
    try:
        await start(private)
        target = Target("sandbox", user="root", socket=str(private.socket), read_timeout=_PATIENCE_SECONDS)
        yield target, private.processor_time().milliseconds
    finally:
        await remove(private, folder)


async def _set(server: Server, statement: str) -> None:
    # A setting that the sandbox does not have, or has no such value for, stays as it is there.
    with contextlib.suppress(StatementFailed):
        await server.rows(statement)


def _text(value: str) -> str:
    if value.lstrip("-").isdigit():
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
