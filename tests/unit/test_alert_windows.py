"""Maintenance windows: what may be one, how it acts on alerts that are open, and what is on record of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.alerting import audit, outbox, quieting, windows
from dbvigil.alerting.plan import Plan
from dbvigil.alerting.service import get_database_alerting
from dbvigil.alerting.sweep import sweep
from dbvigil.alerting.windows import Values
from dbvigil.alerts.quiet import Window, check_schedule, check_time_zone
from dbvigil.channels.base import Outcome
from dbvigil.errors import AlertError, ConfigurationError, DbvigilError, UnknownDatabase, UnknownWindow
from dbvigil.models import AuditEvent, Delivery, Episode, MaintenanceWindow
from tests.support.evaluations import Kept, at, fire, resolve

MINUTE = 60.0
MONITORED = ("shop",)
# The evaluations' clock begins on a Sunday at noon.
NOON = Values(
    name="noon", schedule="0 13 * * *", time_zone="UTC", minutes=60, database="shop", reason="disks"
)


def plan(second: float) -> Plan:
    return Plan(("hook",), quiet_until=quieting.quiet_times(at(second)))


def add(second: float = 0, **changed: Any) -> dict[str, Any]:
    return windows.add(NOON | Values(**changed), MONITORED, "ada", at(second))  # type: ignore[typeddict-item]


def sent() -> list[str]:
    rows = Delivery.objects.exclude(status="cancelled").order_by("id")
    return list(rows.values_list("type", flat=True))


def deliver_all(second: float) -> None:
    while (found := outbox.claim(Kept("hook"), "a", at(second), 10)) is not None:
        outbox.settle(found, Outcome(True, ""), "a", at(second), 0, None)


def events(episode: int | None) -> list[tuple[str, str]]:
    rows = AuditEvent.objects.filter(episode=episode).order_by("id")
    return list(rows.values_list("event", "actor"))


@pytest.mark.django_db(transaction=True)
class TestOpeningAndClosing:
    def test_an_alert_that_is_open_when_it_opens_is_hushed_and_its_clock_stands(self) -> None:
        add()
        alert = fire(plan(50 * MINUTE), "shop", "up", 50 * MINUTE)
        deliver_all(50 * MINUTE + 1)
        assert sweep(plan(60 * MINUTE - 1), at(60 * MINUTE - 1)) == []
        (hushed,) = sweep(plan(60 * MINUTE), at(60 * MINUTE))
        assert (hushed.status, hushed.suppressed_until) == ("suppressed", at(120 * MINUTE))
        assert sweep(plan(60 * MINUTE + 1), at(60 * MINUTE + 1)) == [], "once is enough"
        # Its escalation was due at 65 minutes.
        assert sweep(plan(119 * MINUTE), at(119 * MINUTE)) == []
        (heard,) = sweep(plan(120 * MINUTE), at(120 * MINUTE))
        assert heard.status == "firing"
        assert sent() == ["alert.fired"]
        (escalated,) = sweep(plan(125 * MINUTE), at(125 * MINUTE))
        assert (escalated.id, escalated.escalation_level) == (alert.id, 1)
        names = [name for name, _ in events(alert.id)]
        assert names == ["fired", "notified", "suppressed", "unsuppressed", "escalated"]

    def test_what_was_not_sent_yet_is_held_back_and_told_when_it_closes(self) -> None:
        add()
        fire(plan(59.9 * MINUTE), "shop", "query_time", 59.9 * MINUTE, "warning")
        sweep(plan(60 * MINUTE), at(60 * MINUTE))
        assert sent() == []
        sweep(plan(120 * MINUTE), at(120 * MINUTE))
        assert sent() == ["alert.fired"]

    def test_what_comes_and_goes_in_it_is_told_to_nobody(self) -> None:
        add()
        fire(plan(70 * MINUTE), "shop", "up", 70 * MINUTE)
        resolve(plan(80 * MINUTE), "shop", "up", 80 * MINUTE)
        sweep(plan(120 * MINUTE), at(120 * MINUTE))
        assert sent() == []

    def test_one_that_is_made_in_its_own_time_acts_in_the_next_round(self) -> None:
        alert = fire(plan(60 * MINUTE), "shop", "up", 60 * MINUTE)
        made = add(70 * MINUTE)
        assert (made["open"], made["open_until"]) == (True, "2026-03-01T14:00:00.000Z")
        (hushed,) = sweep(plan(70 * MINUTE), at(70 * MINUTE))
        assert (hushed.id, hushed.status) == (alert.id, "suppressed")

    @pytest.mark.parametrize("way", ["remove", "switch off", "move", "shorten"])
    def test_one_that_holds_no_more_is_heard_in_the_next_round(self, way: str) -> None:
        number = add()["window_id"]
        fire(plan(70 * MINUTE), "shop", "up", 70 * MINUTE)
        now = at(80 * MINUTE)
        match way:
            case "remove":
                windows.remove(number, "ada", now)
            case "switch off":
                assert windows.change(number, {"active": False}, MONITORED, "ada", now)["next_start"] is None
            case "move":
                windows.change(number, {"schedule": "0 3 * * *"}, MONITORED, "ada", now)
            case "shorten":
                windows.change(number, {"minutes": 10}, MONITORED, "ada", now)
        (heard,) = sweep(plan(80 * MINUTE), now)
        assert heard.status == "firing"
        assert sent() == ["alert.fired"]

    def test_one_that_this_host_cannot_read_keeps_nothing_quiet(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        MaintenanceWindow.objects.create(
            name="mars", schedule="* * * * *", time_zone="Mars/Olympus", minutes=5
        )
        add()
        fire(plan(70 * MINUTE), "other", "up", 70 * MINUTE)
        fire(plan(70 * MINUTE), "shop", "up", 70 * MINUTE)
        assert sent() == ["alert.fired"]
        mars, noon = windows.listed(at(70 * MINUTE))
        assert (mars["open"], mars["next_start"]) == (False, None)
        assert noon["open"] is True
        (line,) = [record.getMessage() for record in caplog.records if "mars" in record.getMessage()]
        assert "keeps nothing quiet: time_zone" in line

    def test_others_go_on(self) -> None:
        add(metric="up")
        fire(plan(50 * MINUTE), "other", "up", 50 * MINUTE)
        fire(plan(50 * MINUTE), "shop", "query_time", 50 * MINUTE)
        assert sweep(plan(60 * MINUTE), at(60 * MINUTE)) == []
        assert not Episode.objects.exclude(suppressed_until=None).exists()

    def test_the_service_acts_at_once(self) -> None:
        alerting = get_database_alerting()
        fire(plan(0), "shop", "up", 0)
        always = Values(name="always", schedule="* * * * *", time_zone="UTC", minutes=60)
        made = alerting.add_window(always, MONITORED, "ada")
        assert [alert.status for alert in alerting.get_active_alerts()] == ["suppressed"]
        alerting.change_window(made["window_id"], {"active": False}, MONITORED, "ada")
        assert [alert.status for alert in alerting.get_active_alerts()] == ["firing"]
        alerting.change_window(made["window_id"], {"active": True}, MONITORED, "ada")
        alerting.remove_window(made["window_id"], "ada")
        assert [alert.status for alert in alerting.get_active_alerts()] == ["firing"]
        assert alerting.get_windows() == []
        assert alerting.verify_audit().faults == []


@pytest.mark.django_db
class TestTheRecord:
    def test_who_did_what_is_on_record(self) -> None:
        number = add()["window_id"]
        windows.change(number, {"minutes": 90, "name": "long noon"}, MONITORED, "grace", at(1))
        windows.change(number, {"minutes": 90}, MONITORED, "grace", at(2))
        windows.remove(number, "root", at(3))
        assert events(None) == [
            ("window_added", "ada"),
            ("window_changed", "grace"),
            ("window_removed", "root"),
        ]
        added, changed, removed = (
            json.loads(detail)
            for detail in AuditEvent.objects.order_by("id").values_list("detail", flat=True)
        )
        assert added == {"window": number, "metric": "", "active": True, **NOON}
        assert changed["changed"] == {"name": ["noon", "long noon"], "minutes": [60, 90]}
        assert removed == added | {"name": "long noon", "minutes": 90}
        assert audit.verify().faults == []

    def test_what_there_is(self) -> None:
        add(name="b")
        add(name="a", active=False, schedule="30 2 * * 1-5", time_zone="Europe/Berlin")
        off, on = windows.listed(at(90 * MINUTE))
        assert (off["name"], off["open"], off["open_until"], off["next_start"]) == ("a", False, None, None)
        assert (on["name"], on["open"], on["created_by"], on["reason"]) == ("b", True, "ada", "disks")
        assert (on["open_until"], on["next_start"]) == (
            "2026-03-01T14:00:00.000Z",
            "2026-03-02T13:00:00.000Z",
        )

    def test_a_window_that_is_not(self) -> None:
        for act in (
            lambda: windows.change(7, {}, MONITORED, "ada", at(0)),
            lambda: windows.remove(7, "ada", at(0)),
            lambda: windows.number_of("noon"),
        ):
            with pytest.raises(UnknownWindow):
                act()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " night"),
        ("name", "two\nlines"),
        ("name", "x" * 101),
        ("name", "\udcff"),
        ("schedule", ""),
        ("schedule", "sometimes"),
        ("schedule", "61 3 * * 0"),
        ("schedule", "0 0 30 2 *"),
        ("schedule", "0 0 */31 * 1#5"),
        ("schedule", "0 0 3 * * 0"),
        ("schedule", "0 3 * * " + "0," * 60 + "0"),
        ("time_zone", ""),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("time_zone", "Europe"),
        ("time_zone", "a\x00b"),
        ("time_zone", "x" * 65),
        ("time_zone", "\udcff"),
        ("minutes", 0),
        ("minutes", -1),
        ("minutes", 10_081),
        ("minutes", True),
        ("metric", "nope"),
        ("metric", "flavor"),
        ("reason", "x" * 2001),
        ("reason", "\udcff"),
    ],
)
def test_a_window_that_cannot_be_is_told_by_field(field: str, value: Any) -> None:
    with pytest.raises(AlertError) as caught:
        add(**{field: value})
    assert caught.value.field == field
    number = add()["window_id"]
    with pytest.raises(AlertError) as caught:
        windows.change(number, {field: value}, MONITORED, "ada", at(0))  # type: ignore[misc]
    assert caught.value.field == field
    assert windows.listed(at(0)) == [windows.shown(MaintenanceWindow.objects.get(), at(0))]
    assert events(None) == [("window_added", "ada")]


@pytest.mark.django_db
def test_names_and_databases() -> None:
    add()
    with pytest.raises(AlertError, match="name: there is a window named 'noon' already"):
        add()
    other = add(name="other")["window_id"]
    with pytest.raises(AlertError, match=r"^name: "):
        windows.change(other, {"name": "noon"}, MONITORED, "ada", at(0))
    assert windows.change(other, {"name": "other"}, MONITORED, "ada", at(0))["name"] == "other"
    with pytest.raises(UnknownDatabase, match="shpo"):
        add(name="third", database="shpo")
    assert list(windows.faults(Values(name="noon", minutes=0, database="shpo"), MONITORED)) == [
        "name",
        "minutes",
        "database",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("missing", ["name", "schedule", "time_zone", "minutes"])
def test_a_window_says_when_and_for_how_long(missing: str) -> None:
    values = {field: value for field, value in NOON.items() if field != missing}
    with pytest.raises(AlertError, match=rf"^{missing}: it is missing"):
        windows.add(values, MONITORED, "ada", at(0))  # type: ignore[arg-type]


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
SCHEDULES = st.sampled_from(
    ["30 2 * * *", "0 3 * * 0", "*/20 * * * *", "15 1 1 * *", "0 */6 * * 1-5", "59 23 L * *"]
)
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))


@given(SCHEDULES, ZONES, MOMENTS)
def test_a_window_is_open_from_the_start_that_was_foretold(schedule: str, zone: str, now: datetime) -> None:
    window = Window("w", schedule, zone, 1)
    start = window.next_start(now)
    assert start is not None and start > now
    assert window.around(start) == (start, start + timedelta(minutes=1))


@given(st.text(alphabet="0123456789*/,-#LW SUNJAN?@\x00é", max_size=100) | st.text(max_size=100))
def test_any_text_is_a_schedule_or_is_refused(text: str) -> None:
    try:
        check_schedule(text)
    except ConfigurationError as error:
        assert error.field == "schedule"
        return
    assert Window("w", text, "Europe/Berlin", 1).next_start(datetime(2026, 1, 1, tzinfo=UTC)) is not None


@given(st.text(max_size=300))
def test_any_text_is_a_time_zone_or_is_refused(text: str) -> None:
    try:
        check_time_zone(text)
    except DbvigilError as error:
        assert "time_zone" in str(error)
        return
    Window("w", "0 3 * * *", text, 1).around(datetime(2026, 1, 1, tzinfo=UTC))
