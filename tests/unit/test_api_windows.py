"""Maintenance windows through the API: what it answers, and what it refuses and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbvigil.alerting.service import get_database_alerting
from dbvigil.models import AuditEvent, MaintenanceWindow
from tests.support.api import BASE, seed
from tests.support.raised import HTML, LINES, fire
from tests.unit.test_api_alerts import JSON
from tests.unit.test_api_answers import check
from tests.unit.test_api_input import check_problem

PATH = f"{BASE}alerts/windows/"
WINDOW: dict[str, Any] = {
    "name": "Sunday upgrades",
    "database": "shop",
    "metric": "up",
    "schedule": "0 3 * * 0",
    "time_zone": "Europe/Berlin",
    "minutes": 90,
    "reason": LINES + HTML,
}


def send(client: Client, method: str, body: object, number: int | None = None) -> Any:
    path = PATH if number is None else f"{PATH}{number}/"
    return client.generic(method, path, json.dumps(body).encode(), content_type="application/json")


# On a Monday that stands still: at the minute in which the window opens its next start becomes another between two answers.
@time_machine.travel(datetime(2026, 3, 2, 12, tzinfo=UTC), tick=False)
def test_a_window_is_made_shown_changed_and_removed(api: Callable[..., Client]) -> None:
    seed("shop")
    client = api("superuser")
    made = check(client, "POST", "alerts/windows/", WINDOW)
    assert {name: made[name] for name in WINDOW} == WINDOW
    assert (made["active"], made["created_by"]) == (True, "root")
    begins = datetime.fromisoformat(made["next_start"])
    assert datetime.now(UTC) < begins <= datetime.now(UTC) + timedelta(days=8)
    number = made["window_id"]
    listed = check(api(), "GET", "alerts/windows/")
    assert listed == {"count": 1, "results": [made]}
    change = {"minutes": 30, "database": None, "active": False}
    changed = check(client, "PATCH", f"alerts/windows/{number}/", change)
    assert changed == made | {"minutes": 30, "database": "", "active": False} | {
        "open": False, "open_until": None, "next_start": None,
    }  # fmt: skip
    assert check(client, "PATCH", f"alerts/windows/{number}/", {}) == changed
    assert check(client, "DELETE", f"alerts/windows/{number}/") == changed
    assert check(api(), "GET", "alerts/windows/") == {"count": 0, "results": []}
    for method in ("PATCH", "DELETE"):
        check_problem(send(client, method, {}, number), 404, "unknown-window")
    assert list(AuditEvent.objects.order_by("id").values_list("event", "actor")) == [
        ("window_added", "root"),
        ("window_changed", "root"),
        ("window_removed", "root"),
    ]


def test_one_that_is_open_acts_at_once(api: Callable[..., Client]) -> None:
    seed("shop")
    fire("shop", "up")
    client = api("superuser")
    always = {"name": "always", "schedule": "* * * * *", "time_zone": "UTC", "minutes": 5}
    made = check(client, "POST", "alerts/windows/", always)
    assert made["open"] is True and made["open_until"] is not None
    assert (made["database"], made["metric"], made["reason"]) == ("", "", "")
    assert check(client, "GET", "alerts/")["results"][0]["status"] == "suppressed"
    check(client, "DELETE", f"alerts/windows/{made['window_id']}/")
    assert check(client, "GET", "alerts/")["results"][0]["status"] == "firing"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": " x"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "taken"}, "name"),
        ({"schedule": "61 3 * * 0"}, "schedule"),
        ({"schedule": "0 0 30 2 *"}, "schedule"),
        ({"schedule": 5}, "schedule"),
        ({"schedule": ""}, "schedule"),
        ({"schedule": "0 3 * *"}, "schedule"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": None}, "time_zone"),
        ({"time_zone": "a\x00b"}, "time_zone"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": 10_081}, "minutes"),
        ({"minutes": 1.5}, "minutes"),
        ({"minutes": "60"}, "minutes"),
        ({"minutes": True}, "minutes"),
        ({"metric": "nope"}, "metric"),
        ({"metric": 5}, "metric"),
        ({"database": 5}, "database"),
        ({"reason": "x" * 2001}, "reason"),
        ({"reason": None}, "reason"),
        ({"active": "yes"}, "active"),
        ({"active": None}, "active"),
        ({"until": "tomorrow"}, "until"),
    ],
)
def test_what_cannot_be_names_its_field(
    api: Callable[..., Client], changed: dict[str, Any], field: str
) -> None:
    seed("shop")
    client = api("superuser")
    check(client, "POST", "alerts/windows/", WINDOW | {"name": "taken"})
    number = check(client, "POST", "alerts/windows/", WINDOW)["window_id"]
    new = send(client, "POST", WINDOW | {"name": "new"} | changed)
    for answer in (new, send(client, "PATCH", changed, number)):
        assert list(check_problem(answer, 400, "invalid-value")["errors"]) == [field]
    assert MaintenanceWindow.objects.count() == 2
    assert AuditEvent.objects.count() == 2


@pytest.mark.parametrize("missing", ["name", "schedule", "time_zone", "minutes"])
def test_a_new_window_says_all_that_is_needed(api: Callable[..., Client], missing: str) -> None:
    seed("shop")
    body = {name: value for name, value in WINDOW.items() if name != missing}
    problem = check_problem(send(api("superuser"), "POST", body), 400, "invalid-value")
    assert list(problem["errors"]) == [missing]


def test_an_unknown_database_is_as_unknown_here_as_anywhere(api: Callable[..., Client]) -> None:
    seed("shop")
    answer = send(api("superuser"), "POST", WINDOW | {"database": "shpo"})
    assert list(check_problem(answer, 404, "unknown-database")["errors"]) == ["database"]


@pytest.mark.parametrize("number", [0, 2**63, 10**40])
def test_windows_that_are_not(api: Callable[..., Client], number: int) -> None:
    client = api("superuser")
    for method in ("PATCH", "DELETE"):
        check_problem(send(client, method, {}, number), 404, "unknown-window")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.fixed_dictionaries(
        {},
        optional={
            "name": st.text(max_size=5) | JSON,
            "database": st.sampled_from(["shop", "nope", "", None]) | JSON,
            "metric": st.sampled_from(["up", "flavor", "", None]) | JSON,
            "schedule": st.sampled_from(["0 3 * * 0", "* * * * *"]) | st.text(max_size=20) | JSON,
            "time_zone": st.sampled_from(["UTC", "Europe/Berlin"]) | st.text(max_size=20) | JSON,
            "minutes": st.integers(-1, 20_000) | JSON,
            "reason": JSON,
            "active": JSON,
        },
    )
    | JSON
)
def test_any_json_is_answered(api: Callable[..., Client], body: Any) -> None:
    client = api("superuser")
    cache.clear()
    always = {
        "name": f"w{MaintenanceWindow.objects.count()}",
        "schedule": "0 3 * * 0",
        "time_zone": "UTC",
        "minutes": 5,
    }
    number = get_database_alerting().add_window(always, (), "root")["window_id"]  # type: ignore[arg-type]
    assert send(client, "POST", body).status_code in (200, 400, 404)
    assert send(client, "POST", always | body if isinstance(body, dict) else body).status_code in (
        200,
        400,
        404,
    )
    assert send(client, "PATCH", body, number).status_code in (200, 400, 404)
    assert client.get(PATH).status_code == 200


def test_open_alerts_are_counted(api: Callable[..., Client], django_assert_num_queries: Any) -> None:
    seed("shop")
    seed("web")
    alerting = get_database_alerting()
    taken, kept = fire("shop", "up"), fire("shop", "load1", severity="warning")
    fire("shop", "query_time", severity="warning")
    fire("gone", "up")
    alerting.resolve_alert(fire("web", "up"))
    alerting.acknowledge_alert(taken, "ada")
    alerting.acknowledge_alert(kept, "ada")
    alerting.suppress_alert("shop", "load1", 5)
    with django_assert_num_queries(1):
        counted = alerting.count_open_alerts()
    health = check(api(), "GET", "health/")
    assert health["alerts"] == counted.to_dict()
    assert health["alerts"] == {"firing": 2, "acknowledged": 1, "suppressed": 1, "critical": 2, "warning": 2}
    assert {alias: entry["alerts"] for alias, entry in health["databases"].items()} == {"shop": 3, "web": 0}
    assert check(api(), "GET", "dashboard/")["health"]["alerts"] == health["alerts"]
