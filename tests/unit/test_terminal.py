"""What the command shows, as pure functions: from figures to text at any width, in any character set."""

from __future__ import annotations

import io
import logging
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from dbvigil.catalogue import METRICS
from dbvigil.terminal import cards, config, logs, metrics, plain, rows
from dbvigil.terminal.live import Frame, header
from dbvigil.terminal.overview import Overview, overview, trend
from dbvigil.terminal.text import ASCII, UNICODE, bar, cells, clean, clock, duration, glyphs_for, sparkline
from dbvigil.types import DatabaseMetrics, Failure, ReplicationChannel, Status

NOW = datetime(2026, 1, 31, 9, 5, tzinfo=UTC)
WIDTHS = (20, 40, 60, 80, 100, 120, 200)
HOSTILE = "10.11.14\x1b[2J\x1b]0;owned\x07 [bold red]not markup[/] \u202eevil\u2066 line\nbreak\r\ttab \ud800"
UNPRINTABLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def figures(alias: str, **values: Any) -> DatabaseMetrics:
    known: dict[str, Any] = {
        "up": True,
        "flavor": "mariadb",
        "server_version": "10.11.14-MariaDB-0+deb12u2-log",
        "uptime": 7200.0,
        "connections": 12,
        "max_connections": 151,
        "connection_usage": 7.9,
        "queries_rate": 1234.5,
        "query_time": 0.0032,
        "cpu_usage": 37.0,
        "replication_role": "standalone",
    }
    return DatabaseMetrics(database=alias, timestamp=NOW - timedelta(seconds=3), **{**known, **values})


