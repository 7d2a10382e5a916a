"""A replica that stops, from the server to people: the alert says what is wrong with it, and what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dbvigil.sandbox import attach_replica, wait_until_caught_up
from tests.support import breaking
from tests.support.breaking import Pair
from tests.support.servers import PrivateServers, monitoring_url
from tests.support.service import Service


@pytest.mark.parametrize("name", ["mysql-9.7", "mariadb-10.11"])
def test_an_alert_has_cause_findings_and_what_to_do(
    service: Service, private_server: PrivateServers, name: str
) -> None:
    source = breaking.server(private_server, name)
    pair = Pair(source, breaking.server(private_server, name, read_only="ON"))
    breaking.item_table(source)
    attach_replica(source, pair.replica)
    wait_until_caught_up(pair.replica, source)
    service.targets = {"shop": monitoring_url(source), "shop-replica": monitoring_url(pair.replica)}
    service.extra |= {
        "DB_MONITORING_INTERVAL": "1",
        "DB_ALERT_RULES": json.dumps({"replication_running": {"hold": 0}}),
    }
    service.start_monitor()
    service.wait_for(lambda: service.samples("shop-replica") >= 2 and service.samples("shop") >= 2)
    breaking.duplicate_key(pair)
    told: list[Any] = []

    def alerts() -> list[Any]:
        told[:] = service.command("alerts")["results"]
        return told

    service.wait_for(alerts, 60, "no alert")
    (alert,) = told
    assert (alert["database"], alert["metric"]) == ("shop-replica", "replication_running")
    (channel,) = alert["evidence"]["replication"]
    assert (channel["sql_running"], channel["cause"]) == ("No", "the applier does not run")
    (finding,) = alert["evidence"]["replication_findings"]
    assert finding["finding"] == "duplicate_key"
    assert "sql_log_bin = 0" in finding["fix"]

    def findings() -> list[tuple[str, str]]:
        found = service.command("topology")["findings"]
        return [(one["database"], one["id"]) for one in found if one["severity"] != "info"]

    # An alert is written before what is told of the topology.
    service.wait_for(lambda: findings() == [("shop-replica", "duplicate_key")], what="no finding, or another")
