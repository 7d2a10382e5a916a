"""Alerts across the death of a monitor: another takes over, the same one is started again, or one comes back as a zombie."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from dbvigil.monitoring.leases import LEASE_SECONDS
from dbvigil.sandbox import PrivateServer
from tests.support import crowd
from tests.support.receiver import Receiver
from tests.support.servers import monitoring_url
from tests.support.service import Service

TAKEN_OVER = 2 * LEASE_SECONDS + 3
"""Two leases, and a little for a loaded machine."""
STOPPED = 60.0


@pytest.fixture
def shop(service: Service, mariadb: PrivateServer, receiver: Receiver) -> Service:
    service.targets = {"shop": monitoring_url(mariadb)}
    service.extra |= {**crowd.levels(), "DB_ALERT_WEBHOOK_URL": receiver.url}
    return service


def start(service: Service) -> subprocess.Popen[str]:
    return service.start_monitor("--interval", "1")


def wait_until_held(service: Service, monitor: subprocess.Popen[str]) -> None:
    service.wait_for(lambda: holds(service, monitor), TAKEN_OVER, "it was not taken over within two leases")


def holds(service: Service, monitor: subprocess.Popen[str]) -> bool:
    return f":{monitor.pid}:" in service.holder("shop")


def memory(service: Service) -> dict[str, Any]:
    """What the engine remembers of the rule; empty where there is nothing to remember."""
    ((stored,),) = service.rows("SELECT alert_states FROM dbvigil_targetstate WHERE alias = 'shop'")
    found: dict[str, Any] = json.loads(stored or "{}").get(crowd.METRIC, {})
    return found


def pending_since(service: Service) -> datetime:
    """When its hold began. A sample that fails moves that on by its time, and is no matter of takeovers."""
    return datetime.fromisoformat(memory(service)["critical_since"])


def events(service: Service) -> list[str]:
    """What happened so far to the alert, and to alerting itself, deliveries aside.

    Where a busy machine takes long to start a monitor, that there was none is an alert too.
    """
    sql = """SELECT event FROM dbvigil_auditevent LEFT JOIN dbvigil_episode ON dbvigil_episode.id = episode_id
              WHERE episode_id IS NULL OR metric = ? ORDER BY dbvigil_auditevent.id"""
    found = service.rows(sql, crowd.METRIC)
    return [event for (event,) in found if event not in ("notified", "notify_failed")]


def wait_told(service: Service, receiver: Receiver, kind: str) -> None:
    """Told, and noted: who is killed between the two is followed by another that says it again."""
    service.wait_for(lambda: receiver.told(kind)[crowd.METRIC], 30, f"{kind} was not told")
    on_its_way = "SELECT 1 FROM dbvigil_delivery WHERE status = 'sending'"
    service.wait_for(lambda: not service.rows(on_its_way), 30, f"{kind} was not noted as told")


def told(receiver: Receiver) -> list[tuple[str, int]]:
    """The type of every message about the alert, and its number, in the order in which they came."""
    return [
        (body["type"], alert["id"])
        for _, body in receiver.messages
        for alert in Receiver.alerts(body)
        if alert["metric"] == crowd.METRIC
    ]


# -- two monitors, one killed


@pytest.mark.timeout(600)
def test_a_monitor_that_is_killed_while_an_alert_is_pending_is_followed(
    shop: Service, receiver: Receiver, mariadb: PrivateServer
) -> None:
    shop.extra |= crowd.levels(hold=6)
    first = start(shop)
    wait_until_held(shop, first)
    second = start(shop)
    with crowd.on(mariadb):
        shop.wait_for(lambda: memory(shop).get("critical_since"), 20, "it is not pending")
        killed_at = datetime.now(UTC)
        first.kill()
        wait_until_held(shop, second)
        wait_told(shop, receiver, "alert.fired")
        assert pending_since(shop) < killed_at, "the hold began again"
    wait_told(shop, receiver, "alert.resolved")
    assert events(shop) == ["fired", "resolved"]
    assert told(receiver) == [("alert.fired", 1), ("alert.resolved", 1)]


@pytest.mark.timeout(600)
def test_a_monitor_that_is_killed_while_an_alert_fires_is_followed(
    shop: Service, receiver: Receiver, mariadb: PrivateServer
) -> None:
    first = start(shop)
    wait_until_held(shop, first)
    second = start(shop)
    with crowd.on(mariadb):
        wait_told(shop, receiver, "alert.fired")
        first.kill()
    # It is over before anybody looks again.
    wait_until_held(shop, second)
    wait_told(shop, receiver, "alert.resolved")
    assert events(shop) == ["fired", "resolved"]
    assert told(receiver) == [("alert.fired", 1), ("alert.resolved", 1)]


# -- two monitors, one stopped and continued


@pytest.mark.timeout(600)
def test_a_monitor_that_was_stopped_for_a_minute_writes_and_tells_nothing_afterwards(
    shop: Service, receiver: Receiver, mariadb: PrivateServer
) -> None:
    zombie = start(shop)
    wait_until_held(shop, zombie)
    stopped_at: list[float] = []

    def stop(number: int) -> None:
        """With the first message's bytes sent and no answer come: it is claimed, and the claim is the zombie's."""
        if told(receiver) and not stopped_at:
            shop.stop_between_writes(zombie)
            stopped_at.append(time.monotonic())

    receiver.before_answer = stop
    with crowd.on(mariadb):
        shop.wait_for(lambda: stopped_at, 30, "nothing was sent")
        successor = start(shop)
        wait_until_held(shop, successor)
        ((token,),) = shop.rows("SELECT token FROM dbvigil_targetstate WHERE alias = 'shop'")
        time.sleep(max(0.0, stopped_at[0] + STOPPED - time.monotonic()))
        shop.wait_for(lambda: statuses(shop) == ["sent"], what="the successor did not send it")
        zombie.send_signal(signal.SIGCONT)
        # A sign of life, which it gives in the round in which it learns that it holds nothing.
        before = beats(shop, zombie)
        shop.wait_for(lambda: beats(shop, zombie) not in ("", before), 20, "the zombie does not go on")
    wait_told(shop, receiver, "alert.resolved")
    seen = shop.samples("shop")
    shop.wait_for(lambda: shop.samples("shop") >= seen + 3, 20, "the successor does not sample")
    assert holds(shop, successor)
    assert shop.rows("SELECT token FROM dbvigil_targetstate WHERE alias = 'shop'") == [(token,)]
    assert events(shop) == ["fired", "resolved"]
    messages = Counter(
        (body["type"], identity)
        for identity, body in receiver.messages
        for alert in Receiver.alerts(body)
        if alert["metric"] == crowd.METRIC
    )
    assert len(messages) == 2, "a duplicate under another id"
    assert [count for (kind, _), count in sorted(messages.items())] == [2, 1], (
        "fired came again, and resolved not"
    )
    assert [kind for kind, _ in told(receiver)] == ["alert.fired", "alert.fired", "alert.resolved"]
    assert statuses(shop) == ["sent", "sent"]
    settled = shop.rows(
        "SELECT COUNT(*) FROM dbvigil_auditevent JOIN dbvigil_episode ON dbvigil_episode.id = episode_id"
        " WHERE event = 'notified' AND metric = ?",
        crowd.METRIC,
    )
    assert settled == [(2,)], "the zombie settled what another had sent"
    assert shop.manage("database_monitor", "verify-audit").returncode == 0
    assert zombie.poll() is None


def statuses(service: Service) -> list[str]:
    """How each delivery about the alert stands."""
    sql = """SELECT dbvigil_delivery.status FROM dbvigil_delivery JOIN dbvigil_episode ON dbvigil_episode.id = episode_id
              WHERE metric = ?"""
    return [status for (status,) in service.rows(sql, crowd.METRIC)]


def beats(service: Service, monitor: subprocess.Popen[str]) -> str:
    """When a monitor last gave a sign of life; empty where its row is gone."""
    rows = service.rows(
        "SELECT seen_at FROM dbvigil_monitorprocess WHERE identity LIKE ?", f"%:{monitor.pid}:%"
    )
    return str(rows[0][0]) if rows else ""


# -- one monitor, killed and started again


def kill_and_start(service: Service, monitor: subprocess.Popen[str], meanwhile: str = "") -> None:
    """SIGKILL, what is done to the rows between the two lives, and a new process that samples."""
    monitor.kill()
    monitor.wait()
    if meanwhile:
        service.python(meanwhile)
    wait_until_held(service, start(service))


SUPPRESSION_ENDS_SOON = """
from datetime import UTC, datetime, timedelta
from dbvigil.models import Suppression
Suppression.objects.update(until=datetime.now(UTC) + timedelta(seconds=12))
"""
STEP_IS_DUE = """
from datetime import UTC, datetime
from dbvigil.models import Episode
now = datetime.now(UTC)
assert Episode.objects.filter(metric="connection_usage", next_step_at__gt=now).update(next_step_at=now) == 1
"""


@pytest.mark.timeout(600)
def test_a_hold_goes_on_across_a_restart(shop: Service, receiver: Receiver, mariadb: PrivateServer) -> None:
    shop.extra |= crowd.levels(hold=10)
    monitor = start(shop)
    wait_until_held(shop, monitor)
    with crowd.on(mariadb):
        shop.wait_for(lambda: memory(shop).get("critical_since"), 20, "it is not pending")
        killed_at = datetime.now(UTC)
        kill_and_start(shop, monitor)
        wait_told(shop, receiver, "alert.fired")
        assert pending_since(shop) < killed_at, "the hold began again"
    wait_told(shop, receiver, "alert.resolved")
    assert events(shop) == ["fired", "resolved"]
    assert told(receiver) == [("alert.fired", 1), ("alert.resolved", 1)]


@pytest.mark.timeout(600)
def test_an_escalation_goes_on_across_a_restart(
    shop: Service, receiver: Receiver, mariadb: PrivateServer
) -> None:
    monitor = start(shop)
    wait_until_held(shop, monitor)
    with crowd.on(mariadb):
        wait_told(shop, receiver, "alert.fired")
        kill_and_start(shop, monitor, STEP_IS_DUE)
        wait_told(shop, receiver, "alert.escalated")
    wait_told(shop, receiver, "alert.resolved")
    assert events(shop) == ["fired", "escalated", "resolved"]
    assert told(receiver) == [("alert.fired", 1), ("alert.escalated", 1), ("alert.resolved", 1)]


@pytest.mark.timeout(600)
def test_a_suppression_goes_on_across_a_restart(
    shop: Service, receiver: Receiver, mariadb: PrivateServer
) -> None:
    shop.manage("database_monitor", "suppress", "--database", "shop", "--minutes", "60", "--user", "ada")
    monitor = start(shop)
    wait_until_held(shop, monitor)
    with crowd.on(mariadb):
        shop.wait_for(lambda: "fired" in events(shop), 20, "it does not fire")
        kill_and_start(shop, monitor, SUPPRESSION_ENDS_SOON)
        seen = shop.samples("shop")
        shop.wait_for(lambda: shop.samples("shop") > seen, 20, "it does not sample")
        # In this order: what was told by then is on record as no longer quiet by now.
        already = told(receiver)
        assert "unsuppressed" in events(shop) or not already, "it was told while it was kept quiet"
        wait_told(shop, receiver, "alert.fired")
    wait_told(shop, receiver, "alert.resolved")
    assert events(shop) == ["suppressed", "fired", "suppressed", "unsuppressed", "fired", "resolved"]
    assert told(receiver) == [("alert.fired", 1), ("alert.resolved", 1)]
