"""Suppressions and maintenance windows: what is held back, and what is told when the quiet ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dbvigil.alerting import DatabaseAlerting, outbox, quieting
from dbvigil.alerting.plan import Plan
from dbvigil.alerting.sweep import sweep
from dbvigil.alerts.quiet import Suppression, Window, check_window, until
from dbvigil.channels.base import Outcome
from dbvigil.errors import AlertError, ConfigurationError, UnknownAlert
from dbvigil.models import AuditEvent, Delivery, Episode, MaintenanceWindow
from tests.support.evaluations import Kept, at, fire, resolve

MINUTE = 60.0


def plan(second: float) -> Plan:
    return Plan(("hook",), quiet_until=quieting.quiet_times(at(second)))


def sent_types() -> list[str]:
    rows = Delivery.objects.exclude(status="cancelled").order_by("id")
    return list(rows.values_list("type", flat=True))


def deliver_all(second: float) -> None:
    while (found := outbox.claim(Kept("hook"), "a", at(second), 10)) is not None:
        outbox.settle(found, Outcome(True, ""), "a", at(second), 0, None)


@pytest.mark.django_db(transaction=True)
class TestSuppressions:
    def test_what_fires_in_the_quiet_is_on_record_and_told_at_its_end(self) -> None:
        made = quieting.suppress("shop", "up", 60, "new disks", "ada", at(0))
        assert (made.until, made.created_by) == (at(60 * MINUTE), "ada")
        alert = fire(plan(10), "shop", "up", 10)
        assert (alert.status, alert.suppressed_until) == ("suppressed", at(60 * MINUTE))
        assert sent_types() == []
        assert sweep(plan(59 * MINUTE), at(59 * MINUTE)) == []
        (heard,) = sweep(plan(60 * MINUTE), at(60 * MINUTE))
        assert heard.status == "firing"
        assert sent_types() == ["alert.fired"]
        names = AuditEvent.objects.filter(episode=alert.id).order_by("id").values_list("event", flat=True)
        assert list(names) == ["fired", "suppressed", "unsuppressed", "fired"]

    def test_what_was_told_before_is_not_told_again_and_its_clock_stood(self) -> None:
        alert = fire(plan(0), "shop", "up", 0)
        deliver_all(1)
        quieting.suppress("shop", "", 60, "", "ada", at(5 * MINUTE))
        assert sweep(plan(20 * MINUTE), at(20 * MINUTE)) == []
        sweep(plan(65 * MINUTE), at(65 * MINUTE))
        assert sent_types() == ["alert.fired"]
        assert Episode.objects.get(pk=alert.id).next_step_at == at(75 * MINUTE), "ten minutes were left"

    def test_the_end_is_told_in_the_quiet_to_whoever_was_told(self) -> None:
        fire(plan(0), "shop", "up", 0)
        deliver_all(1)
        quieting.suppress("", "", 60, "", "ada", at(5))
        resolve(plan(10), "shop", "up", 10)
        assert sent_types() == ["alert.fired", "alert.resolved"]

    def test_nobody_is_told_of_what_came_and_went_in_the_quiet(self) -> None:
        quieting.suppress("shop", "", 60, "", "ada", at(0))
        fire(plan(5), "shop", "up", 5)
        resolve(plan(10), "shop", "up", 10)
        assert sent_types() == []

    def test_what_was_not_sent_yet_is_held_back(self) -> None:
        fire(plan(0), "shop", "query_time", 0, "warning")
        quieting.suppress("shop", "query_time", 60, "", "ada", at(5))
        assert sent_types() == []
        sweep(plan(60 * MINUTE + 5), at(60 * MINUTE + 5))
        assert sent_types() == ["alert.fired"]

    def test_it_can_be_ended_before_its_time(self) -> None:
        alerting = DatabaseAlerting()
        made = alerting.suppress_alert("shop", "up", 60, "", "ada")
        fire(Plan((), quiet_until=quieting.quiet_times(datetime.now(UTC))), "shop", "other", 0)
        ended = alerting.end_suppression(made["suppression_id"], "grace")
        assert ended["suppression_id"] == made["suppression_id"]
        with pytest.raises(AlertError, match="over already"):
            alerting.end_suppression(made["suppression_id"], "grace")
        with pytest.raises(AlertError, match="no suppression 99"):
            alerting.end_suppression(99, "grace")

    @pytest.mark.parametrize("minutes", [0, -1, float("nan"), 30 * 24 * 60 + 1, True])
    def test_it_always_has_an_end(self, minutes: float) -> None:
        with pytest.raises(AlertError, match="duration_minutes"):
            DatabaseAlerting().suppress_alert("shop", "up", minutes)

    def test_a_maintenance_window_comes_back_by_itself(self) -> None:
        MaintenanceWindow.objects.create(
            name="sunday", schedule="30 12 * * *", time_zone="UTC", minutes=60, database="shop"
        )
        fire(plan(31 * MINUTE), "shop", "up", 31 * MINUTE)
        assert sent_types() == []
        sweep(plan(90 * MINUTE), at(90 * MINUTE))
        assert sent_types() == ["alert.fired"]


@pytest.mark.django_db(transaction=True)
class TestAcknowledging:
    def test_a_link_is_good_for_one_acknowledgement(self) -> None:
        alert = fire(plan(0), "shop", "up", 0)
        quieting.acknowledge(alert.id, "ada", "", plan(1), at(1), generation=0)
        with pytest.raises(AlertError, match="used before"):
            quieting.acknowledge(alert.id, "eve", "", plan(2), at(2), generation=0)

    def test_there_has_to_be_something_to_take_up(self) -> None:
        with pytest.raises(UnknownAlert):
            quieting.acknowledge(7, "ada", "", plan(0), at(0))
        alert = fire(plan(0), "shop", "up", 0)
        resolve(plan(5), "shop", "up", 5)
        with pytest.raises(AlertError, match="is over since"):
            quieting.acknowledge(alert.id, "ada", "", plan(6), at(6))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NIGHT = Window("night", "30 2 * * *", "Europe/Berlin", 60)


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ("2026-11-23T01:29:59", None),
        ("2026-11-23T01:30:00", "2026-11-23T02:30:00"),
        ("2026-11-23T02:29:59", "2026-11-23T02:30:00"),
        ("2026-11-23T02:30:00", None),
        # 02:30 does not exist on this night: the window comes when the clock has jumped to 03:00.
        ("2026-03-29T00:59:00", None),
        ("2026-03-29T01:00:00", "2026-03-29T02:00:00"),
        # 02:30 comes twice on this one, and counts once.
        ("2026-10-25T00:30:00", "2026-10-25T01:30:00"),
        ("2026-10-25T01:35:00", None),
    ],
)
def test_a_window_holds_for_its_minutes_whatever_the_clocks_do(now: str, ends: str | None) -> None:
    assert until("shop", "up", (), (NIGHT,), utc(now)) == (ends and utc(ends))


def test_quiet_times_that_touch_are_one() -> None:
    start = utc("2026-11-23T01:00:00")
    first = Suppression(1, "", "up", start, start + timedelta(minutes=40))
    later = Suppression(2, "shop", "", start + timedelta(hours=1), start + timedelta(hours=5))
    assert until("shop", "up", (first, later), (NIGHT,), start) == start + timedelta(hours=5)
    assert until("shop", "disk_usage", (first, later), (NIGHT,), start) is None
    assert until("other", "up", (first, later), (), start) == first.until


def test_windows_without_a_gap_do_not_hang() -> None:
    always = Window("always", "0 * * * *", "UTC", 60)
    found = until("shop", "up", (), (always,), utc("2026-11-23T01:00:00"))
    assert found is not None


@pytest.mark.parametrize(
    ("window", "field"),
    [
        (("61 * * * *", "UTC", 60), "schedule"),
        (("0 3 * * *", "Mars/Olympus", 60), "time_zone"),
        (("0 3 * * *", "../../etc/passwd", 60), "time_zone"),
        (("0 3 * * *", "UTC", 0), "minutes"),
    ],
)
def test_a_window_that_cannot_be_is_told(window: tuple[str, str, int], field: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{field}: "):
        check_window(*window)
