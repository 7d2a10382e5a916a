"""The two sizes that statements are executed in: the sample, and the sample grown towards the size of the real tables.

Servers choose by the size of tables, and what they choose among few rows says little of many. A copied block of a key stands for its whole
stride: grown, it is repeated until it fills the stride, in every table of its group alike, so that each key has again the rows that belong
to it. Values keep their shares; what was unique is then there a few times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dbvigil.errors import StatementFailed
from dbvigil.queries.proof.columns import stored
from dbvigil.queries.proof.copying import Block, Copied, column_list, parts_of, target
from dbvigil.queries.proof.sampling import Part, SamplePlan, growable, identity_of, name_of, numbered
from dbvigil.queries.rules.ddl import quoted
from dbvigil.queries.schema import Table
from dbvigil.server import Server

ROWS = 1_000_000
"""To so many rows at most all tables together are grown; and to so many bytes, which are to lie in the sandbox's memory."""
BYTES = 160_000_000
SMALLER = 4
"""Where there is nothing to grow, the smaller size holds one row of so many."""

_BLOCKS = """CREATE TABLE {name}
 (place BIGINT PRIMARY KEY, first_key BIGINT NOT NULL, low BIGINT NOT NULL, after BIGINT NOT NULL) ENGINE=InnoDB"""
_BLOCK = "INSERT INTO {name} VALUES {values}"
_TIMES = "CREATE TABLE {name} (number INT PRIMARY KEY) ENGINE=InnoDB"
GROWN = "INSERT INTO {big} ({columns}) SELECT {values} {where} ORDER BY {order}"
COUNTED = "SELECT COUNT(*) AS number, MIN(t.{key}) AS least, MAX(t.{key}) AS most {where}"
EVERY = """FROM {small} t JOIN {blocks} b ON b.place = (t.{key} - {least}) DIV {stride} JOIN {times} c
 WHERE b.first_key + c.number * {width} + (t.{key} - b.low) < b.after"""
SHIFTED = "b.first_key + c.number * {width} + (t.{key} - b.low)"
NUMBERED = "{least} + FLOOR((ROW_NUMBER() OVER (ORDER BY t.{name}, c.number) - 1) * {step!r})"
KEYLESS = "FROM {small} t WHERE t.{key} IS NULL"
NEXT = "{least} + ROW_NUMBER() OVER (ORDER BY t.{name})"
LAST = "SELECT MAX({name}) AS most FROM {table}"
WHOLE = "INSERT INTO {to} ({columns}) SELECT {columns} FROM {origin}{where}"
EMPTIED = "TRUNCATE TABLE {table}"
# A row without the key, NULL, is joined with nothing: its own identity decides.
HASHED = " WHERE CRC32(COALESCE({key}, CONCAT_WS(',', {identity}))) % {parts} = 0"


def times(plan: SamplePlan, copied: Copied) -> int:
    """How often a block may be there at most, itself included; 1 where nothing can be grown."""
    kept = grown = bytes_kept = bytes_grown = 0.0
    for part in parts_of(plan):
        rows = copied.rows.get(name_of(part.table), 0)
        size = _row_bytes(part.table) * rows
        if growable(part) and copied.shares.get(name_of(part.table), 1.0) < 1:
            grown, bytes_grown = grown + rows, bytes_grown + size
        else:
            kept, bytes_kept = kept + rows, bytes_kept + size
    if not grown:
        return 1
    return max(1, int(min((ROWS - kept) / grown, (BYTES - bytes_kept) / max(1.0, bytes_grown))))


async def two_sizes(
    sandbox: Server,
    plan: SamplePlan,
    copied: Copied,
    small: Mapping[str, str],
    big: Mapping[str, str],
    own: str,
) -> None:
    """Make the larger size in `big` from the sample in `small`; where it cannot be grown, `big` has the sample, `small` a part of it."""
    most = times(plan, copied)
    counted = f"{quoted(own)}.`times`"
    await sandbox.rows(_TIMES.format(name=counted))
    await sandbox.rows(_BLOCK.format(name=counted, values=", ".join(f"({one})" for one in range(most))))
    for number, part in enumerate(parts_of(plan)):
        blocks = copied.blocks.get(name_of(part.table), [])
        if most > 1 and growable(part) and copied.shares[name_of(part.table)] < 1 and blocks:
            helper = f"{quoted(own)}.`blocks_{number}`"
            try:
                await _grow(sandbox, _Growth(part, blocks, helper, counted), small, big)
                if part.loose and (copied.short or not _filled(blocks, most)):
                    copied.loose.add(name_of(part.table))
                continue
            except StatementFailed as error:
                if error.code not in _NO_ROOM:
                    raise
                # It does not grow with the tables that it is joined with.
                copied.loose.add(name_of(part.table))
                await sandbox.rows(EMPTIED.format(table=target(part.table, big)))
        await _thin(sandbox, part, small, big)
        if part.loose:
            copied.loose.add(name_of(part.table))


