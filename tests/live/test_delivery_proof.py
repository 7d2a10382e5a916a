"""Nothing is lost: real delivery processes killed by SIGKILL at every step, and a real HTTP sink that kills them.

What is sent is judged by the sink alone: every alert arrives, a message that comes twice has the same id, and nothing is
over before it fired.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from dbvigil.alerting.outbox import LEASE_SECONDS
from tests.support.receiver import Receiver
from tests.support.service import Service
from tests.support.waiting import PATIENCE

ALERTS = 1_000
WORKERS = 3

RAISE = """
import sys
from core.database_alerting import Alert, get_database_alerting
from datetime import datetime, timezone
alerting = get_database_alerting()
for number in range({first}, {last}):
    now = datetime.now(timezone.utc)
    alerting.send_alert(Alert(0, f"shop-{{number % 50}}", f"trouble-{{number}}", "critical", "firing", 1.0, 0.5, "it broke", now, now))
    print(number, flush=True)
"""
RESOLVE = """
from core.database_alerting import get_database_alerting
alerting = get_database_alerting()
for alert in reversed(alerting.get_active_alerts()):
    alerting.resolve_alert(alert.id, "mended")
"""


class Workers:
    """Delivery processes; one that is killed is followed by a new one."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._running: list[subprocess.Popen[str]] = []
        self._lock = threading.Lock()
        self.kills = 0
        self.closed = False
        for _ in range(WORKERS):
            self._start()

    def kill_one(self) -> None:
        """SIGKILL to the one that is longest at it, and a new one in its place."""
        with self._lock:
            if self.closed:
                return
            process = self._running.pop(0)
            process.kill()
            process.wait()
            self.kills += 1
            self._start()

    def _start(self) -> None:
        self._running.append(self._service.popen(sys.executable, "manage.py", "database_monitor", "deliver"))

    def close(self) -> None:
        with self._lock:
            self.closed = True
            for process in self._running:
                process.send_signal(signal.SIGTERM)
            for process in self._running:
                process.wait(PATIENCE)


@pytest.mark.timeout(600)
def test_a_thousand_alerts_survive_sigkill_at_every_step(service: Service, receiver: Receiver) -> None:
    service.extra = {"DB_ALERT_WEBHOOK_URL": receiver.url}
    workers = Workers(service)
    try:
        # At these requests the sender is killed with its bytes sent and no answer, or with the answer on its way.
        receiver.before_answer = lambda number: workers.kill_one() if number in (2, 5, 9, 14) else None
        receiver.after_answer = lambda number: workers.kill_one() if number in (3, 7, 11) else None
        _raise_with_a_kill(service, workers)
        _kill_at_claims(service, workers)
        _await(service, lambda: len(receiver.told("alert.fired")) >= ALERTS)
        phase = receiver.requests
        receiver.before_answer = lambda number: workers.kill_one() if number - phase in (1, 4, 8) else None
        receiver.after_answer = lambda number: workers.kill_one() if number - phase in (2, 6) else None
        _run_to_its_end(service, RESOLVE)
        _await(service, lambda: len(receiver.told("alert.resolved")) >= ALERTS)
        _await(service, lambda: not service.rows("SELECT 1 FROM dbvigil_delivery WHERE status <> 'sent'"))
    finally:
        workers.close()
    _judge(receiver, workers.kills)
    verdict = service.manage("database_monitor", "verify-audit")
    assert verdict.returncode == 0
    assert workers.kills >= 8


def _raise_with_a_kill(service: Service, workers: Workers) -> None:
    """Raises the alerts; the process that does is killed in the middle, and goes on where it cannot be sure."""
    first = service.popen(
        sys.executable, "manage.py", "shell", "--no-imports", "-c", RAISE.format(first=0, last=ALERTS)
    )
    assert first.stdout is not None
    done = 0
    for line in first.stdout:
        done = int(line)
        if done == ALERTS // 3:
            first.kill()
            break
    first.wait()
    _run_to_its_end(service, RAISE.format(first=done, last=ALERTS))


def _run_to_its_end(service: Service, code: str) -> None:
    """However long a busy machine takes for a thousand alerts, beside those who deliver them."""
    process = service.popen(sys.executable, "manage.py", "shell", "--no-imports", "-c", code)
    assert process.stdout is not None
    process.stdout.read()
    assert process.wait(PATIENCE) == 0, service.log()


def _kill_at_claims(service: Service, workers: Workers) -> None:
    """Kills a worker that has claimed a message, as soon as one is seen to have."""
    for _ in range(3):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if service.rows("SELECT 1 FROM dbvigil_delivery WHERE status = 'sending' LIMIT 1"):
                workers.kill_one()
                break
            time.sleep(0.001)


def _await(service: Service, done: Callable[[], bool]) -> None:
    service.wait_for(done, 3 * LEASE_SECONDS + 30, "not everything was delivered")


def _judge(receiver: Receiver, kills: int) -> None:
    fired, resolved = receiver.told("alert.fired"), receiver.told("alert.resolved")
    wanted = {f"trouble-{number}" for number in range(ALERTS)}
    assert set(fired) == wanted, "lost"
    assert set(resolved) == wanted, "lost"
    messages = [identity for identity, _ in receiver.messages]
    twice = sum(count - 1 for count in Counter(messages).values())
    # Three workers with one channel each: what was in flight at a kill is at most three messages.
    assert twice <= WORKERS * kills
    by_event: dict[tuple[str, str], set[str]] = {}
    for identity, body in receiver.messages:
        for alert in Receiver.alerts(body):
            by_event.setdefault((body["type"], alert["metric"]), set()).add(identity)
    assert all(len(identities) == 1 for identities in by_event.values()), (
        "a duplicate under another message id"
    )
    over: set[str] = set()
    told: set[str] = set()
    for _, body in receiver.messages:
        for alert in Receiver.alerts(body):
            if body["type"] == "alert.fired":
                told.add(alert["metric"])
            elif body["type"] == "alert.resolved":
                over.add(alert["metric"])
                assert alert["metric"] in told, "over before it fired"
    bodies: dict[str, dict[str, Any]] = {}
    for identity, body in receiver.messages:
        assert bodies.setdefault(identity, body)["data"] == body["data"], "another message under the same id"
