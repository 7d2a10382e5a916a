"""Why a channel is behind its source, from what is known of its threads. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dbvigil.analysis.lag import is_silent
from dbvigil.display import seconds
from dbvigil.replication.facts import Facts
from dbvigil.types import ReplicationChannel

Kind = Literal[
    "intended_delay",
    "receiver",
    "applier_stopped",
    "lock",
    "schema_change",
    "no_primary_key",
    "large_transaction",
    "disk",
    "applier",
]

LEAST_SECONDS = 1.0
"""A replica that is behind by less has no cause worth looking for."""
_LARGE_SHARE = 0.5
_LARGE_SECONDS = 5.0

_SCHEMA_CHANGES = ("ALTER", "CREATE", "DROP", "OPTIMIZE", "RENAME", "TRUNCATE")
_COPYING = ("altering table", "copy to tmp table", "committing alter table", "creating index", "rename")
_LOCKS = (
    "waiting for table metadata lock",
    "waiting for table level lock",
    "waiting for schema metadata lock",
)
_DISK = ("waiting for handler commit", "waiting for innodb redo", "flushing", "sync")
_COMMITTING = ("commit", "commit implicit")
"""MariaDB's whole words for a thread that waits for its commit to be flushed."""
_ROWS = (
    "applying batch of row changes (update)",
    "applying batch of row changes (delete)",
    "_rows_log_event",
)


@dataclass(frozen=True, slots=True)
class Cause:
    """`detail` is a sentence with what it was told by."""

    kind: Kind
    detail: str

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "detail": self.detail}


def cause(
    channel: ReplicationChannel, row: Mapping[str, Any], replica: Facts, source: Facts | None
) -> Cause | None:
    """The cause of this channel's lag, the surest first; None where it is not behind and runs, or where nothing tells.

    `row` is the collector's row of the channel. Which applier thread does what is told at the visit of `replica.at`.
    """
    behind = channel.lag
    if channel.sql_running is False:
        return Cause("applier_stopped", "the applier does not run")
    small = behind is not None and behind < LEAST_SECONDS
    if channel.io_running is False or (is_silent(row) and not small):
        return Cause("receiver", "the receiver gets nothing from the source")
    if behind is None or small:
        return None
    remaining = row.get("remaining_delay")
    if channel.delay and (remaining is not None or behind <= channel.delay + LEAST_SECONDS):
        return Cause("intended_delay", f"it is meant to be {seconds(channel.delay)} behind")
    if (row.get("unreceived") or 0) > max(LEAST_SECONDS, behind * _LARGE_SHARE):
        return Cause(
            "receiver", f"the receiver has not got what the source has had for {seconds(row['unreceived'])}"
        )
    return _of_the_applier(row, behind, replica, source)


def _of_the_applier(
    row: Mapping[str, Any], behind: float, replica: Facts, source: Facts | None
) -> Cause | None:
    workers = [one for one in replica.appliers if one["channel"] in (None, row.get("name"))]
    for worker in workers:
        found = _of_a_worker(worker, source)
        if found is not None:
            return found
    oldest = _number((row.get("applier") or {}).get("oldest_start"))
    if oldest is None and workers:
        oldest = _number(workers[0]["seconds"]) if replica.is_mariadb else None
    if oldest is not None and oldest >= _LARGE_SECONDS and oldest >= behind * _LARGE_SHARE:
        return Cause("large_transaction", f"one transaction has been applied for {seconds(oldest)}")
    if workers:
        state = workers[0]["state"]
        return Cause(
            "applier", f"the applier is at work{f' ({state})' if state else ''} and does not keep up"
        )
    return None


def _of_a_worker(worker: Mapping[str, Any], source: Facts | None) -> Cause | None:
    state = (worker["state"] or "").lower()
    verb = worker["verb"] or ""
    tables = ", ".join(worker["tables"])
    where = f" on {tables}" if tables else ""
    if worker.get("blocked") or any(word in state for word in _LOCKS):
        return Cause("lock", f"the applier waits for a lock{where} that a session on the replica holds")
    if verb.split(" ")[0] in _SCHEMA_CHANGES or any(word in state for word in _COPYING):
        return Cause("schema_change", f"the applier runs a schema change ({verb or worker['state']}){where}")
    keyless = set((source.keyless or {}).get("names", ())) if source else set()
    bare = [name for name in worker["tables"] if name in keyless] or [
        name for name in keyless if _quoted(name) in state
    ]
    if bare and any(word in state for word in _ROWS):
        return Cause(
            "no_primary_key", f"rows of {', '.join(sorted(bare))} are looked for without a primary key"
        )
    if state in _COMMITTING or any(word in state for word in _DISK):
        return Cause("disk", f"the applier waits for the disk ({worker['state']})")
    return None


def _quoted(name: str) -> str:
    schema, _, table = name.partition(".")
    return f"`{schema}`.`{table}`".lower()


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
