"""The page of slow queries: who sees it, what it says, and text that is shown and never obeyed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dbvigil.django_advice import facts
from dbvigil.models import QueryKind, TargetState
from dbvigil.queries.figures import Figures
from dbvigil.queries.plan import Plan, PlanNode
from dbvigil.queries.rules.ddl import add_index
from dbvigil.queries.schema import Schema
from dbvigil.query import Recommendation
from dbvigil.slow_queries import analysis, deployments, storing
from dbvigil.slow_queries.collecting import Collected, Description
from dbvigil.slow_queries.log_source import Name
from dbvigil.slow_queries.packing import Cost, Window
from tests.support.shop_schema import table
from tests.unit.test_pages import check_headers, signed_in

pytestmark = pytest.mark.django_db

ADDRESS = "/core/monitoring/slow-queries/"
NAME: Name = ("digest", "shop", "d1")
HTML = "SELECT `<script>alert(1)</script>` FROM `orders` WHERE `total` = ?"


@pytest.fixture(autouse=True)
def kept(settings: Any) -> storing.Ids:
    settings.DB_MONITORING_TARGETS = dict.fromkeys(("shop", "other"), "mysql://u:p@127.0.0.1:1/")
    for alias in ("shop", "other"):
        TargetState.objects.create(alias=alias, holder="a", token=1)
    now = datetime.now(UTC)
    figures = Figures(60, 30.0, rows_examined=6_000_000, rows_sent=60, no_index_used=60)
    window = Window(60.0, 100, 60.0, {NAME: Cost(figures)})
    text = Description(HTML, "select …", "A" * 16, "P1", now)
    found = Collected(
        now, {"digest": window}, {NAME: text}, {}, trouble={"slow_log": "it <b>is</b> elsewhere"}
    )
    ids: storing.Ids = {}
    assert storing.save("shop", "a", 1, found, ids)
    return ids


def text_of(client: Client, query: str = "") -> str:
    answer = client.get(f"{ADDRESS}?{query}")
    assert answer.status_code == 200
    check_headers(answer)
    return answer.content.decode()


def test_it_is_for_who_is_signed_in(users: dict[str, User]) -> None:
    assert Client().get(ADDRESS).status_code == 302
    assert signed_in(users["reader"]).post(ADDRESS).status_code == 405
    text = text_of(signed_in(users["reader"]))
    assert "50.0 % of the load" in text
    assert "Rows read for each given" in text
    assert "100,000" in text
    assert ">high</span>" in text


def test_text_from_servers_is_shown_and_never_obeyed(users: dict[str, User]) -> None:
    text = text_of(signed_in(users["reader"]))
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "it &lt;b&gt;is&lt;/b&gt; elsewhere" in text


def test_advice_plan_and_deployment_are_there(users: dict[str, User], kept: storing.Ids) -> None:
    advice = Recommendation(
        "full_table_scan",
        "A big table is read whole",
        "all of orders",
        "create_index",
        "ALTER TABLE `orders` ADD …",
    )
    leaf = PlanNode("table", table="orders", access="ALL", rows=20_000.0, condition="total = ?")
    now = datetime.now(UTC)
    plan = Plan(PlanNode("filesort", (leaf,)), "1" * 16)
    analysis.keep([analysis.Analysis(kept[NAME], [advice], ["no such table"], plan)], now)
    deployments.deployed("v1.2", "", "ada", now, minutes_ago=10)
    QueryKind.objects.create(
        database="shop", source="digest", key="old", first_seen=now - timedelta(days=2), seen_on=now.date()
    )
    text = text_of(signed_in(users["reader"]))
    assert "ALTER TABLE `orders` ADD …" in text
    assert "filesort\n  table · orders · reads the whole table · about 20,000 rows · where total = ?" in text
    assert "Not known: no such table" in text
    assert "new since v1.2" in text


def test_an_index_on_a_models_table_is_there_as_django_code(
    users: dict[str, User], kept: storing.Ids, settings: Any
) -> None:
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "tests.support.shop_app"]
    settings.SHOP_VISIT_MODEL = "shop_app.Tag"
    orders = table("orders", "order_no varchar(12)!; buyer bigint!; placed datetime!; total int!; note text!")
    ddl = add_index(orders, ("`placed`",))
    advice = Recommendation(
        "full_table_scan", "A big table is read whole", "all of orders", "create_index", ddl
    )
    now = datetime.now(UTC)
    found = analysis.Analysis(kept[NAME], [advice], [], None, facts(Schema.of((orders,), "shop")))
    analysis.keep([found], now)
    text = unescape(text_of(signed_in(users["reader"])))
    assert f'<figcaption>SQL</figcaption><pre tabindex="0"><code>{ddl}</code></pre>' in text
    assert "<figcaption>Django</figcaption><pre" in text
    assert 'models.Index(fields=["placed"], name="ix_orders_placed")' in text
    assert "class Migration(migrations.Migration):" in text
    # Where the table has not all of the model's columns it is another one.
    less = table("orders", "order_no varchar(12)!; placed datetime!")
    analysis.keep([replace(found, tables=facts(Schema.of((less,), "shop")))], now)
    text = text_of(signed_in(users["reader"]))
    assert "ADD INDEX `ix_orders_placed`" in text
    assert "class Migration" not in text


@pytest.mark.parametrize(
    ("query", "there"),
    [
        ("database=shop", True),
        ("database=other", False),
        ("severity=high", True),
        ("severity=critical", False),
        ("severity=nonsense&hours=nonsense", True),
        ("hours=1", True),
    ],
)
def test_filters(users: dict[str, User], query: str, there: bool) -> None:
    assert ("50.0 % of the load" in text_of(signed_in(users["reader"]), query)) is there


def test_an_unknown_database_is_not_found(users: dict[str, User]) -> None:
    answer = signed_in(users["reader"]).get(f"{ADDRESS}?database=<b>")
    assert answer.status_code == 404
    check_headers(answer)
