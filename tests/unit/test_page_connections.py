"""The page of connections, and pictures of lag: what they show of what is stored, whatever a server or a process calls itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dbvigil.connections.storing import Seen, save
from dbvigil.models import TargetState
from dbvigil.pages.charts import HEIGHT, WIDTH, chart
from tests.unit.test_api_connections import FIGURES, GROUP, process
from tests.unit.test_pages import check_headers, signed_in

ADDRESS = "/core/monitoring/connections/"
END = datetime(2026, 1, 31, 12, tzinfo=UTC)
POOL = {
    "name": "<b>reports</b>",
    "database": "shop",
    "open": 7,
    "in_use": 1,
    "size": 7,
    "limit": 7,
    "checkouts": 1_234,
    "waits": 20,
    "refused": 2,
    "highest": 7,
    "wait_seconds_mean": 1.5,
    "wait_seconds_longest": 4.0,
}


@pytest.fixture
def kept(settings: Any, db: None) -> None:
    settings.DB_MONITORING_TARGETS = dict.fromkeys(("shop", "other"), "mysql://u:p@127.0.0.1:1/")
    for alias in ("shop", "other"):
        TargetState.objects.create(alias=alias, holder="a", token=1)
    hostile = {**GROUP, "program": "<script>alert(1)</script>"}
    assert save("shop", "a", 1, Seen(datetime.now(UTC), [hostile], FIGURES))


def shown(query: str = "") -> str:
    answer = signed_in(User.objects.create_user("ada")).get(ADDRESS + query)
    check_headers(answer)
    return answer.content.decode()


@pytest.mark.usefixtures("kept")
def test_both_sides_leaks_and_advice() -> None:
    process(pools=[POOL])
    text = shown()
    for fact in (
        "<dd>9 of 10</dd>",
        "90.0 % of the limit",
        '<td data-name="User">shop</td>',
        '<td data-name="Process">gunicorn (7)</td>',
        '<td data-name="Requests">1,234</td>',
        '<td data-name="Longest wait">4 s</td>',
        "OperationalError 1045: 1",
        "refused 2 of 1,234 requests",
        "Its server has not told yet",
    ):
        assert fact in text, fact
    assert "<script>" not in text
    assert "<b>" not in text


@pytest.mark.usefixtures("kept")
def test_one_database_and_none_that_is_unknown() -> None:
    client = signed_in(User.objects.create_user("ada"))
    assert "Its server has not told yet" not in client.get(ADDRESS + "?database=shop").content.decode()
    assert client.get(ADDRESS + "?database=none").status_code == 404
    assert Client().get(ADDRESS).status_code == 302


@pytest.mark.usefixtures("kept")
def test_what_is_switched_off_is_said(settings: Any) -> None:
    assert "CONNECTION_MONITORING_ENABLED is off" not in shown()
    settings.CONNECTION_MONITORING_ENABLED = False
    answer = Client()
    answer.force_login(User.objects.get(username="ada"))
    assert "CONNECTION_MONITORING_ENABLED is off" in answer.get(ADDRESS).content.decode()


def point(minutes: float, mean: float, least: float | None = None, most: float | None = None) -> list[Any]:
    """`minutes` before the end."""
    moment = (END - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    return [moment, mean, mean if least is None else least, mean if most is None else most]


def test_a_picture_has_a_line_a_band_and_a_scale() -> None:
    drawn = chart([point(60, 0), point(30, 5, 0, 10), point(0, 10)], END - timedelta(hours=1), END, 1800, 5)
    assert drawn.highest == 10
    assert drawn.lines == (f"0.0,{HEIGHT}.0 {WIDTH / 2},48.0 {WIDTH}.0,0.0",)
    assert drawn.bands == (
        f"0.0,{HEIGHT}.0 {WIDTH / 2},0.0 {WIDTH}.0,0.0 {WIDTH}.0,0.0 {WIDTH / 2},{HEIGHT}.0 0.0,{HEIGHT}.0",
    )
    assert drawn.last == 10


def test_what_nobody_knows_is_a_gap() -> None:
    points = [point(60, 1), point(59, 1), point(58, 1), point(20, 1), point(19, 1)]
    assert len(chart(points, END - timedelta(hours=1), END, 60, 5).lines) == 2
    alone = chart([point(30, 1)], END - timedelta(hours=1), END, 60, 5)
    assert len(alone.lines[0].split()) == 2, "one point alone is seen"
    nothing = chart([], END - timedelta(hours=1), END, 60, 5)
    assert (nothing.empty, nothing.last, nothing.highest) == (True, None, 5)
