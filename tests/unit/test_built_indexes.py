"""Indexes that were proved and then built: what they brought, and when to take them back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from dbvigil.queries.figures import Figures
from dbvigil.query import Recommendation
from dbvigil.slow_queries import built, proved, storing
from dbvigil.slow_queries.collecting import Description
from dbvigil.slow_queries.log_source import Name
from dbvigil.slow_queries.stored import collected
from tests.support.kinds import BY_ADDRESS, NOW, REPORT, TEXTS, found, keep, lease, proof

__all__ = ["lease"]

pytestmark = pytest.mark.django_db(transaction=True)


AS_BEFORE = Figures(50, 5.0)


def proved_and_built(after: Figures, other: Figures = AS_BEFORE) -> Recommendation:
    """The advice on BY_ADDRESS two hours after its index was built, with what it and a report cost since then."""
    built_at = NOW + timedelta(hours=1)
    keep(
        found(NOW - timedelta(minutes=20), {BY_ADDRESS: Figures(100, 10.0, rows_examined=10**6), REPORT: Figures(50, 5.0)}),
    )  # fmt: skip
    proved.keep("shop", [proof("verified")], NOW)
    indexes = built.watched("shop", NOW)
    assert len(indexes) == 1
    built.keep("shop", indexes, {}, built_at - timedelta(minutes=1))
    built.keep("shop", built.watched("shop", NOW), {indexes[0].pk: "by_email"}, built_at)
    keep(found(built_at + timedelta(minutes=30), {BY_ADDRESS: after, REPORT: other}))
    later = built_at + timedelta(hours=2)
    built.keep("shop", built.watched("shop", later), {indexes[0].pk: "by_email"}, later)
    answers = {one.query_id: one for one in collected("shop", timedelta(hours=3), later)}
    (advice,) = [one for one in answers["A" * 16].recommendations if one.rule == proved.RULE]
    return advice


def test_a_built_index_is_told_with_what_it_brought() -> None:
    advice = proved_and_built(Figures(200, 0.1, rows_examined=200))
    assert (advice.title, advice.sql) == ("An index that was proved, and is built", "")
    assert (
        "as by_email: 200 executions since took 0.0005 s each, 0.1 s before: 200 times as fast"
        in advice.detail
    )
    told = advice.evidence["built"]
    assert (told["index"], told["outcome"], told["executions"], told["slower"]) == (
        "by_email",
        "kept",
        200,
        {},
    )
    # The next proof, of another index, leaves it.
    one = proof("no_gain")
    proved.keep(
        "shop",
        [replace(one, candidate=replace(one.candidate, columns=(("name", False),)))],
        NOW + timedelta(hours=4),
    )
    answers = collected("shop", timedelta(hours=6), NOW + timedelta(hours=4))
    assert any(one.rule == proved.RULE for answer in answers for one in answer.recommendations)


def test_a_built_index_that_does_harm_is_taken_back() -> None:
    advice = proved_and_built(Figures(200, 90.0, rows_examined=10**8))
    assert advice.title.endswith("take it back")
    assert advice.sql == "ALTER TABLE `shop`.`customers` ALTER INDEX `by_email` IGNORED"
    assert advice.evidence["built"]["outcome"] == "slower"


def test_another_statement_of_the_table_that_became_slower_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    name: Name = ("digest", "shop", "d3")
    monkeypatch.setitem(
        TEXTS, name, Description("SELECT name FROM customers ORDER BY email LIMIT ?", "…", "C" * 16, "P3")
    )
    keep(found(NOW - timedelta(minutes=20), {name: Figures(100, 10.0)}))
    keep(found(NOW + timedelta(minutes=90), {name: Figures(100, 100.0)}))
    advice = proved_and_built(Figures(200, 1.0, rows_examined=200), other=Figures(50, 50.0))
    # The report became slower too, and reads another table.
    assert list(advice.evidence["built"]["slower"]) == ["C" * 16]
    assert advice.sql


def test_an_index_that_is_dropped_again_is_proposed_again() -> None:
    proved_and_built(Figures(200, 1.0, rows_examined=200))
    later = NOW + timedelta(hours=5)
    built.keep("shop", built.watched("shop", later), {}, later)
    (_report, address) = sorted(collected("shop", timedelta(hours=6), later), key=lambda one: one.query_id)[
        ::-1
    ]
    (advice,) = [one for one in address.recommendations if one.rule == proved.RULE]
    assert advice.sql == "ALTER TABLE … ADD"
    storing.maintain(NOW + timedelta(days=401), 30)
    assert built.of_database("shop") == {}
