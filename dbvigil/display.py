"""Figures for people: rounded, with their unit."""

from __future__ import annotations

import math

from dbvigil.catalogue import BY_NAME

_DECIMAL_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BINARY_STEPS = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))


def _short(value: float, steps: tuple[tuple[float, str], ...], unit: str) -> str:
    for size, letter in steps:
        if abs(value) >= size:
            return f"{value / size:.3g} {letter}{unit}"
    text = f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return f"{text} {unit}".rstrip()


def _duration(seconds: float) -> str:
    if 0 < seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} d"


def display(name: str, value: object) -> str:
    """`value` of metric `name` for people, with its unit: "82.5 %", "1.2 k/s", "n/a" where unknown."""
    if value is None:
        return "n/a"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return "n/a"
    match BY_NAME[name].unit:
        case "percent":
            return f"{value:.1f} %"
        case "seconds":
            return _duration(value)
        case "milliseconds":
            return _duration(value / 1000)
        case "per_second":
            return _short(value, _DECIMAL_STEPS, "").rstrip() + "/s"
        case "per_minute":
            return _short(value, _DECIMAL_STEPS, "").rstrip() + "/min"
        case "bytes":
            return _short(value, _BINARY_STEPS, "B" if abs(value) < 1024 else "")
        case "bytes_per_second":
            return _short(value, _BINARY_STEPS, "B" if abs(value) < 1024 else "") + "/s"
        case _:
            return _short(value, _DECIMAL_STEPS, "")


def seconds(value: float | None) -> str:
    """A time for people, from parts of a millisecond to days: "0.34 ms", "41 s", "3 h", "n/a" where unknown."""
    return "n/a" if value is None else _duration(value)


def times(factor: float) -> str:
    """How many times, for people: "1.81", "14.2", "1,330"."""
    return f"{factor:.3g}" if factor < 100 else f"{factor:,.0f}"
