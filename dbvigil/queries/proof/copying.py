"""Rows on their way from the monitored server into the sandbox: read in small pieces, written in large ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dbvigil.errors import ServerError
from dbvigil.queries.proof.budget import Purse, Spent
from dbvigil.queries.proof.columns import comparable, is_row, row_literal, stored
from dbvigil.queries.proof.sampling import Group, Name, Part, SamplePlan, name_of, repeated
from dbvigil.queries.proof.structure import structure
from dbvigil.queries.rules.ddl import full_name, quoted
from dbvigil.queries.schema import Table
from dbvigil.server import Server

SHOWN = "SHOW CREATE TABLE {table}"
PIECE = "SELECT {row} AS row_text{keys} FROM {table}{where}{order} LIMIT {most}"
ENDS = "SELECT MIN({key}) AS least, MAX({key}) AS most FROM {table}"
INSERT = "INSERT INTO {table} ({columns}) VALUES "
UNDONE = "DELETE FROM {table}{where}"

_SMALLEST = 1_000
_ROWS_A_PIECE = 2_000
_BYTES_A_PIECE = 4_000_000
_MOST_ROWS_A_BLOCK = 50_000
_MOST_BYTES_A_BLOCK = 20_000_000
_FEWEST_BLOCKS = 8
_BYTES_AN_INSERT = 1_000_000
_PHASE = 2_654_435_761


@dataclass(frozen=True, slots=True)
class Block:
    """One stride of a key, from `first` to before `after`, and the part of it that is read, from `low` to before `high`."""

    first: int
    after: int
    low: int
    high: int


@dataclass(slots=True)
class Copied:
    """What came of copying: rows and share (0–1) by table, and by table the blocks that were read.

    `loose`: tables whose joins lose rows, because a block was cut short, or because they were read by another key and could not be grown.
    """

    rows: dict[Name, int] = field(default_factory=dict)
    shares: dict[Name, float] = field(default_factory=dict)
    loose: set[Name] = field(default_factory=set)
    blocks: dict[Name, list[Block]] = field(default_factory=dict)
    short: str = ""

    def full(self, name: Name) -> int:
        """How many rows the real table has: what was read of its key tells that better than the server's estimate does."""
        return round(self.rows.get(name, 0) / self.shares.get(name, 1.0))

    @property
    def share(self) -> float:
        """The least share of any table."""
        return min(self.shares.values(), default=1.0)


async def make_tables(
    purse: Purse, sandbox: Server, plan: SamplePlan, small: Mapping[str, str], big: Mapping[str, str]
) -> list[str]:
    """The planned tables, empty, in `small` and `big`: the sandbox's schema for a schema of the source, in lower case.

    Answers the statements that add their secondary indexes, which are for when the rows are there.
    """
    later = []
    for part in parts_of(plan):
        (row,) = await purse.rows(SHOWN.format(table=full_name(part.table)), 1, counted=False)
        shown = next(str(text) for title, text in row.items() if title.lower() == "create table")
        for home, plain in ((small, ()), (big, repeated(part))):
            try:
                made = structure(target(part.table, home), shown, plain)
            except ValueError as error:
                raise ServerError(f"{part.table.name} cannot be made again: {error}") from None
            await sandbox.rows(made.create)
            if made.keys:
                later.append(made.keys)
    return later


async def copy(purse: Purse, sandbox: Server, plan: SamplePlan, home: Mapping[str, str]) -> Copied:
    """Fill the tables of `home`. Ends early where the budget does; raises `Spent` where nothing useful came of it by then."""
    copied = Copied()
    for group in plan.groups:
        for part in group.parts:
            copied.rows[name_of(part.table)] = 0
            copied.shares[name_of(part.table)] = group.share
        if group.parts[0].key:
            await _copy_blocks(purse, sandbox, group, home, copied)
        else:
            await _copy_whole(purse, sandbox, group.parts[0].table, home, copied)
    return copied


async def _copy_whole(
    purse: Purse, sandbox: Server, table: Table, home: Mapping[str, str], copied: Copied
) -> None:
    primary = table.primary_key
    names = [column for part in (primary.parts if primary else ()) if (column := table.column(part.column))]
    keys = "".join(f", {comparable(one)} AS key_{place}" for place, one in enumerate(names))
    order = f" ORDER BY {', '.join(quoted(one.name) for one in names)}" if names else ""
    after: list[str] = []
    while True:
        # Without a primary key there is no place to go on from: one piece, as long as need be.
        most = purse.allowed(_piece(table) if names else max(_SMALLEST, 2 * (table.rows or 0)))
        where = f" WHERE {_beyond([quoted(one.name) for one in names], after)}" if after else ""
        text = PIECE.format(
            row=row_literal(table), keys=keys, table=full_name(table), where=where, order=order, most=most
        )
        rows = await purse.rows(text, most)
        await _write(sandbox, table, home, [row["row_text"] for row in rows])
        copied.rows[name_of(table)] += len(rows)
        if len(rows) < most:
            return
        if not names:
            raise Spent(f"{table.name} has more rows than the server's statistics say, and no primary key")
        after = [rows[-1][f"key_{place}"] for place in range(len(names))]


