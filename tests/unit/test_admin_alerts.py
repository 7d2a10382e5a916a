"""The admin over alerting: windows and suppressions are made there, what happened is only shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.test import Client

from dbvigil.admin.quiet import WindowForm
from dbvigil.alerting.service import get_database_alerting
from dbvigil.models import AuditEvent, ChannelState, Delivery, Episode, MaintenanceWindow, Suppression
from tests.support.api import seed
from tests.support.raised import HTML, fire

ADMIN = "/admin/dbvigil"
WINDOW = {
    "name": "Sundays",
    "database": "shop",
    "metric": "",
    "schedule": "0 3 * * 0",
    "time_zone": "Europe/Berlin",
    "minutes": "90",
    "reason": "",
    "active": "on",
}


@pytest.fixture
def client_of(users: dict[str, User]) -> Callable[[str], Client]:
    """A signed-in client by role; staff may work with windows and suppressions."""
    wanted = ["view_maintenancewindow", "add_maintenancewindow", "view_suppression", "add_suppression"]
    users["staff"].user_permissions.set(Permission.objects.filter(codename__in=wanted))
    seed("shop")

    def client(role: str) -> Client:
        made = Client()
        made.force_login(users[role])
        return made

    return client


def errors(answer: Any) -> set[str]:
    assert answer.status_code == 200
    return set(answer.context["adminform"].form.errors)


@pytest.mark.parametrize("model", [Episode, AuditEvent, Delivery, ChannelState])
def test_what_happened_is_shown_and_nothing_else(client_of: Callable[[str], Client], model: Any) -> None:
    fire(message=HTML)
    ChannelState.objects.create(name="email")
    Delivery.objects.create(
        event=AuditEvent.objects.get(event="fired"), database="shop", type="alert.fired", channel="email",
        created_at=Episode.objects.get().started_at, due_at=Episode.objects.get().started_at,
    )  # fmt: skip
    row, client = model.objects.get(), client_of("superuser")
    base = f"{ADMIN}/{model._meta.model_name}"
    listed = client.get(f"{base}/")
    shown = client.get(f"{base}/{row.pk}/change/")
    assert listed.status_code == shown.status_code == 200
    for answer in (listed, shown):
        assert "<img src=x" not in answer.content.decode()
    assert 'name="_save"' not in shown.content.decode()
    for path in ("add/", f"{row.pk}/delete/"):
        assert client.post(f"{base}/{path}", {"post": "yes"}).status_code == 403
    assert client.post(f"{base}/{row.pk}/change/", {"message": "x"}).status_code == 403
    client.post(f"{base}/", {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert model.objects.filter(pk=row.pk).exists()


def test_a_window_is_made_changed_and_removed(client_of: Callable[[str], Client]) -> None:
    client = client_of("superuser")
    assert client.post(f"{ADMIN}/maintenancewindow/add/", WINDOW).status_code == 302
    window = MaintenanceWindow.objects.get()
    assert (window.name, window.minutes, window.created_by) == ("Sundays", 90, "root")
    page = f"{ADMIN}/maintenancewindow/{window.pk}"
    assert client.post(f"{page}/change/", WINDOW | {"minutes": "30"}).status_code == 302
    assert MaintenanceWindow.objects.get().minutes == 30
    assert client.post(f"{page}/delete/", {"post": "yes"}).status_code == 302
    assert not MaintenanceWindow.objects.exists()
    told = AuditEvent.objects.order_by("id").values_list("event", "actor")
    assert list(told) == [("window_added", "root"), ("window_changed", "root"), ("window_removed", "root")]
    assert get_database_alerting().verify_audit().faults == []


def test_selected_windows_are_removed_on_record(client_of: Callable[[str], Client]) -> None:
    client = client_of("superuser")
    for name in ("a", "b"):
        client.post(f"{ADMIN}/maintenancewindow/add/", WINDOW | {"name": name})
    rows = list(MaintenanceWindow.objects.values_list("pk", flat=True))
    action = {"action": "delete_selected", "_selected_action": rows, "post": "yes"}
    assert client.post(f"{ADMIN}/maintenancewindow/", action).status_code == 302
    assert not MaintenanceWindow.objects.exists()
    assert AuditEvent.objects.filter(event="window_removed").count() == 2


def test_a_window_that_somebody_removed_meanwhile(
    client_of: Callable[[str], Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of("superuser")
    client.post(f"{ADMIN}/maintenancewindow/add/", WINDOW)
    number = MaintenanceWindow.objects.get().pk
    page = f"{ADMIN}/maintenancewindow/{number}/change/"
    check = WindowForm.clean

    def clean(form: WindowForm) -> dict[str, Any]:
        checked = check(form)
        MaintenanceWindow.objects.all().delete()
        return checked

    monkeypatch.setattr(WindowForm, "clean", clean)
    answer = client.post(page, WINDOW | {"minutes": "30"})
    assert (answer.status_code, answer["Location"]) == (302, page)
    told = [str(message) for message in client.get(page).context["messages"]]
    assert told[1:] == [f"there is no maintenance window {number}"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"schedule": "sometimes"}, "schedule"),
        ({"schedule": "61 3 * * 0"}, "schedule"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"minutes": "0"}, "minutes"),
        ({"minutes": "10081"}, "minutes"),
        ({"minutes": "soon"}, "minutes"),
        ({"reason": "x" * 2001}, "reason"),
        ({"schedule": "0 0 30 2 *"}, "schedule"),
        ({"database": "shpo"}, "database"),
        ({"metric": "nope"}, "metric"),
        ({"name": ""}, "name"),
    ],
)
def test_a_window_that_cannot_be(
    client_of: Callable[[str], Client], changed: dict[str, str], field: str
) -> None:
    answer = client_of("superuser").post(f"{ADMIN}/maintenancewindow/add/", WINDOW | changed)
    assert errors(answer) == {field}
    assert not MaintenanceWindow.objects.exists()


def test_only_superusers_keep_every_database_quiet(client_of: Callable[[str], Client]) -> None:
    form = {"database": "", "metric": "up", "minutes": "60", "reason": "x"}
    for path, body in (("maintenancewindow", WINDOW | {"database": ""}), ("suppression", form)):
        assert errors(client_of("staff").post(f"{ADMIN}/{path}/add/", body)) == {"database"}
        assert client_of("superuser").post(f"{ADMIN}/{path}/add/", body).status_code == 302
        assert client_of("reader").get(f"{ADMIN}/{path}/").status_code == 302


def test_a_suppression_is_made_and_ended_on_record(client_of: Callable[[str], Client]) -> None:
    number, client = fire(), client_of("staff")
    form = {"database": "shop", "metric": "connection_usage", "minutes": "60", "reason": "a release"}
    assert client.post(f"{ADMIN}/suppression/add/", form).status_code == 302
    row = Suppression.objects.get()
    assert (row.created_by, row.reason, row.ended_at) == ("grace", "a release", None)
    assert round((row.until - row.starts_at).total_seconds()) == 3600
    alerting = get_database_alerting()
    assert [alert.status for alert in alerting.get_active_alerts()] == ["suppressed"]
    end = {"action": "end", "_selected_action": [row.pk]}
    assert client.post(f"{ADMIN}/suppression/", end).status_code == 302
    assert Suppression.objects.get().ended_by == "grace"
    assert [alert.status for alert in alerting.get_active_alerts()] == ["firing"]
    again = client.post(f"{ADMIN}/suppression/", end, follow=True)
    assert "is over already" in again.content.decode()
    alert = alerting.get_alert(number)
    assert alert is not None and alert.events is not None
    assert [event.event for event in alert.events][:2] == ["fired", "suppressed"]
    assert alerting.verify_audit().faults == []


@pytest.mark.parametrize("minutes", ["0", "nan", "inf", "43201", ""])
def test_a_suppression_has_an_end(client_of: Callable[[str], Client], minutes: str) -> None:
    form = {"database": "shop", "metric": "", "minutes": minutes, "reason": ""}
    assert errors(client_of("superuser").post(f"{ADMIN}/suppression/add/", form)) == {"minutes"}
    assert not Suppression.objects.exists()


def test_nothing_of_alerting_can_be_changed_anywhere_else() -> None:
    shown = {model.__name__ for model in admin.site._registry if model._meta.app_label == "dbvigil"}
    assert shown == {
        "Episode", "AuditEvent", "Delivery", "ChannelState", "StoredThreshold", "MaintenanceWindow", "Suppression", "AlertChannel",
    }  # fmt: skip
