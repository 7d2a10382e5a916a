"""Deadlocks and waits for locks through the API and the command: what is answered, what is refused, what is drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from dbvigil.blocking import Session, Wait, forest
from dbvigil.locks import storing
from dbvigil.locks.collecting import Seen, SeenDeadlock
from dbvigil.models import TargetState
from dbvigil.queries.deadlocks import Deadlock, Lock, Transaction
from dbvigil.terminal import locks as views
from tests.support.api import BASE

pytestmark = pytest.mark.django_db

LOCK = Lock("record", "shop.orders", "PRIMARY", "X", "record")
ROOT = Session(
    1, "ada", "10.0.0.1", "nightly", statement="update orders set a = ?", command="Sleep", idle_seconds=60.0
)


@pytest.fixture(autouse=True)
def kept(settings: Any) -> None:
    settings.DB_MONITORING_TARGETS = dict.fromkeys(("shop", "other"), "mysql://u:p@127.0.0.1:1/")
    for alias in ("shop", "other"):
        TargetState.objects.create(alias=alias, holder="a", token=1)
    now = datetime.now(UTC)
    report = Deadlock(
        None,
        (
            Transaction(
                1, 100, user="ada", host="web", statement="update a", holds=(LOCK,), waits_for=(LOCK,)
            ),
            Transaction(2, 200, statement=None, holds=(LOCK,), waits_for=(LOCK,)),
        ),
        2,
    )
    waits = forest(
        [
            Wait(2, 1, "row", "shop.orders", "PRIMARY", "X,REC_NOT_GAP", seconds=9),
            Wait(3, 2, "metadata", "shop.items", None, "EXCLUSIVE", seconds=4),
            Wait(4, None, "metadata", seconds=2),
        ],
        {1: ROOT},
    )
    assert storing.save("shop", "a", 1, Seen(now, SeenDeadlock(report, now, "e1"), waits))


def body(client: Client, path: str) -> Any:
    answer = client.get(BASE + path)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_a_reader_sees_deadlocks(api: Callable[..., Client]) -> None:
    found = body(api("reader"), "deadlocks/")
    assert found["count"] == 1
    (one,) = found["results"]
    assert (one["database"], one["count"], one["victim"]) == ("shop", 1, 2)
    assert one["transactions"][0]["holds"] == [LOCK.to_dict()]
    assert one["transactions"][1]["statement"] is None
    assert [advice["rule"] for advice in one["advice"]] == ["deadlock.opposite_order", "deadlock.retry"]


def test_a_reader_sees_who_waits(api: Callable[..., Client]) -> None:
    (one,) = body(api("reader"), "lock-waits/?database=shop&hours=1")["results"]
    assert (one["current"], one["most_waiting"], one["depth"], one["longest_seconds"]) == (True, 3, 2, 9)
    assert [(node["depth"], node["id"]) for node in one["tree"]] == [
        (0, 1),
        (1, 2),
        (2, 3),
        (0, None),
        (1, 4),
    ]
    assert one["latest"] == one["tree"]
    assert one["root_statement"] == "update orders set a = ?"
    assert one["tree"][0]["program"] == "nightly"


def test_filters(api: Callable[..., Client]) -> None:
    client = api("reader")
    for path in ("deadlocks/", "lock-waits/"):
        assert body(client, f"{path}?database=other")["count"] == 0
        assert body(client, f"{path}?hours=0.5&limit=1")["count"] == 1


@pytest.mark.parametrize("path", ["deadlocks/", "lock-waits/"])
@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("hours=0", 400, "hours"),
        ("hours=x", 400, "hours"),
        ("limit=0", 400, "limit"),
        ("limit=1001", 400, "limit"),
        ("severity=high", 400, "severity"),
        ("database=nowhere", 404, None),
    ],
)
def test_what_is_refused(
    api: Callable[..., Client], path: str, query: str, status: int, field: str | None
) -> None:
    answer = api("reader").get(f"{BASE}{path}?{query}")
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    if field is not None:
        assert list(answer.json()["errors"]) == [field]
    assert Client().get(BASE + path).status_code == 401


# -- the command


def command(*arguments: str) -> str:
    output = StringIO()
    call_command("database_monitor", "locks", *arguments, stdout=output)
    return output.getvalue()


def test_the_command_draws_trees_root_first_and_deadlocks() -> None:
    lines = command().splitlines()
    assert lines[0].startswith("shop: 3 sessions wait for locks, since ")
    assert (
        lines[1]
        == "  session 1 ada@10.0.0.1 (nightly), idle for 60 s, 2 wait for it: update orders set a = ?"
    )
    assert lines[2].startswith(
        "    session 2, waits 9 s for a row lock on shop.orders PRIMARY (X,REC_NOT_GAP), 1 waits for it"
    )
    assert lines[3].startswith("      session 3, waits 4 s for a metadata lock on shop.items (EXCLUSIVE)")
    assert lines[4] == "  somebody that the server does not name"
    assert lines[5] == "    session 4, waits 2 s for a metadata lock"
    assert any(line.startswith("Deadlock ") and line.count("on shop, once") for line in lines)
    assert "  2. somebody (undone): unknown statement" in lines
    assert "     waits for X on shop.orders PRIMARY" in lines
    assert command("--database", "other").splitlines()[0] == "No session waits for a lock"


def test_the_command_shows_earlier_waits_in_a_table() -> None:
    assert storing.save("shop", "a", 1, Seen(datetime.now(UTC), waits=forest([], {})))
    lines = command("--hours", "2").splitlines()
    assert lines[0] == "No session waits for a lock"
    (head,) = [place for place, line in enumerate(lines) if line.startswith("DATABASE")]
    assert lines[head + 1].split()[0] == "shop"
    assert lines[head + 1].endswith("update orders set a = ?")


def test_the_command_as_json_is_what_the_api_answers(api: Callable[..., Client]) -> None:
    found = json.loads(command("--json"))
    assert found["deadlocks"] == body(api("reader"), "deadlocks/")
    assert found["lock_waits"] == body(api("reader"), "lock-waits/")


@pytest.mark.parametrize(
    "arguments", [("--database", "nowhere"), ("--hours", "0"), ("--limit", "0"), ("--hours", "nan")]
)
def test_what_the_command_refuses(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError) as refused:
        command(*arguments)
    assert "\n" not in str(refused.value)


def test_nothing_from_a_server_reaches_the_terminal_as_it_is() -> None:
    bad = "\x1b[2J\u202e\n"
    session = Session(1, bad, bad, bad, bad, bad, bad, bad)
    found = forest([Wait(2, 1, "row", bad, bad, bad, seconds=3)], {1: session})
    episode = {
        "database": bad, "current": True, "started_at": "2026-01-01T00:00:00Z", "seconds": 5, "root_statement": bad,
        "latest": [node.to_dict() for node in found.nodes],
    }  # fmt: skip
    over = episode | {
        "current": False,
        "ended_at": None,
        "most_waiting": 1,
        "depth": 1,
        "longest_seconds": None,
    }
    lock = {"table": bad, "index": bad, "mode": bad, "range": "gap"}
    deadlock = {
        "database": bad, "pattern": "p", "count": 2, "first_seen": "2026-01-01T00:00:00Z", "last_seen": "2026-01-01T00:00:00Z",
        "victim": 1, "advice": [{"rule": "r", "text": bad}],
        "transactions": [{"number": 1, "user": bad, "host": bad, "statement": bad, "holds": [lock], "waits_for": [lock]}],
    }  # fmt: skip
    for line in views.lines([episode, over], [deadlock], datetime.now(UTC)):
        assert line.isprintable()
