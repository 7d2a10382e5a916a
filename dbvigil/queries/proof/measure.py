"""What one statement costs in the sandbox: rows and pages that the engine read, milliseconds, and what it answered."""

from __future__ import annotations

import asyncio
import hashlib
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dbvigil.errors import StatementFailed
from dbvigil.queries.rules.ddl import quoted
from dbvigil.server import Server

ROWS = "SHOW SESSION STATUS LIKE 'Handler_read%'"
PAGES = "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_read_requests'"
NOTHING = "DO 0"
LIMIT = {
    "mariadb": "SET SESSION max_statement_time = {seconds:g}",
    "mysql": "SET SESSION max_execution_time = {milliseconds:.0f}",
}
ANALYZE = "ANALYZE TABLE {table}"

CALIBRATE = (
    "CREATE TABLE {table} (id INT PRIMARY KEY, k INT NOT NULL, pad CHAR(100) NOT NULL) ENGINE=InnoDB",
    "INSERT INTO {table} VALUES (1, 0, 'x')",
)
DOUBLED = "INSERT INTO {table} SELECT id + {number}, (id * 7919) % 20011, pad FROM {table}"
INDEXED = "ALTER TABLE {table} ADD KEY k (k)"
SCAN = "SELECT SUM(LENGTH(pad)) FROM {table} IGNORE INDEX (k)"
LOOKUPS = "SELECT SUM(LENGTH(pad)) FROM {table} FORCE INDEX (k) WHERE k >= 0"
_DOUBLINGS = 14

RUNS = 3
_TIME_LIMITS = (1969, 3024)
_MOST_RUNS = 12
_LONG_MS = 250.0
"""From here on the clock's noise is small beside what it measures."""
_FEW_PAGES = 20
_LOOKS, _STILL, _LOOK_SECONDS = 100, 3, 0.02


@dataclass(frozen=True, slots=True)
class Weights:
    """Microseconds that a row and that a page takes."""

    row: float
    page: float

    def milliseconds(self, rows: float, pages: float) -> float:
        return (rows * self.row + pages * self.page) / 1000


REFERENCE = {"mysql": Weights(0.18, 0.48), "mariadb": Weights(0.18, 0.79)}
"""Measured on full data; a calibration that is far from them says more about the machine's other work than about the server."""
_FAR = 5.0


@dataclass(frozen=True, slots=True)
class Run:
    """One statement's cost: the least of several runs for rows and pages (others may have been reading too), the median of their time.

    `least`: the time of the fastest run, which the machine's other work disturbs least; for saying that something became slower.
    `complete` is False where the time limit ended it: the figures are then lower bounds, and there is no `checksum`.
    """

    rows: int
    pages: int
    milliseconds: float
    checksum: str = ""
    complete: bool = True
    least: float = 0.0

    def figures(self) -> dict[str, float | int]:
        return {"rows_read": self.rows, "pages": self.pages, "milliseconds": round(self.milliseconds, 3)}


