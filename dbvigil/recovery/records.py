"""Attempts on record: begun and ended, each in one transaction with its event on the alert and, where something was done, its message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import transaction

from dbvigil.alert import EventName
from dbvigil.alerting import recovering
from dbvigil.channels.base import NoticeType
from dbvigil.conf.recovery import ActionSettings
from dbvigil.errors import RecoveryRefused
from dbvigil.keeping import fit, holds_lease
from dbvigil.models import RecoveryAttempt, RecoveryChange
from dbvigil.recovery import guards
from dbvigil.recovery.plan import Change, Plan
from dbvigil.types import iso_utc

Outcome = Literal["running", "planned", "nothing", "succeeded", "failed", "interrupted"]
OUTCOMES: tuple[Outcome, ...] = ("running", "planned", "nothing", "succeeded", "failed", "interrupted")

KEEP = timedelta(days=400)
_LONGEST = timedelta(minutes=2)
_LONGEST_REASON = 2_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be done where, and who wants it. `holder` and `token` are the lease of a monitor that acts by itself; empty by hand."""

    settings: ActionSettings
    database: str
    mode: Literal["dry_run", "live"]
    actor: str
    reason: str
    episode: int | None = None
    holder: str = ""
    token: int = 0

    def is_ours(self) -> bool:
        """Whether the lease still is whose who acts; first in a transaction. By hand there is none to lose."""
        return not self.holder or holds_lease(self.database, self.holder, self.token)


class LeaseLost(RecoveryRefused):
    """Another monitor looks after the database now."""

    def __init__(self) -> None:
        super().__init__("another monitor has taken over")


@dataclass(frozen=True, slots=True)
class Identity:
    """Which server answers, and since how many seconds it runs."""

    server: str
    uptime: float


def begin(asked: Asked, plan: Plan, identity: Identity | None, now: datetime) -> RecoveryAttempt:
    """A live attempt that is about to act, with what it will have to put back. Raises `RecoveryRefused` where a bound is reached."""
    with transaction.atomic():
        if not asked.is_ours():
            raise LeaseLost
        guards.hold(asked.settings.name)
        guards.check(asked.settings, asked.database, now)
        attempt = _new(asked, plan, "running", now)
        write_ahead(attempt, plan.changes, identity, undo_at(plan, now), now)
        _note(attempt, "recovery_attempted", now)
    return attempt


def record(asked: Asked, plan: Plan, now: datetime, error: str = "") -> RecoveryAttempt:
    """An attempt that changes nothing: a dry run, one that found nothing to do, or one that could not even look."""
    outcome: Outcome = "failed" if error else "planned" if plan.steps else "nothing"
    with transaction.atomic():
        if not asked.is_ours():
            raise LeaseLost
        failed_live = bool(error) and asked.mode == "live"
        if failed_live:
            guards.hold(asked.settings.name)
            guards.check(asked.settings, asked.database, now)
        attempt = _new(asked, plan, outcome, now, error)
        # Of what only looked nobody is told.
        told: NoticeType | None = "alert.recovery_failed" if failed_live else None
        _note(attempt, "recovery_failed" if failed_live else "recovery_attempted", now, told)
    return attempt


def end(
    attempt: RecoveryAttempt,
    outcome: Outcome,
    now: datetime,
    done: Sequence[Mapping[str, Any]] = (),
    error: str = "",
    verified: bool | None = None,
) -> None:
    """What became of an attempt, once: it is on record, and told."""
    with transaction.atomic():
        rows = RecoveryAttempt.objects.filter(pk=attempt.pk, outcome="running")
        values = {
            "outcome": outcome,
            "done": fit(list(done)),
            "error": fit(error),
            "verified": verified,
            "ended_at": now,
        }
        if not rows.update(**values):
            # Whoever took over has said that it was interrupted.
            return
        for name, value in values.items():
            setattr(attempt, name, value)
        if outcome == "nothing":
            _note(attempt, "recovery_attempted", now)
        elif outcome == "succeeded":
            _note(attempt, "recovery_succeeded", now, "alert.recovery_succeeded")
        else:
            _note(attempt, "recovery_failed", now, "alert.recovery_failed")


def interrupt(databases: Iterable[str], identity: str, now: datetime) -> None:
    """Ends the attempts that a killed process left: those of another monitor on databases that are ours now, and any that are too old.

    What they changed is due to be put back at once.
    """
    running = RecoveryAttempt.objects.filter(outcome="running", database__in=list(databases))
    for attempt in running:
        if attempt.holder in ("", identity) and attempt.started_at > now - _LONGEST:
            continue
        RecoveryChange.objects.filter(attempt=attempt, closed_at=None).update(undo_at=now)
        end(attempt, "interrupted", now, attempt.done, "whoever ran it was killed, or lost its lease")


