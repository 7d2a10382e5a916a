"""Slow logs in every form that servers write them, by hand and as recorded from real servers."""

from __future__ import annotations

import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dbvigil.queries.slowlog import Event, digest_log, read
from dbvigil.queries.slowlog.attributes import Attributes
from tests.recorded.slowlog.traffic import BLOCKS, PLAIN, hostile

RECORDED = Path(__file__).parents[1] / "recorded" / "slowlog"
COSTS = "# Query_time: 2.000100  Lock_time: 0.000010  Rows_sent: 3  Rows_examined: 40\n"
USER = "# User@Host: shop[shop] @ web1 [10.0.0.5]\n"
MOMENT = datetime(2026, 1, 31, 9, 5, tzinfo=UTC)
SET = f"SET timestamp={int(MOMENT.timestamp())};\n"

PERCONA = (
    "# Time: 260131  9:05:00.250000\n"
    "# User@Host: shop[shop] @ web1 [10.0.0.5]  Id:    77\n"
    "# Schema: shop  Last_errno: 1062  Killed: 0\n"
    "# Query_time: 2.000100  Lock_time: 0.000010  Rows_sent: 3  Rows_examined: 40  Rows_affected: 2\n"
    "# Bytes_sent: 99  Tmp_tables: 2  Tmp_disk_tables: 1  Tmp_table_sizes: 4096\n"
    "# InnoDB_trx_id: 1F2\n"
    "# QC_Hit: No  Full_scan: Yes  Full_join: No  Tmp_table: Yes  Tmp_table_on_disk: Yes\n"
    "# Filesort: Yes  Filesort_on_disk: No  Merge_passes: 3\n"
    "#   InnoDB_IO_r_ops: 0  InnoDB_IO_r_bytes: 0  InnoDB_IO_r_wait: 0.000000\n"
    "#   InnoDB_rec_lock_wait: 0.000000  InnoDB_queue_wait: 0.000000\n"
    "#   InnoDB_pages_distinct: 12\n"
    "# Log_slow_rate_type: query  Log_slow_rate_limit: 10\n" + SET + "SELECT 1;\n"
)


def events(text: str | bytes) -> list[Event]:
    return list(read(io.BytesIO(text.encode() if isinstance(text, str) else text).read))


def one(text: str) -> Event:
    (event,) = events(text)
    return event


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        ("# Time: 260131  9:05:00\n", MOMENT),
        ("# Time: 260131 09:05:00\n", MOMENT),
        ("# Time: 2026-01-31T09:05:00.123456Z\n", MOMENT),
        ("# Time: 2026-01-31T11:05:00.123456+02:00\n", MOMENT),
        ("# Time: \n", None),
        ("", None),
        ("# Time: 260131  9:05:00 # ", MOMENT),
    ],
)
def test_times(line: str, moment: datetime | None) -> None:
    user = USER.removeprefix("# ") if line.endswith("# ") else USER
    assert one(line + user + COSTS + "SELECT 1;\n").time == moment


def test_a_time_is_that_of_the_entry_before_where_it_is_missing() -> None:
    entry = USER + COSTS + "SELECT 1;\n"
    assert [event.time for event in events("# Time: 260131  9:05:00\n" + entry * 2)] == [MOMENT, MOMENT]


def test_a_set_timestamp_is_the_time_of_the_statement() -> None:
    for line in (SET, SET.replace("SET ", "SET last_insert_id=4,insert_id=5,"), "SET insert_id=4;\n" + SET):
        event = one("# Time: 2026-01-31T10:00:00.000000Z\n" + USER + COSTS + line + "SELECT 1;\n")
        assert (event.time, event.statement) == (MOMENT, b"SELECT 1")


