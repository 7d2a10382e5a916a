"""One monitor a target, obeyed from anywhere: real processes on one service database, sampling a real server."""

from __future__ import annotations

import json
import signal
import sys
import time

import pytest

from dbvigil.monitoring.leases import LEASE_SECONDS
from dbvigil.sandbox import PrivateServer
from tests.support.servers import monitoring_url
from tests.support.service import Service
from tests.support.waiting import PATIENCE

# What is said anywhere takes effect within a second; a loaded test machine may add one for starting Python.


@pytest.fixture
def shop(service: Service, mariadb: PrivateServer) -> Service:
    service.targets = {"shop": monitoring_url(mariadb)}
    return service


def seconds_of_four_more(service: Service) -> float:
    """How far the next four samples lie apart: two that write at an interval of one second would be twice as fast as one.

    By when they were taken: they may be written together.
    """
    before = service.samples("shop")
    service.wait_for(lambda: service.samples("shop") >= before + 5)
    times = service.sample_times("shop")[-5:]
    return times[-1] - times[0]


def test_sigterm_and_sigint_end_it_cleanly_and_give_the_lease_back(shop: Service) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        process = shop.start_monitor("--interval", "1")
        shop.wait_for(lambda: shop.holder("shop"))
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
        assert shop.holder("shop") == ""
        assert shop.rows("SELECT identity FROM dbvigil_monitorprocess") == []
    assert "Traceback" not in shop.log()


def test_stop_said_in_another_process_ends_it_and_waits(shop: Service) -> None:
    process = shop.start_monitor("--interval", "1")
    shop.manage("database_monitor", "stop")
    assert process.wait(PATIENCE) == 0
    assert shop.health()["monitor"]["running"] is False


def test_an_interval_said_anywhere_takes_effect_within_a_second(shop: Service) -> None:
    shop.start_monitor("--interval", "60")
    # The second sample comes early, for the first rates.
    shop.wait_for(lambda: shop.samples("shop") == 2)
    shop.python(
        "from core.database_monitor import get_database_monitor; get_database_monitor().set_interval(1)"
    )
    shop.wait_for(lambda: shop.samples("shop") >= 3, what="the new interval was not obeyed")
    assert shop.health()["monitor"]["interval_seconds"] == 1


def test_a_threshold_said_anywhere_holds_for_the_next_verdict(shop: Service) -> None:
    shop.start_monitor("--interval", "1")
    shop.wait_for(lambda: shop.metrics("shop").get("status") == "healthy")
    shop.python(
        "from core.database_monitor import get_database_monitor\n"
        "get_database_monitor().update_threshold('connection_usage', warning=0.0, critical=0.001)"
    )
    shop.wait_for(lambda: shop.metrics("shop")["status"] == "critical", what="the threshold was not obeyed")
    assert shop.health()["databases"]["shop"]["reasons"][0]["metric"] == "connection_usage"


def test_collect_now_is_taken_by_the_monitor_that_runs(shop: Service) -> None:
    shop.start_monitor("--interval", "600")
    shop.wait_for(lambda: shop.samples("shop") == 2)
    code = (
        "import json; from core.database_monitor import get_database_monitor\n"
        "figures = get_database_monitor().collect_now('shop')\n"
        "print(json.dumps([figures.up, figures.queries_rate is not None]))"
    )
    assert json.loads(shop.python(code)) == [True, True]
    assert shop.samples("shop") == 3


def test_collect_now_without_a_monitor_samples_here_and_leaves_nothing_running(shop: Service) -> None:
    shop.python(
        "from core.database_monitor import get_database_monitor; get_database_monitor().collect_now('shop')"
    )
    # The second comes two seconds after the first, which a busy machine may take to stop.
    assert shop.samples("shop") in (1, 2)
    assert shop.holder("shop") == ""
    assert shop.health()["monitor"]["running"] is False


def test_restart_said_anywhere_reconnects_and_goes_on(shop: Service, mariadb: PrivateServer) -> None:
    process = shop.start_monitor("--interval", "1")
    shop.wait_for(lambda: shop.samples("shop") >= 1)

    def connection() -> list[int]:
        rows = mariadb.execute("SELECT ID AS id FROM information_schema.PROCESSLIST WHERE USER = 'dbvigil'")
        return [row["id"] for row in rows]

    before = connection()
    shop.python("from core.database_monitor import get_database_monitor; get_database_monitor().restart()")
    shop.wait_for(lambda: connection() and not set(connection()) & set(before), what="it did not reconnect")
    assert process.poll() is None


def test_a_second_monitor_stands_by_and_takes_over_from_a_killed_one(shop: Service) -> None:
    first = shop.start_monitor("--interval", "1")
    shop.wait_for(lambda: f":{first.pid}:" in shop.holder("shop"))
    second = shop.start_monitor("--interval", "1")
    time.sleep(1)
    assert f":{first.pid}:" in shop.holder("shop")
    first.kill()
    shop.wait_for(lambda: f":{second.pid}:" in shop.holder("shop"))
    before = shop.samples("shop")
    shop.wait_for(lambda: shop.samples("shop") > before)
    # Raw counters live in the database, so the successor's first sample already has rates.
    assert shop.metrics("shop")["queries_rate"] is not None


def test_a_monitor_that_was_stopped_and_continued_writes_nothing(shop: Service) -> None:
    zombie = shop.start_monitor("--interval", "1")
    shop.wait_for(lambda: shop.samples("shop") >= 1)
    shop.stop_between_writes(zombie)
    successor = shop.start_monitor("--interval", "1")
    shop.wait_for(lambda: f":{successor.pid}:" in shop.holder("shop"), 3 * LEASE_SECONDS)
    ((token,),) = shop.rows("SELECT token FROM dbvigil_targetstate WHERE alias = 'shop'")
    zombie.send_signal(signal.SIGCONT)
    assert seconds_of_four_more(shop) > 2.5
    assert f":{successor.pid}:" in shop.holder("shop")
    assert shop.rows("SELECT token FROM dbvigil_targetstate WHERE alias = 'shop'") == [(token,)]


def test_with_autostart_four_web_workers_run_one_sampling_monitor(shop: Service) -> None:
    shop.extra |= {"DB_MONITORING_AUTOSTART": "true", "DB_MONITORING_INTERVAL": "1"}
    web = shop.popen(
        sys.executable,
        "-m",
        "gunicorn",
        "--workers",
        "4",
        "--bind",
        "127.0.0.1:0",
        "--graceful-timeout",
        "60",
        "service.wsgi",
    )
    shop.wait_for(lambda: len(shop.rows("SELECT identity FROM dbvigil_monitorprocess")) == 4, 30)
    shop.wait_for(lambda: shop.samples("shop") >= 1)
    assert seconds_of_four_more(shop) > 2.5
    web.terminate()
    web.wait(PATIENCE)
    shop.wait_for(lambda: shop.holder("shop") == "", 5, "the lease was not given back")


def test_a_target_comes_and_goes_with_the_monitor_alone(shop: Service, mariadb: PrivateServer) -> None:
    first = shop.start_monitor("--interval", "1")
    shop.wait_for(lambda: shop.samples("shop") >= 1)
    reader = shop.environment
    first.terminate()
    first.wait(PATIENCE)
    shop.targets = {"store": monitoring_url(mariadb)}
    shop.start_monitor("--interval", "1")
    shop.wait_for(lambda: shop.samples("store") >= 1)
    assert "shop=" in reader["DB_MONITORING_TARGETS"]
    shop.targets = {"shop": monitoring_url(mariadb)}
    assert list(shop.health()["databases"]) == ["store"]