_NO_ROOM = (1264, 1690, 1062)
"""A number that is too large for its column, or for any; and the same where the server cuts it down to one that is there already."""


def _filled(blocks: Sequence[Block], most: int) -> bool:
    """Whether so many copies of the blocks leave no key out, so that whatever names a row by it finds one."""
    return all(one.after - one.first <= most * (one.high - one.low) for one in blocks[:-1])


@dataclass(frozen=True, slots=True)
class _Growth:
    part: Part
    blocks: list[Block]
    helper: str
    times: str


async def _grow(sandbox: Server, growth: _Growth, small: Mapping[str, str], big: Mapping[str, str]) -> None:
    part, table = growth.part, growth.part.table
    key, origin = quoted(part.key), target(table, small)
    blocks = sorted(growth.blocks, key=lambda one: one.first)
    # All strides but the last have one length, and so have the blocks.
    stride = max(one.after - one.first for one in blocks)
    width = max(one.high - one.low for one in blocks)
    least = min(one.first for one in blocks)
    await sandbox.rows(_BLOCKS.format(name=growth.helper))
    values = ", ".join(
        f"({(one.first - least) // stride}, {one.first}, {one.low}, {one.after})" for one in blocks
    )
    await sandbox.rows(_BLOCK.format(name=growth.helper, values=values))
    where = EVERY.format(
        small=origin,
        blocks=growth.helper,
        times=growth.times,
        key=key,
        least=least,
        stride=stride,
        width=width,
    )
    renewed = {part.key: SHIFTED.format(width=width, key=key)}
    for name in numbered(part):
        (row,) = await sandbox.rows(COUNTED.format(key=quoted(name), where=where))
        if row["number"]:
            step = max(1.0, (int(row["most"]) - int(row["least"]) + 1) / int(row["number"]))
            renewed[name] = NUMBERED.format(least=row["least"], name=quoted(name), step=step)
    await sandbox.rows(_insert(table, big, renewed, where))
    column = table.column(part.key)
    if column is not None and column.nullable:
        # Those without the key are all of them, or as many as their table's share would be.
        renewed = {}
        for name in numbered(part):
            (row,) = await sandbox.rows(LAST.format(name=quoted(name), table=target(table, big)))
            renewed[name] = NEXT.format(least=row["most"] or 0, name=quoted(name))
        await sandbox.rows(_insert(table, big, renewed, KEYLESS.format(small=origin, key=key)))


def _insert(table: Table, big: Mapping[str, str], renewed: Mapping[str, str], where: str) -> str:
    columns = stored(table)
    values = [renewed.get(one.name.lower(), f"t.{quoted(one.name)}") for one in columns]
    places = {one.name.lower(): number for number, one in enumerate(columns, start=1)}
    # In the order of the primary key pages become as full as they are in a table that has grown with it.
    order = ", ".join(str(places[name]) for name in identity_of(table) if name in places) or "NULL"
    return GROWN.format(
        big=target(table, big), columns=column_list(table), values=", ".join(values), where=where, order=order
    )


async def _thin(sandbox: Server, part: Part, small: Mapping[str, str], big: Mapping[str, str]) -> None:
    """The sample becomes the larger size; the smaller one is the same hash of the join key everywhere, so that what belongs together stays
    so.
    """
    table, columns = part.table, column_list(part.table)
    places = target(table, small), target(table, big)
    await sandbox.rows(WHOLE.format(to=places[1], origin=places[0], columns=columns, where=""))
    if part.hashed:
        identity = ", ".join(quoted(name) for name in identity_of(table))
        key = quoted(part.hashed[0]) if len(part.hashed) == 1 else "NULL"
        where = HASHED.format(key=key, identity=identity, parts=SMALLER)
        await sandbox.rows(EMPTIED.format(table=places[0]))
        await sandbox.rows(WHOLE.format(to=places[0], origin=places[1], columns=columns, where=where))


def _row_bytes(table: Table) -> float:
    return ((table.data_bytes or 0) + (table.index_bytes or 0)) / max(1, table.rows or 0)
