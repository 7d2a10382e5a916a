"""A monitor whose wall clock is set an hour forward, and an hour back, while it watches a real server and tells a real receiver."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dbvigil.sandbox import PrivateServer
from tests.support import crowd
from tests.support.moved_clock import move
from tests.support.receiver import Receiver
from tests.support.servers import monitoring_url
from tests.support.service import Service

HOUR = 3600.0


@pytest.mark.timeout(600)
def test_a_clock_that_leaps_either_way_loses_and_doubles_nothing(
    service: Service, mariadb: PrivateServer, receiver: Receiver, tmp_path: Path
) -> None:
    service.targets = {"shop": monitoring_url(mariadb)}
    service.extra |= {**crowd.levels(hold=3), "DB_ALERT_WEBHOOK_URL": receiver.url}
    clock = tmp_path / "clock"
    move(clock, 0)
    monitor = service.popen(
        sys.executable,
        *("-m", "tests.support.moved_clock", str(clock), "database_monitor", "start", "--interval", "1"),
    )
    service.wait_for(lambda: service.runs(monitor.pid), 30, "the monitor does not start")

    def told(kind: str, count: int) -> None:
        service.wait_for(
            lambda: receiver.told(kind)[crowd.METRIC] >= count, 30, f"{kind} was not told {count} times"
        )
        # The receiver has a message a moment before the service has on record that it was sent. A clock that leaps between the two ends
        # the lease on it, and then it is sent once more, as it should be.
        service.wait_for(
            lambda: not service.rows("SELECT 1 FROM dbvigil_delivery WHERE status IN ('pending', 'sending')"),
            what="not all were sent",
        )

    service.wait_for(lambda: service.samples("shop") >= 2)
    with crowd.on(mariadb):
        service.wait_for(lambda: crowd.METRIC in remembered(service), 20, "it is not pending")
        move(clock, HOUR)
        told("alert.fired", 1)
        move(clock, 2 * HOUR)
        # Both steps of the escalation are overdue now.
        told("alert.escalated", 2)
        move(clock, HOUR)
        seen = service.samples("shop")
        service.wait_for(lambda: service.samples("shop") >= seen + 2, 20, "it does not go on sampling")
    told("alert.resolved", 1)
    with crowd.on(mariadb):
        service.wait_for(lambda: crowd.METRIC in remembered(service), 20, "it is not pending again")
        move(clock, 0)
        told("alert.fired", 2)
    told("alert.resolved", 2)
    assert [body["type"] for _, body in receiver.messages] == [
        "alert.fired",
        "alert.escalated",
        "alert.escalated",
        "alert.resolved",
        "alert.fired",
        "alert.resolved",
    ]
    assert len({identity for identity, _ in receiver.messages}) == len(receiver.messages)
    databases = {alert["database"] for _, body in receiver.messages for alert in Receiver.alerts(body)}
    assert databases == {"shop"}, "a leap is no trouble of the monitoring"
    assert service.rows("SELECT DISTINCT status FROM dbvigil_delivery") == [("sent",)]
    assert "Traceback" not in service.log()
    assert monitor.poll() is None
    assert service.manage("database_monitor", "verify-audit").returncode == 0


def remembered(service: Service) -> str:
    """What the engine remembers, as it is stored."""
    ((stored,),) = service.rows("SELECT alert_states FROM dbvigil_targetstate WHERE alias = 'shop'")
    return str(stored or "")