def write_ahead(
    attempt: RecoveryAttempt,
    changes: Iterable[Change],
    identity: Identity | None,
    due: datetime,
    now: datetime,
) -> None:
    """Writes changes down before they are made."""
    RecoveryChange.objects.bulk_create(
        RecoveryChange(
            attempt=attempt,
            database=attempt.database,
            server=identity.server if identity else "",
            uptime=identity.uptime if identity else 0.0,
            kind=one.kind,
            name=one.name,
            old=one.old,
            new=one.new,
            holder=attempt.holder,
            created_at=now,
            undo_at=due,
        )
        for one in changes
    )


def close(attempt: RecoveryAttempt, settled: Mapping[Change, str], now: datetime) -> None:
    """Says what became of changes: they need no more."""
    for one, result in settled.items():
        rows = RecoveryChange.objects.filter(
            attempt=attempt, closed_at=None, kind=one.kind, name=one.name, old=one.old, new=one.new
        )
        rows.update(closed_at=now, result=fit(result))


def undone(attempt: RecoveryAttempt, now: datetime) -> None:
    """Notes on the alert that everything an attempt had changed is settled."""
    with transaction.atomic():
        settled = {row.name: row.result for row in attempt.changes.filter(kind="setting").order_by("id")}
        detail = {
            "attempt": attempt.pk,
            "action": attempt.action,
            "database": attempt.database,
            "settings": settled,
        }
        recovering.note(attempt.episode_id, "recovery_undone", now, "dbvigil", detail)


def undo_at(plan: Plan, now: datetime) -> datetime:
    return now + timedelta(minutes=plan.minutes or 0)


def maintain(now: datetime) -> None:
    """Removes attempts that are long over."""
    old = (
        RecoveryAttempt.objects.filter(started_at__lt=now - KEEP)
        .exclude(outcome="running")
        .exclude(changes__closed_at=None, changes__isnull=False)
    )
    numbers = list(old.values_list("pk", flat=True)[:500])
    RecoveryChange.objects.filter(attempt__in=numbers).delete()
    RecoveryAttempt.objects.filter(pk__in=numbers).delete()


def told(attempt: RecoveryAttempt) -> dict[str, Any]:
    """The attempt as the API answers with it: the body of POST recovery/."""
    changes = list(attempt.changes.order_by("id"))
    pending = [row.undo_at for row in changes if row.closed_at is None]
    return {
        "attempt_id": attempt.pk,
        "action": attempt.action,
        "database": attempt.database,
        "alert_id": attempt.episode_id,
        "dry_run": attempt.mode == "dry_run",
        "outcome": attempt.outcome,
        "actor": attempt.actor,
        "reason": attempt.reason,
        "plan": attempt.plan.get("steps", []),
        "nothing": attempt.plan.get("nothing", ""),
        "left": attempt.plan.get("left", {}),
        "done": attempt.done,
        "error": attempt.error,
        "verified": attempt.verified,
        "started_at": iso_utc(attempt.started_at),
        "ended_at": attempt.ended_at and iso_utc(attempt.ended_at),
        "undo_at": iso_utc(min(pending)) if pending else None,
        "changes": [
            {
                "name": row.name,
                "kind": row.kind,
                "from": row.old,
                "to": row.new,
                "undo_at": iso_utc(row.undo_at),
                "closed_at": row.closed_at and iso_utc(row.closed_at),
                "result": row.result,
            }
            for row in changes
        ],
    }


def _new(asked: Asked, plan: Plan, outcome: Outcome, now: datetime, error: str = "") -> RecoveryAttempt:
    return RecoveryAttempt.objects.create(
        action=asked.settings.name,
        database=asked.database,
        episode_id=asked.episode,
        mode=asked.mode,
        outcome=outcome,
        actor=asked.actor,
        reason=fit(asked.reason)[:_LONGEST_REASON],
        holder=asked.holder,
        plan=fit(plan.to_dict()),
        error=fit(error),
        started_at=now,
        ended_at=None if outcome == "running" else now,
    )


def _note(
    attempt: RecoveryAttempt, event: EventName, now: datetime, message: NoticeType | None = None
) -> None:
    detail = {
        "attempt": attempt.pk,
        "action": attempt.action,
        "database": attempt.database,
        "dry_run": attempt.mode == "dry_run",
        "outcome": attempt.outcome,
        "actor": attempt.actor,
        "reason": attempt.reason,
        "steps": [step["text"] for step in attempt.plan.get("steps", ())],
        "nothing": attempt.plan.get("nothing", ""),
        "done": [f"{one['text']} ({_became(one)})" for one in attempt.done],
        "error": attempt.error,
    }
    recovering.note(attempt.episode_id, event, now, attempt.actor, detail, message)


def _became(step: Mapping[str, Any]) -> str:
    return "done" if step["done"] else f"left: {step['detail']}"
