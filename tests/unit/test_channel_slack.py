"""Slack's limits and escapes, for any message."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbvigil.channels.base import Notice, NoticeType
from dbvigil.channels.sample import sample_alert
from dbvigil.channels.slack_blocks import BLOCKS, FIELD, FIELDS, HEADER, SECTION, attachment, escape, names
from dbvigil.channels.text import compose

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
MOST_TEXT = 12_000


def made(*alerts: dict[str, Any], kind: NoticeType = "alert.fired", links: Any = ()) -> dict[str, Any]:
    return attachment(compose(Notice("msg_1", kind, NOW, alerts, links)))


def texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "text" and isinstance(value, str):
                yield value
            else:
                yield from texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts(value)


def check(found: dict[str, Any]) -> None:
    blocks = found["blocks"]
    assert 0 < len(blocks) <= BLOCKS
    for block in blocks:
        if block["type"] == "header":
            assert 0 < len(block["text"]["text"]) <= HEADER
        if block["type"] == "section":
            assert 0 < len(block.get("text", {"text": "-"})["text"]) <= SECTION
            assert len(block.get("fields", [])) <= FIELDS
            assert all(0 < len(field["text"]) <= FIELD for field in block.get("fields", []))
    assert sum(len(text) for text in texts(blocks)) <= MOST_TEXT


@pytest.mark.parametrize(
    ("kind", "severity", "color"),
    [
        ("alert.fired", "critical", "#d32f2f"),
        ("alert.fired", "warning", "#f9a825"),
        ("alert.resolved", "critical", "#2e7d32"),
        ("alert.resolved", "warning", "#2e7d32"),
    ],
)
def test_colours(kind: NoticeType, severity: str, color: str) -> None:
    found = made({**sample_alert(NOW), "severity": severity}, kind=kind)
    assert found["color"] == color
    check(found)


def test_there_is_a_button_to_acknowledge_and_one_to_open() -> None:
    links = ({"page": "https://v.example/7", "acknowledge": "https://v.example/a/7"},)
    (actions,) = [
        block for block in made(sample_alert(NOW), links=links)["blocks"] if block["type"] == "actions"
    ]
    assert [button["url"] for button in actions["elements"]] == [
        "https://v.example/a/7",
        "https://v.example/7",
    ]
    resolved = made(sample_alert(NOW), kind="alert.resolved", links=links)
    (actions,) = [block for block in resolved["blocks"] if block["type"] == "actions"]
    assert [button["url"] for button in actions["elements"]] == ["https://v.example/7"]
    assert "actions" not in [block["type"] for block in made(sample_alert(NOW))["blocks"]]


def test_mentions_are_only_text() -> None:
    bad = "<!channel> <@U123> <https://evil.example|click> & >"
    alert = {
        **sample_alert(NOW),
        "message": bad,
        "database": bad,
        "recommendations": [bad],
        "evidence": {"sessions": [{"user": bad, "statement": bad}], bad: [{bad: bad}]},
    }
    for found in (made(alert), made(alert, alert)):
        marked = [text for block in found["blocks"] for text in _marked(block)]
        assert marked
        assert [text for text in marked if "<" in text or ">" in text] == []
        assert any("&lt;!channel&gt;" in text for text in marked)
        assert "<" not in found["fallback"]


def _marked(node: Any) -> Iterator[str]:
    """Texts in which Slack reads markup."""
    if isinstance(node, dict):
        if node.get("type") == "mrkdwn":
            yield node["text"]
        for value in node.values():
            yield from _marked(value)
    elif isinstance(node, list):
        for value in node:
            yield from _marked(value)


@pytest.mark.parametrize("count", [2, 60, 500, 1000])
def test_every_name_of_a_storm_is_there(count: int) -> None:
    databases = [f"customer-{number:04}" for number in range(count)]
    alerts = tuple(
        {**sample_alert(NOW), "database": name, "metric": "up", "value": False} for name in databases
    )
    message = compose(Notice("msg_1", "alert.fired", NOW, alerts))
    found = attachment(message)
    check(found)
    everything = names(message) + "".join(texts(found["blocks"]))
    assert [name for name in databases if name not in everything] == []
    assert len(names(message)) < 40_000


def test_beyond_what_slack_takes_the_rest_is_counted() -> None:
    alerts = tuple({**sample_alert(NOW), "database": f"customer-{number:05}"} for number in range(9000))
    message = compose(Notice("msg_1", "alert.fired", NOW, alerts))
    check(attachment(message))
    text = names(message)
    assert len(text) <= 38_000
    named = text.count("customer-")
    assert text.endswith(f"and {9000 - named} more")


_TEXT = st.text(max_size=400) | st.text("<>&`*_~", max_size=400)


@settings(max_examples=50)
@given(
    alerts=st.lists(
        st.fixed_dictionaries(
            {
                "database": _TEXT,
                "metric": _TEXT | st.sampled_from(("up", "connection_usage")),
                "message": st.text("<>&x", max_size=5000),
                "severity": st.sampled_from(("warning", "critical")),
                "value": st.none() | st.floats() | _TEXT,
                "recommendations": st.lists(_TEXT, max_size=10),
                "evidence": st.dictionaries(
                    _TEXT, st.lists(st.dictionaries(_TEXT, _TEXT, max_size=5), max_size=9), max_size=9
                ),
            }
        ),
        min_size=1,
        max_size=40,
    )
)
def test_any_message_is_inside_the_limits(alerts: list[dict[str, Any]]) -> None:
    check(made(*({**sample_alert(NOW), **alert} for alert in alerts)))


def test_escaping_is_slacks_own() -> None:
    assert escape("a < b & c > d") == "a &lt; b &amp; c &gt; d"
