"""What an index costs those who write: the same changes in the sandbox with and without it, undone each time."""

from __future__ import annotations

import statistics

from dbvigil.queries.proof.columns import row_literal, stored
from dbvigil.queries.proof.copying import column_list
from dbvigil.queries.proof.measure import Meter
from dbvigil.queries.rules.ddl import quoted
from dbvigil.queries.schema import Column, Table
from dbvigil.queries.workload import Candidate
from dbvigil.server import Server

ROWS = 300
"""Rows that are deleted, inserted again and changed."""
TIMES = 5
CHOSEN = "SELECT {row} AS row_text FROM {table} ORDER BY {order} LIMIT {rows}"
DELETE = "DELETE FROM {table} ORDER BY {order} LIMIT {rows}"
INSERT = "INSERT INTO {table} ({columns}) VALUES {values}"
UPDATE = "UPDATE {table} SET {column} = {value} ORDER BY {order} LIMIT {rows}"
BEGIN, END = "START TRANSACTION", "ROLLBACK"


async def milliseconds(
    server: Server, meter: Meter, table: Table, schema: str, candidate: Candidate
) -> float | None:
    """The median time of deleting, inserting and changing `ROWS` rows; None for a table without a primary key, or without rows."""
    primary = table.primary_key
    if primary is None:
        return None
    target = f"{quoted(schema)}.{quoted(table.name)}"
    order = ", ".join(quoted(name) for name in primary.columns)
    rows = await server.rows(CHOSEN.format(row=row_literal(table), table=target, order=order, rows=ROWS))
    if not rows:
        return None
    inserted = INSERT.format(
        table=target, columns=column_list(table), values=",".join(row["row_text"] for row in rows)
    )
    statements = [
        *_updates(table, target, order, candidate),
        DELETE.format(table=target, order=order, rows=ROWS),
        inserted,
    ]
    times = []
    for _ in range(TIMES):
        await server.rows(BEGIN)
        try:
            began = meter.milliseconds()
            for statement in statements:
                await server.rows(statement)
            times.append(meter.milliseconds() - began)
        finally:
            await server.rows(END)
    return statistics.median(times)


def _updates(table: Table, target: str, order: str, candidate: Candidate) -> list[str]:
    """A change of the first indexed column that takes NULL: the index then has an entry to move."""
    primary = {name.lower() for name in (table.primary_key.columns if table.primary_key else ())}
    unique = {part.column.lower() for index in table.indexes if index.unique for part in index.parts}
    for name, _ in candidate.columns:
        column: Column | None = table.column(name)
        if (
            column in stored(table)
            and column is not None
            and column.nullable
            and name.lower() not in primary | unique
        ):
            return [UPDATE.format(table=target, column=quoted(name), value="NULL", order=order, rows=ROWS)]
    return []


def percent(before: float | None, after: float | None) -> float | None:
    """By how much writes take longer; below 0 is the clock's noise."""
    if before is None or after is None or before <= 0:
        return None
    return round(max(0.0, (after / before - 1) * 100), 1)
