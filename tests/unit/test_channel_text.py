"""What messages say: one alert, many alerts, and whatever stands in the evidence."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.alert import Alert
from dbvigil.channels.base import Notice, NoticeType
from dbvigil.channels.evidence import LONGEST_LINE, MOST_KINDS, MOST_ROWS, blocks
from dbvigil.channels.mail import html
from dbvigil.channels.sample import sample_alert
from dbvigil.channels.text import CRITICAL, LONGEST_SUBJECT, RESOLVED, WARNING, compose, plain
from dbvigil.types import iso_utc

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
LINKS = {"page": "https://v.example/7", "acknowledge": "https://v.example/a/7"}


def body(**changes: Any) -> dict[str, Any]:
    return {**sample_alert(NOW), **changes}


def subject(kind: NoticeType = "alert.fired", **changes: Any) -> str:
    return compose(Notice("msg_1", kind, NOW, (body(**changes),))).subject


def test_a_message_has_everything_a_person_needs() -> None:
    message = compose(Notice("msg_1", "alert.fired", NOW, (body(),), (LINKS,)))
    text = plain(message)
    assert message.subject == "[CRITICAL] shop: connection usage 96 % (≥ 95 %)"
    for part in (
        "Database:    shop",
        "Connection usage (connection_usage)",
        "96 %",
        "≥ 95 %",
        "2026-11-23 09:56:00 UTC (4 min)",
        "shop_web@10.0.4.17 (checkout) · 118 connections, 112 of them idle",
        "session 4711 of reports@10.0.4.21 · for 184.2 s",
        "1. Look at which account",
        "Open: https://v.example/7",
        "Acknowledge: https://v.example/a/7",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("alert.fired", {"severity": "warning"}, "[WARNING] shop: connection usage 96 % (≥ 95 %)"),
        ("alert.resolved", {"value": 71.25}, "[RESOLVED] shop: connection usage 71.2 %"),
        ("alert.escalated", {}, "[ESCALATED CRITICAL] shop: connection usage 96 % (≥ 95 %)"),
        ("alert.acknowledged", {}, "[ACKNOWLEDGED] shop: connection usage 96 % (≥ 95 %)"),
        ("alert.test", {}, "[TEST] shop: connection usage 96 % (≥ 95 %)"),
        (
            "alert.fired",
            {"metric": "up", "value": False, "threshold": None},
            "[CRITICAL] shop: server is down",
        ),
        (
            "alert.resolved",
            {"metric": "up", "value": True, "threshold": None},
            "[RESOLVED] shop: server is up again",
        ),
        (
            "alert.fired",
            {"metric": "replication_running", "value": False},
            "[CRITICAL] shop: replication is stopped",
        ),
        (
            "alert.fired",
            {"no_data": True, "severity": "warning"},
            "[WARNING] shop: connection usage cannot be read",
        ),
        ("alert.fired", {"flapping": True}, "[CRITICAL] shop: connection usage keeps changing"),
        (
            "alert.fired",
            {"metric": "buffer_pool_hit_rate", "value": 88.0, "threshold": 90.0},
            "[CRITICAL] shop: buffer pool hit rate 88 % (≤ 90 %)",
        ),
        (
            "alert.fired",
            {"metric": "made_up_figure", "value": 3.25, "threshold": 3},
            "[CRITICAL] shop: made up figure 3.25 (≥ 3)",
        ),
        (
            "alert.fired",
            {"metric": "errant_gtids", "value": "a-b:1-7"},
            "[CRITICAL] shop: replica has transactions of its own",
        ),
        (
            "alert.fired",
            {"metric": "read_only", "value": False, "threshold": 0.0},
            "[CRITICAL] shop: replica accepts writes",
        ),
        (
            "alert.fired",
            {"metric": "uptime", "value": 70, "threshold": 300},
            "[CRITICAL] shop: server was restarted",
        ),
        (
            "alert.fired",
            {
                "database": "dbvigil",
                "metric": "sampling",
                "value": None,
                "threshold": None,
                "message": "no new samples of shop",
            },
            "[CRITICAL] dbvigil: no new samples of shop",
        ),
        (
            "alert.resolved",
            {"database": "dbvigil", "metric": "sampling", "value": None, "threshold": None},
            "[RESOLVED] dbvigil: sampling: it is over",
        ),
    ],
)
def test_subjects(kind: NoticeType, changes: dict[str, Any], expected: str) -> None:
    assert subject(kind, **changes) == expected


def test_what_is_over_asks_for_nothing() -> None:
    resolved = body(status="resolved", resolved_at=iso_utc(NOW), value=70.0)
    message = compose(Notice("msg_1", "alert.resolved", NOW, (resolved,), (LINKS,)))
    text = plain(message)
    assert message.color == RESOLVED
    assert "lasted 4 min" in text
    assert "What to do" not in text
    assert "Acknowledge" not in text
    assert "https://v.example/7" in text


def test_many_alerts_are_all_named_before_any_detail() -> None:
    names = [f"shop-{number:04}" for number in range(1000)]
    alerts = tuple(body(database=name, metric="up", value=False, threshold=None, id=7) for name in names)
    alerts += (body(database="quiet", severity="warning"),)
    message = compose(Notice("msg_1", "alert.fired", NOW, alerts))
    assert (
        message.subject
        == "[CRITICAL] 1001 alerts on 1001 databases: server is down (1000), connection usage (1)"
    )
    assert message.color == CRITICAL
    text = plain(message)
    assert len(text) <= 20_000
    assert [name for name in [*names, "quiet"] if name not in text] == []
    page = html(message, NOW)
    assert [name for name in [*names, "quiet"] if name not in page] == []
    assert len(page.encode()) < 102_000


def test_a_state_is_no_number_against_a_threshold() -> None:
    down = body(metric="up", value=False, threshold=0.0)
    text = plain(compose(Notice("msg_1", "alert.fired", NOW, (down,))))
    assert "Value:       server is down" in text
    assert "Threshold" not in text
    restarted = body(metric="uptime", value=70, threshold=300.0)
    assert "Value:       70 s" in plain(compose(Notice("msg_1", "alert.fired", NOW, (restarted,))))


def test_the_gravest_decides_the_colour_and_comes_first() -> None:
    alerts = (body(database="a", severity="warning"), body(database="b"))
    message = compose(Notice("msg_1", "alert.fired", NOW, alerts))
    assert [one.database for one in message.alerts] == ["b", "a"]
    assert (message.color, message.alerts[1].color) == (CRITICAL, WARNING)


def test_links_stay_with_their_alert() -> None:
    alerts = (body(database="a", severity="warning"), body(database="b"))
    links = ({"page": "https://v.example/a"}, {"page": "https://v.example/b"})
    message = compose(Notice("msg_1", "alert.fired", NOW, alerts, links))
    assert [(one.database, one.page) for one in message.alerts] == [
        ("b", "https://v.example/b"),
        ("a", "https://v.example/a"),
    ]


def test_a_clock_that_was_set_back_gives_no_negative_time() -> None:
    text = plain(compose(Notice("msg_1", "alert.fired", NOW - timedelta(hours=1), (body(),))))
    assert "(0 s)" in text


def test_markup_in_values_is_text_in_html() -> None:
    message = compose(
        Notice("msg_1", "alert.fired", NOW, (body(database="<script>x</script>", message="<img src=x>"),))
    )
    page = html(message, NOW)
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page


KINDS = ("sessions", "connections", "locks", "statements", "replication", "tables", "channels", "whatever")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "found",
    [
        [],
        None,
        {},
        "text",
        7,
        [None, 3, "x"],
        [{}],
        [{"id": 1}],
        [{"unknown_name": {"deep": [1, {"er": True}]}}],
        {"unavailable": "the account has no PROCESS privilege"},
        {"a": 1, "b_c": None},
    ],
)
def test_evidence_of_any_shape_is_told(kind: str, found: Any) -> None:
    for title, lines in blocks({kind: found}):
        assert title
        assert all(lines)


def test_unknown_evidence_is_told_by_name_and_value() -> None:
    assert blocks({"disk_state": [{"mount_point": "/var", "used_percent": 97.5, "full": True}]}) == (
        ("Disk state", ("mount point: /var · used percent: 97.5 · full: yes",)),
    )
    assert blocks({"locks": {"unavailable": "no grant"}}) == (
        ("Who waits for whom", ("not available: no grant",)),
    )


def test_a_lock_names_both_sides() -> None:
    row = {
        "table": "shop.orders",
        "seconds": 12,
        "waiting_id": 9,
        "waiting_user": "web",
        "waiting_statement": "UPDATE orders SET x = ?",
        "blocking_id": 4,
        "blocking_user": "batch",
        "blocking_command": "Sleep",
        "blocking_statement": None,
        "root": True,
    }
    ((_, (line,)),) = blocks({"locks": [row]})
    assert (
        line
        == "shop.orders · session 4 of batch blocks · Sleep · session 9 of web waits 12 s · UPDATE orders SET x = ?"
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=20), inner, max_size=9),
    max_leaves=30,
)


@given(
    evidence=st.dictionaries(st.sampled_from(KINDS) | st.text(max_size=30), _JSON, max_size=9),
    database=st.text(max_size=300),
    metric=st.sampled_from(("up", "connection_usage", "errant_gtids", "replication_lag"))
    | st.text(max_size=100),
    value=_JSON,
    message=st.text(max_size=2000),
    recommendations=st.lists(st.text(max_size=500), max_size=12),
)
def test_nothing_in_an_alert_breaks_a_message(
    evidence: dict[str, Any], database: str, metric: str, value: Any, message: str, recommendations: list[str]
) -> None:
    alert = body(
        evidence=evidence,
        database=database,
        metric=metric,
        value=value,
        message=message,
        recommendations=recommendations,
    )
    made = compose(Notice("msg_1", "alert.fired", NOW, (alert,)))
    assert len(made.subject) <= LONGEST_SUBJECT
    assert made.subject.isprintable()
    (one,) = made.alerts
    assert len(one.evidence) <= MOST_KINDS
    assert all(len(lines) <= MOST_ROWS + 1 for _, lines in one.evidence)
    assert all(len(line) <= LONGEST_LINE for _, lines in one.evidence for line in lines)
    assert len(plain(made, longest=5_000)) <= 5_000
    assert html(made, NOW).startswith("<!doctype html>")


def test_the_sample_is_a_whole_alert() -> None:
    assert set(sample_alert(NOW)) == set(
        Alert(1, "", "", "warning", "firing", None, None, "", NOW, NOW).to_dict()
    )
