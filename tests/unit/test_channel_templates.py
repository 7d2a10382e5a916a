"""Templates of an operator's own: what they can say, and that they can do no harm."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

import psutil
import pytest

from dbvigil.channels.base import Notice, Outcome
from dbvigil.channels.sample import sample_alert
from dbvigil.channels.templates import (
    MOST_OUTPUT,
    MOST_SOURCE,
    TemplateTrouble,
    context_of,
    preview,
    render,
    words,
)
from dbvigil.channels.text import compose
from tests.support.waiting import BOUNDED, PATIENCE, wait_for

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
SAMPLE = Notice("msg_1", "alert.fired", NOW, (sample_alert(NOW),), ({"page": "https://v.example/7"},))


pytestmark = pytest.mark.usefixtures("patient_rendering")


def workers() -> list[psutil.Process]:
    """The processes of ours that render."""
    found = []
    for one in psutil.Process().children():
        # One that has just ended has no command any more.
        with suppress(psutil.Error):
            if "template_worker" in " ".join(one.cmdline()):
                found.append(one)
    return found


def test_a_preview_shows_what_would_be_sent() -> None:
    source = "{% for one in alerts %}{{ one.state }} {{ one.database }}: {{ one.line }}, {{ bodies[0].value }}{% endfor %}"
    assert preview(source, SAMPLE) == "CRITICAL shop: connection usage 96 % (≥ 95 %), 96.0"


def test_values_are_escaped_in_html_and_nowhere_else() -> None:
    sample = Notice("msg_1", "alert.fired", NOW, ({**sample_alert(NOW), "database": "<b>"},))
    assert preview("{{ alerts[0].database }}", sample, "html") == "&lt;b&gt;"
    assert preview("{{ alerts[0].database }}", sample, "text") == "<b>"


@pytest.mark.parametrize("part", ["subject", "text", "html"])
def test_what_no_service_takes_is_not_in_what_a_template_makes(part: str) -> None:
    """A lone surrogate cannot be encoded, and a mail server may refuse a control character for good."""
    made = preview("a{{ '\\ud800' }}b{{ '\\x00\\x1b\\x9b' }}c", SAMPLE, part)
    assert made.replace(" ", "") == "a?bc"


def test_a_subject_is_one_line() -> None:
    assert preview("a\r\nBcc: eve@evil.example\n", SAMPLE, "subject") == "a Bcc: eve@evil.example"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ nope }}", "text line 1: 'nope' is undefined"),
        ("first\n{{ alerts[0].nope.more }}", "text line 2: "),
        ("first\nsecond\n{% if %}", "text line 3: "),
        ("first\n{% for x in alerts %}", "text line 2: "),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ cycler.__init__.__globals__.os.system('true') }}", "unsafe"),
        ("{{ alerts.append(1) }}", "unsafe"),
        ("{{ bodies[0].update({}) }}", "unsafe"),
        ("{% for i in range(1000000) %}x{% endfor %}", "Range too big"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"),
        ("{{ 'x' * 70000 }}", "more than 64 KiB"),
        ("{% for i in range(99999) %}xxxxxxxxxx{% endfor %}", "more than 64 KiB"),
        ("{{ 'x' * 10 ** 10 }}", "time or memory"),
        ("{{ 10 ** (10 ** 8) }}", "time or memory"),
        (
            "{% set s = namespace(x='xxxxxxxx') %}{% for i in range(60) %}{% set s.x = s.x ~ s.x %}{% endfor %}",
            "time or memory",
        ),
        ("x" * (MOST_SOURCE + 1), "larger than 16 KiB"),
        ("{{ 1 / 0 }}", "text line 1: division by zero"),
        ("", "text: it makes no text"),
        ("{% if type == 'alert.resolved' %}over{% endif %}\n", "text: it makes no text"),
        ("\x00\x1b", "text: it makes no text"),
        ("\ud800{{ nope }}", "text"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(source: str, says: str) -> None:
    started = time.monotonic()
    with pytest.raises(TemplateTrouble) as caught:
        render({"text": source}, context_of(compose(SAMPLE), SAMPLE), seconds=1.5)
    assert says in str(caught.value) or "longer than" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.monotonic() - started < BOUNDED


def test_a_loop_without_end_is_ended() -> None:
    source = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    started = time.monotonic()
    with pytest.raises(TemplateTrouble, match=r"longer than 1 s|time or memory"):
        render({"text": source}, {}, seconds=1)
    assert time.monotonic() - started < BOUNDED
    assert workers() == []


def test_the_largest_output_that_is_allowed() -> None:
    assert len(preview(f"{{{{ 'x' * {MOST_OUTPUT} }}}}", SAMPLE)) == MOST_OUTPUT


def test_the_process_that_renders_is_given_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who leaves the sandbox finds nothing there: not the environment, and no other file of ours is open."""
    monkeypatch.setenv("DB_ALERT_WEBHOOK_SECRET", "whsec_xyz")
    source = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    failed: list[Exception] = []

    def endless() -> None:
        try:
            # Until it is ended below, however long the looks at it take.
            render({"text": source}, {}, seconds=2 * PATIENCE)
        except TemplateTrouble as trouble:
            failed.append(trouble)

    thread = threading.Thread(target=endless)
    thread.start()
    found: list[psutil.Process] = []

    def rendering() -> bool:
        found[:] = workers()
        # Before it is confined, to no processes last, it has open what the loader and Python read to start it.
        return bool(found) and found[0].rlimit(psutil.RLIMIT_NPROC) == (0, 0)

    try:
        wait_for(rendering, "the process that renders")
        assert set(found[0].environ()) <= {"PYTHONPATH", "LC_CTYPE"}
        assert found[0].open_files() == []
    finally:
        for one in found:
            one.kill()
        thread.join(PATIENCE)
    assert len(failed) == 1


def test_a_part_that_does_not_exist() -> None:
    with pytest.raises(TemplateTrouble, match="there are: subject, text, html"):
        render({"body": "x"}, {})


def test_a_template_that_fails_costs_no_alert(caplog: pytest.LogCaptureFixture) -> None:
    message = compose(SAMPLE)
    own = words({"subject": "{{ nope }}"}, message, SAMPLE)
    assert (own.subject(message), own.parts) == (message.subject, {})
    told = own.told(Outcome(True, "delivered"))
    assert told.ok
    assert "subject line 1: 'nope' is undefined" in told.detail
    assert "subject line 1: 'nope' is undefined" in told.trouble
    assert "subject line 1: 'nope' is undefined" in caplog.text
