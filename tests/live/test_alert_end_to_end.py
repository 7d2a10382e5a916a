"""From a real fault on a real server to a real receiver, and back."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from dbvigil.sandbox import PrivateServer
from tests.support.receiver import Receiver
from tests.support.servers import PrivateServers, monitoring_url
from tests.support.service import Service
from tests.support.waiting import PATIENCE


@pytest.fixture
def watched(
    service: Service, private_server: PrivateServers, release: str, receiver: Receiver
) -> tuple[Service, PrivateServer]:
    """A service that samples a server of each release every 30 s and tells the receiver."""
    server = private_server(release)
    watch(service, server, receiver, 30)
    return service, server


def watch(service: Service, server: PrivateServer, receiver: Receiver, interval: int) -> None:
    service.targets = {"shop": monitoring_url(server)}
    service.extra = {**service.extra, "DB_ALERT_WEBHOOK_URL": receiver.url}
    service.start_monitor("--interval", str(interval))
    service.wait_for(lambda: service.samples("shop") >= 2)


def wait_for(receiver: Receiver, kind: str, metric: str, seconds: float = PATIENCE) -> dict[str, Any]:
    """The first alert of a type about a metric that arrives."""
    deadline = time.monotonic() + seconds
    while True:
        for _, body in list(receiver.messages):
            for alert in Receiver.alerts(body):
                if body["type"] == kind and alert["metric"] == metric:
                    return alert
        assert time.monotonic() < deadline, f"no {kind} about {metric}: {receiver.messages}"
        time.sleep(0.01)


def test_a_killed_server_is_told_at_once_and_its_return_too(
    watched: tuple[Service, PrivateServer], receiver: Receiver
) -> None:
    service, server = watched
    server.kill()
    fired = wait_for(receiver, "alert.fired", "up")
    assert (fired["database"], fired["severity"], fired["status"], fired["value"]) == (
        "shop",
        "critical",
        "firing",
        False,
    )
    assert "does not answer" in fired["message"]
    assert fired["recommendations"]
    server.start()
    over = wait_for(receiver, "alert.resolved", "up")
    assert over["id"] == fired["id"]
    assert over["duration_seconds"] > 0
    told = service.command("alerts", "--hours", "1")
    assert [alert["metric"] for alert in told["results"] if alert["metric"] == "up"] == []


def test_a_hung_server_is_told_within_its_time_limit(
    service: Service, private_server: PrivateServers, receiver: Receiver
) -> None:
    server = private_server("mariadb-10.11")
    watch(service, server, receiver, 2)
    server.pause()
    assert wait_for(receiver, "alert.fired", "up")["severity"] == "critical"
    server.resume()
    wait_for(receiver, "alert.resolved", "up")


def test_many_connections_are_told_with_their_holders(
    service: Service, private_server: PrivateServers, receiver: Receiver
) -> None:
    server = private_server("mariadb-10.11", options={"max-connections": "40"})
    rules = {"connection_usage": {"hold": 1, "critical_hold": 1, "keep": 1}}
    service.extra = {
        "DB_ALERT_RULES": json.dumps(rules),
        "DB_ALERT_CONNECTION_WARNING": "20",
        "DB_ALERT_CONNECTION_CRITICAL": "50",
    }
    # All of them before the first sample: one that falls between two of them finds a warning first.
    held = [server.connect() for _ in range(30)]
    watch(service, server, receiver, 1)
    fired = wait_for(receiver, "alert.fired", "connection_usage")
    assert (fired["severity"], fired["threshold"]) == ("critical", 50.0)
    assert fired["value"] >= 75
    holder = fired["evidence"]["connections"][0]
    assert (holder["user"], holder["connections"], holder["sleeping"]) == ("root", 30, 30)
    for connection in held:
        connection.close()
    assert wait_for(receiver, "alert.resolved", "connection_usage")["id"] == fired["id"]
