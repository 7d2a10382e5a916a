"""Channels that are made, switched off and removed while a monitor runs: its delivery follows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.receiver import Receiver
from tests.support.service import Service
from tests.support.web import Web

RAISE = """
from datetime import UTC, datetime
from dbvigil.alert import Alert
from dbvigil.alerting.service import get_database_alerting
now = datetime.now(UTC)
get_database_alerting().send_alert(Alert(
    id=0, database="shop", metric="{metric}", severity="critical", status="firing", value=97.0, threshold=95.0,
    message="raised by a test", started_at=now, last_seen_at=now))
"""


@pytest.fixture
def running(service: Service, web: Callable[[], Web]) -> tuple[Service, Web]:
    """A delivery process and a web process of one service; messages may go to this machine."""
    service.extra = {"DB_ALERT_ALLOWED_NETWORKS": "127.0.0.0/8"}
    site = web()
    service.popen(sys.executable, "manage.py", "database_monitor", "deliver")
    return service, site


def made(site: Web, name: str, url: str) -> None:
    status, body = site.post("alerts/channels/", {"name": name, "kind": "webhook", "url": url})
    assert status == 200, body


def sent(service: Service, channel: str) -> list[tuple[Any, ...]]:
    return service.rows(
        "SELECT status, attempts FROM dbvigil_delivery WHERE channel = ? ORDER BY id", channel
    )


def test_a_running_delivery_follows_what_people_change(
    running: tuple[Service, Web], receiver: Receiver
) -> None:
    service, site = running
    made(site, "ops", receiver.url)
    service.python(RAISE.format(metric="first"))
    service.wait_for(lambda: sent(service, "ops") == [("sent", 1)])
    assert site.send("PATCH", "alerts/channels/ops/", {"active": False}, "superuser")[0] == 200
    service.python(RAISE.format(metric="while it is off"))
    assert site.send("PATCH", "alerts/channels/ops/", {"active": True}, "superuser")[0] == 200
    service.python(RAISE.format(metric="after it"))
    service.wait_for(lambda: sent(service, "ops") == [("sent", 1), ("sent", 1)])
    assert set(receiver.told("alert.fired")) == {"first", "after it"}


def test_what_waits_for_a_channel_that_is_removed_is_told_on_another(
    running: tuple[Service, Web], receiver: Receiver
) -> None:
    service, site = running
    made(site, "gone", "http://127.0.0.1:9/")
    service.python(RAISE.format(metric="first"))
    service.wait_for(lambda: any(attempts for _, attempts in sent(service, "gone")))
    made(site, "ops", receiver.url)
    assert site.send("DELETE", "alerts/channels/gone/", None, "superuser")[0] == 200
    service.wait_for(lambda: sent(service, "ops") == [("sent", 1)])
    assert [status for status, _ in sent(service, "gone")] == ["failed"]
    assert set(receiver.told("alert.fired")) == {"first"}


def test_a_private_address_is_refused_unless_it_is_allowed(
    service: Service, web: Callable[[], Web], receiver: Receiver
) -> None:
    site = web()
    made(site, "ops", receiver.url)
    status, body = site.post("alerts/test-channels/", {"channels": ["ops"]})
    assert (status, body["results"]["ops"]["ok"]) == (200, False)
    assert "DB_ALERT_ALLOWED_NETWORKS" in body["results"]["ops"]["detail"]
    assert receiver.messages == []
