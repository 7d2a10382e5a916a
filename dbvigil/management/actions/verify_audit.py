"""`verify-audit`: reads the whole audit trail and says whether it is whole."""

from __future__ import annotations

from django.core.management.base import CommandError

from dbvigil.alerting.service import get_database_alerting
from dbvigil.management.actions.base import Action, Options, Output
from dbvigil.monitoring import DatabaseMonitor


def _run(monitor: DatabaseMonitor, options: Options, output: Output) -> None:
    verdict = get_database_alerting().verify_audit()
    if output.as_json:
        output.document({"events": verdict.events, "faults": verdict.faults})
    else:
        output.lines(verdict.faults or [f"The audit trail is whole: {verdict.events} events."])
    if verdict.faults:
        raise CommandError(f"the audit trail was tampered with: {verdict.faults[0]}")


ACTION = Action("verify-audit", "check that nobody has changed the audit trail", _run)
