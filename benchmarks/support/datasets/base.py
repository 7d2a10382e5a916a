"""What a data set is: tables, statements, and indexes that look natural for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from dbvigil.sandbox import PrivateServer

SCHEMA = "trial"
_DIGITS = "(SELECT 0 AS d" + "".join(f" UNION ALL SELECT {digit}" for digit in range(1, 10)) + ")"
_DRAWN = re.compile(r"\bRAND\(([\d +]+)\)")
_APART = 1_000_003
NUMBERS = (
    "SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d AS n"
    f" FROM {_DIGITS} a, {_DIGITS} b, {_DIGITS} c, {_DIGITS} e, {_DIGITS} f"
)
"""0 to 99,999 as `n`."""


@dataclass(frozen=True, slots=True)
class Natural:
    """An index that a person might well think of for one statement (its place in the workload), whether it is good or not."""

    statement: int
    table: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DataSet:
    """`load` fills the schema `SCHEMA`, which is there, with the rows of a seed; `statements` have `?` for values, or values."""

    name: str
    load: Callable[[PrivateServer, int], None]
    tables: tuple[str, ...]
    statements: tuple[str, ...]
    natural: tuple[Natural, ...] = ()


def run(server: PrivateServer, statements: tuple[str, ...], seed: int = 0) -> None:
    """One after another, in the data set's schema; another seed draws other numbers."""
    with server.connect(database=SCHEMA) as connection, connection.cursor() as cursor:
        for text in statements:
            cursor.execute(_DRAWN.sub(lambda found: f"RAND({found[1]} + {_APART * seed})", text))
        connection.commit()
