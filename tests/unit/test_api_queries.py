"""Slow queries and deployments through the API: what is answered, who may, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from dbvigil.models import TargetState
from dbvigil.queries.figures import Figures
from dbvigil.slow_queries import storing
from dbvigil.slow_queries.collecting import Collected, Description
from dbvigil.slow_queries.log_source import Name
from dbvigil.slow_queries.packing import Cost, Window
from tests.support.api import BASE

pytestmark = pytest.mark.django_db

NAME: Name = ("digest", "shop", "d1")
TEXT = Description(
    "SELECT * FROM `orders` WHERE `total` = ?", "select * from `orders` where `total` = ?", "A" * 16, "P1"
)


@pytest.fixture(autouse=True)
def kept(settings: Any) -> None:
    settings.DB_MONITORING_TARGETS = dict.fromkeys(("shop", "other"), "mysql://u:p@127.0.0.1:1/")
    for alias in ("shop", "other"):
        TargetState.objects.create(alias=alias, holder="a", token=1)
    figures = Figures(
        60, 30.0, rows_examined=6_000_000, rows_sent=60, no_index_used=60, last_seen=datetime.now(UTC)
    )
    window = Window(60.0, 100, 60.0, {NAME: Cost(figures)})
    found = Collected(
        datetime.now(UTC), {"digest": window}, {NAME: TEXT}, {}, trouble={"slow_log": "it is elsewhere"}
    )
    assert storing.save("shop", "a", 1, found, {})


def test_a_reader_sees_what_costs_most(api: Callable[..., Client]) -> None:
    body = api("reader").get(f"{BASE}slow-queries/").json()
    assert body["count"] == 1
    assert body["trouble"] == {"shop": {"slow_log": "it is elsewhere"}}
    (one,) = body["results"]
    assert (one["query"], one["database"], one["count"], one["share_of_load"]) == (
        TEXT.query,
        "shop",
        60,
        50.0,
    )
    assert one["severity"] == "high"
    assert {"select_star", "no_index_share"} <= set(one["patterns"])
    assert [row["rule"] for row in one["recommendations"]] == one["patterns"]
    assert one["last_seen"].endswith("Z")
    (worst,) = api("reader").get(f"{BASE}dashboard/").json()["slow_queries"]
    assert worst["query_id"] == one["query_id"]


def test_filters(api: Callable[..., Client]) -> None:
    def count(query: str) -> int:
        found: int = api("reader").get(f"{BASE}slow-queries/?{query}").json()["count"]
        return found

    assert count("database=shop") == 1
    assert count("database=other") == 0
    assert count("severity=high") == 1
    assert count("severity=critical") == 0
    assert count("hours=0.5&limit=1") == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("hours=0", "hours"),
        ("hours=nan", "hours"),
        ("hours=99999", "hours"),
        ("severity=worst", "severity"),
        ("databas=shop", "databas"),
    ],
)
def test_a_bad_value_is_named(api: Callable[..., Client], query: str, field: str) -> None:
    answer = api("reader").get(f"{BASE}slow-queries/?{query}")
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_an_unknown_database_is_missing(api: Callable[..., Client]) -> None:
    for address in ("slow-queries/?database=nowhere", "deployments/?database=nowhere"):
        assert api("reader").get(f"{BASE}{address}").status_code == 404
    answer = api("staff").post(
        f"{BASE}deployments/", {"name": "v1", "database": "nowhere"}, "application/json"
    )
    assert answer.status_code == 404


def test_staff_put_deployments_on_record(api: Callable[..., Client]) -> None:
    sent = {"name": "v1.2", "database": "shop", "minutes_ago": 5}
    assert api("reader").post(f"{BASE}deployments/", sent, "application/json").status_code == 403
    made = api("staff").post(f"{BASE}deployments/", sent, "application/json").json()
    assert (made["name"], made["database"]) == ("v1.2", "shop")
    assert made["by"]
    body = api("reader").get(f"{BASE}deployments/").json()
    assert body == {"count": 1, "results": [made]}
    assert api("reader").get(f"{BASE}deployments/?database=other").json()["count"] == 0
    (one,) = api("reader").get(f"{BASE}slow-queries/").json()["results"]
    assert one["since_deployment"]["name"] == "v1.2"


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "v", "minutes_ago": -1}, "minutes_ago"),
        ({"name": "v", "when": 1}, "when"),
    ],
)
def test_a_deployment_that_is_none_is_refused(
    api: Callable[..., Client], sent: dict[str, object], field: str
) -> None:
    answer = api("staff").post(f"{BASE}deployments/", sent, "application/json")
    assert answer.status_code == 400
    assert field in answer.json()["errors"]
