"""When the statements of a target are looked at closely: a few of the worst, once a minute, one target never waiting for another.

So are indexes that were proved: whether they are there by now.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from dbvigil.errors import ServerError
from dbvigil.monitoring.database_thread import DatabaseThread
from dbvigil.server import Server
from dbvigil.slow_queries import analysis, built
from dbvigil.slow_queries.waiting import Waiting
from dbvigil.targets import Target

logger = logging.getLogger("dbvigil.monitor")

EVERY_SECONDS = 60.0
# The first figures of a target are there soon; its first advice should not be long in coming.
_FIRST_SECONDS = 20.0
_AT_ONCE = 4
_LIMIT_SECONDS = 30.0


class Closely:
    """Looks at the targets that are due. A server that does not answer is another day's."""

    def __init__(self, waiting: Waiting) -> None:
        self._waiting = waiting
        self._due: dict[str, float] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def look(self, targets: Sequence[Target], database: DatabaseThread, *, explain: bool) -> None:
        """Looks at those of `targets` that are due, some at a time. Raises `DatabaseError`."""
        now = asyncio.get_running_loop().time()
        ready: list[Target] = []
        for target in targets:
            if now >= self._due.setdefault(target.alias, now + _FIRST_SECONDS):
                self._due[target.alias] = now + EVERY_SECONDS
                ready.append(target)
        await asyncio.gather(*(self._look(target, database, explain) for target in ready))

    async def _look(self, target: Target, database: DatabaseThread, explain: bool) -> None:
        async with self._turns:
            due = await database.call(analysis.due, target.alias, datetime.now(UTC))
            indexes = await database.call(built.watched, target.alias, datetime.now(UTC))
            if not due and not indexes:
                return
            server = Server(target)
            try:
                async with asyncio.timeout(_LIMIT_SECONDS):
                    found = await analysis.analyse(
                        server, target.alias, due, self._sample(target.alias), explain=explain
                    )
                    there = await built.present(server, indexes)
            except (TimeoutError, ServerError) as error:
                logger.info(
                    "%s: its statements could not be looked at: %s",
                    target.alias,
                    error or "no answer in time",
                )
                return
            finally:
                await server.close()
            await database.call(analysis.keep, found, datetime.now(UTC))
            await database.call(built.keep, target.alias, indexes, there, datetime.now(UTC))

    def _sample(self, alias: str) -> analysis.Sampling:
        return lambda due: self._waiting.sample(alias, due.pair)
