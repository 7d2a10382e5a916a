"""A restart is told where the server was seen before it; a server that has just been started for the first time is not."""

from __future__ import annotations

from tests.live.test_alert_end_to_end import wait_for, watch
from tests.support.receiver import Receiver
from tests.support.servers import PrivateServers
from tests.support.service import Service


def about_uptime(service: Service) -> list[int]:
    history = service.command("alerts", "--hours", "1")["history"]
    return [alert["id"] for alert in history if alert["metric"] == "uptime"]


def test_a_restart_is_told_once_and_a_first_start_never(
    service: Service, private_server: PrivateServers, release: str, receiver: Receiver
) -> None:
    server = private_server(release)
    watch(service, server, receiver, 1)
    assert service.command("metrics")["databases"]["shop"]["uptime"] < 300
    service.manage("database_monitor", "stop")
    service.start_monitor("--interval", "1")
    taken = service.samples("shop")
    service.wait_for(lambda: service.samples("shop") >= taken + 2)
    assert about_uptime(service) == []
    server.kill()
    server.start()
    fired = wait_for(receiver, "alert.fired", "uptime")
    assert fired["value"] < 300 and "restarted" in fired["message"]
    # Another monitor, to which the server is as young, knows of the alert and raises no second one.
    service.manage("database_monitor", "stop")
    service.start_monitor("--interval", "1")
    taken = service.samples("shop")
    service.wait_for(lambda: service.samples("shop") >= taken + 2)
    assert about_uptime(service) == [fired["id"]]