def health(
    statuses: Mapping[str, tuple[Status, Sequence[tuple[str, str]]]],
    running: bool = True,
    alerts: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """A body of GET health/: by alias the status and its reasons (metric, message), and how many alerts it has, all critical."""
    scores: dict[Status, int | None] = {
        "healthy": 100,
        "warning": 85,
        "critical": 40,
        "unknown": None,
        "down": 0,
    }
    return {
        "status": "healthy",
        "score": 100,
        "timestamp": "2026-01-31T09:05:00.000Z",
        "databases": {
            alias: {
                "status": status,
                "score": scores[status],
                "reasons": [
                    {"metric": metric, "value": None, "penalty": 10, "message": text}
                    for metric, text in reasons
                ],
                "last_sample": "2026-01-31T09:04:57.000Z",
                "age_seconds": 3.2,
                "alerts": (alerts or {}).get(alias, 0),
            }
            for alias, (status, reasons) in statuses.items()
        },
        "monitor": {
            "running": running,
            "interval_seconds": 30.0,
            "since": "2026-01-31T07:02:00.000Z" if running else None,
            "last_cycle": "2026-01-31T09:04:57.000Z",
        },
        "alerts": {
            "firing": sum((alerts or {}).values()),
            "acknowledged": 0,
            "suppressed": 0,
            "critical": sum((alerts or {}).values()),
            "warning": 0,
        },
    }


def view_of(
    statuses: Mapping[str, tuple[Status, Sequence[tuple[str, str]]]],
    shown: Mapping[str, DatabaseMetrics] | None = None,
    running: bool = True,
    alerts: Mapping[str, int] | None = None,
) -> Overview:
    known = {alias: (shown or {}).get(alias) or figures(alias) for alias in statuses}
    trends = {
        alias: {"queries_rate": (1.0, None, 2.0, 3.0)}
        for alias in statuses
        if known[alias].queries_rate is not None
    }
    return overview(health(statuses, running, alerts), known, NOW, trends)


SHOP = view_of(
    {
        "archive": ("down", [("up", "connection refused: nothing listens at db3:3306; start the server")]),
        "shop": ("healthy", []),
        "shop-replica": ("warning", [("replication_lag", "Replication lag is 12 s, a warning from 5 s")]),
    },
    {"shop-replica": figures("shop-replica", replication_role="replica", replication_lag=12.0)},
)


def drawn(renderable: RenderableType, width: int, height: int = 40, *, color: bool = False) -> list[str]:
    stream = io.StringIO()
    console = Console(
        file=stream,
        width=width,
        height=height,
        force_terminal=color,
        color_system="truecolor" if color else None,
    )
    console.print(renderable, height=height if isinstance(renderable, Frame) else None, end="")
    return stream.getvalue().split("\n")


# text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("10.11.14-MariaDB", "10.11.14-MariaDB"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("bell\x07 del\x7f c1\x9b", "bell\\x07 del\\x7f c1\\x9b"),
        ("two\nlines\r\nand\ttabs", "two lines and tabs"),
        ("left\u202eright\u2066", "left\\u202eright\\u2066"),
        ("half \ud83d", "half \\ud83d"),
        ("größe 大", "größe 大"),
    ],
)
def test_what_a_server_says_is_shown_not_obeyed(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(st.text())
def test_clean_text_is_one_printable_line(text: str) -> None:
    shown = clean(text)
    shown.encode()
    assert len(shown.splitlines()) <= 1
    assert not [character for character in shown if unicodedata.category(character) in UNPRINTABLE]


@pytest.mark.parametrize(
    ("values", "low", "line"),
    [
        ([0.0, 1.0, 2.0, 7.0], None, "▁▂▃█"),
        ([5.0, 6.0], None, "▁█"),
        ([5.0, 10.0], 0.0, "▅█"),
        ([1.0, None, 3.0], None, "▁ █"),
        ([float("nan"), 1.0, 2.0], None, " ▁█"),
        ([0.0, 0.0], 0.0, "▁▁"),
        ([3.0, 3.0], None, "▄▄"),
        ([None, None], None, "  "),
        ([], None, ""),
    ],
)
def test_a_sparkline_has_one_sign_a_value_and_blanks_for_gaps(
    values: list[float | None], low: float | None, line: str
) -> None:
    assert sparkline(values, UNICODE, low) == line


@given(st.none() | st.floats(), st.integers(0, 60), st.sampled_from([UNICODE, ASCII]))
def test_a_bar_is_as_wide_as_asked_for_whatever_the_share(
    share: float | None, width: int, glyphs: Any
) -> None:
    assert sum(map(cell_len, bar(share, width, glyphs))) == width


def test_a_bar_of_an_unknown_share_is_blank_and_not_empty() -> None:
    assert bar(None, 4, UNICODE) == ("", "    ")
    assert bar(0.0, 4, UNICODE) == ("", "────")
    assert bar(100.0, 4, UNICODE) == ("━━━━", "")
    assert bar(60.0, 4, UNICODE) == ("━━╸", "─")


def test_cells_keep_gaps_average_neighbors_and_drop_what_is_older() -> None:
    points = [(0.0, 9.0), (70.0, 1.0), (80.2, 2.0), (80.4, 4.0), (99.8, 5.0)]
    assert cells(points, end=100.0, step=10.0, count=4) == (1.0, 3.0, None, 5.0)


def test_a_trend_is_laid_out_from_a_history_answer() -> None:
    series = {
        "queries_rate": [
            ["2026-01-31T09:04:00.000Z", 1.0, 0.5, 2.0],
            ["2026-01-31T09:05:00.000Z", 3.0, 3.0, 3.0],
        ]
    }
    assert trend(series, NOW, 30.0, 3) == {"queries_rate": (1.0, None, 3.0)}


@pytest.mark.parametrize(
    ("encoding", "glyphs"), [("utf-8", UNICODE), ("UTF8", UNICODE), ("ascii", ASCII), (None, ASCII)]
)
def test_signs_follow_the_encoding(encoding: str | None, glyphs: object) -> None:
    assert glyphs_for(encoding) is glyphs


def test_times_are_whole_and_short() -> None:
    assert [duration(seconds) for seconds in (0.0, 3.4, 119, 7300, 200_000)] == [
        "1 s",
        "3 s",
        "119 s",
        "2 h",
        "2 d",
    ]
    assert clock(NOW, NOW) == "09:05"
    assert clock(NOW - timedelta(days=1), NOW) == "2026-01-30 09:05"


# the status


@pytest.mark.parametrize("width", [40, 60, 79, 80, 95, 96, 120, 200])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_no_view_needs_more_room_than_there_is(width: int, glyphs: Any) -> None:
    views: list[RenderableType] = [
        rows.table(SHOP.databases, width, glyphs),
        cards.cards(SHOP.databases, width, glyphs),
        header(SHOP, width, glyphs),
        metrics.panel(metrics.Figures(figures("shop")), width, glyphs),
        metrics.panel(metrics.Figures(figures("shop"), 24, {"queries_rate": PAST}), width, glyphs),
    ]
    for shown in views:
        # Drawn with room to spare, so that nothing is cut to make it fit; a panel's first line is text and wraps.
        lines = [line for line in drawn(shown, 500) if "sampled 2026" not in line]
        assert max(cell_len(line.rstrip()) for line in lines) <= width


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_width_names_each_database_its_score_and_every_reason(width: int) -> None:
    for shown in (
        drawn(Frame(SHOP, UNICODE), width),
        drawn(rows.status(SHOP.databases, width, UNICODE), width),
    ):
        text = " ".join(" ".join(line.strip(" │") for line in shown).split())
        for expected in (
            "archive",
            "shop",
            "shop-replica",
            "100",
            "85",
            "nothing listens at db3:3306",
            "a warning from 5 s",
        ):
            assert expected in text


def test_a_status_shows_without_any_color() -> None:
    text = "\n".join(drawn(rows.table(SHOP.databases, 40, UNICODE), 40))
    assert "✕ archive" in text and "● shop " in text and "▲ shop-replica" in text
    assert len(set(UNICODE.status.values())) == len(set(ASCII.status.values())) == len(UNICODE.status)


def test_unknown_figures_are_na_and_never_zero() -> None:
    bare = DatabaseMetrics(database="bare", timestamp=NOW, up=True)
    view = view_of(
        {"bare": ("unknown", [("connection_usage", "cannot be read: missing grant")])}, {"bare": bare}
    )
    table = drawn(rows.table(view.databases, 120, UNICODE), 120)
    assert table[1].split()[:3] == ["?", "bare", "unknown"]
    assert set(table[1].split()[3:-2]) == {"n/a"}
    assert "0" not in "\n".join(drawn(cards.card(view.databases[0], 100, UNICODE), 100)).replace("100", "")
    assert plain.status(view)[3].split() == [
        "bare",
        "unknown",
        "n/a",
        "-",
        "3",
        "s",
        "ago",
        "n/a",
        "n/a",
        "-",
        "n/a",
        "n/a",
    ]


def test_figures_that_are_too_old_are_not_shown_as_current() -> None:
    view = view_of({"shop": ("unknown", [("up", "the newest sample is 900 s old")])})
    for shown in (
        drawn(Frame(view, UNICODE), 120),
        drawn(rows.table(view.databases, 120, UNICODE), 120),
        plain.status(view),
    ):
        text = "\n".join(shown)
        assert "1.23 k/s" not in text and "12 / 151" not in text and "12/151" not in text


def test_only_a_replica_has_a_lag() -> None:
    view = view_of(
        {"a": ("healthy", []), "b": ("warning", [])}, {"b": figures("b", replication_role="replica")}
    )
    assert [database.lag for database in view.databases] == ["", "n/a"]
    alone = view_of({"a": ("healthy", [])})
    assert "lag" not in drawn(rows.table(alone.databases, 120, UNICODE), 120)[0]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("width", [40, 80, 120])
def test_hostile_text_reaches_no_terminal(glyphs: Any, width: int) -> None:
    hostile = figures("x", server_version=HOSTILE, error=HOSTILE, failures=(Failure("tables", HOSTILE),))
    channel = ReplicationChannel(name=HOSTILE, source_host=HOSTILE, last_io_error=HOSTILE)
    hostile = DatabaseMetrics.from_dict({**hostile.to_dict(), "replication_channels": [channel.to_dict()]})
    view = view_of({HOSTILE: ("critical", [("up", HOSTILE), ("x", HOSTILE)])}, {HOSTILE: hostile})
    shown = metrics.Figures(hostile)
    everything = [
        *drawn(Frame(view, glyphs, [clean(HOSTILE)]), width),
        *drawn(rows.status(view.databases, width, glyphs), width),
        *drawn(metrics.panel(shown, width, glyphs), width),
        *metrics.lines([shown], glyphs),
        *plain.status(view),
        *(plain.sampled(view, database) for database in view.databases),
    ]
    for line in everything:
        line.encode("utf-8")
        assert not [character for character in line if unicodedata.category(character) in UNPRINTABLE]
    assert "[bold red]" in "".join(everything)


def test_an_ascii_terminal_gets_ascii() -> None:
    for shown in (Frame(SHOP, ASCII), rows.status(SHOP.databases, 60, ASCII)):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        Console(file=stream, width=60, height=30, force_terminal=True, color_system=None).print(
            shown, height=30
        )
        stream.flush()


# the live view


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("height", [1, 3, 10, 24, 50])
def test_a_frame_fills_the_screen_exactly(width: int, height: int) -> None:
    for view in (SHOP, view_of({}), view_of({f"db{n}": ("healthy", []) for n in range(60)})):
        lines = drawn(Frame(view, UNICODE, ["a note"]), width, height)
        assert len(lines) == height
        assert {cell_len(line) for line in lines} == {width}


def test_cards_where_they_fit_rows_where_they_do_not() -> None:
    assert any("╭" in line for line in drawn(Frame(SHOP, UNICODE), 100, 30))
    assert not any("╭" in line for line in drawn(Frame(SHOP, UNICODE), 100, 14))


def test_where_not_all_fit_the_worst_are_shown_and_the_rest_counted() -> None:
    statuses: dict[str, tuple[Status, list[tuple[str, str]]]] = {
        f"db{n:03}": ("healthy", []) for n in range(200)
    }
    statuses["db150"] = ("down", [("up", "it does not answer")])
    lines = drawn(Frame(view_of(statuses), UNICODE), 80, 24)
    (head,) = [place for place, line in enumerate(lines) if line.startswith("database")]
    assert lines[head + 1].startswith("✕ db150")
    assert "more, none worse than these" in "\n".join(lines)
    assert lines[-1].strip() == "q quits"


def test_the_header_says_when_no_monitor_runs() -> None:
    lines = drawn(header(view_of({"shop": ("healthy", [])}, running=False), 80, UNICODE), 80)
    assert "no monitor runs" in lines[0]
    running = drawn(header(SHOP, 120, UNICODE), 120)[0]
    assert "monitor running for 2 h, every 30 s" in running and "09:05:00" in running


def test_a_view_grows_older_while_the_service_database_is_away() -> None:
    later = SHOP.at(NOW + timedelta(seconds=60))
    assert [database.age for database in later.databases] == ["63 s"] * 3


def test_color_is_in_a_terminal_and_nowhere_else() -> None:
    assert "\x1b[" in "".join(drawn(Frame(SHOP, UNICODE), 80, color=True))
    assert "\x1b" not in "".join(plain.status(SHOP))


# alerts


def test_open_alerts_are_counted_where_there_are_any() -> None:
    statuses: Mapping[str, tuple[Status, Sequence[tuple[str, str]]]] = {
        "archive": ("healthy", []),
        "shop": ("warning", []),
        "web": ("critical", []),
    }
    calm, view = view_of(statuses), view_of(statuses, alerts={"shop": 1, "web": 12})
    assert (view.alerts, view.critical_alerts) == (13, 13)
    for width in (80, 200):
        head, *table = drawn(rows.table(view.databases, width, UNICODE), width)
        end = head.index("alerts") + len("alerts")
        assert [line[end - 3 : end].strip() for line in table[:3]] == ["", "1", "12"]
        assert "alerts" not in "\n".join(drawn(rows.table(calm.databases, width, UNICODE), width))
    shown = "\n".join(drawn(cards.cards(view.databases, 120, UNICODE), 120))
    assert "warning 85, 1 alert " in shown and "critical 40, 12 alerts " in shown and "healthy 100 " in shown
    counted = [line.split()[3] for line in plain.status(view)[3:6]]
    assert counted == ["-", "1", "12"]


# plain text


def test_plain_status_is_aligned_text_that_greps() -> None:
    lines = plain.status(SHOP)
    assert lines[0] == "monitor: running since 07:02 UTC"
    assert lines[2].split() == [
        "DATABASE",
        "STATUS",
        "SCORE",
        "ALERTS",
        "SAMPLED",
        "CONNECTIONS",
        "QUERIES",
        "LAG",
        "UPTIME",
        "VERSION",
    ]
    assert {
        line.find(word)
        for line, word in zip(lines[2:6], ("STATUS", "down", "healthy", "warning"), strict=True)
    } == {14}
    assert lines[-1] == "shop-replica: Replication lag is 12 s, a warning from 5 s"
    assert not [line for line in lines if line != line.rstrip() or any(sign in line for sign in "│╭─━●")]


def test_a_long_last_cell_makes_no_column_wider() -> None:
    assert plain.aligned([("a", "b", "c"), ("x", "y" * 50), ("aa", "bb", "")]) == [
        "a   b   c",
        "x   " + "y" * 50,
        "aa  bb  -",
    ]


def test_a_sample_is_one_line_for_a_log() -> None:
    replica = SHOP.databases[2]
    assert plain.sampled(SHOP, replica) == (
        "2026-01-31T09:05:00.000Z shop-replica warning score=85 connections=12/151 queries=1.23k/s lag=12s "
        "[Replication lag is 12 s, a warning from 5 s]"
    )


# metrics and config

PAST = metrics.Past(1.0, 2.0, 3.0, (1.0, None, 3.0))
CONFIGURATION = {
    "settings": {
        "DB_MONITORING_INTERVAL": {"value": 5.0, "source": "stored"},
        "DB_MONITORING_TARGETS": {"value": {"shop": "mysql://u:***@h/"}, "source": "environment"},
        "DB_MONITORING_HISTORY_URL": {"value": "", "source": "default"},
    },
    "thresholds": [
        {
            "metric": "connection_usage",
            "database": None,
            "warning": 80.0,
            "critical": None,
            "source": "default",
        },
        {
            "metric": "replication_lag",
            "database": "shop",
            "warning": 5.0,
            "critical": 30.0,
            "source": "stored",
        },
    ],
    "channels": [
        {
            "name": "email",
            "kind": "email",
            "target": "a***@example.com",
            "disabled": False,
            "failing_since": None,
            "last_sent_at": "2026-01-31T09:00:00.000Z",
            "last_error": "",
        },
        {
            "name": "webhook",
            "kind": "webhook",
            "target": "https://hooks/***",
            "disabled": False,
            "failing_since": "2026-01-31T09:00:00.000Z",
            "last_sent_at": None,
            "last_error": "it answered 500",
        },
    ],
}


def test_plain_metrics_have_a_line_for_every_row_of_the_catalogue() -> None:
    lines = metrics.lines([metrics.Figures(figures("shop"))], UNICODE)
    assert [line.split()[1] for line in lines[1:]] == [
        row.name for row in METRICS if row.name not in ("database", "timestamp")
    ]
    values = {line.split()[1]: line.split(maxsplit=2)[2] for line in lines[1:]}
    assert values["connection_usage"] == "7.9 %"
    assert values["deadlocks_rate"] == "n/a"


def test_plain_metrics_with_hours_add_range_and_trend_to_numbers() -> None:
    lines = metrics.lines([metrics.Figures(figures("shop"), 24, {"queries_rate": PAST})], UNICODE)
    assert lines[0].split() == ["DATABASE", "METRIC", "VALUE", "MIN", "MEAN", "MAX", "TREND"]
    (line,) = [line for line in lines if " queries_rate " in line]
    assert line.split()[2:] == ["1.23", "k/s", "1/s", "2/s", "3/s", "▁", "█"]


def test_a_panel_shows_what_could_not_be_read_and_why() -> None:
    shown = figures("shop", failures=(Failure("tables", "access denied", "GRANT SELECT", True),))
    assert "shop: not read: tables: access denied; GRANT SELECT" in "\n".join(
        drawn(metrics.panel(metrics.Figures(shown), 100, UNICODE), 100)
    )


def test_a_panel_of_a_server_that_is_down_says_why_and_only_what_is_known() -> None:
    down = DatabaseMetrics(
        database="shop", timestamp=NOW, up=False, error="connection refused: start the server"
    )
    text = "\n".join(drawn(metrics.panel(metrics.Figures(down), 100, UNICODE), 100))
    assert "connection refused: start the server" in text and "n/a" not in text
    never = DatabaseMetrics(database="shop", timestamp=NOW, up=None)
    assert "not sampled yet" in drawn(metrics.panel(metrics.Figures(never), 100, UNICODE), 100)[0]


def test_configuration_shows_sources_and_levels() -> None:
    assert config.lines(CONFIGURATION) == [
        "SETTING                    SOURCE       VALUE",
        "DB_MONITORING_INTERVAL     stored       5",
        "DB_MONITORING_TARGETS      environment  shop=mysql://u:***@h/",
        "DB_MONITORING_HISTORY_URL  default      (none)",
        "",
        "THRESHOLD         SOURCE   DATABASE  WARNING  CRITICAL",
        "connection_usage  default  all       80.0 %   off",
        "replication_lag   stored   shop      5 s      30 s",
        "",
        "CHANNEL  STATE    KIND     TARGET             LAST SENT",
        "email    ok       email    a***@example.com   2026-01-31T09:00:00.000Z",
        "webhook  failing  webhook  https://hooks/***  never",
    ]
    assert config.lines({**CONFIGURATION, "channels": []})[-1] == (
        "no channel is configured: alerts are shown and sent to nobody"
    )
    for width in (40, 120):
        text = " ".join(" ".join(drawn(config.tables(CONFIGURATION, width), width)).split())
        assert "mysql://u:***@h/" in text and "stored" in text and "80.0 %" in text


# logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_log_lines_stay_off_the_screen_and_come_back_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, file = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    logger = logging.getLogger("dbvigil.test_terminal")
    logger.handlers = [logging.StreamHandler(terminal), logging.StreamHandler(file)]
    try:
        with logs.held_back() as tail:
            logger.warning("first\x1b[2J")
            logger.warning("second")
            assert terminal.getvalue() == ""
            assert tail.newest(1) == ("second",)
        assert terminal.getvalue() == "first\\x1b[2J\nsecond\n"
        assert file.getvalue() == "first\x1b[2J\nsecond\n"
        logger.warning("third")
        assert terminal.getvalue().endswith("third\n")
    finally:
        logger.handlers = []
