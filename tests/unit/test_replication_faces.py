"""Replication through the API, the command, the dashboard and the page, from what monitors have stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from dbvigil.analysis.replication import channels
from dbvigil.history.django_db import DjangoHistory
from dbvigil.models import ReplicationFacts, TargetState
from dbvigil.replication.facts import Facts
from dbvigil.replication.storing import FORGOTTEN_AFTER_DAYS, Seen, maintain, save
from dbvigil.types import DatabaseMetrics
from tests.support.api import BASE
from tests.support.replicating import channel, server
from tests.unit.test_pages import check_headers, signed_in

pytestmark = pytest.mark.django_db

ADDRESS = "/core/monitoring/replication/"
HOSTILE = "Table '<script>alert(1)</script>\x1b[2J' doesn't exist"


def store(facts: Facts, lag: float | None = 0.0) -> None:
    """A server as its monitor leaves it: what it told, and the figures of its newest sample."""
    now = datetime.now(UTC)
    rows = [{**row, "lag": lag} for row in facts.channels]
    metrics = DatabaseMetrics(
        database=facts.database,
        timestamp=now,
        up=True,
        flavor="mysql",
        server_version="9.7.4",
        replication_role="replica" if rows else "source",
        replication_channels=channels(rows),
        replication_lag=lag if rows else None,
    )
    TargetState.objects.create(
        alias=facts.database, holder="a", token=1, sampled_at=now, samples=1, metrics=metrics.to_dict()
    )
    assert save(facts.database, "a", 1, Seen(now, replace(facts, at=now, channels=rows)))


@pytest.fixture(autouse=True)
def kept(settings: Any) -> None:
    settings.DB_MONITORING_TARGETS = dict.fromkeys(("a", "b", "c"), "mysql://u:p@127.0.0.1:1/")
    store(server("a", 1, 9))
    store(server("b", 2, 1), lag=12.0)
    broken = channel(1, sql_running="No", sql_error_number=1146, last_sql_error=HOSTILE)
    store(server("c", 3, 1, channels=[broken]), lag=None)


def test_the_api_tells_topology_findings_and_channels(api: Callable[..., Client]) -> None:
    body = api("reader").get(BASE + "replication/").json()
    assert [(one["source"], one["replica"], one["running"]) for one in body["topology"]["edges"]] == [
        ("db9:3306", "a", True),
        ("a", "b", True),
        ("a", "c", False),
    ]
    assert [(one["database"], one["id"]) for one in body["findings"]] == [("c", "table_missing")]
    assert body["databases"]["b"]["lag"] == 12.0
    assert body["databases"]["b"]["channels"][0]["lag_source"] == "seconds_behind"
    assert body["databases"]["c"]["channels"][0]["cause"]["kind"] == "applier_stopped"
    dashboard = api("reader").get(BASE + "dashboard/").json()["replication"]
    assert dashboard["c"]["findings"] == ["table_missing"]
    assert dashboard["b"]["catch_up_seconds"] is None, "one sample tells no trend"


def test_nobody_else_sees_it() -> None:
    assert Client().get(BASE + "replication/").status_code == 401
    assert Client().get(ADDRESS).status_code == 302


def test_the_command_draws_it() -> None:
    out = StringIO()
    call_command("database_monitor", "topology", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "db9:3306 (not monitored)"
    assert lines[1].startswith("`- a (db1:3306, MySQL 9.7.4, replica and source, read only): runs, no lag")
    assert lines[2].startswith("   |- b (db2:3306, MySQL 9.7.4, replica, read only): runs, 12 s behind")
    assert lines[3].startswith(
        "   `- c (db3:3306, MySQL 9.7.4, replica, read only): does not run: applier (error 1146)"
    )
    assert lines[5] == "Findings: 1 critical"
    assert "\x1b" not in out.getvalue()
    out = StringIO()
    call_command("database_monitor", "topology", "--json", stdout=out)
    assert set(json.loads(out.getvalue())) == {"topology", "findings", "databases"}


def test_the_page_shows_it_and_obeys_nothing() -> None:
    answer = signed_in(User.objects.create_user("ada")).get(ADDRESS)
    check_headers(answer)
    text = answer.content.decode()
    assert "<script>" not in text
    assert "A table differs from the source" in text
    assert "12 s behind" in text


def test_the_page_draws_lag_where_it_is_known() -> None:
    now = datetime.now(UTC)
    DjangoHistory().save(
        [
            DatabaseMetrics("b", now - timedelta(seconds=seconds), up=True, replication_lag=seconds / 10)
            for seconds in range(300, 0, -30)
        ]
    )
    text = signed_in(User.objects.create_user("ada")).get(ADDRESS + "?hours=1").content.decode()
    assert text.count("<polyline") == 1
    assert "b: 12 s behind, catches up in about 2 min" in text
    assert text.count("No sample of this time knows its lag.") == 2


def test_a_server_that_is_down_keeps_its_place(api: Callable[..., Client]) -> None:
    row = TargetState.objects.get(alias="a")
    row.metrics = {**(row.metrics or {}), "up": False, "replication_channels": None}
    row.save()
    body = api("reader").get(BASE + "replication/").json()
    assert {one["name"]: one["up"] for one in body["topology"]["nodes"]}["a"] is False
    assert ("b", "source_unreachable") in [(one["database"], one["id"]) for one in body["findings"]]


def test_what_cannot_be_read_hinders_nobody(api: Callable[..., Client]) -> None:
    ReplicationFacts.objects.filter(database="c").update(facts={"of": "another version"})
    body = api("reader").get(BASE + "replication/").json()
    assert sorted(body["databases"]) == ["a", "b"]


def test_a_lost_lease_writes_nothing_and_what_ends_is_removed() -> None:
    now = datetime.now(UTC)
    assert not save("b", "a", 2, Seen(now, None))
    assert save("b", "a", 1, Seen(now, None))
    assert sorted(ReplicationFacts.objects.values_list("database", flat=True)) == ["a", "c"]
    ReplicationFacts.objects.filter(database="a").update(at=now - timedelta(days=366))
    maintain(now, FORGOTTEN_AFTER_DAYS)
    assert list(ReplicationFacts.objects.values_list("database", flat=True)) == ["c"]
