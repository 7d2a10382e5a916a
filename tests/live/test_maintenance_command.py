"""Maintenance windows in the command, as people and programs use it, and what a running monitor makes of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.live.test_alert_command import fails, fire, shop
from tests.support.service import Service

__all__ = ["shop"]

# A night that is three days away, so that the window neither opens nor closes while a test runs.
SCHEDULE = f"0 3 * * {(datetime.now(UTC).isoweekday() + 3) % 7}"
ADD = (
    "maintenance",
    "--add",
    "night",
    "--schedule",
    SCHEDULE,
    "--zone",
    "Europe/Berlin",
    "--minutes",
    "90",
)


def test_a_window_from_made_to_removed(shop: Service) -> None:
    assert shop.manage("database_monitor", "maintenance").stdout == "there is no maintenance window\n"
    made = shop.command(*ADD, "--database", "shop", "--metric", "up", "--reason", "patches", "--user", "ada")
    assert (made["name"], made["database"], made["metric"], made["minutes"]) == ("night", "shop", "up", 90)
    assert (made["created_by"], made["reason"]) == ("ada", "patches")
    assert datetime.fromisoformat(made["next_start"]) > datetime.now(UTC)
    assert shop.command("maintenance") == {"count": 1, "results": [made]}
    head, line = shop.manage("database_monitor", "maintenance").stdout.splitlines()
    assert head.split() == [
        "NAME", "DATABASE", "METRIC", "SCHEDULE", "ZONE", "MINUTES", "STATE", "NEXT", "BY", "REASON",
    ]  # fmt: skip
    assert line.startswith(f"night  shop      up      {SCHEDULE}  Europe/Berlin  90 ")
    drawn = shop.manage("database_monitor", "maintenance", "--force-color").stdout
    assert "\x1b[1mnight" in drawn and "up of shop" in drawn and "made by ada" in drawn
    said = shop.manage("database_monitor", "maintenance", "--remove", "night").stdout
    assert said == "The window night is removed: up of shop is heard again.\n"
    assert shop.command("maintenance") == {"count": 0, "results": []}
    assert shop.manage("database_monitor", "verify-audit").stdout == "The audit trail is whole: 2 events.\n"


def test_one_that_is_open_keeps_quiet_what_is_open(shop: Service) -> None:
    fire(shop)
    always = ("maintenance", "--add", "always", "--schedule", "* * * * *", "--zone", "UTC", "--minutes", "5")
    said = shop.manage("database_monitor", *always).stdout
    assert said.startswith(
        "Nothing is sent about every metric of every database in the window always, which is open until "
    )
    assert shop.command("alerts")["results"][0]["status"] == "suppressed"
    assert shop.health()["alerts"] == {
        "firing": 0,
        "acknowledged": 0,
        "suppressed": 1,
        "critical": 1,
        "warning": 0,
    }
    removed = shop.command("maintenance", "--remove", "always")
    assert (removed["name"], removed["open"]) == ("always", True)
    assert shop.command("alerts")["results"][0]["status"] == "firing"
    assert shop.health()["databases"]["shop"]["alerts"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            (*ADD[:4], "sometimes", *ADD[5:]),
            "schedule: 'sometimes' is not allowed; allowed: a cron expression",
        ),
        (
            (*ADD[:6], "Mars/Olympus", *ADD[7:]),
            "time_zone: 'Mars/Olympus' is not allowed; allowed: a name such as",
        ),
        ((*ADD[:8], "0"), "minutes: 0 is not allowed; allowed: from 1 to 10080"),
        ((*ADD[:8], "long"), "argument --minutes: invalid int value: 'long'"),
        ((*ADD, "--database", "shpo"), "no monitored database is named 'shpo'; known: shop"),
        ((*ADD, "--metric", "nope"), "metric: no alert is about 'nope'; allowed: "),
        ((*ADD[:2], "", *ADD[3:]), "name: '' is not allowed; allowed: one line of 1 to 100 characters"),
        ((*ADD, "--reason", "\udcff"), "reason: it has bytes that are no text; allowed: UTF-8"),
        (ADD[:3], "--schedule is missing: a window has a schedule, a time zone and an end"),
        (
            ("maintenance", "--minutes", "5"),
            "--minutes says something of a new window: --add NAME is missing",
        ),
        (("maintenance", "--remove", "night"), "name: there is no maintenance window 'night'"),
        ((*ADD, "--remove", "night"), "argument --remove: not allowed with argument --add"),
    ],
)
def test_what_cannot_be_is_one_line(shop: Service, arguments: tuple[str, ...], said: str) -> None:
    assert said in fails(shop, *arguments)
    assert shop.command("maintenance")["count"] == 0


def test_a_name_is_taken_once(shop: Service) -> None:
    shop.command(*ADD)
    assert "name: there is a window named 'night' already" in fails(shop, *ADD)