async def _copy_blocks(
    purse: Purse, sandbox: Server, group: Group, home: Mapping[str, str], copied: Copied
) -> None:
    ends = [row for part in group.parts if (row := await _ends(purse, part)) is not None]
    if not ends:
        return
    least, most = min(low for low, _ in ends), max(high for _, high in ends)
    every = blocks_of(least, most, group.blocks, group.share)
    count, done = len(every), 0
    read: list[Block] = []
    copied.blocks |= {name_of(part.table): read for part in group.parts}
    try:
        for place in _scattered(count):
            await _copy_block(purse, sandbox, group, every[place], home, copied)
            read.append(every[place])
            done += 1
        for part in group.parts:
            column = part.table.column(part.key)
            if column is not None and column.nullable:
                await _copy_nulls(purse, sandbox, part, group.share, home, copied)
    except Spent as error:
        if done < min(count, _FEWEST_BLOCKS):
            raise
        copied.short = str(error)
        for part in group.parts:
            copied.shares[name_of(part.table)] = group.share * done / count


def blocks_of(least: int, most: int, count: int, share: float) -> list[Block]:
    """The key's values from `least` to `most` in at most `count` strides of one length, of each a block as long as `share` says, at
    another place of it.
    """
    stride = -(-(most - least + 1) // count)
    width = stride if share >= 1 else max(1, round(stride * share))
    found = []
    for place, first in enumerate(range(least, most + 1, stride)):
        after = min(first + stride, most + 1)
        low = first + int((place * _PHASE % 2**32) / 2**32 * max(0, after - first - width))
        found.append(Block(first, after, low, min(after, low + width)))
    return found


async def _copy_block(
    purse: Purse,
    sandbox: Server,
    group: Group,
    block: Block,
    home: Mapping[str, str],
    copied: Copied,
) -> None:
    """One block of every table of the group; where the budget ends in the midst of it, none of it."""
    before = dict(copied.rows)
    wheres = {
        name_of(part.table): f" WHERE {quoted(part.key)} >= {block.low} AND {quoted(part.key)} < {block.high}"
        for part in group.parts
    }
    try:
        for part in group.parts:
            where = wheres[name_of(part.table)]
            await _copy_piece(
                purse,
                sandbox,
                part,
                where,
                _piece(part.table, _MOST_ROWS_A_BLOCK, _MOST_BYTES_A_BLOCK),
                home,
                copied,
            )
    except Spent:
        for part in group.parts:
            await sandbox.rows(
                UNDONE.format(table=target(part.table, home), where=wheres[name_of(part.table)])
            )
        copied.rows.update(before)
        raise


async def _copy_nulls(
    purse: Purse, sandbox: Server, part: Part, share: float, home: Mapping[str, str], copied: Copied
) -> None:
    most = max(1, int((part.table.rows or 0) * share))
    await _copy_piece(purse, sandbox, part, f" WHERE {quoted(part.key)} IS NULL", most, home, copied)


async def _copy_piece(
    purse: Purse, sandbox: Server, part: Part, where: str, limit: int, home: Mapping[str, str], copied: Copied
) -> None:
    most = purse.allowed(limit)
    table = part.table
    text = PIECE.format(
        row=row_literal(table), keys="", table=full_name(table), where=where, order="", most=most
    )
    rows = await purse.rows(text, most)
    await _write(sandbox, table, home, [row["row_text"] for row in rows])
    copied.rows[name_of(table)] += len(rows)
    if len(rows) == most:
        if most < limit:
            raise Spent("the budget's rows are used up")
        copied.loose.add(name_of(table))


async def _ends(purse: Purse, part: Part) -> tuple[int, int] | None:
    text = ENDS.format(key=quoted(part.key), table=full_name(part.table))
    (row,) = await purse.rows(text, purse.allowed(2))
    return None if row["least"] is None else (int(row["least"]), int(row["most"]))


async def _write(sandbox: Server, table: Table, home: Mapping[str, str], rows: Sequence[str]) -> None:
    head = INSERT.format(table=target(table, home), columns=column_list(table))
    batch: list[str] = []
    size = 0
    for row in rows:
        if not is_row(row):
            raise ServerError(f"rows of {table.name} came in a form that was not asked for")
        batch.append(row)
        size += len(row)
        if size >= _BYTES_AN_INSERT:
            await sandbox.rows(head + ",".join(batch))
            batch, size = [], 0
    if batch:
        await sandbox.rows(head + ",".join(batch))


def target(table: Table, home: Mapping[str, str]) -> str:
    """The table in the sandbox, as a statement names it."""
    return f"{quoted(home[table.schema.lower()])}.{quoted(table.name)}"


def column_list(table: Table) -> str:
    """The columns that are written, as an INSERT names them."""
    return ", ".join(quoted(column.name) for column in stored(table))


def parts_of(plan: SamplePlan) -> list[Part]:
    """Every table that is copied."""
    return [part for group in plan.groups for part in group.parts]


def _piece(table: Table, rows: int = _ROWS_A_PIECE, size: int = _BYTES_A_PIECE) -> int:
    """Rows of one piece: fewer where they are long. As text they take about twice their bytes."""
    mean = (table.data_bytes or 0) / table.rows if table.rows else 0
    return max(1, min(rows, int(size / max(1.0, mean))))


def _beyond(names: Sequence[str], values: Sequence[str]) -> str:
    """What comes after a row in the order of `names`, as a condition that servers read as a range."""
    sides = []
    for place, name in enumerate(names):
        same = [f"{one} = {value}" for one, value in zip(names[:place], values, strict=False)]
        sides.append("(" + " AND ".join([*same, f"{name} > {values[place]}"]) + ")")
    return " OR ".join(sides)


def _scattered(count: int) -> list[int]:
    """0 to `count` - 1, so that the first of them already lie all over: an early end leaves an even sample."""
    bits = max(1, (count - 1).bit_length())
    mixed = (int(f"{place:0{bits}b}"[::-1], 2) for place in range(2**bits))
    return [place for place in mixed if place < count]
