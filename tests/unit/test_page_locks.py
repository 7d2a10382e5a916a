"""The page of locks: who sees it, what it says, and text that is shown and never obeyed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dbvigil.blocking import Session, Wait, forest
from dbvigil.models import Deadlock, LockWait
from dbvigil.queries.deadlocks import Deadlock as Report
from dbvigil.queries.deadlocks import Lock, Transaction
from tests.unit.test_pages import check_headers, signed_in

pytestmark = pytest.mark.django_db

ADDRESS = "/core/monitoring/locks/"
HTML = "update `<script>alert(1)</script>` set a = ?"


@pytest.fixture(autouse=True)
def kept(settings: Any) -> None:
    settings.DB_MONITORING_TARGETS = dict.fromkeys(("shop", "other"), "mysql://u:p@127.0.0.1:1/")
    now = datetime.now(UTC)
    waits = [Wait(number + 1, number, "row", "shop.orders", "PRIMARY", "X", 9.0) for number in range(1, 9)]
    sessions = {
        number: Session(number, "ada", "10.0.0.1", statement=HTML, idle_seconds=60.0 if number == 1 else None)
        for number in range(1, 10)
    }
    trees = forest(waits, sessions)
    tree = {"nodes": [node.to_dict() for node in trees.nodes], "left_out": 7}
    common: dict[str, Any] = {
        "depth": 8,
        "most_waiting": 8,
        "longest_seconds": 9.0,
        "root_statement": HTML,
        "tree": tree,
    }
    LockWait.objects.create(
        database="shop", started_at=now - timedelta(seconds=41), seen_at=now, latest=tree, **common
    )
    before = now - timedelta(hours=3)
    LockWait.objects.create(
        database="other", started_at=before, seen_at=before, ended_at=before + timedelta(seconds=95), **common
    )
    lock = Lock("record", "shop.parent", "PRIMARY", "X", "record")
    report = Report(
        None,
        (
            Transaction(1, 10, user="app", host="10.0.0.5", statement=HTML, holds=(lock,)),
            Transaction(2, 11, statement=None, waits_for=(lock,)),
        ),
        2,
    )
    Deadlock.objects.create(
        database="shop",
        pattern="f" * 16,
        count=12,
        first_seen=before,
        last_seen=now,
        last_event="x",
        example=report.to_dict(),
    )


def text_of(client: Client, query: str = "") -> str:
    answer = client.get(f"{ADDRESS}?{query}")
    assert answer.status_code == 200
    check_headers(answer)
    return answer.content.decode()


def test_it_is_for_who_is_signed_in(users: dict[str, User]) -> None:
    assert Client().get(ADDRESS).status_code == 302
    assert signed_in(users["reader"]).post(ADDRESS).status_code == 405


def test_trees_are_set_in_and_hostile_text_is_text(users: dict[str, User]) -> None:
    text = text_of(signed_in(users["reader"]))
    assert "8 sessions wait for locks" in text
    assert "8 sessions waited" in text
    assert "session 1 ada@10.0.0.1, idle for 60 s, 8 wait for it" in text
    assert (
        "session 2 ada@10.0.0.1, waits 9 s for a row lock on shop.orders PRIMARY (X), 7 wait for it" in text
    )
    assert text.count('class="depth-0 root"') == 2
    assert text.count('class="depth-5"') == 8
    assert '<span class="soft">level 8</span> session 9' in text
    assert "and 7 more" in text
    assert "update `&lt;script&gt;alert(1)" in text
    assert "12 times" in text
    assert "waits for X on shop.parent PRIMARY" in text
    assert "a statement that is not known" in text
    assert "Run the whole transaction again" in text


def test_the_address_chooses(users: dict[str, User]) -> None:
    client = signed_in(users["reader"])
    other = text_of(client, "database=other")
    assert "No session waits for a lock." in other
    assert "No deadlock in this time." in other
    assert "8 sessions waited" in other
    assert "No session has waited for a second in this time." in text_of(client, "hours=1")
    # Whatever else is asked for is the usual.
    assert "in the last 24 hours" in text_of(client, "hours=%00'")
    assert client.get(f"{ADDRESS}?database=nowhere").status_code == 404


def test_pages_lead_to_one_another(users: dict[str, User]) -> None:
    text = text_of(signed_in(users["reader"]))
    assert f'<a href="{ADDRESS}" aria-current="page">Locks</a>' in text
    assert '<a href="/core/monitoring/slow-queries/">Slow queries</a>' in text
