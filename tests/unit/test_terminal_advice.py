"""Index advice as people read it, and its JSON: shares, proofs in their order, and names that try to move the cursor."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django import Settings
from rich.console import Console

from dbvigil.display import times
from dbvigil.queries.advise import Advice
from dbvigil.queries.figures import Figures
from dbvigil.queries.fingerprint import fingerprint
from dbvigil.queries.indexes import candidates, redundant_indexes
from dbvigil.queries.schema import Schema
from dbvigil.queries.workload import Outcome, Proof, WorkloadQuery
from dbvigil.terminal import advice as views
from dbvigil.terminal.text import ASCII, UNICODE
from dbvigil.types import ServerInfo
from tests.support.shop_schema import CUSTOMER, ITEM, ORDERS, SHOP

DOUBLED = SHOP.table("doubled")
assert DOUBLED is not None
SCHEMA = Schema.of((CUSTOMER, ORDERS, ITEM, DOUBLED), "shop")
STATEMENTS = (
    ("SELECT `note` FROM `orders` WHERE `customer_id` = ? ORDER BY `placed` DESC LIMIT ?", 40.0),
    ("SELECT `line` FROM `item` WHERE `product_id` = ?", 20.0),
)


def advice(schema: Schema = SCHEMA, **changes: Any) -> Advice:
    workload = tuple(
        WorkloadQuery(fingerprint(sql)[1], sql, "shop", Figures(100, seconds)) for sql, seconds in STATEMENTS
    )
    found = Advice(
        database="shop",
        taken_at=datetime(2026, 11, 23, tzinfo=UTC),
        info=ServerInfo("mysql", (8, 4, 0), "8.4.0", performance_schema=True),
        minutes=None,
        total_time=100.0,
        workload=workload,
        schema=schema,
        candidates=candidates(workload, schema, "mysql", (8, 4, 0)),
        needless=redundant_indexes(schema),
        servers=("shop", "shop-replica"),
    )
    return replace(found, **changes)


def proofs(advised: Advice, *outcomes: Outcome) -> list[Proof]:
    figures = {"rows_read": 9_000, "pages": 30, "milliseconds": 12.5}
    return [
        Proof(one, outcome, f"why {outcome}", 4.5, (3.0, 6.0), figures, {**figures, "rows_read": 10}, write_cost=3.2)
        for one, outcome in zip(advised.candidates, outcomes, strict=False)
    ]  # fmt: skip


def test_the_document_names_whom_an_index_serves() -> None:
    body = json.loads(json.dumps(advice().to_dict()))
    assert (body["statements"], body["share_of_load"], body["timestamp"]) == (
        2,
        60.0,
        "2026-11-23T00:00:00.000Z",
    )
    first = body["candidates"][0]
    assert first["columns"] == [
        {"name": "customer_id", "descending": False},
        {"name": "placed", "descending": False},
    ]
    assert first["replaces"] == [
        {"index": "customer", "first": "ALTER TABLE `shop`.`orders` ALTER INDEX `customer` INVISIBLE"}
    ]
    assert (first["share_of_load"], first["serves"][0]["share_of_load"], first["proof"]) == (40.0, 40.0, None)
    assert {one["why"] for one in body["needless"]} == {"duplicate", "prefix"}


def test_without_any_load_shares_are_unknown() -> None:
    body = advice(total_time=0.0).to_dict()
    assert body["share_of_load"] is None
    assert body["candidates"][0]["share_of_load"] is None
    assert any("n/a of the load" in line for line in views.lines(body))


def test_what_is_verified_comes_first_and_harm_is_not_offered() -> None:
    advised = advice()
    assert len(advised.candidates) > 1
    body = advised.to_dict(proofs(advised, "harmful", "verified"))
    assert [one["proof"]["outcome"] for one in body["candidates"] if one["proof"]][:1] == ["verified"]
    assert body["candidates"][-1]["proof"]["outcome"] == "harmful"
    lines = views.lines(body)
    assert "   verified: why verified" in lines
    assert "   harmful, do not build it: why harmful" in lines
    assert not [line for line in lines if body["candidates"][-1]["ddl"] in line]
    facts = "4.5 times as fast (3 to 6); 9,000 rows and 12.5 ms before, 10 rows and 12.5 ms after; the engine's work of a write +3 %"
    assert f"   {facts}" in lines
    json.dumps(body)


def test_a_guess_is_called_one() -> None:
    advised = advice()
    assert any("guesses from statistics" in line for line in views.lines(advised.to_dict()))
    likely: list[Outcome] = ["estimated"] * len(advised.candidates)
    all_proved = advised.to_dict(proofs(advised, *likely))
    assert not any("guesses" in line for line in views.lines(all_proved))


def test_nothing_to_do_is_said() -> None:
    lines = views.lines(advice(candidates=(), needless=(), gaps=("one gap",)).to_dict())
    assert lines[1:] == ["no index is missing, as far as can be told from these statements", "one gap"]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_a_terminal_shows_what_a_pipe_shows(glyphs: Any) -> None:
    body = advice().to_dict()
    console = Console(file=io.StringIO(), width=400, force_terminal=False)
    console.print(views.drawn(body, glyphs))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue().replace(f"{glyphs.dot} ", "")
    for line in views.lines(body):
        assert line.strip() in shown


def test_names_cannot_move_the_cursor() -> None:
    odd = "or\x1b[2Jders"
    orders = replace(ORDERS, name=odd)
    sql = f"SELECT note FROM `{odd}` WHERE total = ?"
    workload = (WorkloadQuery("1", sql, "shop", Figures(1, 1.0)),)
    schema = Schema.of((orders,), "shop")
    found = candidates(workload, schema, "mysql", (8, 4, 0))
    assert found
    lines = views.lines(advice(schema, workload=workload, candidates=found, needless=()).to_dict())
    assert not any("\x1b" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--database: None is not allowed; allowed: other, shop"),
        (["--database", "nope"], "no monitored database is named 'nope'"),
        (["--database", "shop", "--with-replicas", "nope"], "no monitored database is named 'nope'"),
        (["--database", "shop", "--limit", "x"], "invalid int value: 'x'"),
        (["--database", "shop", "--seconds", "5"], "allowed: with --verify"),
        (["--database", "shop", "--verify", "--rows", "0"], "budget.rows: 0 is not allowed"),
    ],
)
@pytest.mark.django_db
def test_what_cannot_be_asked_is_said_in_one_line(
    arguments: list[str], says: str, settings: Settings
) -> None:
    url = "mysql://u:secret@127.0.0.1:1/"
    settings.DB_MONITORING_TARGETS = {"shop": url, "other": url}
    with pytest.raises(CommandError) as caught:
        call_command("database_monitor", "advise", *arguments)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("factor", "text"), [(1.806, "1.81"), (14.21, "14.2"), (99.96, "100"), (1333.3, "1,333"), (0.5, "0.5")]
)
def test_a_factor_is_a_figure_for_people(factor: float, text: str) -> None:
    assert times(factor) == text
