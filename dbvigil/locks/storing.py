"""What was found about locks, kept: deadlocks by pattern, waits by episode."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from dbvigil.blocking import Forest, Node
from dbvigil.keeping import fit, holds_lease
from dbvigil.locks.collecting import Seen, SeenDeadlock
from dbvigil.models import Deadlock, LockWait
from dbvigil.queries.deadlocks import pattern_key

LEAST_SECONDS = 1.0
"""A wait that is shorter is how locks work, and no episode."""
LOST_AFTER = timedelta(hours=1)
"""An episode that nobody has looked at for so long is over: its server is down, or no target any more."""
_AT_ONCE = 100


def save(database: str, holder: str, token: int, seen: Seen) -> bool:
    """Keeps what was found on `database`, all of it or nothing; false where the lease is no longer ours. Raises `DatabaseError`."""
    with transaction.atomic():
        if not holds_lease(database, holder, token):
            return False
        if seen.deadlock is not None:
            _keep_deadlock(database, seen.deadlock)
        if seen.waits is not None:
            _keep_waits(database, seen.taken_at, seen.waits)
    return True


def _keep_deadlock(database: str, seen: SeenDeadlock) -> None:
    pattern = pattern_key(seen.deadlock)
    held = Deadlock.objects.filter(database=database, pattern=pattern).first()
    if held is None:
        Deadlock.objects.create(
            database=database,
            pattern=pattern,
            count=1,
            first_seen=seen.at,
            last_seen=seen.at,
            last_event=seen.identity,
            example=fit(seen.deadlock.to_dict()),
        )
    elif held.last_event != seen.identity:
        held.count += 1
        held.last_seen = max(held.last_seen, seen.at)
        held.last_event = seen.identity
        held.example = fit(seen.deadlock.to_dict())
        held.save(update_fields=["count", "last_seen", "last_event", "example"])


def _keep_waits(database: str, at: datetime, waits: Forest) -> None:
    held = LockWait.objects.filter(database=database, ended_at=None).order_by("-started_at").first()
    if not _worth(waits):
        if held is not None:
            LockWait.objects.filter(database=database, ended_at=None).update(ended_at=at, latest={})
        return
    body = packed(waits)
    if held is None:
        LockWait.objects.create(
            database=database,
            started_at=at - timedelta(seconds=waits.seconds or 0),
            seen_at=at,
            depth=waits.depth,
            most_waiting=waits.waiting,
            longest_seconds=waits.seconds,
            root_statement=_root_statement(waits),
            tree=body,
            latest=body,
        )
        return
    if (waits.depth, waits.waiting) >= (held.depth, _waiting(held.tree)):
        held.depth, held.tree, held.root_statement = waits.depth, body, _root_statement(waits)
    held.seen_at, held.latest = at, body
    held.observations += 1
    held.most_waiting = max(held.most_waiting, waits.waiting)
    held.longest_seconds = max(
        (s for s in (held.longest_seconds, waits.seconds) if s is not None), default=None
    )
    held.save()


def _worth(waits: Forest) -> bool:
    return waits.waiting > 0 and (waits.seconds is None or waits.seconds >= LEAST_SECONDS)


def packed(waits: Forest) -> dict[str, Any]:
    """JSON-ready; `unpacked` is the inverse."""
    return {"nodes": [fit(node.to_dict()) for node in waits.nodes], "left_out": waits.left_out}


def unpacked(body: dict[str, Any]) -> Forest:
    """A tree as it was packed; none of what is empty."""
    return Forest(tuple(Node.from_dict(node) for node in body.get("nodes", ())), body.get("left_out", 0))


def _waiting(body: dict[str, Any]) -> int:
    return unpacked(body).waiting


def _root_statement(waits: Forest) -> str | None:
    root = waits.root
    return None if root is None or root.session is None else fit(root.session.statement)


# -- upkeep


def maintain(now: datetime, retention_days: float) -> bool:
    """Ends episodes that nobody looks at any more, and removes what is too old. True where there is more to do."""
    for row in LockWait.objects.filter(ended_at=None, seen_at__lt=now - LOST_AFTER).only("seen_at")[
        :_AT_ONCE
    ]:
        LockWait.objects.filter(id=row.id, ended_at=None).update(ended_at=row.seen_at, latest={})
    oldest = now - timedelta(days=retention_days)
    more = _delete(LockWait.objects.filter(seen_at__lt=oldest))
    return _delete(Deadlock.objects.filter(last_seen__lt=oldest)) or more


def _delete(rows: QuerySet[LockWait] | QuerySet[Deadlock]) -> bool:
    ids = list(rows.values_list("id", flat=True)[:_AT_ONCE])
    if ids:
        rows.model._default_manager.filter(id__in=ids).delete()
    return len(ids) == _AT_ONCE
