"""The bounds of recovery, counted from rows; what alerts ask for; and what becomes of attempts whose process was killed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from dbvigil import conf
from dbvigil.alerting.service import get_database_alerting
from dbvigil.errors import RecoveryRefused
from dbvigil.models import AuditEvent, Delivery, Episode, RecoveryAttempt, RecoveryChange, TargetState
from dbvigil.recovery import guards, records
from dbvigil.recovery.plan import Change, Plan, Step
from dbvigil.recovery.records import Asked, Identity, LeaseLost
from dbvigil.recovery.triggers import wishes
from tests.support.raised import fire

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACTION = "end_long_statements"
PLAN = Plan((Step("end the statement of session 5", {"session": 5}),))


def options(action: str = ACTION) -> Any:
    return conf.load().recovery.actions[action]


def tried(
    ago: float, database: str = "shop", outcome: str = "succeeded", lasted: float = 1.0, **values: Any
) -> RecoveryAttempt:
    began = NOW - timedelta(seconds=ago)
    return RecoveryAttempt.objects.create(
        **{
            "action": ACTION,
            "database": database,
            "mode": "live",
            "outcome": outcome,
            "actor": "dbvigil",
            "started_at": began,
            "ended_at": None if outcome == "running" else began + timedelta(seconds=lasted),
            **values,
        }
    )


def refused(database: str = "shop") -> tuple[str, float | None] | None:
    try:
        guards.check(options(), database, NOW)
    except RecoveryRefused as error:
        return error.detail, error.retry_seconds
    return None


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ([], None),
        ([{"ago": 30}], "cooling down for another 31 s"),
        ([{"ago": 62}], None),
        ([{"ago": -3600}], "cooling down for another 60 s"),
        ([{"ago": 30, "mode": "dry_run"}], None),
        ([{"ago": 30, "outcome": "nothing"}], None),
        ([{"ago": 30, "outcome": "failed"}], "cooling down for another 31 s"),
        ([{"ago": 30, "database": "blog"}], None),
        ([{"ago": 30, "action": "end_blockers"}], None),
        ([{"ago": 90, "outcome": "running"}], "is acting on shop already"),
        ([{"ago": 600, "outcome": "running"}], None),
        ([{"ago": 300 + 60 * n} for n in range(5)], None),
        ([{"ago": 300 + 60 * n} for n in range(6)], "6 times within the hour, its limit; again in 3000 s"),
        ([{"ago": 900, "database": name} for name in ("a", "b")], None),
        ([{"ago": 900, "database": name} for name in ("a", "b", "c")], "3 other databases within the hour, its limit; again in 2700 s"),
        ([{"ago": 3700, "database": name} for name in ("a", "b", "c")], None),
    ],
)  # fmt: skip
def test_bounds(before: list[Mapping[str, Any]], reason: str | None) -> None:
    for values in before:
        tried(**values)
    found = refused()
    if reason is None:
        assert found is None
    else:
        assert found is not None
        assert reason in found[0]
        assert found[1] is not None
        assert found[1] > 0


def test_a_cool_down_of_more_than_an_hour_holds(settings: Settings) -> None:
    settings.DB_RECOVERY_ACTIONS = {ACTION: {"cool_down_seconds": 7200}}
    tried(4000, lasted=0)
    assert refused() == (f"{ACTION} on shop is cooling down for another 3200 s", 3200.0)


def asked(**values: Any) -> Asked:
    return Asked(
        **{
            "settings": options(),
            "database": "shop",
            "mode": "live",
            "actor": "ada",
            "reason": "slow",
            **values,
        }
    )


def test_of_two_that_begin_at_once_one_is_refused() -> None:
    records.begin(asked(), PLAN, None, NOW)
    with pytest.raises(RecoveryRefused, match="is acting on shop already"):
        records.begin(asked(), PLAN, None, NOW)
    assert RecoveryAttempt.objects.count() == 1


def test_without_the_lease_nothing_is_begun_nor_recorded() -> None:
    TargetState.objects.create(alias="shop", holder="another", token=4)
    mine = asked(holder="me", token=3)
    with pytest.raises(LeaseLost):
        records.begin(mine, PLAN, None, NOW)
    with pytest.raises(LeaseLost):
        records.record(mine, PLAN, NOW)
    assert not RecoveryAttempt.objects.exists()
    assert not AuditEvent.objects.exists()
    TargetState.objects.update(holder="me", token=3)
    records.begin(mine, PLAN, None, NOW)


def test_what_is_to_be_put_back_is_on_record_before_anything_is_done() -> None:
    changes = (Change("setting", "sync_binlog", "1", "0"), Change("applier", "", "running", "stopped"))
    plan = Plan(PLAN.steps, changes=changes, minutes=15)
    attempt = records.begin(asked(), plan, Identity("uuid-1", 77.0), NOW)
    rows = RecoveryChange.objects.order_by("id").values_list(
        "name", "old", "new", "server", "uptime", "undo_at"
    )
    due = NOW + timedelta(minutes=15)
    assert list(rows) == [
        ("sync_binlog", "1", "0", "uuid-1", 77.0, due),
        ("", "running", "stopped", "uuid-1", 77.0, due),
    ]
    records.close(attempt, {changes[0]: "put back"}, NOW)
    assert records.told(attempt)["undo_at"] == "2026-03-01T12:15:00.000Z"
    records.close(attempt, {changes[1]: "it runs"}, NOW)
    assert records.told(attempt)["undo_at"] is None


# -- messages and events


def told() -> list[str]:
    return list(Delivery.objects.order_by("id").values_list("type", flat=True))


@pytest.fixture
def number(settings: Settings) -> int:
    settings.DB_ALERT_WEBHOOK_URL = "https://hooks.example/1"
    return fire(metric="query_time")


def test_a_live_attempt_is_an_event_and_one_message(number: int) -> None:
    attempt = records.begin(asked(episode=number), PLAN, None, NOW)
    records.end(attempt, "succeeded", NOW, [{"text": "end it", "done": True, "detail": ""}], verified=True)
    assert told() == ["alert.fired", "alert.recovery_succeeded"]
    events = list(AuditEvent.objects.filter(episode=number).order_by("id").values_list("event", "actor"))
    assert events[-2:] == [("recovery_attempted", "ada"), ("recovery_succeeded", "ada")]
    assert get_database_alerting().verify_audit().faults == []
    # Said once, whoever says it again.
    records.end(attempt, "failed", NOW, error="late")
    assert RecoveryAttempt.objects.get().outcome == "succeeded"
    assert len(told()) == 2


def test_a_dry_run_is_an_event_and_no_message(number: int) -> None:
    records.record(asked(episode=number, mode="dry_run"), PLAN, NOW)
    records.record(asked(episode=number, mode="dry_run"), Plan(nothing="all is well"), NOW)
    records.record(asked(episode=number, mode="dry_run"), Plan(), NOW, "the server is away")
    assert told() == ["alert.fired"]
    assert [row.outcome for row in RecoveryAttempt.objects.order_by("id")] == ["planned", "nothing", "failed"]
    assert AuditEvent.objects.filter(episode=number, event="recovery_attempted").count() == 3


def test_without_an_alert_it_is_on_the_trail_all_the_same() -> None:
    attempt = records.begin(asked(), PLAN, None, NOW)
    records.end(attempt, "failed", NOW, error="no grant")
    assert list(AuditEvent.objects.order_by("id").values_list("event", flat=True)) == [
        "recovery_attempted",
        "recovery_failed",
    ]
    assert not AuditEvent.objects.exclude(episode=None).exists()
    assert told() == []


# -- killed


@pytest.mark.parametrize(
    ("holder", "ago", "interrupted"),
    [("me", 5, False), ("me", 200, True), ("another", 5, True), ("", 5, False), ("", 200, True)],
)
def test_attempts_of_killed_processes_are_ended(holder: str, ago: float, interrupted: bool) -> None:
    attempt = tried(ago, outcome="running", holder=holder)
    change = RecoveryChange.objects.create(
        attempt=attempt, database="shop", kind="setting", name="sync_binlog", old="1", new="0", uptime=1,
        created_at=NOW, undo_at=NOW + timedelta(hours=1),
    )  # fmt: skip
    records.interrupt(["shop"], "me", NOW)
    attempt.refresh_from_db()
    change.refresh_from_db()
    assert (attempt.outcome == "interrupted") is interrupted
    assert (change.undo_at == NOW) is interrupted
    assert change.closed_at is None


def test_those_of_other_databases_are_left() -> None:
    attempt = tried(500, outcome="running", holder="another", database="blog")
    records.interrupt(["shop"], "me", NOW)
    attempt.refresh_from_db()
    assert attempt.outcome == "running"


def test_old_attempts_are_removed_and_open_changes_keep_theirs() -> None:
    old = tried(86_400 * 401)
    kept = tried(86_400 * 401)
    tried(60)
    for attempt, closed in ((old, NOW), (kept, None)):
        RecoveryChange.objects.create(
            attempt=attempt, database="shop", kind="setting", name="sync_binlog", old="1", new="0", uptime=1,
            created_at=NOW, undo_at=NOW, closed_at=closed,
        )  # fmt: skip
    records.maintain(NOW)
    assert sorted(RecoveryAttempt.objects.values_list("pk", flat=True)) == [kept.pk, kept.pk + 1]


# -- what alerts ask for


@pytest.fixture
def live(settings: Settings) -> Settings:
    settings.DB_RECOVERY_ENABLED = True
    settings.DB_RECOVERY_ACTIONS = {ACTION: "live", "end_blockers": "off"}
    return settings


def wanted() -> list[tuple[str, str]]:
    found = wishes(conf.load().recovery, ["shop"], datetime.now(UTC))
    return [(wish.action, wish.mode) for wish in found.get("shop", ())]


def test_an_open_critical_alert_asks_for_its_actions(live: Settings) -> None:
    fire(metric="query_time")
    assert wanted() == [(ACTION, "live")]


def test_one_that_is_off_is_not_asked_for(live: Settings) -> None:
    fire(metric="lock_waits_current")
    assert wanted() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"severity": "warning"},
        {"no_data": True},
        {"flapping": True},
        {"resolved_at": NOW},
        {"acknowledged_at": NOW},
        {"suppressed_until": NOW},
        {"quiet_since": NOW},
        {"database": "blog"},
    ],
)
def test_what_somebody_has_or_nobody_hears_is_left(live: Settings, changes: Mapping[str, Any]) -> None:
    number = fire(metric="query_time")
    Episode.objects.filter(pk=number).update(**changes)
    assert wanted() == []


def test_nothing_is_done_in_a_window_or_under_a_suppression(live: Settings) -> None:
    fire(metric="query_time")
    get_database_alerting().suppress_alert("shop", "", 60)
    # As if the episode did not know yet.
    Episode.objects.update(suppressed_until=None, quiet_since=None)
    assert wanted() == []


def test_while_a_server_is_down_only_our_own_connections_are_looked_at(live: Settings) -> None:
    fire(metric="query_time")
    fire(metric="up")
    assert wanted() == [("reset_connections", "dry_run")]


def test_a_dry_run_is_asked_for_once_an_alert(settings: Settings) -> None:
    number = fire(metric="query_time")
    assert wanted() == [(ACTION, "dry_run")]
    # There was nothing to do when it fired: looked at again, and not recorded again.
    records.record(asked(episode=number, mode="dry_run"), Plan(nothing="nothing runs for so long"), NOW)
    (again,) = wishes(conf.load().recovery, ["shop"], datetime.now(UTC))["shop"]
    assert again.looked_before
    records.record(asked(episode=number, mode="dry_run"), PLAN, NOW)
    assert wanted() == []


def test_warnings_count_where_that_is_wanted(live: Settings) -> None:
    live.DB_RECOVERY_ACTIONS = {ACTION: {"mode": "live", "severity": "warning"}}
    fire(metric="query_time", severity="warning")
    assert wanted() == [(ACTION, "live")]


def test_what_its_bounds_refuse_is_not_asked_for(live: Settings) -> None:
    number = fire(metric="query_time")
    records.end(
        records.begin(asked(episode=number), PLAN, None, datetime.now(UTC)), "succeeded", datetime.now(UTC)
    )
    assert wanted() == []