@pytest.mark.parametrize(
    ("line", "user", "host", "thread"),
    [
        ("shop[shop] @ web1 [10.0.0.5]", "shop", "web1", None),
        ("shop[admin] @  [10.0.0.5]  Id:    77", "shop", "10.0.0.5", 77),
        ("[SQL_SLAVE] @  []  Id: 4", "SQL_SLAVE", "", 4),
        ("[] @  []", "", "", None),
        ("@  []", "", "", None),
        ("event_scheduler[event_scheduler] @ localhost []", "event_scheduler", "localhost", None),
        ("ada@example[ada@example] @ localhost []", "ada@example", "localhost", None),
    ],
)
def test_accounts(line: str, user: str, host: str, thread: int | None) -> None:
    event = one(f"# User@Host: {line}\n" + COSTS + "SELECT 1;\n")
    assert (event.user, event.host, event.thread_id) == (user, host, thread)


@pytest.mark.parametrize(
    ("costs", "times"),
    [
        ("# Query_time: 2  Lock_time: 0  Rows_sent: 3  Rows_examined: 40", (2_000_000, 0)),
        ("# Query_time: 2.5  Lock_time: 0.05 Rows_sent: 3  Rows_examined: 40", (2_500_000, 50_000)),
        ("# Query_time: 0.000001  Lock_time: 0.000000 Rows_sent: 3  Rows_examined: 40", (1, 0)),
    ],
)
def test_units_of_time(costs: str, times: tuple[int, int]) -> None:
    event = one(USER + costs + "\n" + SET + "SELECT 1;\n")
    assert (event.query_time_us, event.lock_time_us, event.rows_sent, event.rows_examined) == (*times, 3, 40)


def test_percona(tmp_path: Path) -> None:
    event = one(PERCONA)
    assert (event.schema, event.user, event.thread_id) == ("shop", "shop", 77)
    assert event.attributes == Attributes(2, 1, 0, 2, 1, 3, None, 1, 10)
    log = tmp_path / "slow.log"
    log.write_text(PERCONA)
    digest = digest_log(log)
    (entry,) = digest.entries
    figures = entry.figures
    assert (digest.events, digest.total_time) == (1, 20.001)
    assert (figures.count, figures.total_time, figures.lock_time, figures.max_time) == (
        10,
        20.001,
        0.0001,
        2.0001,
    )
    assert (figures.rows_sent, figures.rows_examined, figures.rows_affected) == (30, 400, 20)
    assert (figures.full_scans, figures.full_joins, figures.tmp_disk_tables, figures.errors) == (
        10,
        0,
        10,
        10,
    )
    assert figures.sort_rows is None
    assert figures.no_index_used is None


def test_schema_in_use() -> None:
    entry = USER + COSTS + "{use}" + SET + "SELECT 1;\n"
    text = "".join(entry.replace("{use}", use) for use in ("", "use shop;\n", "", "use `my``shop`;\n"))
    assert [event.schema for event in events(text)] == ["", "shop", "shop", "my`shop"]


def test_a_use_may_be_the_statement() -> None:
    assert one(USER + COSTS + SET + "use shop;\n").statement == b"use shop"


BANNER = (
    "/usr/sbin/mysqld, Version: 8.4.3 (MySQL Community Server - GPL). started with:\n"
    "Tcp port: 3306  Unix socket: /run/mysqld/mysqld.sock\nTime                 Id Command    Argument\n"
)


