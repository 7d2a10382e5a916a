"""What the API answers: the monitor's own words, in the shape that the schema promises, without a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from dbvigil.history.django_db import DjangoHistory
from dbvigil.models import MonitorControl, StoredThreshold
from dbvigil.types import DatabaseMetrics
from tests.support.api import BASE, seed, seed_all_kinds

PASSWORD = "s3cr3t-Pässwörd"


def check(client: Client, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """The answer of 200, checked against the published schema."""
    document = client.get(f"{BASE}schema/").json()
    template = path.split("?", maxsplit=1)[0].replace("shop/history", "{database}/history")
    template = re.sub(r"windows/\d+", "windows/{window_id}", template)
    declared = document["paths"][BASE + template][method.lower()]
    data = b"" if body is None else json.dumps(body).encode()
    answer = client.generic(method, BASE + path, data, content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/json"
    schema = declared["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.Draft202012Validator(
        {**schema, "components": document["components"]}, format_checker=jsonschema.FormatChecker()
    ).validate(answer.json())
    return answer.json()


def test_metrics(api: Callable[..., Client]) -> None:
    seed_all_kinds()
    answer = check(api(), "GET", "metrics/")
    assert set(answer["databases"]) == {"shop", "shop-replica", "gone", "stale", "new"}
    shop = answer["databases"]["shop"]
    assert shop["connections"] == 7
    assert shop["status"] == "healthy"
    assert shop["health_score"] == 100
    assert shop["cpu_usage"] is None
    assert answer["databases"]["gone"]["up"] is False
    assert answer["databases"]["new"]["up"] is None
    one = check(api(), "GET", "metrics/?database=gone")
    assert set(one["databases"]) == {"gone"}


def test_health(api: Callable[..., Client]) -> None:
    seed_all_kinds()
    answer = check(api(), "GET", "health/")
    assert answer["status"] == "down"
    assert answer["score"] == 0
    databases = answer["databases"]
    assert databases["shop"]["reasons"] == []
    assert databases["shop-replica"]["status"] == "critical"
    assert databases["stale"]["status"] == "unknown"
    assert databases["stale"]["age_seconds"] >= 3600
    assert databases["new"]["last_sample"] is None
    assert answer["monitor"]["running"] is False


def test_nothing_is_monitored(api: Callable[..., Client]) -> None:
    assert check(api(), "GET", "metrics/")["databases"] == {}
    assert check(api(), "GET", "health/")["status"] == "unknown"
    assert check(api(), "GET", "dashboard/")["trends"] == {}


def history(alias: str) -> None:
    now = datetime.now(UTC)
    DjangoHistory().save(
        [
            DatabaseMetrics(alias, now - timedelta(seconds=30 * step), up=True, connections=step, uptime=1.5)
            for step in range(20)
        ]
    )


def test_history(api: Callable[..., Client]) -> None:
    seed("shop")
    history("shop")
    answer = check(api(), "GET", "metrics/shop/history/?hours=1&metric=connections,uptime,connections")
    assert (answer["database"], answer["hours"]) == ("shop", 1)
    assert set(answer["series"]) == {"connections", "uptime"}
    points = answer["series"]["connections"]
    assert [point[0] for point in points] == sorted(point[0] for point in points)
    assert all(least <= average <= most for _, average, least, most in points)
    assert len(check(api(), "GET", "metrics/shop/history/")["series"]) > 40
    minutes = check(api(), "GET", "metrics/shop/history/?hours=1&metric=uptime&resolution=60")
    assert minutes["resolution_seconds"] == 60


def test_dashboard(api: Callable[..., Client]) -> None:
    seed_all_kinds()
    history("shop")
    answer = check(api(), "GET", "dashboard/")
    assert set(answer["replication"]) == {"shop-replica"}
    assert answer["trends"]["shop"]["queries_rate"] == []
    assert answer["health"]["status"] == "down"


def test_a_threshold_is_kept_and_shown(api: Callable[..., Client]) -> None:
    seed("shop")
    client = api("superuser")
    body = {"metric": "connection_usage", "warning": 3, "critical": None, "database": "shop"}
    answer = check(client, "POST", "config/threshold/", body)
    assert answer["previous"] == {"warning": 80.0, "critical": 95.0, "source": "default"}
    assert StoredThreshold.objects.get().changed_by == "root"
    rows = check(api(), "GET", "config/")["thresholds"]
    assert [row for row in rows if row["database"] == "shop"] == [
        {
            "metric": "connection_usage",
            "database": "shop",
            "warning": 3.0,
            "critical": None,
            "source": "stored",
        }
    ]
    assert check(api(), "GET", "health/")["databases"]["shop"]["status"] == "warning"
    fresh = {"metric": "load1", "warning": 4, "critical": 8, "database": None}
    assert check(client, "POST", "config/threshold/", fresh)["previous"] is None


def test_control_sets_the_interval(api: Callable[..., Client]) -> None:
    answer = check(api("superuser"), "POST", "control/", {"action": "stop", "interval": 12.5})
    assert answer == {"running": False, "interval_seconds": 12.5, "since": None}
    control = MonitorControl.objects.get()
    assert (control.interval, control.stops) == (12.5, 1)


@pytest.mark.parametrize("role", ["reader", "superuser"])
def test_no_answer_has_a_secret(api: Callable[..., Client], settings: Settings, role: str) -> None:
    quoted = "s3cr3t-P%C3%A4ssw%C3%B6rd"
    settings.DB_MONITORING_TARGETS = {"shop": f"mysql://watch:{quoted}@db1:3306/?ssl-mode=required"}
    seed("shop")
    client = api(role)
    paths = [
        "metrics/",
        "metrics/shop/history/",
        "health/",
        "dashboard/",
        "config/",
        "schema/",
        "docs/",
        "nothing/",
    ]
    answers = [client.get(BASE + path) for path in paths] + [client.get("/metrics")]
    answers += [
        client.post(BASE + path, {"action": "x", "metric": "x"}, content_type="application/json")
        for path in ("control/", "config/threshold/")
    ]
    texts = "\n".join(f"{answer.headers}\n{answer.content.decode()}" for answer in answers)
    for secret in (PASSWORD, quoted, quoted.lower(), "s3cr3t", client.token):  # type: ignore[attr-defined]
        assert secret not in texts
    shown = client.get(f"{BASE}config/").json()["settings"]["DB_MONITORING_TARGETS"]["value"]
    assert shown == {"shop": "mysql://watch:***@db1:3306/"}


def test_the_service_database_fails(api: Callable[..., Client]) -> None:
    client = api("superuser")
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE dbvigil_targetstate RENAME TO away")
    for path in ("metrics/", "health/", "dashboard/", "metrics/shop/history/"):
        answer = client.get(BASE + path)
        assert answer.status_code == 503
        assert answer["Content-Type"] == "application/problem+json"
        assert int(answer["Retry-After"]) > 0
        assert answer.json()["type"] == "urn:dbvigil:problem:service-database-unavailable"
        assert "away" not in answer.content.decode() and "targetstate" not in answer.content.decode()
    assert client.get("/metrics").status_code == 503


def test_a_wrong_setting_is_the_services_fault(api: Callable[..., Client], settings: Settings) -> None:
    settings.DB_MONITORING_INTERVAL = "soon"
    answer = api().get(f"{BASE}health/")
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:dbvigil:problem:misconfigured"
    assert "DB_MONITORING_INTERVAL" in answer.json()["detail"]
