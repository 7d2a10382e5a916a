"""What visits have found, kept and asked for: under a lease, once, gathered, pruned, and judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dbvigil.errors import ConfigurationError
from dbvigil.models import QueryKind, QueryPlan, QueryProgress, QueryWindow
from dbvigil.queries.figures import Figures
from dbvigil.queries.plan import Plan, PlanNode
from dbvigil.query import Recommendation
from dbvigil.slow_queries import analysis, deployments, proved, storing
from dbvigil.slow_queries.collecting import Description
from dbvigil.slow_queries.log_source import Name
from dbvigil.slow_queries.novelty import is_new
from dbvigil.slow_queries.stored import collected, covers, slow_queries, troubles
from dbvigil.slow_queries.waiting import CAPACITY, Waiting
from tests.support.kinds import BY_ADDRESS, NOW, REPORT, TEXTS, found, keep, lease, proof

__all__ = ["lease"]

pytestmark = pytest.mark.django_db(transaction=True)


def test_visits_of_one_window_add_up() -> None:
    ids = keep(
        found(kinds={BY_ADDRESS: Figures(10, 1.0)}),
        found(NOW + timedelta(seconds=60), {BY_ADDRESS: Figures(5, 2.0), REPORT: Figures(1, 9.0)}),
        found(NOW + timedelta(minutes=6), {REPORT: Figures(1, 9.0)}),
    )
    assert QueryWindow.objects.count() == 2
    assert QueryKind.objects.count() == len(ids) == 2
    report, address = collected("shop", timedelta(hours=1), NOW + timedelta(minutes=7))
    assert (report.count, report.total_time, report.digest) == (2, 18.0, "d2")
    assert (address.count, address.total_time, address.avg_time) == (15, 3.0, 0.2)
    assert address.share_of_load == pytest.approx(100 * 3 / 21)
    assert address.frequency_per_minute == pytest.approx(15 / 3)


def test_a_lost_lease_keeps_nothing() -> None:
    assert not storing.save("shop", "b", 7, found(kinds={BY_ADDRESS: Figures(1, 1.0)}), {})
    assert not storing.save("shop", "a", 6, found(kinds={BY_ADDRESS: Figures(1, 1.0)}), {})
    assert not QueryKind.objects.exists()
    assert not QueryWindow.objects.exists()
    assert not QueryProgress.objects.exists()


def test_a_kind_without_a_text_counts_in_the_total_only() -> None:
    keep(
        found(
            kinds={BY_ADDRESS: Figures(1, 1.0), REPORT: Figures(1, 3.0)}, new={BY_ADDRESS: TEXTS[BY_ADDRESS]}
        )
    )
    (one,) = collected("shop", timedelta(hours=1), NOW)
    assert one.share_of_load == 25.0


def test_another_process_goes_on_with_the_same_kinds() -> None:
    keep(found(kinds={BY_ADDRESS: Figures(1, 1.0)}))
    progress, ids = storing.progress("shop")
    assert progress == {"reading": None, "log": None}
    assert storing.save("shop", "a", 7, found(kinds={BY_ADDRESS: Figures(1, 1.0)}, new={}), ids)
    assert storing.save("shop", "a", 7, found(kinds={BY_ADDRESS: Figures(1, 1.0)}), {})
    assert QueryKind.objects.count() == 1
    (one,) = collected("shop", timedelta(hours=1), NOW)
    assert one.count == 3


def test_old_windows_become_hours_and_then_go() -> None:
    begin = NOW - timedelta(days=3)
    keep(*(found(begin + timedelta(minutes=5 * place), {REPORT: Figures(2, 1.0)}) for place in range(12)))
    while storing.maintain(NOW, 30):
        pass
    assert set(QueryWindow.objects.values_list("step", flat=True)) == {storing.COARSE}
    assert QueryWindow.objects.count() == 1
    (one,) = collected("shop", timedelta(days=4), NOW)
    assert (one.count, one.total_time) == (24, 12.0)
    # One that comes late joins its hour.
    keep(found(begin, {REPORT: Figures(2, 1.0)}))
    while storing.maintain(NOW, 30):
        pass
    (one,) = collected("shop", timedelta(days=4), NOW)
    assert one.count == 26
    while storing.maintain(NOW + timedelta(days=40), 30):
        pass
    assert not QueryWindow.objects.exists()
    assert not QueryKind.objects.exists()


def test_a_kind_that_is_still_seen_stays() -> None:
    for day in range(0, 40, 2):
        keep(found(NOW + timedelta(days=day), {REPORT: Figures(1, 1.0)}))
        while storing.maintain(NOW + timedelta(days=day), 10):
            pass
    assert QueryKind.objects.count() == 1


def test_a_window_that_cannot_be_read_costs_only_itself() -> None:
    keep(
        found(kinds={REPORT: Figures(1, 1.0)}), found(NOW + timedelta(minutes=10), {REPORT: Figures(1, 1.0)})
    )
    QueryWindow.objects.filter(start=QueryWindow.objects.order_by("start")[0].start).update(data=b"broken")
    (one,) = collected("shop", timedelta(hours=1), NOW + timedelta(minutes=11))
    assert one.count == 1
    assert one.share_of_load is None


def test_slower_than_before_is_told() -> None:
    keep(
        found(NOW - timedelta(hours=2), {BY_ADDRESS: Figures(100, 1.0, rows_examined=100)}),
        found(NOW, {BY_ADDRESS: Figures(100, 30.0, rows_examined=1_000_000)}),
    )
    (one,) = collected("shop", timedelta(hours=1.5), NOW + timedelta(minutes=4))
    assert one.trend == pytest.approx(30.0)
    assert one.patterns[0] == "latency_regression"
    assert "another plan" in one.recommendations[0].detail


def test_what_is_new_is_told() -> None:
    keep(
        found(
            kinds={BY_ADDRESS: Figures(1, 1.0), REPORT: Figures(1, 2.0)},
            new={**TEXTS, REPORT: replace(TEXTS[REPORT], first_seen=NOW - timedelta(days=30))},
        )
    )
    report, address = collected("shop", timedelta(hours=1), NOW)
    assert (report.is_new, address.is_new) == (False, True)
    assert report.first_seen == NOW - timedelta(days=30)


@pytest.mark.parametrize(
    ("first_seen", "known", "answer"),
    [
        (timedelta(days=8), timedelta(days=30), False),
        (timedelta(days=6), timedelta(days=30), True),
        (timedelta(days=6), timedelta(days=7), True),
        (timedelta(days=2), timedelta(days=2.5), None),
        (timedelta(days=2), timedelta(days=2), None),
        (timedelta(days=1), timedelta(days=2), True),
        (timedelta(days=2), None, None),
    ],
)
def test_nothing_is_new_to_who_knows_nothing_older(
    first_seen: timedelta, known: timedelta | None, answer: bool | None
) -> None:
    since = None if known is None else NOW - known
    assert is_new(NOW - first_seen, since, NOW - timedelta(days=7)) is answer


def test_digest_and_log_of_one_statement_meet() -> None:
    logged: Name = ("slow_log", "shop", "C" * 16)
    alone: Name = ("slow_log", "shop", "D" * 16)
    texts = {
        **TEXTS,
        logged: Description(
            "select id from customers where email=?", "select id from customers where email=?", "C" * 16, "P1"
        ),
        alone: Description("select sleep(?)", "select sleep(?)", "D" * 16, "P9"),
    }
    keep(
        found(
            kinds={
                BY_ADDRESS: Figures(1, 3.0),
                logged: Figures(1, 3.0, max_time=3.0),
                alone: Figures(1, 1.0, max_time=1.0),
            },
            new=texts,
        )
    )
    first, second = collected("shop", timedelta(hours=1), NOW)
    assert (first.source, first.digest, first.query_id, first.max_time) == ("digest", "d1", "C" * 16, 3.0)
    assert (second.source, second.query_id) == ("slow_log", "D" * 16)


def test_only_those_of_one_severity() -> None:
    keep(found(kinds={BY_ADDRESS: Figures(1000, 0.1), REPORT: Figures(10, 90.0, no_index_used=10)}))
    assert [one.digest for one in slow_queries(["shop"], 1, NOW, only="critical")] == ["d2"]
    assert [one.digest for one in slow_queries(["shop"], 1, NOW, only="low")] == ["d1"]
    assert [one.digest for one in slow_queries(["shop", "other"], 1, NOW, limit=1)] == ["d2"]
    for name, value in (("hours", 0), ("hours", float("nan")), ("limit", 0), ("limit", 10_000)):
        with pytest.raises(ConfigurationError, match=name):
            slow_queries(["shop"], **{"hours": 1, "now": NOW, "limit": 5} | {name: value})  # type: ignore[arg-type]


def test_what_runs_now_is_told_while_it_is_now() -> None:
    row = {
        "id": 5,
        "user": "web",
        "host": "h",
        "schema": "shop",
        "seconds": 75.0,
        "statement": "SELECT SLEEP (?)",
    }
    keep(found(kinds={}, running=[row]))
    (one,) = collected("shop", timedelta(hours=1), NOW + timedelta(seconds=60))
    assert (one.source, one.count, one.max_time, one.severity) == ("processlist", 1, 75.0, "high")
    assert collected("shop", timedelta(hours=1), NOW + timedelta(minutes=5)) == []


def test_watched_since() -> None:
    assert not covers("shop", NOW - timedelta(hours=1))
    keep(found(NOW - timedelta(hours=2), {REPORT: Figures(1, 1.0)}), found(NOW, {REPORT: Figures(1, 1.0)}))
    assert covers("shop", NOW - timedelta(hours=1))
    assert not covers("shop", NOW - timedelta(hours=3))


# -- what was looked at closely


def scan(**more: Any) -> Plan:
    return Plan(PlanNode("table", table="customers", access="ALL", rows=20_000.0, **more), "1" * 16)


def lookup() -> Plan:
    return Plan(PlanNode("table", table="customers", access="ref", key="email"), "2" * 16)


def looked(number: int, plan: Plan | None) -> analysis.Analysis:
    advice = Recommendation(
        "full_table_scan", "A big table is read whole", "all of customers", "create_index", "ALTER TABLE …"
    )
    return analysis.Analysis(number, [advice], ["no such table"], plan)


def test_the_worst_are_looked_at_and_then_left_alone_for_hours() -> None:
    ids = keep(found(kinds={BY_ADDRESS: Figures(1, 1.0), REPORT: Figures(1, 2.0)}))
    assert [one.id for one in analysis.due("shop", NOW)] == [ids[REPORT], ids[BY_ADDRESS]]
    analysis.keep([looked(ids[REPORT], None)], NOW)
    assert [one.id for one in analysis.due("shop", NOW)] == [ids[BY_ADDRESS]]
    keep(found(NOW + timedelta(hours=7), {REPORT: Figures(1, 2.0)}))
    assert [one.id for one in analysis.due("shop", NOW + timedelta(hours=7))] == [ids[REPORT]]


def test_advice_and_plan_are_told_with_the_figures() -> None:
    ids = keep(found(kinds={BY_ADDRESS: Figures(1, 1.0)}))
    analysis.keep([looked(ids[BY_ADDRESS], scan())], NOW)
    (one,) = collected("shop", timedelta(hours=1), NOW)
    assert "full_table_scan" in one.patterns
    assert one.plan == scan().to_dict()
    assert one.gaps == ("no such table",)
    assert [row["hash"] for row in one.plan_history] == ["1" * 16]


def test_another_plan_is_an_event() -> None:
    ids = keep(found(kinds={BY_ADDRESS: Figures(1, 1.0)}))
    number = ids[BY_ADDRESS]
    analysis.keep([looked(number, lookup())], NOW - timedelta(days=2))
    analysis.keep([looked(number, lookup())], NOW - timedelta(days=1))
    assert QueryPlan.objects.count() == 1
    analysis.keep([looked(number, scan())], NOW)
    (one,) = collected("shop", timedelta(hours=1), NOW)
    assert one.patterns[0] == "plan_change"
    assert "reads the whole table" in one.recommendations[0].detail
    assert [row["hash"] for row in one.plan_history] == ["1" * 16, "2" * 16]
    # Once it is no longer new in the span that is asked for, it is history.
    keep(found(NOW + timedelta(hours=3), {BY_ADDRESS: Figures(1, 1.0)}))
    (one,) = collected("shop", timedelta(hours=1), NOW + timedelta(hours=3))
    assert "plan_change" not in one.patterns


def test_old_plans_go() -> None:
    ids = keep(found(kinds={BY_ADDRESS: Figures(1, 1.0)}))
    for place in range(analysis.PLANS_KEPT + 5):
        plan = replace(scan(), hash=f"{place:016d}")
        analysis.keep([looked(ids[BY_ADDRESS], plan)], NOW + timedelta(hours=place))
    assert QueryPlan.objects.count() == analysis.PLANS_KEPT
    assert not QueryPlan.objects.filter(hash=f"{0:016d}").exists()


# -- what waits to be written


def test_what_waits_is_written_in_turn() -> None:
    waiting = Waiting("a")
    waiting.put("shop", 7, found(kinds={REPORT: Figures(1, 1.0)}))
    waiting.put("shop", 6, found(kinds={REPORT: Figures(100, 100.0)}))
    waiting.fail("shop", "it does not answer")
    assert len(waiting) == 3
    waiting.flush()
    assert len(waiting) == 0
    (one,) = collected("shop", timedelta(hours=1), NOW)
    assert one.count == 1
    assert troubles(["shop", "other"]) == {
        "shop": {"digest": "it does not answer", "slow_log": "it does not answer"}
    }
    waiting.put("shop", 7, found())
    waiting.flush()
    assert troubles(["shop"]) == {}


def test_a_full_queue_loses_the_oldest() -> None:
    waiting = Waiting("a")
    for _ in range(CAPACITY + 2):
        waiting.put("shop", 7, found())
    assert (len(waiting), waiting.dropped) == (CAPACITY, 2)


def test_samples_stay_in_memory() -> None:
    waiting = Waiting("a")
    waiting.put("shop", 7, found(samples={"P1": "SELECT id FROM customers WHERE email = 'ada@example.org'"}))
    assert waiting.sample("shop", "P1") == "SELECT id FROM customers WHERE email = 'ada@example.org'"
    assert waiting.sample("shop", "") is None
    waiting.flush()
    held = [bytes(row.data or b"") for row in QueryProgress.objects.all()]
    assert not any(b"ada" in data for data in held)


# -- proofs


def test_what_was_proved_is_told_with_the_figures_and_replaced_by_the_next_proof() -> None:
    keep(found(kinds={BY_ADDRESS: Figures(1, 1.0), REPORT: Figures(1, 2.0)}))
    assert proved.keep("shop", [proof("verified"), proof("no_gain")], NOW) == 1
    report, address = collected("shop", timedelta(hours=1), NOW)
    (advice,) = [one for one in address.recommendations if one.rule == proved.RULE]
    assert (advice.confidence, advice.sql) == ("verified", "ALTER TABLE … ADD")
    body = advice.to_dict()["evidence"]
    assert (body["before"]["rows_read"], body["after"]["rows_read"], body["rollback"]) == (
        20_000,
        1,
        "ALTER TABLE … DROP",
    )
    assert "5 % of the table" in body["method"]
    assert proved.RULE not in report.patterns
    proved.keep("shop", [proof("harmful")], NOW)
    _report, address = collected("shop", timedelta(hours=1), NOW)
    (advice,) = [one for one in address.recommendations if one.rule == proved.RULE]
    assert (advice.title, advice.sql) == ("An index that was proved to do harm", "")
    # What could not be tried says nothing about what was proved before.
    proved.keep("shop", [proof("untested")], NOW)
    _report, address = collected("shop", timedelta(hours=1), NOW)
    assert proved.RULE in address.patterns
    proved.keep("shop", [proof("no_gain")], NOW)
    _report, address = collected("shop", timedelta(hours=1), NOW)
    assert proved.RULE not in address.patterns


# -- deployments


def test_what_a_deployment_did_to_a_statement() -> None:
    release = NOW - timedelta(minutes=32)
    keep(
        found(
            release - timedelta(minutes=10),
            {BY_ADDRESS: Figures(100, 1.0, rows_examined=100), REPORT: Figures(50, 5.0)},
        ),
        found(
            release + timedelta(minutes=10),
            {BY_ADDRESS: Figures(100, 30.0, rows_examined=10**6), REPORT: Figures(50, 5.0)},
        ),
    )
    assert collected("shop", timedelta(hours=1), NOW)[0].since_deployment is None
    deployments.deployed("v1.2", "shop", "ada", NOW, minutes_ago=32)
    deployments.deployed("elsewhere", "other", "ada", NOW)
    address, report = collected("shop", timedelta(hours=1), NOW)
    assert address.since_deployment == {
        "name": "v1.2",
        "at": "2026-03-01T11:30:00.000Z",
        "is_new": False,
        "trend": pytest.approx(30.0),
        "slower": "an execution takes 0.3 s, 0.01 s before; it reads 10,000 rows instead of 1: look for another plan or grown data",
        "plan_changed": False,
    }
    assert report.since_deployment is not None
    assert (report.since_deployment["trend"], report.since_deployment["slower"]) == (1.0, "")
    assert [row["name"] for row in deployments.deployments(NOW - timedelta(days=1), "shop")] == ["v1.2"]


def test_the_newest_deployment_of_a_database_or_of_all_counts() -> None:
    keep(found(kinds={REPORT: Figures(1, 1.0)}))
    deployments.deployed("old", "", "", NOW, minutes_ago=60 * 24 * 8)
    assert collected("shop", timedelta(hours=1), NOW)[0].since_deployment is None
    deployments.deployed("everywhere", "", "", NOW, minutes_ago=90)
    deployments.deployed("here", "shop", "", NOW, minutes_ago=120)
    told = collected("shop", timedelta(hours=1), NOW)[0].since_deployment
    assert told is not None
    assert (told["name"], told["is_new"], told["trend"]) == ("everywhere", None, None)


@pytest.mark.parametrize(
    ("name", "minutes", "field"),
    [
        ("", 0, "name"),
        ("x" * 101, 0, "name"),
        ("a\nb", 0, "name"),
        ("v1", -1, "minutes_ago"),
        ("v1", 1e9, "minutes_ago"),
    ],
)
def test_a_deployment_that_is_none_is_told(name: str, minutes: float, field: str) -> None:
    with pytest.raises(ConfigurationError, match=field):
        deployments.deployed(name, "", "", NOW, minutes)
