"""Waits and deadlocks in words, from rows as `stored` answers with them. What servers wrote into them is in the words as it came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dbvigil.display import seconds

Row = Mapping[str, Any]

_UNNAMED = (
    "MariaDB tells who holds a metadata lock when performance_schema is on and watches them:"
    " performance-schema-instrument = 'wait/lock/metadata/sql/mdl=ON'. Until then, look for old open transactions."
)


def session(node: Row) -> str:
    """Who it is, what it waits for, how long it does nothing, and how many wait for it."""
    if node["id"] is None:
        return "somebody that the server does not name"
    program = f" ({node['program']})" if node["program"] else ""
    facts = [f"session {node['id']} {who(node)}{program}".strip()]
    if node["kind"] is not None:
        waits = "" if node["waits_seconds"] is None else f" {seconds(node['waits_seconds'])}"
        facts.append(f"waits{waits} for {lock(node)}")
    if node["idle_seconds"] is not None:
        facts.append(f"idle for {seconds(node['idle_seconds'])}")
    if node["transaction_seconds"] is not None:
        facts.append(f"transaction open {seconds(node['transaction_seconds'])}")
    if node["victims"]:
        facts.append(f"{node['victims']} {'waits' if node['victims'] == 1 else 'wait'} for it")
    if node["circular"]:
        facts.append("waits in a circle")
    return ", ".join(facts)


def hint(nodes: Iterable[Row]) -> str:
    """How to have the server name those that it does not; "" where all are named."""
    return _UNNAMED if any(node["id"] is None for node in nodes) else ""


def who(row: Row) -> str:
    """user@host, as far as they are known."""
    return "@".join(part for part in (row["user"], row["host"]) if part)


def lock(node: Row) -> str:
    """The lock that is waited for."""
    where = " ".join(part for part in (node["locked"], node["index"]) if part)
    kind = "a metadata lock" if node["kind"] == "metadata" else "a row lock"
    mode = f" ({node['mode']})" if node["mode"] else ""
    return f"{kind} on {where}{mode}" if where else f"{kind}{mode}"


def held(row: Row) -> str:
    """A lock of a deadlock's transaction."""
    where = " ".join(part for part in (row["table"], row["index"]) if part)
    return f"{row['mode']} on {where}" + (
        f" ({row['range']})" if row["range"] not in (None, "record") else ""
    )


def times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def waiting(count: int) -> str:
    return f"{count} session waits" if count == 1 else f"{count} sessions wait"


def waited(count: int) -> str:
    return "1 session waited" if count == 1 else f"{count} sessions waited"
