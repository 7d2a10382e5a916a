"""What the DDL of this package says, read back: which index of which table it adds, hides or drops."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_NAME = r"`(?:[^`]|``)+`"
_STATEMENT = re.compile(
    rf"ALTER TABLE (?:(?P<schema>{_NAME})\.)?(?P<table>{_NAME}) "
    rf"(?:ADD (?P<unique>UNIQUE )?INDEX (?P<added>{_NAME}) \((?P<parts>.*)\)|DROP INDEX (?P<dropped>{_NAME})"
    rf"|ALTER INDEX (?P<changed>{_NAME}) (?P<sight>INVISIBLE|IGNORED))(?P<how>(?:, [A-Z]+=[A-Z]+)*)",
    re.DOTALL,
)
_PART = re.compile(rf"(?P<name>{_NAME})(?P<prefix>\(\d+\))?(?P<down> DESC)?(?:, |\Z)")


@dataclass(frozen=True, slots=True)
class Change:
    """One statement. `columns`: of an index that is added, each with whether it is descending.

    None where a part is an expression or only the beginning of a column.
    """

    kind: Literal["add", "drop", "hide"]
    schema: str
    table: str
    index: str
    columns: tuple[tuple[str, bool], ...] | None = None
    unique: bool = False
    after: str = ""

    @property
    def anywhere(self) -> str:
        """The same statement for whichever schema is in use."""
        name = self.table.replace("`", "``")
        return f"ALTER TABLE `{name}` {self.after}"


def read_ddl(sql: str) -> Change | None:
    """None for anything that `add_index`, `drop_index` and `hide_index` do not write."""
    found = _STATEMENT.fullmatch(sql.strip().rstrip(";"))
    if found is None:
        return None
    schema, table = _bare(found["schema"] or ""), _bare(found["table"])
    after = found[0][found.end("table") + 1 :]
    if found["dropped"]:
        return Change("drop", schema, table, _bare(found["dropped"]), after=after)
    if found["changed"]:
        return Change("hide", schema, table, _bare(found["changed"]), after=after)
    columns = _columns(found["parts"])
    return Change("add", schema, table, _bare(found["added"]), columns, found["unique"] is not None, after)


def _columns(parts: str) -> tuple[tuple[str, bool], ...] | None:
    found: list[tuple[str, bool]] = []
    place = 0
    while place < len(parts):
        part = _PART.match(parts, place)
        if part is None or part["prefix"]:
            return None
        found.append((_bare(part["name"]), part["down"] is not None))
        place = part.end()
    return tuple(found)


def _bare(name: str) -> str:
    return name[1:-1].replace("``", "`")
