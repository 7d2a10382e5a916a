"""A monitor that is killed is told of by another process that delivers, and the heartbeat stops."""

from __future__ import annotations

import signal
import sys

from tests.support.receiver import Receiver
from tests.support.service import Service
from tests.support.waiting import wait_for


def test_a_monitor_that_was_killed_is_told_by_another_process(service: Service, receiver: Receiver) -> None:
    service.targets = {"shop": "mysql://dbvigil:hidden@127.0.0.1:1/"}
    service.extra = {"DB_ALERT_WEBHOOK_URL": receiver.url}
    monitor = service.start_monitor("--interval", "1")
    service.popen(sys.executable, "manage.py", "database_monitor", "deliver")
    wait_for(lambda: receiver.told("alert.fired")["up"], "the first alert")
    monitor.send_signal(signal.SIGKILL)
    wait_for(lambda: receiver.told("alert.fired")["monitor_running"], "the monitor's own end", 40)
    service.start_monitor("--interval", "1")
    wait_for(lambda: receiver.told("alert.resolved")["monitor_running"], "its return", 40)
    assert receiver.told("alert.fired")["monitor_running"] == 1


def test_a_heartbeat_comes_from_a_monitor_while_all_is_well(service: Service, receiver: Receiver) -> None:
    service.targets = {"shop": "mysql://dbvigil:hidden@127.0.0.1:1/"}
    service.extra = {"DB_ALERT_HEARTBEAT_URL": receiver.url.replace("/hook", "/beat")}
    service.start_monitor("--interval", "1")
    wait_for(lambda: receiver.beats, "a heartbeat")
