"""Each token has its own share; a bad token never costs a good one anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from pytest_django.fixtures import Settings

from dbvigil.api import throttling
from dbvigil.api.throttling import FAILED_TOKEN, READ, WRITE, Rate
from tests.support.api import BASE, seed


@pytest.fixture
def one_moment() -> Iterator[None]:
    """Time stands still: no new window, in which the count begins anew, comes in the middle of a test."""
    with time_machine.travel(datetime.now(UTC), tick=False):
        yield


def test_a_rate_counts_by_window() -> None:
    cache.clear()
    rate = Rate("test", 2, 60)
    assert [rate.wait("ada", now) for now in (120.0, 130.0)] == [None, None]
    assert rate.wait("ada", 150.0) == 30.0
    assert rate.wait("grace", 150.0) is None
    assert rate.wait("ada", 180.0) is None


def test_fifty_clients_on_one_token_are_within_the_rate() -> None:
    every_second = 50 * 2
    assert READ.requests / READ.seconds > every_second
    assert WRITE.requests / WRITE.seconds < READ.requests / READ.seconds / 50


@pytest.mark.usefixtures("one_moment")
def test_past_the_rate(api: Callable[..., Client], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttling, "READ", Rate("read", 3, 3600))
    seed("shop")
    client, other = api(), api()
    assert [client.get(f"{BASE}health/").status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = client.get("/metrics")
    assert answer.status_code == 429
    assert answer["Content-Type"] == "application/problem+json"
    assert 1 <= int(answer["Retry-After"]) <= 3600
    assert answer.json()["type"] == "urn:dbvigil:problem:too-many-requests"
    assert other.get(f"{BASE}health/").status_code == 200


@pytest.mark.usefixtures("one_moment")
def test_changes_have_their_own_smaller_share(api: Callable[..., Client]) -> None:
    client = api("superuser")
    path = f"{BASE}control/"
    statuses = [
        client.post(path, {}, content_type="application/json").status_code for _ in range(WRITE.requests)
    ]
    assert set(statuses) == {400}
    assert client.post(path, {}, content_type="application/json").status_code == 429
    assert client.get(f"{BASE}health/").status_code == 200


@pytest.mark.usefixtures("one_moment")
def test_bad_tokens_are_limited_and_good_ones_untouched(api: Callable[..., Client]) -> None:
    bad = Client(headers={"authorization": "Bearer dbvigil_bad"})
    statuses = [bad.get(f"{BASE}health/").status_code for _ in range(FAILED_TOKEN.requests + 1)]
    assert statuses == [401] * FAILED_TOKEN.requests + [429]
    assert api().get(f"{BASE}health/").status_code == 200
    assert Client().get(f"{BASE}health/").status_code == 401


def test_a_cache_that_keeps_nothing_limits_nothing(api: Callable[..., Client], settings: Settings) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    assert api().get(f"{BASE}health/").status_code == 200


def test_a_cache_that_fails_stops_nothing(
    api: Callable[..., Client], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    client = api()
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "no_such_table"}
    }
    seed("shop")
    assert client.get("/metrics").status_code == 200
    assert "requests are not counted" in caplog.text
