"""Alerts as the command shows them: at any width, in any character set, with any text in them."""

from __future__ import annotations

import io
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from dbvigil.alert import Alert, Notification
from dbvigil.terminal import alerts as views
from dbvigil.terminal.text import ASCII, UNICODE, Glyphs
from tests.support.raised import HTML, LINES

NOW = datetime(2026, 1, 31, 9, 5, tzinfo=UTC)
UNPRINTABLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def alert(**values: Any) -> Alert:
    started = NOW - timedelta(minutes=12)
    given_values: dict[str, Any] = {
        "id": 7,
        "database": "shop",
        "metric": "connection_usage",
        "severity": "critical",
        "status": "firing",
        "value": 96.2,
        "threshold": 95.0,
        "message": "Connection use is 96.2 %, critical from 95.0 %",
        "started_at": started,
        "last_seen_at": NOW,
        "duration_seconds": 720.0,
        **values,
    }
    return Alert(**given_values)


def drawn(renderable: RenderableType, width: int = 100) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get().splitlines()


def told(channel: str, status: str, attempts: int = 1) -> Notification:
    return Notification(channel, "fired", status, attempts)  # type: ignore[arg-type]  # what a row may hold


def test_a_pipe_gets_one_line_an_alert() -> None:
    sent = (
        told("email", "sent"),
        told("email", "sent"),
        told("slack", "failed"),
        told("webhook", "sending"),
        told("fax", "cancelled"),
    )
    lines = views.lines([alert(notifications=sent, acknowledged_by="ada")], None, NOW)
    assert lines[0].split() == [*views._HEAD[:8], "TAKEN", "BY", "SENT", "MESSAGE"]
    assert lines[1] == (
        "7   critical  firing  shop      connection_usage  96.2 %  95.0 %     08:53  ada       "
        "email 2 sent; slack 1 failed; webhook 1 pending  Connection use is 96.2 %, critical from 95.0 %"
    )
    assert views.lines([], None, NOW) == ["no alert is active"]
    assert views.lines([], [], NOW) == ["no alert is active", "", "no alert in this time"]


def test_the_history_says_from_when_until_when() -> None:
    over = alert(status="resolved", resolved_at=NOW - timedelta(minutes=2), duration_seconds=600.0)
    line = views.lines([], [over, alert()], NOW)[-2]
    assert line.split()[4:8] == ["08:53", "09:03", "10", "min"]
    text = "\n".join(drawn(views.drawn([], [over, alert()], NOW, UNICODE)))
    assert "from 08:53 until 09:03 (10 min)" in text and "still active (12 min)" in text


def test_a_terminal_gets_a_block_an_alert() -> None:
    taken = alert(
        acknowledged_by="ada", acknowledged_at=NOW, note="on it", suppressed_until=NOW + timedelta(hours=1)
    )
    text = "\n".join(drawn(views.drawn([alert(escalation_level=2), taken], None, NOW, UNICODE)))
    assert "2 active alerts, 2 of them critical" in text
    assert "◆ critical  shop  connection_usage  7" in text
    assert "96.2 % against 95.0 %, since 08:53 (12 min)" in text
    assert "nobody has taken it up, escalated to step 2" in text
    assert "taken up by ada at 09:05: on it; suppressed until 10:05" in text
    assert "sent: nothing yet" in text


@pytest.mark.parametrize(
    ("value", "metric", "shown"),
    [(None, "up", "n/a"), (None, "mine", "n/a"), (5, "mine", "5"), (80, "connection_usage", "80.0 %")],
)
def test_readings(value: object, metric: str, shown: str) -> None:
    assert views.reading(metric, value) == shown


def test_the_summary_counts() -> None:
    assert views.summary(0, 0) == "no alert is active"
    assert views.summary(1, 0) == views.summary(1, 1) == "1 active alert"
    assert views.summary(2, 1) == "2 active alerts, 1 of them critical"
    assert [views.summary_style(*found) for found in ((0, 0), (1, 0), (2, 1))] == [
        "green",
        "yellow",
        "bold red",
    ]


def test_outcomes_have_a_sign_and_their_words() -> None:
    results = {
        "email": {"ok": True, "detail": "sent", "latency_ms": 12.4},
        "slack": {"ok": False, "detail": f"it answered {LINES}", "latency_ms": 3000.0},
    }
    lines = views.outcome_lines(results)
    assert lines[0] == "email  ok      12 ms    sent"
    assert lines[1].startswith("slack  failed  3000 ms  it answered first Bcc")
    text = drawn(views.outcomes(results, ASCII), 200)
    assert text[0].startswith("o email") and text[1].startswith("X slack")


@given(
    text=st.text(max_size=80) | st.sampled_from([HTML, LINES, "[bold red]x[/]"]),
    width=st.sampled_from([20, 40, 80, 200]),
    glyphs=st.sampled_from([UNICODE, ASCII]),
)
def test_text_is_shown_and_never_obeyed(text: str, width: int, glyphs: Glyphs) -> None:
    hostile = alert(
        database=text, metric=text, message=text, value=text, note=text, acknowledged_by=text,
        acknowledged_at=NOW, notifications=(told(text, "sent"),),
    )  # fmt: skip
    plain = views.lines([hostile], [replace(hostile, resolved_at=NOW)], NOW)
    assert len(plain) == 5
    lines = drawn(views.drawn([hostile], [hostile], NOW, glyphs), width)
    for line in plain + lines:
        assert not [sign for sign in line if unicodedata.category(sign) in UNPRINTABLE]
    assert all(cell_len(line) <= width for line in lines)
