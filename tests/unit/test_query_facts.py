"""What only a log tells of a statement, kept by day and told for the days of a span."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from dbvigil.models import QueryKind
from dbvigil.queries.figures import Figures
from dbvigil.queries.rules.statistics_history import Burst
from dbvigil.queries.slowlog.digest import CALLERS
from dbvigil.slow_queries.collecting import Description
from dbvigil.slow_queries.facts import DAYS, Facts, added, since
from dbvigil.slow_queries.log_source import LogFacts, Name
from dbvigil.slow_queries.stored import collected
from tests.support.kinds import BY_ADDRESS, NOW, TEXTS, found, keep, lease

__all__ = ["lease"]

DAY = date(2026, 3, 1)


def test_days_add_up_and_old_ones_go() -> None:
    kept: Facts = {}
    for number in range(12):
        day = DAY - timedelta(days=11 - number)
        for _ in range(2):
            kept = added(
                kept,
                LogFacts(
                    {"task=a": 2, f"task=b{number}": 1}, Burst(1, 20 + number, 20 + number, f"o{number}")
                ),
                day,
            )
    assert len(kept) == DAYS
    today = since(kept, NOW)
    assert today.callers == {"task=a": 4, "task=b11": 2}
    assert today.burst == Burst(2, 62, 31, "o11")
    week = since(kept, NOW - timedelta(days=30))
    assert week.callers["task=a"] == 4 * DAYS
    assert week.burst is not None and (week.burst.number, week.burst.longest) == (2 * DAYS, 31)
    assert since(kept, NOW + timedelta(days=1)) == LogFacts({}, None)


def test_callers_are_bounded() -> None:
    kept: Facts = {}
    for number in range(100):
        kept = added(kept, LogFacts({f"task={number}": number + 1}), DAY)
    told = since(kept, NOW).callers
    assert len(told) == CALLERS + 1
    assert sum(told.values()) == sum(range(101))


@pytest.mark.django_db(transaction=True)
def test_a_digest_is_told_with_the_callers_that_the_log_names(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: Name = ("slow_log", "shop", "L" * 16)
    monkeypatch.setitem(
        TEXTS, logged, Description(TEXTS[BY_ADDRESS].query, "as the log has it", "L" * 16, "P1")
    )
    facts = {logged: LogFacts({"controller=basket": 7}, Burst(1, 40, 40, "select id from list"))}
    keep(found(kinds={BY_ADDRESS: Figures(50, 9.0), logged: Figures(7, 5.0)}, facts=facts))
    (answer,) = collected("shop", timedelta(hours=1), NOW)
    assert (answer.source, answer.query_id) == ("digest", "L" * 16)
    assert answer.callers == {"controller=basket": 7}
    (advice,) = [one for one in answer.recommendations if one.rule == "n_plus_one"]
    assert (advice.action, advice.confidence) == ("application", "estimated")
    assert "40 times in a row, after select id from list" in advice.detail
    assert QueryKind.objects.get(source="digest").facts == {}