@pytest.mark.parametrize(
    ("text", "statements", "skipped"),
    [
        ("", [], 0),
        ("\n" + USER + COSTS + "SELECT 1;\n", [b"SELECT 1"], 1),
        (BANNER + USER + COSTS + "SELECT 1;\n", [b"SELECT 1"], len(BANNER)),
        (USER + COSTS + "SELECT 1;\n" + BANNER + USER + COSTS + "SELECT 2;\n", [b"SELECT 1", b"SELECT 2"], len(BANNER)),
        (USER + COSTS + "SELECT 'cut\n" + BANNER + USER + COSTS + "SELECT 2;\n", [b"SELECT 'cut", b"SELECT 2"], len(BANNER)),
        (USER + COSTS + "SELECT 1;\n" + BANNER, [b"SELECT 1"], len(BANNER)),
        ("the end of something;\n" + USER + COSTS + "SELECT 1;\n", [b"SELECT 1"], 22),
        (USER + COSTS + "SELECT 1", [b"SELECT 1"], 0),
        (USER + COSTS + "SELECT 1;", [b"SELECT 1"], 0),
        (USER + COSTS + "SELECT 'a", [b"SELECT 'a"], 0),
        (USER + COSTS, [], len(USER + COSTS)),
        ("no log at all\n", [], 14),
        (USER + COSTS + "SELECT ';\n';\n", [b"SELECT ';\n'"], 0),
        (USER + COSTS + SET + "# administrator command: Quit;\n", [b"administrator command: Quit"], 0),
        (COSTS + "SELECT 1;\n" + COSTS + "SELECT 2;\n", [b"SELECT 1", b"SELECT 2"], 0),
        (USER + COSTS + SET + ";\n" + USER + COSTS + SET + "SELECT 2;\n", [b"", b"SELECT 2"], 0),
    ],
)  # fmt: skip
def test_borders(text: str, statements: list[bytes], skipped: int, tmp_path: Path) -> None:
    cut = text.replace("SELECT 'cut\n", "SELECT 'cut';\n") if "'cut" in text else text
    expected = [b"SELECT 'cut'" if statement == b"SELECT 'cut" else statement for statement in statements]
    assert [event.statement for event in events(cut)] == expected
    log = tmp_path / "slow.log"
    log.write_text(cut)
    digest = digest_log(log)
    assert (digest.events, digest.skipped_bytes) == (len(statements), skipped)


def test_bytes_of_any_kind() -> None:
    raw = b"SELECT '\x00\xff\xfe', x\x80\x00"
    text = (USER + COSTS + SET).encode() + raw + b";\n"
    assert [event.statement for event in events(text * 3)] == [raw] * 3


def test_a_time_below_zero_counts_nothing(tmp_path: Path) -> None:
    log = tmp_path / "slow.log"
    log.write_text(USER + COSTS.replace("2.000100", "18446744073709.550781") + SET + "SELECT 1;\n")
    digest = digest_log(log)
    assert (digest.events, digest.total_time, digest.implausible) == (1, 0, 1)


# -- recorded


@pytest.mark.parametrize("name", sorted(path.name for path in RECORDED.glob("*.log")))
def test_recorded(name: str) -> None:
    """The statements that were sent, each as often as it was sent; of whole entries inside statements not one."""
    found = Counter(event.statement.decode() for event in events((RECORDED / name).read_bytes()))
    for text, times in PLAIN:
        assert all(found[text.replace("{n}", str(number))] for number in range(1, times + 1)), text
    block = BLOCKS[name.split("-", 1)[0]]
    for text in hostile(block):
        # The server writes the comments that it skips for their version without their mark.
        assert sum(found[form] for form in {text, text.replace("/*!99999", "/* 99999")}) == 1, text
    digest = digest_log(RECORDED / name)
    assert digest.unclosed == 0
    assert digest.total_time < 10
    assert {user for entry in digest.entries for user in entry.users} == {"root"}


def test_recorded_attributes() -> None:
    figures = {
        name: {entry.fingerprint: entry.figures for entry in digest_log(RECORDED / f"{name}.log").entries}
        for name in ("mariadb-10.11", "mysql-9.7", "mysql-9.7-extra")
    }
    grouped = "select state, count(*) from orders where note like ? group by state order by count(*)"
    assert figures["mariadb-10.11"][grouped].full_scans == 10
    assert figures["mariadb-10.11"][grouped].tmp_tables == 10
    assert figures["mysql-9.7"][grouped].tmp_tables is None
    assert figures["mysql-9.7-extra"][grouped].tmp_tables == 10
    assert figures["mysql-9.7-extra"]["select no_such_column from orders where id = ?"].errors == 2
