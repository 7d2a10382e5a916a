"""The command over alerts, as people and programs run it: real processes on a service of their own."""

from __future__ import annotations

import getpass
import json
import signal
import sqlite3
import sys
from contextlib import closing
from typing import Any

import pytest

from tests.support.raised import HTML, LINES
from tests.support.service import Service
from tests.support.waiting import PATIENCE

RAISE = """
from tests.support.raised import fire
print(fire({database!r}, {metric!r}, **{values!r}))
"""


def fire(service: Service, database: str = "shop", metric: str = "connection_usage", **values: Any) -> int:
    return int(service.python(RAISE.format(database=database, metric=metric, values=values)))


@pytest.fixture
def shop(service: Service) -> Service:
    service.targets = {"shop": "mysql://dbvigil:hidden@127.0.0.1:1/"}
    return service


def fails(service: Service, *arguments: str) -> str:
    """The one line of a command that cannot do its work."""
    done = service.manage("database_monitor", *arguments, expect=1)
    (line,) = done.stderr.splitlines()
    assert line.startswith("database_monitor: ")
    return line


def test_an_alert_from_raised_to_taken_up(shop: Service) -> None:
    assert shop.manage("database_monitor", "alerts").stdout == "no alert is active\n"
    number = fire(shop, message=f"broken {LINES}")
    text = shop.manage("database_monitor", "alerts").stdout
    head, line = text.splitlines()
    assert head.split()[:4] == ["ID", "SEVERITY", "STATUS", "DATABASE"]
    assert line.split()[:5] == [str(number), "critical", "firing", "shop", "connection_usage"]
    assert "96.2 %" in line and "95.0 %" in line and "\x1b" not in text
    assert "alerts: 1 active alert" in shop.manage("database_monitor", "status").stdout
    said = shop.manage("database_monitor", "acknowledge", str(number), "--note", "on it").stdout
    assert said == f"{getpass.getuser()} has taken up alert {number}: connection_usage on shop.\n"
    body = shop.command("acknowledge", str(number), "--user", "ada", "--note", HTML)
    assert (body["status"], body["acknowledged_by"], body["note"]) == ("acknowledged", "ada", HTML)
    document = shop.command("alerts", "--hours", "1", "--database", "shop")
    assert document["results"][0]["acknowledged_by"] == "ada"
    events = [event["event"] for event in document["history"][0]["events"]]
    assert events == ["fired", "acknowledged", "acknowledged"]
    drawn = shop.manage("database_monitor", "alerts", "--hours", "1", "--force-color").stdout
    assert (
        "\x1b[1;31m" in drawn and "taken up by ada" in drawn and "History" in drawn and "\x1b[2J" not in drawn
    )
    for narrow in ("--no-color", "--force-color"):
        assert shop.manage("database_monitor", "alerts", narrow).returncode == 0
    assert f"there is no alert {number + 1}" in fails(shop, "acknowledge", str(number + 1))


def test_quiet_made_and_ended(shop: Service) -> None:
    fire(shop, metric="slow_queries")
    made = shop.command(
        "suppress", "--database", "shop", "--metric", "slow_queries", "--minutes", "60", "--user", "ada"
    )
    assert set(made) == {"suppression_id", "database", "metric", "until", "created_by"}
    assert shop.command("alerts")["results"][0]["status"] == "suppressed"
    number = str(made["suppression_id"])
    assert "is heard again" in shop.manage("database_monitor", "suppress", "--end", number).stdout
    assert shop.command("alerts")["results"][0]["status"] == "firing"
    assert "is over already" in fails(shop, "suppress", "--end", number)
    said = shop.manage("database_monitor", "suppress", "--minutes", "5").stdout
    assert said.startswith("Nothing is sent about every metric of every database until ")


def test_channels_are_tried_and_one_that_fails_is_told(shop: Service) -> None:
    assert "no channel is configured" in shop.manage("database_monitor", "test-alerts").stdout
    shop.extra["DB_ALERT_WEBHOOK_URL"] = "http://127.0.0.1:1/hidden?token=hidden"
    done = shop.manage("database_monitor", "test-alerts", "--json", expect=1)
    results = json.loads(done.stdout)["results"]
    assert results["webhook"]["ok"] is False
    (line,) = done.stderr.splitlines()
    assert line.startswith("database_monitor: not delivered: webhook (")
    shown = shop.manage("database_monitor", "test-alerts", "--channel", "webhook", expect=1).stdout
    assert shown.split()[:2] == ["webhook", "failed"]
    config = shop.manage("database_monitor", "config").stdout
    assert "CHANNEL  STATE" in config
    for text in (done.stdout, done.stderr, shown, config):
        assert "token=hidden" not in text and "/hidden" not in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_delivery_runs_until_it_is_told_to_stop(shop: Service, number: signal.Signals) -> None:
    shop.extra["DB_ALERT_WEBHOOK_URL"] = "http://127.0.0.1:1/x"
    process = shop.popen(sys.executable, "manage.py", "database_monitor", "deliver", "--json")
    shop.wait_for(lambda: shop.rows("SELECT identity FROM dbvigil_alertworker"), 20, "nobody delivers")
    ((identity,),) = shop.rows("SELECT identity FROM dbvigil_alertworker")
    fire(shop)
    shop.wait_for(
        lambda: shop.rows("SELECT 1 FROM dbvigil_delivery WHERE attempts > 0"), 20, "nothing is tried"
    )
    process.send_signal(number)
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert json.loads(out) == {"identity": identity, "channels": ["webhook"]}
    assert "The delivery has stopped." in shop.log()
    assert shop.rows("SELECT identity FROM dbvigil_alertworker") == []


def test_a_record_that_was_changed_is_found(shop: Service) -> None:
    number = fire(shop)
    shop.manage("database_monitor", "acknowledge", str(number), "--user", "eve")
    assert shop.manage("database_monitor", "verify-audit").stdout == "The audit trail is whole: 2 events.\n"
    with closing(sqlite3.connect(shop.home / "dbvigil.sqlite3")) as connection, connection:
        connection.execute("UPDATE dbvigil_auditevent SET actor = 'ada' WHERE actor = 'eve'")
    assert "event 2 was changed" in fails(shop, "verify-audit")
    done = shop.manage("database_monitor", "verify-audit", "--json", expect=1)
    assert json.loads(done.stdout)["events"] == 2
    assert "event 2 was changed" in json.loads(done.stdout)["faults"][0]
