"""What helps against a pattern of deadlocks."""

from __future__ import annotations

from dbvigil.queries.deadlocks.values import Advice, Deadlock, Lock, Transaction

# InnoDB's own clustered index of a table without a primary key.
_HIDDEN_INDEX = "GEN_CLUST_INDEX"
# So many rows locked for each that is changed, and at least so many, are a scan rather than a look-up.
_SCAN_RATIO = 10
_SCAN_ROWS = 100


def advise(deadlock: Deadlock) -> tuple[Advice, ...]:
    """What helps against deadlocks of this pattern, most to the point first; trying again stands last, for it always helps."""
    shared = _shared_first(deadlock)
    # Who wants alone what both share would meet in any order.
    order = None if shared is not None else _order(deadlock)
    found = [one for one in (shared, _gaps(deadlock), _scans(deadlock), order) if one is not None]
    return (*found, _AGAIN)


_AGAIN = Advice(
    "deadlock.retry",
    "Run the whole transaction again when the server answers with error 1213: no change of order or index rules deadlocks out for good.",
)


def _shared_first(deadlock: Deadlock) -> Advice | None:
    """Two transactions share a lock on a row, and both want it alone."""
    wanted = {
        (lock.table, lock.index)
        for one in deadlock.transactions
        for lock in one.waits_for
        if lock.mode.startswith("X") and lock.range != "insert intention"
        for held in one.holds
        if held.mode.startswith("S") and (held.table, held.index) == (lock.table, lock.index)
    }
    if not wanted:
        return None
    tables = _list(sorted({table for table, _ in wanted}))
    return Advice(
        "deadlock.shared_first",
        f"Each transaction shares a lock on a row of {tables} and then wants it alone. Take the exclusive lock at once: SELECT … FOR UPDATE"
        f" instead of a shared read, or, where the shared lock comes of a foreign key, change the row of {tables} before inserting rows"
        " that refer to it.",
    )


def _gaps(deadlock: Deadlock) -> Advice | None:
    """An insert waits for a gap that another's range lock covers."""
    tables = {
        lock.table
        for one in deadlock.transactions
        for lock in one.waits_for
        if lock.range in ("insert intention", "gap")
    }
    if not tables:
        return None
    return Advice(
        "deadlock.gap_locks",
        f"Locks on the gaps between rows of {_list(sorted(tables))} stand in the way of inserts. Use READ COMMITTED, which takes nearly"
        " none, or look rows up by a whole unique key; replace 'select for update, then insert' by INSERT … ON DUPLICATE KEY UPDATE.",
    )


def _scans(deadlock: Deadlock) -> Advice | None:
    """A statement locks far more rows than it changes, or goes through a table that has no key of its own."""
    scanning = [one for one in deadlock.transactions if _scanned(one)]
    if not scanning:
        return None
    tables = {lock.table for one in scanning for lock in one.locks if lock.kind == "record"}
    most = max(one.row_locks or 0 for one in scanning)
    return Advice(
        "deadlock.missing_index",
        f"A transaction locked {most} rows of {_list(sorted(tables))}, far more than it changed: without an index on what its WHERE"
        " compares, a statement locks every row that it passes. Add the index, so that it locks only those that it means.",
    )


def _scanned(one: Transaction) -> bool:
    if any(lock.index == _HIDDEN_INDEX for lock in one.locks):
        return True
    rows, changed = one.row_locks, one.undo_entries
    return rows is not None and rows >= _SCAN_ROWS and rows >= _SCAN_RATIO * max(1, changed or 0)


def _order(deadlock: Deadlock) -> Advice | None:
    """Each waits for a row or a table that another holds: they came by opposite ways."""
    if not any(_contended(one.waits_for) for one in deadlock.transactions):
        return None
    tables = sorted({lock.table for one in deadlock.transactions for lock in one.waits_for})
    if len(tables) > 1:
        what = f"the tables {_list(tables)} in opposite orders. Touch them in the same order everywhere"
    else:
        what = f"rows of {_list(tables)} in opposite orders. Sort them by their key first, or change them in one statement"
    return Advice("deadlock.opposite_order", f"The transactions lock {what}, and keep transactions short.")


def _contended(locks: tuple[Lock, ...]) -> bool:
    return any(lock.range != "insert intention" for lock in locks)


def _list(names: list[str]) -> str:
    return ", ".join(names) or "a table"
