"""Evidence in a few lines: what was seen at the moment an alert fired, one row a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

MOST_ROWS = 5
MOST_KINDS = 6
LONGEST_LINE = 240

Row = Mapping[str, Any]


def blocks(evidence: Mapping[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """`(title, lines)` of every kind of evidence there is, in the order it was gathered. Unknown shapes are "name: value" lines.

    At most six kinds, five lines each, 240 characters a line.
    """
    told = []
    for kind, found in list(evidence.items())[:MOST_KINDS]:
        title = _TITLES.get(kind, words(str(kind)).capitalize())
        lines = tuple(clip(line, LONGEST_LINE) for line in _lines(kind, found) if line)
        if lines:
            told.append((clip(title, 80), lines))
    return tuple(told)


def clip(text: object, longest: int) -> str:
    """One line of at most `longest` characters, without control characters."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in str(text)).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def words(name: str) -> str:
    return name.replace("_", " ").strip()


def _lines(kind: str, found: Any) -> list[str]:
    if isinstance(found, Mapping):
        if set(found) == {"unavailable"}:
            return [f"not available: {found['unavailable']}"]
        return [f"{words(str(name))}: {_value(value)}" for name, value in list(found.items())[:MOST_ROWS]]
    if isinstance(found, Sequence) and not isinstance(found, str | bytes):
        shown = [_row(kind, row) for row in found[:MOST_ROWS]]
        return [*shown, f"and {len(found) - MOST_ROWS} more"] if len(found) > MOST_ROWS else shown
    return [] if found is None else [_value(found)]


def _row(kind: str, row: Any) -> str:
    if not isinstance(row, Mapping):
        return _value(row)
    if kind in _ROWS:
        return _ROWS[kind](row)
    return " · ".join(
        f"{words(str(name))}: {_value(value)}" for name, value in row.items() if value is not None
    )


def _value(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{words(str(name))} {_value(inner)}" for name, inner in list(value.items())[:8])
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return ", ".join(_value(inner) for inner in value[:8])
    return str(value)


def _parts(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _with(row: Row, name: str, pattern: str) -> str:
    """`pattern` filled with a value, or nothing where it is unknown."""
    value = row.get(name)
    return "" if value is None or value == "" else pattern.format(_value(value))


def _who(row: Row) -> str:
    return _with(row, "user", "{}") + _with(row, "host", "@{}")


def _session(row: Row) -> str:
    return _parts(
        _with(row, "id", "session {}") + _with(row, "user", " of ") + _who(row),
        _with(row, "seconds", "for {} s"),
        _with(row, "transaction_seconds", "transaction open {} s"),
        _with(row, "state", "{}") or _with(row, "command", "{}"),
        _with(row, "statement", "{}"),
    )


def _connection(row: Row) -> str:
    return _parts(
        _who(row) + _with(row, "program", " ({})"),
        _with(row, "connections", "{} connections") + _with(row, "sleeping", ", {} of them idle"),
    )


def _lock(row: Row) -> str:
    return _parts(
        _with(row, "table", "{}"),
        _with(row, "blocking_id", "session {}") + _with(row, "blocking_user", " of {}") + " blocks"
        if row.get("blocking_id") is not None
        else "an unknown session blocks",
        _with(row, "blocking_idle_seconds", "idle for {} s"),
        _with(row, "blocking_statement", "{}") or _with(row, "blocking_command", "{}"),
        _with(row, "waiting_id", "session {}")
        + _with(row, "waiting_user", " of {}")
        + _with(row, "seconds", " waits {} s"),
        _with(row, "waiting_statement", "{}"),
    )


def _deadlock(row: Row) -> str:
    return _parts(
        _with(row, "id", "session {}")
        + _with(row, "user", " of ")
        + _who(row)
        + (" (undone)" if row.get("victim") else ""),
        _with(row, "statement", "{}"),
        _with(row, "holds", "holds {}"),
        _with(row, "waits_for", "waits for {}"),
    )


def _statement(row: Row) -> str:
    return _parts(
        _with(row, "count", "{} times"),
        _with(row, "seconds", "{} s in all"),
        _with(row, "average_ms", "{} ms on average"),
        _with(row, "slowest_ms", "{} ms at most"),
        _with(row, "share_of_load", "{} % of the load"),
        _with(row, "statement", "{}"),
        *(str(title) for title in row.get("advice") or ()),
    )


def _channel(row: Row) -> str:
    return _parts(
        "channel "
        + (_value(row.get("name")) if row.get("name") else "(default)")
        + _with(row, "source", " from {}"),
        _with(row, "io_running", "receiver running: {}"),
        _with(row, "sql_running", "applier running: {}"),
        _with(row, "seconds", "{} s behind") + _with(row, "cause", ": {}"),
        _with(row, "catch_up_seconds", "catches up in about {} s"),
        _with(row, "last_io_error", "{}"),
        _with(row, "last_sql_error", "{}"),
    )


def _finding(row: Row) -> str:
    return _parts(_with(row, "channel", "channel {}"), _with(row, "title", "{}"), _with(row, "fix", "{}"))


_TITLES: Mapping[str, str] = {
    "backup": "The newest backup",
    "sessions": "Sessions",
    "connections": "Who holds the connections",
    "locks": "Who waits for whom",
    "deadlocks": "The latest deadlock",
    "statements": "Statements that take the time",
    "replication": "Replication channels",
    "replication_findings": "What is wrong, and what to do",
    "channels": "Replication channels",
    "tables": "Tables",
}
_ROWS: Mapping[str, Callable[[Row], str]] = {
    "sessions": _session,
    "connections": _connection,
    "locks": _lock,
    "deadlocks": _deadlock,
    "statements": _statement,
    "replication": _channel,
    "replication_findings": _finding,
    "channels": _channel,
}
