"""Reading values out of rows: numbers that servers send as text, names that differ only in case."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any


def number(value: object) -> int | float | None:
    """`value` as int where it is whole, else float; None where it is no number."""
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float):
        return value
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            try:
                return float(value)
            except ValueError:
                return None
    return None


def numbers(pairs: Iterable[tuple[str, object]]) -> dict[str, int | float]:
    """Those of `pairs` whose value is a number; the others are absent."""
    return {name: value for name, text in pairs if (value := number(text)) is not None}


def switched_on(value: object) -> bool | None:
    """What a boolean server variable says: 1/0, "ON"/"OFF", "YES"/"NO"; any other word (a mode) is on. None where it is missing."""
    if value is None:
        return None
    return str(value).upper() not in ("0", "OFF", "NO", "")


def lower_names(row: Mapping[str, Any]) -> dict[str, Any]:
    """`row` with its column names in lower case: servers differ in how they write them."""
    return {name.lower(): value for name, value in row.items()}
