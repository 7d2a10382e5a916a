"""One attempt from its plan to its verification, and the way back. Blocking: for a thread of its own, by hand and by the monitor alike.

plan     reads the server, says what would be done            a dry run ends here, on record
begin    lease, bounds, attempt and what has to be put back   one transaction, before anything is touched
apply    step by step; before each the lease and the time are looked at again
verify   looks whether it took effect; where not, or where a step failed, everything is put back at once
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TypeVar

from django.db import DatabaseError, InterfaceError, transaction

from dbvigil import conf
from dbvigil.errors import DbvigilError, ServerError, ServerTimeout
from dbvigil.models import RecoveryAttempt, RecoveryChange, TargetState
from dbvigil.recovery import records, variables
from dbvigil.recovery.plan import Action, Change, Plan, Scene, Step
from dbvigil.recovery.records import Asked, Identity
from dbvigil.server import Server
from dbvigil.targets import Target
from dbvigil.types import DatabaseMetrics

logger = logging.getLogger("dbvigil.recovery")

CONNECT_SECONDS = 3.0
LONGEST_STATEMENT = 0.6
"""Of the time there is: an applier with much in hand takes some seconds to stop."""
BACK_SECONDS = 8.0
"""Putting back has this long, whatever was left of the attempt's own time."""

_NO_RECORD = "the service's own database fails"

T = TypeVar("T")


def utcnow() -> datetime:
    return datetime.now(UTC)


class Conversation(AbstractContextManager["Conversation"]):
    """One connection to a server from a thread that is not asynchronous, as the account that recovery has there, for so many seconds."""

    def __init__(
        self, target: Target, seconds: float, configuration: conf.Configuration | None = None
    ) -> None:
        settings = (configuration or conf.load()).recovery
        account = settings.accounts.get(target.alias)
        used = target if account is None else replace(target, user=account.user, password=account.password)
        self.users = frozenset({target.user, used.user})
        self.server = Server(used, connect_timeout=CONNECT_SECONDS, read_timeout=LONGEST_STATEMENT * seconds)
        self.target = used
        self._deadline = time.monotonic() + seconds
        self._runner = asyncio.Runner()

    def __enter__(self) -> Conversation:
        self._runner.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self.server.close())
        finally:
            self._runner.__exit__(kind, error, trace)

    @property
    def left(self) -> float:
        """Seconds until its time is over."""
        return self._deadline - time.monotonic()

    def prolong(self, seconds: float) -> None:
        """It has at least so many seconds from now on."""
        self._deadline = max(self._deadline, time.monotonic() + seconds)

    def ask(self, question: Coroutine[Any, Any, T]) -> T:
        """The answer; `ServerTimeout` where the time is over."""

        async def within() -> T:
            async with asyncio.timeout(max(0.0, self.left)):
                return await question

        try:
            return self._runner.run(within())
        except TimeoutError:
            raise ServerTimeout("the time that recovery may take is over") from None
        except ServerError:
            raise
        except DbvigilError as error:
            raise ServerError(str(error)) from error
        except Exception as error:
            # A fault of ours, or of a project's own action, is a failed attempt, with its way back; the log has its place.
            logger.exception("%s: an action of recovery failed", self.target.alias)
            raise ServerError(f"the action itself failed ({type(error).__name__})", "see the log") from error

    def identity(self) -> Identity:
        """Which server this is."""
        if not self.server.connected:
            self.ask(self.server.connect())
        info = self.server.info
        name = info.server_uuid or f"{info.server_id} {info.hostname or ''}".strip()
        return Identity(name[:100], self.ask(variables.uptime(self.server)))


