"""When a backup is due, which stay, what they say, and whether a restore is what the server held: tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbvigil.backups.choosing import Chosen, choose
from dbvigil.backups.comparing import Comparison, Figures, Truth, compare, missing
from dbvigil.backups.due import last_due, next_due, overdue, slot
from dbvigil.backups.errors import BackupError
from dbvigil.backups.judging import NAMES, Standing, figures, size_change
from dbvigil.backups.retention import Kept, outlived
from dbvigil.catalogue import BY_NAME
from dbvigil.types import DatabaseMetrics

DAILY = "15 3 * * *"
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
DUE = datetime(2026, 1, 31, 3, 15, tzinfo=UTC)
DAY = timedelta(days=1)


# -- due


def test_cron_is_read_in_utc_and_its_own_minute_counts() -> None:
    assert last_due(DAILY, NOW) == DUE
    assert last_due(DAILY, DUE) == DUE
    assert last_due(DAILY, DUE - timedelta(seconds=1)) == DUE - DAY
    assert next_due(DAILY, NOW) == DUE + DAY
    elsewhere = NOW.astimezone(ZoneInfo("Pacific/Auckland"))
    assert last_due(DAILY, elsewhere) == DUE


@pytest.mark.parametrize(
    ("since", "served", "wanted"),
    [
        (DUE - 5 * DAY, None, DUE),
        # Of a time before the schedule was there nobody is owed anything.
        (DUE + timedelta(hours=1), None, None),
        (DUE, None, None),
        (DUE - 5 * DAY, DUE, None),
        (DUE - 5 * DAY, DUE - DAY, DUE),
        # Four were missed: one makes up for all.
        (DUE - 9 * DAY, DUE - 4 * DAY, DUE),
    ],
)
def test_which_time_wants_a_backup(since: datetime, served: datetime | None, wanted: datetime | None) -> None:
    assert slot(DAILY, since, served, NOW) == wanted


@pytest.mark.parametrize(
    ("cron", "good", "seconds"),
    [
        (DAILY, DUE + timedelta(minutes=1), 0.0),
        (DAILY, DUE, 0.0),
        # The one of this night is missing: 26 hours after the last one that is two hours.
        (DAILY, DUE - DAY, 8.75 * 3600),
        (DAILY, DUE - 2 * DAY, 32.75 * 3600),
        (DAILY, None, 8.75 * 3600 + 4 * 86400),
        # A weekly one is not late on a Saturday.
        ("0 4 * * 0", datetime(2026, 1, 25, 4, 1, tzinfo=UTC), 0.0),
    ],
)
def test_how_long_one_has_been_missing(cron: str, good: datetime | None, seconds: float) -> None:
    assert overdue(cron, DUE - 5 * DAY, good, NOW) == pytest.approx(seconds)


def test_a_daily_backup_is_late_26_hours_after_the_last() -> None:
    last = datetime(2026, 1, 30, 3, 15, tzinfo=UTC)
    (warning,) = [BY_NAME["backup_overdue_seconds"].warning]
    assert overdue(DAILY, last - DAY, last, last + timedelta(hours=26)) == warning


# -- retention


def kept(*days: float, verified: tuple[float, ...] = ()) -> list[Kept]:
    """Backups of so many days ago, numbered by their age in tenths of a day."""
    return [Kept(round(day * 10), NOW - timedelta(days=day), day in verified) for day in days]


@pytest.mark.parametrize(
    ("backups", "weeks", "gone"),
    [
        (kept(0, 1, 2, 6), 0, []),
        (kept(0, 1, 8, 9), 0, [90, 80]),
        # The newest one stays, however old.
        (kept(40, 41), 0, [410]),
        # The last verified one stays, however many came after it.
        (kept(0, 1, 30, 31, verified=(30, 31)), 0, [310]),
        # NOW is a Saturday: 12 and 8 days ago are of one week, whose first one stays.
        (kept(0, 8, 12), 4, [80]),
        # A verified one is worth more than an earlier one of its week.
        (kept(0, 8, 12, verified=(0, 8)), 4, [120]),
        (kept(0, 27, 29), 4, [290]),
        ([], 4, []),
    ],
)
def test_which_backups_have_had_their_time(backups: list[Kept], weeks: float, gone: list[int]) -> None:
    found = outlived(backups, NOW, 7, weeks)
    assert [number for number, _ in found] == gone
    assert all("older than 7 days" in why for _, why in found)


@given(
    st.lists(st.tuples(st.floats(0, 400), st.booleans()), max_size=30, unique_by=lambda one: one[0]),
    st.floats(1, 30),
    st.floats(0, 60),
)
def test_the_last_verified_and_the_newest_always_stay(
    given_: list[tuple[float, bool]], days: float, weeks: float
) -> None:
    backups = [
        Kept(place, NOW - timedelta(days=age), verified) for place, (age, verified) in enumerate(given_)
    ]
    gone = {number for number, _ in outlived(backups, NOW, days, weeks)}
    for group in (backups, [one for one in backups if one.verified]):
        if group:
            assert max(group, key=lambda one: one.at).id not in gone
    assert all(one.at <= NOW - timedelta(days=days) for one in backups if one.id in gone)


# -- figures


def test_without_a_schedule_nothing_is_said() -> None:
    assert figures(None, NOW) == dict.fromkeys(NAMES)
    assert set(NAMES) <= set(BY_NAME)
    assert set(NAMES) <= set(DatabaseMetrics.__dataclass_fields__)


def test_what_the_figures_are() -> None:
    standing = Standing(DAILY, DUE - 5 * DAY, False, DUE, True, (150, 100, 100, 100))
    assert figures(standing, NOW) == {
        "backup_age_seconds": 8.75 * 3600,
        "backup_overdue_seconds": 0.0,
        "backup_ok": True,
        "backup_verified": True,
        "backup_size_change": 50.0,
    }
    fresh = figures(Standing(DAILY, NOW), NOW)
    assert fresh["backup_overdue_seconds"] == 0
    assert {fresh[name] for name in NAMES if name != "backup_overdue_seconds"} == {None}
    assert figures(Standing(DAILY, DUE, True, None, False), NOW)["backup_ok"] is False


@pytest.mark.parametrize(
    ("sizes", "change"),
    [
        ((), None),
        ((100, 100, 100), None),
        ((100, 100, 100, 100), 0.0),
        ((200, 100, 100, 100), 100.0),
        ((50, 100, 100, 100), 100.0),
        # One odd size among those before it changes nothing.
        ((110, 100, 900, 100, 100), 10.0),
        ((0, 100, 100, 100), 10_000.0),
        # An eighth before it is not asked.
        ((100, *[100] * 7, 9000), 0.0),
    ],
)
def test_how_far_a_size_is_from_the_usual(sizes: tuple[int, ...], change: float | None) -> None:
    assert size_change(sizes) == change


# -- comparing

ONE, TWO = Figures(5, "77"), Figures(6, "88")


@pytest.mark.parametrize(
    ("truth", "restored", "outcome"),
    [
        (Truth(ONE, ONE), ONE, "equal"),
        (Truth(ONE, ONE), Figures(5, "78"), "differs"),
        (Truth(ONE, ONE), Figures(4, "77"), "differs"),
        (Truth(ONE, ONE), None, "missing"),
        # Written to between the two snapshots: either end, or what lies between.
        (Truth(ONE, TWO), ONE, "equal"),
        (Truth(ONE, TWO), TWO, "equal"),
        (Truth(ONE, Figures(9, "9")), Figures(7, "?"), "between"),
        (Truth(Figures(9, "9"), ONE), Figures(7, "?"), "between"),
        (Truth(ONE, Figures(5, "99")), Figures(5, "?"), "between"),
        (Truth(ONE, TWO), Figures(7, "?"), "differs"),
        # What was not read is not vouched for.
        (Truth(None, None, "the time for comparing was up"), ONE, "not compared"),
        (Truth(ONE, None, "the time for comparing was up"), ONE, "equal"),
        (Truth(ONE, None, "the time for comparing was up"), TWO, "not compared"),
        (Truth(ONE, ONE, "its engine has no snapshots"), TWO, "not compared"),
        (Truth(ONE, ONE, "its engine has no snapshots"), ONE, "equal"),
        (Truth(None, None), None, "missing"),
    ],
)
def test_what_a_table_s_restore_proves(truth: Truth, restored: Figures | None, outcome: str) -> None:
    (found,) = compare({"a.t": truth}, {} if restored is None else {"a.t": restored})
    assert found.outcome == outcome
    assert Truth.from_dict(truth.to_dict()) == truth


def test_when_a_backup_is_verified() -> None:
    def verdict(*pairs: tuple[Truth, Figures | None], others: tuple[str, ...] = ()) -> bool:
        tables = {f"a.{place}": pair for place, pair in enumerate(pairs)}
        restored = {name: pair[1] for name, pair in tables.items() if pair[1] is not None}
        truth = {name: pair[0] for name, pair in tables.items()}
        return Comparison(compare(truth, restored), others).verified

    good, unread = (Truth(ONE, ONE), ONE), (Truth(None, None), ONE)
    assert verdict(good)
    assert verdict(good, unread)
    assert verdict()
    # Where nothing was compared nothing is proved.
    assert not verdict(unread)
    assert not verdict(good, (Truth(ONE, ONE), TWO))
    assert not verdict(good, (Truth(ONE, ONE), None))
    assert not verdict(good, others=("view a.v is not in the restore",))


def test_what_a_comparison_says() -> None:
    truth = {"a.same": Truth(ONE, ONE), "a.moved": Truth(ONE, TWO), "a.unread": Truth(None, None)}
    well = Comparison(compare(truth, {"a.same": ONE, "a.moved": Figures(6, "?"), "a.unread": ONE}))
    assert (
        well.sentence
        == "1 table equal in rows and checksum, 1 written to at that moment and between, 1 not compared"
    )
    bad = Comparison(compare(truth, {}), missing("view", ["a.v", "a.w"], ["a.w"]))
    assert bad.sentence == (
        "a.moved: the restore has no such table; a.same: the restore has no such table; "
        "a.unread: the restore has no such table, and 1 more"
    )
    assert bad.to_dict()["wrong"] == 4


# -- choosing


def edge(
    replica: str, lag: float | None = 0.0, *, source: str = "shop", running: bool | None = True
) -> dict[str, Any]:
    return {"source": source, "replica": replica, "running": running, "lag": lag}


UP = {"shop": True, "r1": True, "r2": True, "r3": False}


@pytest.mark.parametrize(
    ("edges", "chosen"),
    [
        ([], "shop"),
        ([edge("r1", 3.0), edge("r2", 1.0)], "r2"),
        ([edge("r1", 61.0)], "shop"),
        ([edge("r1", None)], "shop"),
        ([edge("r1", running=False)], "shop"),
        ([edge("r1", running=None)], "shop"),
        ([edge("r3")], "shop"),
        ([edge("r1", source="other")], "shop"),
        # It holds another server's rows as well.
        ([edge("r1"), edge("r1", source="other")], "shop"),
        ([edge("stranger")], "shop"),
    ],
)
def test_which_server_is_read(edges: list[dict[str, Any]], chosen: str) -> None:
    assert choose("shop", "auto", edges, UP).alias == chosen


def test_a_replica_whose_files_are_elsewhere_is_passed_over() -> None:
    edges = [edge("r1", 3.0), edge("r2", 1.0)]
    assert choose("shop", "auto", edges, UP, ["r2"]) == Chosen("r1", "a replica, 3 s behind")
    assert choose("shop", "auto", edges, UP, ["r1", "r2"]) == Chosen(
        "shop", "it has no monitored replica that is well and on this machine"
    )
    assert choose("shop", "auto", [], UP, ["r1"]).why == "it has no monitored replica that is well"


def test_a_server_that_is_named_is_read_or_refused() -> None:
    assert choose("shop", "shop", [edge("r1")], UP) == Chosen("shop", "the settings name it")
    assert choose("shop", "r1", [edge("r1")], UP).alias == "r1"
    with pytest.raises(BackupError, match="r1 cannot stand for shop"):
        choose("shop", "r1", [edge("r1", 61.0)], UP)
