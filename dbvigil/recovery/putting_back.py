"""Puts back what an attempt changed, from what is on record: by the monitor that holds the database's lease, whoever made the change."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from dbvigil.conf import Configuration
from dbvigil.errors import ServerError
from dbvigil.models import RecoveryAttempt, RecoveryChange
from dbvigil.recovery import records
from dbvigil.recovery.catalogue import actions
from dbvigil.recovery.perform import BACK_SECONDS, Conversation, figures, put_back
from dbvigil.recovery.plan import Change, Scene
from dbvigil.targets import Target

logger = logging.getLogger("dbvigil.recovery")

_RESTARTED = "the server was restarted and has its own settings"


def put_back_attempt(
    attempt: RecoveryAttempt, target: Target, configuration: Configuration, now: Callable[[], datetime]
) -> bool:
    """Whether nothing is left of what `attempt` changed. What hinders it is on record."""
    rows = list(RecoveryChange.objects.filter(attempt=attempt, closed_at=None).order_by("id"))
    changes = {Change(row.kind, row.name, row.old, row.new): row for row in rows}
    action = actions(configuration.recovery).get(attempt.action)
    settings = configuration.recovery.actions.get(attempt.action)
    if action is None or settings is None:
        return _hindered(rows, f"there is no action {attempt.action} any more")
    try:
        with Conversation(target, BACK_SECONDS, configuration) as talk:
            identity = talk.identity()
            if any(row.server != identity.server for row in rows):
                return _hindered(rows, "another server answers at this address")
            forgotten = {one: _RESTARTED for one, row in changes.items() if identity.uptime < row.uptime}
            records.close(attempt, forgotten, now())
            left = [one for one in changes if one not in forgotten]
            scene = Scene(talk.server, target, settings, talk.users, figures(target.alias))
            if left and not put_back(talk, action, scene, attempt, left, now):
                return False
    except ServerError as error:
        return _hindered(rows, str(error))
    if RecoveryChange.objects.filter(attempt=attempt, closed_at=None).exists():
        return False
    records.undone(attempt, now())
    logger.info("%s: what %s had changed is put back", attempt.database, attempt.action)
    return True


def _hindered(rows: list[RecoveryChange], why: str) -> bool:
    if any(row.result != why for row in rows):
        logger.warning("%s: a change of recovery is not put back yet: %s", rows[0].database, why)
        RecoveryChange.objects.filter(pk__in=[row.pk for row in rows]).update(result=why)
    return False
