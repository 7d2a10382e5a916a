"""The trail of who did what: it grows, and whoever changes it is found out."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from dbvigil.alerting import audit
from dbvigil.alerting.audit import Trail
from dbvigil.models import AppendOnlyError, AuditEvent
from tests.support.evaluations import at

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _written() -> None:
    for second in range(5):
        with transaction.atomic():
            trail = Trail()
            trail.add(None, "suppressed", at(second), "ada", {"reason": "neue Größe ☃", "minutes": 1.5})
            trail.add(None, "unsuppressed", at(second), "ada", {}, {"value": None, "metric": "up"})
            trail.write()


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_what_nobody_touched_is_whole() -> None:
    assert audit.verify() == audit.Verdict(10, [])


def test_it_is_only_added_to() -> None:
    event = AuditEvent.objects.get(pk=3)
    with pytest.raises(AppendOnlyError):
        event.save()
    with pytest.raises(AppendOnlyError):
        event.delete()
    with pytest.raises(AppendOnlyError):
        AuditEvent.objects.filter(pk=3).delete()
    with pytest.raises(AppendOnlyError):
        AuditEvent.objects.update(actor="eve")
    assert audit.verify().faults == []


def test_what_a_transaction_takes_back_leaves_no_gap() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        trail = Trail()
        trail.add(None, "suppressed", at(9), "ada")
        trail.write()
        raise RuntimeError
    assert audit.verify() == audit.Verdict(10, [])


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        ("UPDATE dbvigil_auditevent SET actor = 'eve' WHERE id = 4", "event 4 was changed"),
        ("UPDATE dbvigil_auditevent SET detail = '{}' WHERE id = 5", "event 5 was changed"),
        ("UPDATE dbvigil_auditevent SET alert = '' WHERE id = 6", "event 6 was changed"),
        ("UPDATE dbvigil_auditevent SET at = '2020-01-01 00:00:00' WHERE id = 7", "event 7 was changed"),
        ("UPDATE dbvigil_auditevent SET hash = 'abc' WHERE id = 8", "event 8 was changed"),
        ("DELETE FROM dbvigil_auditevent WHERE id = 2", "events 2 to 2 are missing"),
        ("DELETE FROM dbvigil_auditevent WHERE id > 8", "events 9 to 10 are missing at the end"),
        ("DELETE FROM dbvigil_auditevent", "events 1 to 10 are missing at the end"),
    ],
)
def test_whoever_changes_it_is_found_out(tampering: str, fault: str) -> None:
    sql(tampering)
    assert any(fault in found for found in audit.verify().faults)
