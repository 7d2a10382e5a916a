"""Which deadlocks are the same trouble: those of the same statements over the same indexes, whoever came first."""

from __future__ import annotations

import hashlib
import json

from dbvigil.queries.deadlocks.values import Deadlock, Transaction


def pattern_key(deadlock: Deadlock) -> str:
    """16 hexadecimal digits, the same whichever transaction is listed first or was undone.

    Not part of it: modes and ranges of the locks, which the same two statements take differently from row to row.
    """
    parts = sorted(_part(one) for one in deadlock.transactions)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _part(one: Transaction) -> tuple[str, list[tuple[str, str]], list[tuple[str, str]]]:
    held = {(lock.table, lock.index or "") for lock in one.holds}
    waited = {(lock.table, lock.index or "") for lock in one.waits_for}
    return one.statement or "", sorted(held), sorted(waited)
