"""A deadlock as InnoDB tells it. What the report does not say, or says in a way that cannot be trusted, is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

LockKind = Literal["record", "table"]
LockRange = Literal["record", "gap", "next-key", "insert intention"]


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that a transaction held or waited for.

    `table` is `schema.table`, quoted as in SQL where a name needs it. `mode` is S, X, IS, IX, AUTO-INC, … `range` says what of an index a
    record lock covers: the record, the gap before it, both (next-key), or the place for a row to be inserted; None for a table lock.
    """

    kind: LockKind
    table: str
    index: str | None
    mode: str
    range: LockRange | None

    def to_dict(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Lock:
        return cls(**{item.name: body[item.name] for item in fields(cls)})

    def __str__(self) -> str:
        where = f"{self.table} {self.index}" if self.index is not None else self.table
        return f"{self.mode} on {where}" + (f" ({self.range})" if self.range not in (None, "record") else "")


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction of the circle.

    `statement` is the fingerprint of what it ran when the circle closed, `query_id` its 16 digits, None where the statement was cut or
    cannot be read with certainty. `row_locks` and `undo_entries` are how many rows it had locked and changed until then.
    `host` is a name or an address.
    """

    number: int
    id: int
    active_seconds: int | None = None
    thread_id: int | None = None
    user: str | None = None
    host: str | None = None
    state: str | None = None
    statement: str | None = None
    query_id: str | None = None
    row_locks: int | None = None
    undo_entries: int | None = None
    holds: tuple[Lock, ...] = ()
    waits_for: tuple[Lock, ...] = ()

    @property
    def locks(self) -> tuple[Lock, ...]:
        return (*self.holds, *self.waits_for)

    def to_dict(self) -> dict[str, Any]:
        body: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        body["holds"] = [lock.to_dict() for lock in self.holds]
        body["waits_for"] = [lock.to_dict() for lock in self.waits_for]
        return body

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Transaction:
        known = {item.name: body[item.name] for item in fields(cls)}
        for name in ("holds", "waits_for"):
            known[name] = tuple(Lock.from_dict(lock) for lock in known[name])
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Deadlock:
    """The latest deadlock of a server.

    `local_time` is in the time zone of the server's process, to the second. `victim` is the number of the transaction that was undone.
    """

    local_time: datetime | None
    transactions: tuple[Transaction, ...]
    victim: int | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the time, which is for who knows the server's zone."""
        return {
            "victim": self.victim,
            "transactions": [one.to_dict() for one in self.transactions],
        }

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Deadlock:
        """The inverse of `to_dict`, but for the time."""
        return cls(None, tuple(Transaction.from_dict(one) for one in body["transactions"]), body["victim"])


@dataclass(frozen=True, slots=True)
class Advice:
    """What helps against a pattern of deadlocks: an id, and a few sentences."""

    rule: str
    text: str

    def to_dict(self) -> Mapping[str, str]:
        return {"rule": self.rule, "text": self.text}