@dataclass(slots=True)
class Attempt:
    """One attempt of `action` on `target`. `reset` has the monitor sample it over a new connection."""

    action: Action
    asked: Asked
    target: Target
    seconds: float
    reset: Callable[[], None] = lambda: None
    now: Callable[[], datetime] = utcnow
    look_after: Callable[[], str] | None = None
    """By hand: the monitor that will put changes back; raises where none runs."""
    quietly: bool = False
    """Finding nothing to do is not put on record."""
    _done: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> RecoveryAttempt | None:
        """The attempt as it stands on record; None where there was nothing to do and that is not recorded.

        Raises `RecoveryRefused` where it must not act now, `DatabaseError` where it cannot be put on record: then nothing was done.
        """
        with Conversation(self.target, self.seconds) as talk:
            scene = Scene(
                talk.server,
                self.target,
                self.asked.settings,
                talk.users,
                figures(self.target.alias),
                self.reset,
            )
            identity = None
            try:
                plan = talk.ask(self.action.plan(scene))
                if plan.changes:
                    identity = talk.identity()
            except ServerError as error:
                return records.record(self.asked, Plan(), self.now(), str(error))
            if not plan.steps and self.quietly:
                return None
            if self.asked.mode == "dry_run" or not plan.steps:
                return records.record(self.asked, plan, self.now())
            if plan.changes and self.look_after is not None:
                self.look_after()
            attempt = records.begin(self.asked, plan, identity, self.now())
            self._act(talk, scene, plan, attempt)
            return attempt

    def _act(self, talk: Conversation, scene: Scene, plan: Plan, attempt: RecoveryAttempt) -> None:
        done: list[Step] = []
        error = ""
        for step in plan.steps:
            error = self._hindered(talk)
            if error:
                break
            try:
                left = talk.ask(self.action.apply(scene, step))
            except ServerError as trouble:
                error = str(trouble)
                self._done.append({"text": step.text, "done": False, "detail": error})
                break
            self._done.append({"text": step.text, "done": left is None, "detail": left or ""})
            if left is None:
                done.append(step)
                if not _noted(attempt, step.closes, self.now()):
                    error = _NO_RECORD
                    break
        # Who was stopped in the middle of it must not leave what its successor has put back already.
        error = error or (self._hindered(talk) if plan.changes else "")
        verified: bool | None = None
        if done and not error:
            try:
                error = talk.ask(self.action.verify(scene, done)) or ""
                verified = not error
            except ServerError as trouble:
                error = f"whether it took effect could not be seen: {trouble}"
        if error and plan.changes:
            talk.prolong(BACK_SECONDS)
            back = put_back(talk, self.action, scene, attempt, plan.changes, self.now)
            error += "; every setting was put back" if back else "; not everything could be put back yet"
            if not back:
                RecoveryChange.objects.filter(attempt=attempt, closed_at=None).update(undo_at=self.now())
        outcome: records.Outcome = "failed" if error else "succeeded" if done else "nothing"
        records.end(attempt, outcome, self.now(), self._done, error, verified)

    def _hindered(self, talk: Conversation) -> str:
        """Why no further step may be done; "" where one may."""
        if talk.left <= 0:
            return "its time is over"
        try:
            with transaction.atomic():
                return "" if self.asked.is_ours() else "another monitor has taken over"
        except (DatabaseError, InterfaceError):
            # What is half done has its way back all the same.
            return _NO_RECORD


def put_back(
    talk: Conversation,
    action: Action,
    scene: Scene,
    attempt: RecoveryAttempt,
    changes: Sequence[Change],
    now: Callable[[], datetime],
) -> bool:
    """Puts changes back that are on record; whether nothing is left of them. What is left is tried again by the monitor."""
    noted = True
    try:
        plan = talk.ask(action.undo(scene, changes))
        if plan.changes:
            # The applier is not stopped again where that could not be written down: then all waits.
            records.write_ahead(attempt, plan.changes, talk.identity(), now(), now())
        noted = _noted(attempt, plan.settled, now())
        for step in plan.steps:
            if talk.ask(action.apply(scene, step)) is not None:
                return False
            noted = _noted(attempt, step.closes, now()) and noted
    except (ServerError, DatabaseError, InterfaceError) as error:
        logger.warning(
            "%s: what %s had changed is not put back yet: %s", attempt.database, attempt.action, error
        )
        if isinstance(error, ServerError):
            attempt.changes.filter(closed_at=None).update(result=str(error), undo_at=now())
        return False
    return noted


def _noted(attempt: RecoveryAttempt, settled: Mapping[Change, str], now: datetime) -> bool:
    """Whether that could be written down; where not, the server goes first, and the record follows when it is looked at again."""
    try:
        records.close(attempt, settled, now)
    except (DatabaseError, InterfaceError) as error:
        logger.warning("%s: what is put back cannot be noted yet: %s", attempt.database, type(error).__name__)
        return False
    return True


def figures(database: str) -> DatabaseMetrics | None:
    """The newest sample of a database."""
    found = TargetState.objects.filter(alias=database).values_list("metrics", flat=True).first()
    return DatabaseMetrics.from_dict(found) if found else None
