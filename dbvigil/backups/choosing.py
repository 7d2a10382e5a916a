"""From which server a database is read. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dbvigil.backups.errors import BackupError

MOST_LAG = 60.0
"""Seconds that a replica may be behind to stand for its source."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The alias of the server that is read, and why."""

    alias: str
    why: str


def choose(
    database: str,
    wanted: str,
    edges: Sequence[Mapping[str, Any]],
    up: Mapping[str, bool | None],
    elsewhere: Collection[str] = (),
) -> Chosen:
    """`wanted` is "auto" or an alias; `edges` are channels as GET replication/ has them, `up` says which servers answer.
    `elsewhere` are replicas that "auto" passes over, for their files are not on this machine.

    "auto": the replica of `database` that is least behind, where one is well; the database itself otherwise. Raises `BackupError` where
    a replica that was named is not fit.
    """
    if wanted == database:
        return Chosen(database, "the settings name it")
    found = {
        edge["replica"]: edge
        for edge in edges
        if edge["source"] == database and up.get(edge["replica"]) and _is_well(edge, edges)
    }
    if wanted != "auto":
        if wanted in found:
            return Chosen(wanted, "the settings name this replica")
        raise BackupError(
            f"{wanted} cannot stand for {database}: it is no replica of it that runs and is at most {MOST_LAG:g} s behind; "
            'mend it, or name another server (or "auto") as "from" in DB_BACKUP_SCHEDULES'
        )
    near = found.keys() - elsewhere
    best = min(near, key=lambda name: (found[name]["lag"], name), default=None)
    if best is None:
        here = " and on this machine" if found else ""
        return Chosen(database, f"it has no monitored replica that is well{here}")
    return Chosen(best, f"a replica, {found[best]['lag']:g} s behind")


def _is_well(edge: Mapping[str, Any], edges: Sequence[Mapping[str, Any]]) -> bool:
    # One that follows several sources holds more than this database's rows.
    alone = sum(other["replica"] == edge["replica"] for other in edges) == 1
    return alone and edge["running"] is True and edge["lag"] is not None and edge["lag"] <= MOST_LAG