class Meter:
    """Measures statements over one connection of a sandbox on which nobody else works. `limit` (seconds) ends each execution.

    `worked` says how many milliseconds of processor time the server has used: other work on the machine does not lengthen those, as it does
    the clock's, which are taken without it.
    """

    def __init__(
        self, server: Server, limit: float = 10.0, worked: Callable[[], float | None] | None = None
    ) -> None:
        self._server = server
        self._limit = limit
        self._worked = worked
        self._status: tuple[int, int] | None = None
        self._own_rows = 0
        self._own_pages = 0

    async def prepare(self) -> None:
        """See what looking itself costs, which is not the statements', and whether processor time can be seen."""
        if self._worked is not None and self._worked() is None:
            self._worked = None
        found = [await self._counted(NOTHING) for _ in range(3)]
        self._own_rows = min(one.rows for one in found)
        self._own_pages = min(one.pages for one in found)

    @property
    def timed(self) -> bool:
        """Whether times are the processor's; known when it is prepared."""
        return self._worked is not None

    def milliseconds(self) -> float:
        """The server's processor time until now, or the clock's; only differences mean something."""
        return time.perf_counter() * 1000 if self._worked is None else self._worked() or 0.0

    async def quiet(self) -> None:
        """Wait until the server has done what others left to do in the background, as after DDL; not for ever."""
        still, self._status = 0, None
        for _ in range(_LOOKS):
            run = await self._counted(NOTHING)
            still = still + 1 if run.pages <= self._own_pages else 0
            if still == _STILL:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def measure(self, sql: str, limit: float | None = None) -> Run:
        """Run `sql` until there are `RUNS` executions after a first one that warms the cache; of a long one the second is enough.

        `limit` (seconds) ends each execution earlier than usual.
        """
        await self._limited(min(self._limit, limit or self._limit))
        self._status = None
        try:
            first = await self._once(sql, summed=True)
            if not first.complete:
                return replace(first, least=first.milliseconds)
            runs = [first] if first.milliseconds >= _LONG_MS else []
            runs += [await self._once(sql) for _ in range(1 if runs else RUNS)]
            # The pages are those of the whole server: what came in between shows as runs that do not agree.
            while len(runs) < _MOST_RUNS and not _agree(runs):
                runs.append(await self._once(sql))
        finally:
            await self._limited(0)
        return Run(
            min(run.rows for run in runs),
            min(run.pages for run in runs),
            statistics.median(run.milliseconds for run in runs),
            first.checksum,
            all(run.complete for run in runs),
            min(run.milliseconds for run in runs),
        )

    async def _once(self, sql: str, *, summed: bool = False) -> Run:
        run = await self._counted(sql, summed=summed)
        return Run(
            max(0, run.rows - self._own_rows),
            max(0, run.pages - self._own_pages),
            run.milliseconds,
            run.checksum,
            run.complete,
        )

    async def _counted(self, sql: str, *, summed: bool = False) -> Run:
        rows, pages = self._status or await self._look()
        began = self.milliseconds()
        answer: list[dict[str, Any]] | None
        try:
            answer = await self._server.rows(sql)
        except StatementFailed as error:
            if error.code not in _TIME_LIMITS:
                raise
            answer = None
        took = self.milliseconds() - began
        # What is looked up after one statement is what was there before the next.
        rows_after, pages_after = self._status = await self._look()
        checksum = await asyncio.to_thread(_checksum, answer) if summed and answer is not None else ""
        return Run(rows_after - rows, pages_after - pages, took, checksum, answer is not None)

    async def _look(self) -> tuple[int, int]:
        rows = sum(int(row["Value"]) for row in await self._server.rows(ROWS))
        pages = sum(int(row["Value"]) for row in await self._server.rows(PAGES))
        return rows, pages

    async def _limited(self, seconds: float) -> None:
        text = LIMIT["mariadb" if self._server.info.is_mariadb else "mysql"]
        await self._server.rows(text.format(seconds=seconds, milliseconds=seconds * 1000))


async def calibrated(server: Server, meter: Meter, schema: str) -> Weights:
    """What a row and a page take on this machine, from a scan (many rows a page) and from look-ups (several pages a row)."""
    table = f"{quoted(schema)}.`calibration`"
    for text in CALIBRATE:
        await server.rows(text.format(table=table))
    for power in range(_DOUBLINGS):
        await server.rows(DOUBLED.format(table=table, number=2**power))
    await server.rows(INDEXED.format(table=table))
    await server.rows(ANALYZE.format(table=table))
    scan = await meter.measure(SCAN.format(table=table))
    lookups = await meter.measure(LOOKUPS.format(table=table))
    reference = REFERENCE["mariadb" if server.info.is_mariadb else "mysql"]
    return weights_of(scan, lookups, reference)


def weights_of(scan: Run, lookups: Run, reference: Weights) -> Weights:
    """The two unknowns of two measurements; the reference where they give nothing sensible."""
    determinant = scan.rows * lookups.pages - lookups.rows * scan.pages
    if determinant <= 0 or lookups.pages < _FEW_PAGES:
        return reference
    row = 1000 * (scan.milliseconds * lookups.pages - lookups.milliseconds * scan.pages) / determinant
    page = 1000 * (scan.rows * lookups.milliseconds - lookups.rows * scan.milliseconds) / determinant
    near = (
        reference.row / _FAR <= row <= reference.row * _FAR
        and reference.page / _FAR <= page <= reference.page * _FAR
    )
    return Weights(row, page) if near else reference


def _agree(runs: Sequence[Run]) -> bool:
    """Whether the two runs that read least saw about the same number of pages."""
    least, next_one = sorted(run.pages for run in runs)[:2]
    return next_one - least <= max(2, least * 0.05)


def _checksum(rows: Iterable[Mapping[str, Any]]) -> str:
    """The same for the same rows in any order: rows that are equal by ORDER BY may change places, and an index cannot unsort the rest."""
    total = 0
    for row in rows:
        line = repr(tuple(row.values())).encode()
        total += int.from_bytes(hashlib.blake2b(line, digest_size=16).digest())
    return f"{total % 2**128:032x}"
