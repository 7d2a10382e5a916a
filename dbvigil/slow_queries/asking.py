"""One statement of a server with what the server tells about it: its tables and its plan. Only reads, within a time limit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

from dbvigil.errors import NotExplainable, ServerError
from dbvigil.queries.explain import explain
from dbvigil.queries.judging import Surroundings
from dbvigil.queries.schema_reader import MOST_TABLES, read_schema
from dbvigil.queries.statements import tables_of
from dbvigil.server import Server
from dbvigil.targets import Target

_T = TypeVar("_T")

EXPLAIN_SECONDS = 2.0


async def surroundings(
    server: Server, around: Surroundings, sql: str, schema: str, sample: str | None
) -> Surroundings:
    """`around` with the schema of the tables in `sql` and, where there is a `sample` with values, its plan.

    What the server does not tell is a sentence in `gaps`. Raises `ServerError` only where there is no server to ask.
    """
    info = server.info if server.connected else await server.connect()
    around = replace(around, flavor=info.flavor, version=info.version)
    gaps = list(around.gaps)
    wanted = sorted(tables_of(sql, schema))
    if wanted:
        known = await read_schema(server, wanted[:MOST_TABLES], default=schema)
        gaps += known.gaps
        around = replace(around, schema=known)
    if sample is not None:
        try:
            around = replace(
                around, plan=await explain(server, sample, schema=schema, limit_seconds=EXPLAIN_SECONDS)
            )
        except (NotExplainable, ServerError) as error:
            gaps.append(f"no plan: {error}")
    return replace(around, gaps=tuple(dict.fromkeys(gaps)))


def on_server(target: Target, ask: Callable[[Server], Awaitable[_T]]) -> _T:
    """What `ask` finds over a connection of its own to `target`; from any thread, also one that runs an event loop."""

    async def run() -> _T:
        server = Server(target)
        try:
            return await ask(server)
        finally:
            await server.close()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(run())
    # This thread's loop is somebody else's, and waits for this call.
    outcome: dict[str, Any] = {}

    def beside() -> None:
        try:
            outcome["value"] = asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
            outcome["error"] = error

    thread = threading.Thread(target=beside, name="dbvigil-analyze")
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    found: _T = outcome["value"]
    return found
