"""The API over alerts: what it answers, who may, what it takes, and what hostile text becomes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from dbvigil.alerting.service import get_database_alerting
from dbvigil.models import ChannelState, Delivery, Episode, Suppression
from tests.support.api import BASE, seed
from tests.support.raised import HTML, LINES, fire
from tests.unit.test_api_answers import check
from tests.unit.test_api_input import check_problem, post

ALERTS = f"{BASE}alerts/"
QUIET = {"database": "shop", "metric": "slow_queries", "duration_minutes": 60, "reason": "report"}
ALERT_KEYS = {
    "id", "database", "metric", "severity", "status", "value", "threshold", "message", "recommendations", "evidence",
    "started_at", "last_seen_at", "occurrences", "acknowledged_at", "acknowledged_by", "note", "escalation_level",
    "escalated_at", "suppressed_until", "resolved_at", "duration_seconds", "notifications",
}  # fmt: skip


def listed(client: Client, query: str = "") -> list[int]:
    body = client.get(f"{ALERTS}{query}").json()
    assert body["count"] == len(body["results"])
    return [row["id"] for row in body["results"]]


# reading


def test_active_alerts_the_gravest_first(api: Callable[..., Client]) -> None:
    seed("shop")
    seed("other")
    warning = fire("shop", "slow_queries", severity="warning", value=12.0, threshold=10.0)
    critical = fire("shop", "up", value=False, threshold=None, evidence={"locks": {"unavailable": "no"}})
    other = fire("other", severity="warning")
    body = check(api(), "GET", "alerts/")
    assert [row["id"] for row in body["results"]] == [critical, other, warning]
    assert set(body["results"][0]) >= ALERT_KEYS
    assert "events" not in body["results"][0]
    client = api()
    assert listed(client, "?database=shop") == [critical, warning]
    assert listed(client, "?severity=warning") == [other, warning]
    assert listed(client, "?database=shop&severity=warning&status=firing") == [warning]
    assert listed(client, "?status=acknowledged") == []
    get_database_alerting().resolve_alert(warning)
    assert listed(client) == [critical, other]
    assert [row["id"] for row in check(api(), "GET", "dashboard/")["alerts"]] == [critical, other]


def test_history_in_pages(api: Callable[..., Client]) -> None:
    seed("shop")
    numbers = [fire("shop", f"trouble_{number}") for number in range(51)]
    get_database_alerting().resolve_alert(numbers[0], "mended")
    first = check(api(), "GET", "alerts/history/?database=shop&hours=5")
    assert (first["count"], len(first["results"]), first["previous"]) == (51, 50, None)
    assert first["next"].startswith("http://testserver/core/api/monitoring/alerts/history/?")
    client = api()
    second = client.get(first["next"]).json()
    assert [row["id"] for row in second["results"]] == [numbers[0]]
    assert [event["event"] for event in second["results"][0]["events"]] == ["fired", "resolved"]
    assert second["next"] is None
    again = client.get(second["previous"]).json()["results"]
    assert [row["id"] for row in again] == [row["id"] for row in first["results"]]
    beyond = client.get(f"{ALERTS}history/?page=9&hours=5").json()
    assert beyond["results"] == [] and beyond["next"] is None
    assert "page=2" in beyond["previous"] and "hours=5" in beyond["previous"]


def test_history_goes_back_as_far_as_asked(api: Callable[..., Client]) -> None:
    seed("shop")
    old, client = fire("shop", "up"), api()
    get_database_alerting().resolve_alert(old)
    past = datetime.now(UTC) - timedelta(hours=30)
    Episode.objects.update(started_at=past - timedelta(hours=1), resolved_at=past)
    assert client.get(f"{ALERTS}history/").json()["count"] == 0
    assert client.get(f"{ALERTS}history/?hours=31").json()["count"] == 1


def test_a_database_that_is_monitored_no_more_has_its_history(api: Callable[..., Client]) -> None:
    seed("shop")
    number, client = fire("gone"), api()
    assert listed(client, "?database=gone") == [number]
    assert client.get(f"{ALERTS}history/?database=gone").json()["count"] == 1
    assert listed(client, "?database=dbvigil") == []
    for path in ("", "history/"):
        check_problem(client.get(f"{ALERTS}{path}?database=nope"), 404, "unknown-database")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("?severity=bad", "severity"),
        ("?status=resolved", "status"),
        ("?status=", "status"),
        ("?database=%00", "database"),
        ("?database=a&database=b", "database"),
        ("?hours=3", "hours"),
        ("history/?hours=0", "hours"),
        ("history/?hours=9601", "hours"),
        ("history/?page=0", "page"),
        ("history/?page=-1", "page"),
        ("history/?page=1.5", "page"),
        ("history/?page=%D9%A1", "page"),
        ("history/?page=99999999999999999999", "page"),
        ("history/?severity=warning", "severity"),
        ("suppressions/?database=shop", "database"),
    ],
)
def test_a_bad_query_names_its_parameter(api: Callable[..., Client], path: str, field: str) -> None:
    seed("shop")
    problem = check_problem(api().get(f"{ALERTS}{path}"), 400, "invalid-value")
    assert list(problem["errors"]) == [field]


# taking up


def test_staff_acknowledge(api: Callable[..., Client]) -> None:
    seed("shop")
    number = fire()
    body = check(api("staff"), "POST", "alerts/acknowledge/", {"alert_id": number, "note": "on it\nsoon"})
    assert (body["status"], body["acknowledged_by"], body["note"]) == ("acknowledged", "grace", "on it\nsoon")
    assert body["acknowledged_at"].endswith("Z")
    again = check(api("superuser"), "POST", "alerts/acknowledge/", {"alert_id": number})
    assert (again["acknowledged_by"], again["note"]) == ("root", "")
    (alert,) = check(api(), "GET", "alerts/history/")["results"]
    assert [(event["event"], event["actor"]) for event in alert["events"]] == [
        ("fired", "dbvigil"),
        ("acknowledged", "grace"),
        ("acknowledged", "root"),
    ]


def test_what_is_not_or_is_over_cannot_be_taken_up(api: Callable[..., Client]) -> None:
    number, client = fire(), api("staff")
    for unknown in (number + 1, 2**63 - 1):
        answer = post(client, f"{ALERTS}acknowledge/", {"alert_id": unknown, "note": ""})
        assert list(check_problem(answer, 404, "unknown-alert")["errors"]) == ["alert_id"]
    get_database_alerting().resolve_alert(number)
    answer = post(client, f"{ALERTS}acknowledge/", {"alert_id": number, "note": ""})
    assert "is over since" in check_problem(answer, 409, "already-over")["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "alert_id"),
        ({"alert_id": None}, "alert_id"),
        ({"alert_id": "1"}, "alert_id"),
        ({"alert_id": True}, "alert_id"),
        ({"alert_id": 1.0}, "alert_id"),
        ({"alert_id": 0}, "alert_id"),
        ({"alert_id": -1}, "alert_id"),
        ({"alert_id": 2**63}, "alert_id"),
        ({"alert_id": 10**400}, "alert_id"),
        ({"alert_id": [1]}, "alert_id"),
        ({"alert_id": 1, "note": None}, "note"),
        ({"alert_id": 1, "note": 5}, "note"),
        ({"alert_id": 1, "note": "x" * 2001}, "note"),
        ({"alert_id": 1, "note": "a\x00b"}, "note"),
        ({"alert_id": 1, "user": "root"}, "user"),
    ],
)
def test_a_bad_acknowledgement_names_its_field(
    api: Callable[..., Client], body: dict[str, Any], field: str
) -> None:
    number = fire()
    problem = check_problem(post(api("staff"), f"{ALERTS}acknowledge/", body), 400, "invalid-value")
    assert list(problem["errors"]) == [field]
    assert Episode.objects.get(pk=number).acknowledged_at is None


# keeping quiet


def test_a_suppression_is_made_shown_and_ended(api: Callable[..., Client]) -> None:
    seed("shop")
    number, client = fire("shop", "slow_queries"), api("staff")
    made = check(client, "POST", "alerts/suppress/", QUIET)
    assert (made["database"], made["metric"], made["created_by"]) == ("shop", "slow_queries", "grace")
    until = datetime.fromisoformat(made["until"])
    assert abs(until - datetime.now(UTC) - timedelta(hours=1)) < timedelta(seconds=30)
    assert listed(client, "?status=suppressed") == [number]
    (held,) = check(api(), "GET", "alerts/suppressions/")["results"]
    assert held["suppression_id"] == made["suppression_id"] and held["reason"] == "report"
    body = {"suppression_id": made["suppression_id"]}
    assert check(client, "POST", "alerts/suppress/end/", body)["suppression_id"] == made["suppression_id"]
    assert check(api(), "GET", "alerts/suppressions/") == {"count": 0, "results": []}
    assert listed(client, "?status=firing") == [number]
    check_problem(post(client, f"{ALERTS}suppress/end/", body), 409, "already-over")
    check_problem(post(client, f"{ALERTS}suppress/end/", {"suppression_id": 999}), 404, "unknown-suppression")


@pytest.mark.parametrize("metric", [None, "", "up", "replication_running", "load1", "my_own"])
def test_what_may_be_kept_quiet(api: Callable[..., Client], metric: str | None) -> None:
    seed("shop")
    fire("shop", "my_own")
    made = check(api("staff"), "POST", "alerts/suppress/", QUIET | {"metric": metric})
    assert made["metric"] == (metric or "")


@pytest.mark.parametrize("database", [None, ""])
def test_only_superusers_keep_every_database_quiet(api: Callable[..., Client], database: str | None) -> None:
    body = QUIET | {"database": database}
    check_problem(post(api("staff"), f"{ALERTS}suppress/", body), 403, "forbidden")
    made = check(api("superuser"), "POST", "alerts/suppress/", body)
    assert made["database"] == ""
    end = {"suppression_id": made["suppression_id"]}
    check_problem(post(api("staff"), f"{ALERTS}suppress/end/", end), 403, "forbidden")
    assert Suppression.objects.get().ended_at is None
    check(api("superuser"), "POST", "alerts/suppress/end/", end)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"metric": "nope"}, "metric"),
        ({"metric": "flavor"}, "metric"),
        ({"metric": 5}, "metric"),
        ({"metric": "x" * 101}, "metric"),
        ({"duration_minutes": 0}, "duration_minutes"),
        ({"duration_minutes": -5}, "duration_minutes"),
        ({"duration_minutes": 43_201}, "duration_minutes"),
        ({"duration_minutes": "60"}, "duration_minutes"),
        ({"duration_minutes": True}, "duration_minutes"),
        ({"duration_minutes": None}, "duration_minutes"),
        ({"database": 5}, "database"),
        ({"database": "a\x00b"}, "database"),
        ({"reason": None}, "reason"),
        ({"reason": "x" * 2001}, "reason"),
        ({"until": "tomorrow"}, "until"),
    ],
)
def test_a_bad_suppression_names_its_field(
    api: Callable[..., Client], changed: dict[str, Any], field: str
) -> None:
    seed("shop")
    problem = check_problem(
        post(api("superuser"), f"{ALERTS}suppress/", QUIET | changed), 400, "invalid-value"
    )
    assert list(problem["errors"]) == [field]
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("missing", ["database", "duration_minutes"])
def test_a_suppression_says_what_and_for_how_long(api: Callable[..., Client], missing: str) -> None:
    seed("shop")
    body = {name: value for name, value in QUIET.items() if name != missing}
    problem = check_problem(post(api("superuser"), f"{ALERTS}suppress/", body), 400, "invalid-value")
    assert list(problem["errors"]) == [missing]


def test_a_suppression_of_an_unknown_database(api: Callable[..., Client]) -> None:
    seed("shop")
    body = QUIET | {"database": "shpo"}
    check_problem(post(api("superuser"), f"{ALERTS}suppress/", body), 404, "unknown-database")


# channels


def test_channels_are_shown_masked_and_tested(
    api: Callable[..., Client], settings: Settings, mailoutbox: list[Any]
) -> None:
    settings.DB_ALERT_EMAIL_RECIPIENTS = ["ada@example.com"]
    settings.DB_ALERT_WEBHOOK_URL = "http://127.0.0.1:1/s3cr3t-path?token=s3cr3t"
    settings.DB_ALERT_WEBHOOK_SECRET = "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0"
    answer = check(api(), "GET", "config/")
    assert [row["name"] for row in answer["channels"]] == ["email", "webhook"]
    body = check(api("superuser"), "POST", "alerts/test-channels/", {})
    assert body["results"]["email"]["ok"] is True and len(mailoutbox) == 1
    assert body["results"]["webhook"]["ok"] is False and body["results"]["webhook"]["detail"]
    assert set(check(api("superuser"), "POST", "alerts/test-channels/", {"channels": ["email", "email"]})[
        "results"
    ]) == {"email"}  # fmt: skip
    assert len(mailoutbox) == 2
    for text in (json.dumps(answer), json.dumps(body)):
        assert "s3cr3t" not in text and "c2VjcmV0" not in text


def test_a_disabled_channel_that_takes_the_test_is_used_again(
    api: Callable[..., Client], settings: Settings
) -> None:
    settings.DB_ALERT_EMAIL_RECIPIENTS = ["ada@example.com"]
    fingerprint = get_database_alerting().channels()["email"].fingerprint
    now = datetime.now(UTC)
    ChannelState.objects.create(name="email", fingerprint=fingerprint, disabled_at=now, last_error="410")
    assert check(api(), "GET", "config/")["channels"][0]["disabled"] is True
    check(api("superuser"), "POST", "alerts/test-channels/", {})
    assert check(api(), "GET", "config/")["channels"][0]["disabled"] is False


@pytest.mark.parametrize("channels", ["email", [], [5], [None], ["fax"], [""], ["x" * 101], {"a": 1}, None])
def test_bad_channels(api: Callable[..., Client], channels: object) -> None:
    answer = post(api("superuser"), f"{ALERTS}test-channels/", {"channels": channels})
    assert list(check_problem(answer, 400, "invalid-value")["errors"]) == ["channels"]


# hostile text


def test_hostile_text_comes_back_as_it_was(api: Callable[..., Client]) -> None:
    seed("shop")
    number, client = fire(message=HTML, evidence={HTML: [{HTML: HTML}]}), api("staff")
    check(client, "POST", "alerts/acknowledge/", {"alert_id": number, "note": LINES + HTML})
    check(client, "POST", "alerts/suppress/", QUIET | {"reason": LINES + HTML})
    (row,) = check(client, "GET", "alerts/")["results"]
    assert (row["message"], row["note"]) == (HTML, LINES + HTML)
    assert client.get(ALERTS)["Content-Type"] == "application/json"
    assert client.get(ALERTS)["X-Content-Type-Options"] == "nosniff"


def test_a_delivery_shows_its_state(api: Callable[..., Client], settings: Settings) -> None:
    settings.DB_ALERT_EMAIL_RECIPIENTS = ["ada@example.com"]
    number = fire()
    (row,) = check(api(), "GET", "alerts/")["results"]
    assert [(sent["channel"], sent["status"], sent["sent_at"]) for sent in row["notifications"]] == [
        ("email", "pending", None)
    ]
    assert Delivery.objects.get().episode_id == number


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "alert_id": st.integers(0, 3) | JSON,
        "note": JSON,
        "database": st.sampled_from(["shop", "nope", ""]) | JSON,
        "metric": st.sampled_from(["up", "flavor", ""]) | JSON,
        "duration_minutes": st.floats() | JSON,
        "reason": JSON,
        "suppression_id": st.integers(0, 3) | JSON,
        "channels": st.lists(st.text(max_size=5)) | JSON,
    },
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=NEARLY | JSON, keys=st.sampled_from([
    ("acknowledge/", ("alert_id", "note")), ("suppress/", ("database", "metric", "duration_minutes", "reason")),
    ("suppress/end/", ("suppression_id",)), ("test-channels/", ("channels",)),
]))  # fmt: skip
def test_any_json_is_answered(
    api: Callable[..., Client], body: Any, keys: tuple[str, tuple[str, ...]]
) -> None:
    client = api("superuser")
    cache.clear()
    path, known = keys
    narrowed = {name: body[name] for name in known if name in body} if isinstance(body, dict) else body
    for given_body in (body, narrowed):
        assert post(client, ALERTS + path, given_body).status_code in (200, 400, 404, 409)
