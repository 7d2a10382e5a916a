"""The API on the running service: wishes reach the monitor, and polling never reaches a monitored server."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dbvigil.sandbox import PrivateServer
from tests.support.blocked import until_alone
from tests.support.servers import monitoring_url
from tests.support.service import Service
from tests.support.web import Web

POLLED = ("health/", "metrics/", "dashboard/", "metrics/shop/history/", "config/")


def questions(server: PrivateServer) -> Callable[[], int]:
    """How many statements the server has been sent, over one connection, this one included. Waits until it is the only one."""
    connection = server.connect()

    until_alone(connection)

    def ask() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS LIKE 'Questions'")
            row = cursor.fetchone()
        assert row is not None
        return int(row["Value"])

    return ask


def test_fifty_clients_never_reach_the_server(
    service: Service, web: Callable[[], Web], private_server: Callable[..., PrivateServer]
) -> None:
    server = private_server("mariadb-10.11")
    service.targets = {"shop": monitoring_url(server)}
    site = web()
    assert site.post("control/", {"action": "collect"})[0] == 200
    assert site.get("metrics/")[1]["databases"]["shop"]["up"] is True
    asked = questions(server)
    before = asked()
    with ThreadPoolExecutor(50) as pool:
        statuses = set(pool.map(lambda path: site.get(path)[0], POLLED * 50))
    assert statuses == {200}
    assert asked() - before == 1


def test_wishes_reach_a_monitor_in_another_process(
    service: Service, web: Callable[[], Web], private_server: Callable[..., PrivateServer]
) -> None:
    service.targets = {"shop": monitoring_url(private_server("mariadb-10.11"))}
    site = web()
    assert site.post("control/", {"action": "start", "interval": 3600})[1]["interval_seconds"] == 3600
    service.wait_for(
        lambda: site.get("health/")[1]["databases"]["shop"]["last_sample"], 10, "no first sample"
    )
    count = service.samples("shop")
    assert site.post("control/", {"action": "collect"})[0] == 200
    service.wait_for(lambda: service.samples("shop") > count, 3, "no sample was taken")
    site.post("control/", {"action": "restart", "interval": 1})
    count = service.samples("shop")
    service.wait_for(lambda: service.samples("shop") > count + 1, 8, "the interval is not obeyed")
    status, answer = site.post("control/", {"action": "stop"})
    assert (status, answer["running"], answer["since"]) == (200, False, None)
    assert site.post("control/", {"action": "stop"}, role="staff")[0] == 403
