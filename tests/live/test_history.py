"""History on each database that a service may keep it in: SQLite, PostgreSQL, MariaDB and MySQL."""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connections
from pytest_django.plugin import DjangoDbBlocker

from dbvigil.catalogue import NUMERIC
from dbvigil.errors import HistoryError, UnknownMetric
from dbvigil.history.base import History, Point, Series
from dbvigil.history.django_db import DjangoHistory
from dbvigil.models import Chunk, Sample
from dbvigil.types import DatabaseMetrics
from tests.support.mysqldb import use_pymysql
from tests.support.waiting import PATIENCE

ALIAS = "history"
START = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
RELATIVE = 1e-6


def _sqlite(request: pytest.FixtureRequest) -> dict[str, Any]:
    folder: Path = request.getfixturevalue("tmp_path_factory").mktemp("sqlite")
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(folder / "history.sqlite3"),
        # A busy disk may hold one writer up for longer than another waits by default.
        "OPTIONS": {"timeout": PATIENCE},
    }


def _postgresql(request: pytest.FixtureRequest) -> dict[str, Any]:
    settings: dict[str, Any] = request.getfixturevalue("postgresql")
    return settings


def _mysql(fixture: str) -> Callable[[pytest.FixtureRequest], dict[str, Any]]:
    def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
        use_pymysql()
        server = request.getfixturevalue(fixture)
        server.execute("DROP DATABASE IF EXISTS dbvigil_history")
        server.execute("CREATE DATABASE dbvigil_history CHARACTER SET utf8mb4")
        return {
            "ENGINE": "django.db.backends.mysql",
            "NAME": "dbvigil_history",
            "USER": "root",
            "HOST": str(server.socket),
            "OPTIONS": {"charset": "utf8mb4"},
        }

    return settings


_DATABASES = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "mariadb": _mysql("mariadb"),
    "mysql": _mysql("mysql"),
}


@pytest.fixture(scope="module", params=list(_DATABASES))
def migrated(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Each kind of database in turn as the connection `ALIAS`, migrated."""
    settings = _DATABASES[request.param](request)
    complete = connections.configure_settings({"default": {}, ALIAS: settings})
    connections.settings[ALIAS] = complete[ALIAS]
    with django_db_blocker.unblock():
        call_command("migrate", database=ALIAS, verbosity=0, interactive=False)
        yield
        _disconnect()
    del connections.settings[ALIAS]


def _disconnect() -> None:
    connections[ALIAS].close()
    del connections[ALIAS]


@pytest.fixture
def history(migrated: None, django_db_blocker: DjangoDbBlocker) -> Iterator[DjangoHistory]:
    """An empty history on each kind of database."""
    with django_db_blocker.unblock():
        Sample.objects.using(ALIAS).all().delete()
        Chunk.objects.using(ALIAS).all().delete()
        yield DjangoHistory(using=ALIAS)


def sample(seconds: float, *, database: str = "shop", **readings: Any) -> DatabaseMetrics:
    return DatabaseMetrics(
        database=database, timestamp=START + timedelta(seconds=seconds), up=True, **readings
    )


def readings(
    hours: float, *, interval: float = 30, database: str = "shop", seed: int = 1
) -> list[DatabaseMetrics]:
    """Samples whose figures are of every kind: counts, rates, decimals, large numbers, flags."""
    noise = random.Random(seed)
    return [
        sample(
            interval * place,
            database=database,
            connections=noise.randint(1, 200),
            queries_rate=noise.lognormvariate(5, 1),
            load1=round(noise.uniform(0, 9), 2),
            data_size_bytes=5_200_000_001 + 16_384 * place,
            replication_io_running=noise.random() < 0.9,
        )
        for place in range(round(hours * 3600 / interval))
    ]


METRICS = ("connections", "queries_rate", "load1", "data_size_bytes", "replication_io_running", "up")


def closed(history: History, now: datetime) -> None:
    """Upkeep until nothing is left to do."""
    while history.maintain(now):
        pass


def expected(saved: list[DatabaseMetrics], metric: str, step: int) -> list[Point]:
    """Mean, lowest and highest of each step, worked out the plain way."""
    buckets: dict[int, list[float]] = {}
    for one in saved:
        value = getattr(one, metric)
        if value is not None:
            buckets.setdefault(int(one.timestamp.timestamp() // step * step), []).append(float(value))
    return [(moment, fmean(group), min(group), max(group)) for moment, group in sorted(buckets.items())]


def assert_points(answer: Series, metric: str, wanted: list[Point]) -> None:
    found = answer.points[metric]
    assert [point[0] for point in found] == [point[0] for point in wanted]
    for column in (1, 2, 3):
        near = pytest.approx([point[column] for point in wanted], rel=RELATIVE, abs=1e-12)
        assert [point[column] for point in found] == near
    assert all(low <= mean <= high for _, mean, low, high in found)


def ask(
    history: History, metrics: tuple[str, ...] = METRICS, hours: float = 26, resolution: int | None = None
) -> Series:
    return history.query("shop", metrics, START, START + hours * HOUR - timedelta(seconds=1), resolution)


@pytest.mark.parametrize("step", [60, 90, 300, 900, 3600, 7200])
def test_every_step_is_right_while_hours_are_open_half_closed_and_closed(
    history: DjangoHistory, step: int
) -> None:
    saved = readings(26)
    history.save(saved)
    for now in (START, START + timedelta(hours=13, minutes=20), START + 27 * HOUR):
        closed(history, now)
        answer = ask(history, resolution=step)
        assert answer.resolution_seconds == step
        for metric in METRICS:
            assert_points(answer, metric, expected(saved, metric, step))
    assert not Sample.objects.using(ALIAS).exists()


def test_samples_come_back_as_they_were(history: DjangoHistory) -> None:
    saved = readings(3, interval=30.25)
    history.save(saved)
    before = ask(history, hours=3, resolution=30)
    closed(history, START + 4 * HOUR)
    after = ask(history, hours=3, resolution=30)
    for metric in METRICS:
        values = [float(getattr(one, metric)) for one in saved]
        wanted = [
            (one.timestamp.timestamp(), value, value, value) for one, value in zip(saved, values, strict=True)
        ]
        assert_points(before, metric, wanted)
        assert_points(after, metric, wanted)
    exact = [point[1] for point in after.points["data_size_bytes"]]
    assert exact == [one.data_size_bytes for one in saved]


def test_auto_answers_about_five_hundred_points_at_most(history: DjangoHistory) -> None:
    history.save(readings(26))
    closed(history, START + 27 * HOUR)
    answer = ask(history)
    assert answer.resolution_seconds == 300
    assert len(answer.points["connections"]) == 312
    short = history.query("shop", ["connections"], START, START + HOUR, None)
    assert short.resolution_seconds == 30
    assert len(short.points["connections"]) == 121


@pytest.mark.parametrize(("interval", "hours"), [(1, 0.5), (3600, 60)])
def test_the_shortest_and_the_longest_usual_interval(
    history: DjangoHistory, interval: float, hours: float
) -> None:
    saved = readings(hours, interval=interval)
    history.save(saved)
    closed(history, START + (hours + 2) * HOUR)
    for step in (60, 300, 3600):
        answer = ask(history, hours=hours, resolution=step)
        for metric in METRICS:
            assert_points(answer, metric, expected(saved, metric, step))


def test_a_gap_and_an_unknown_reading_have_no_points(history: DjangoHistory) -> None:
    saved = [
        sample(0, connections=1, queries_rate=5.0),
        sample(30, connections=3),
        sample(600, connections=5, queries_rate=float("nan"), load1=float("inf")),
    ]
    history.save(saved)
    for now in (START, START + 2 * HOUR):
        closed(history, now)
        answer = ask(history, ("connections", "queries_rate", "load1", "cpu_usage"), hours=1, resolution=60)
        at = START.timestamp()
        assert list(answer.points["connections"]) == [(at, 2.0, 1.0, 3.0), (at + 600, 5.0, 5.0, 5.0)]
        assert list(answer.points["queries_rate"]) == [(at, 5.0, 5.0, 5.0)]
        assert list(answer.points["load1"]) == list(answer.points["cpu_usage"]) == []


def test_a_server_that_is_down_is_a_reading(history: DjangoHistory) -> None:
    history.save([DatabaseMetrics(database="shop", timestamp=START, up=False), sample(30)])
    closed(history, START + 2 * HOUR)
    assert [point[1] for point in ask(history, ("up",), 1, 30).points["up"]] == [0.0, 1.0]


def test_every_numeric_metric_of_the_catalogue_is_kept(history: DjangoHistory) -> None:
    values: dict[str, Any] = {name: place + 0.5 for place, name in enumerate(NUMERIC)}
    history.save([DatabaseMetrics(database="shop", timestamp=START, **values)])
    closed(history, START + 2 * HOUR)
    answer = ask(history, NUMERIC, hours=1)
    assert {name: points[0][1] for name, points in answer.points.items()} == values


def test_late_samples_are_merged_into_closed_hours(history: DjangoHistory) -> None:
    saved = readings(26)
    late = saved[40:50] + saved[900:1900:3] + saved[3000:3010]
    kept = [one for one in saved if one not in late]
    history.save(kept)
    closed(history, START + 27 * HOUR)
    random.Random(3).shuffle(late)
    history.save(late)
    for _ in ("before upkeep", "after"):
        for step in (60, 300, 3600):
            answer = ask(history, resolution=step)
            for metric in METRICS:
                assert_points(answer, metric, expected(saved, metric, step))
        closed(history, START + 27 * HOUR)
    assert len(ask(history, resolution=30).points["up"]) == len(saved)


def test_of_two_samples_at_one_time_the_later_saved_wins(history: DjangoHistory) -> None:
    history.save([sample(0, connections=1, load1=9.0), sample(30, connections=3), sample(0, connections=5)])
    closed(history, START + 2 * HOUR)
    history.save([sample(30, connections=7)])
    closed(history, START + 2 * HOUR)
    answer = ask(history, ("connections", "load1"), hours=1, resolution=30)
    assert [point[1] for point in answer.points["connections"]] == [5.0, 7.0]
    assert list(answer.points["load1"]) == []
    minute = ask(history, ("connections", "load1"), hours=1, resolution=60)
    assert [point[1:] for point in minute.points["connections"]] == [(6.0, 5.0, 7.0)]
    assert list(minute.points["load1"]) == []


def test_where_samples_are_pruned_rollups_answer(history: DjangoHistory) -> None:
    saved = readings(26)
    history.save(saved)
    closed(history, START + 27 * HOUR)
    closed(history, START + timedelta(days=30) + 13 * HOUR)
    raw = Chunk.objects.using(ALIAS).filter(step=0)
    assert sorted(raw.values_list("start", flat=True)) == [
        round((START + hour * HOUR).timestamp()) * 1000 for hour in range(13, 26)
    ]
    answer = ask(history, ("connections", "queries_rate"), resolution=30)
    for metric in ("connections", "queries_rate"):
        minutes = expected(saved[: 13 * 120], metric, 60)
        assert_points(answer, metric, minutes + expected(saved[13 * 120 :], metric, 30))


def test_a_sample_later_than_its_hours_samples_are_kept_is_added_to_the_rollups(
    history: DjangoHistory,
) -> None:
    saved = readings(2)
    history.save(saved)
    closed(history, START + 3 * HOUR)
    now = START + timedelta(days=31)
    closed(history, now)
    assert not Chunk.objects.using(ALIAS).filter(step=0).exists()
    late = sample(45, connections=1000)
    history.save([late])
    closed(history, now)
    for step in (60, 300, 3600):
        answer = ask(history, ("connections",), hours=2, resolution=step)
        assert_points(answer, "connections", expected([*saved, late], "connections", step))


def test_a_clock_in_the_past_disturbs_nothing(history: DjangoHistory) -> None:
    saved = readings(2)
    history.save([DatabaseMetrics(database="shop", timestamp=datetime(1970, 1, 1, tzinfo=UTC), up=True)])
    history.save(saved)
    closed(history, START + 3 * HOUR)
    answer = ask(history, ("connections",), hours=2, resolution=60)
    assert_points(answer, "connections", expected(saved, "connections", 60))
    assert not Chunk.objects.using(ALIAS).filter(start=0).exists()


def test_a_sample_of_the_future_waits_for_its_hour(history: DjangoHistory) -> None:
    history.save([sample(10 * 3600, connections=4)])
    assert history.maintain(START) is False
    assert len(ask(history, ("connections",), resolution=60).points["connections"]) == 1
    closed(history, START + 12 * HOUR)
    assert not Sample.objects.using(ALIAS).exists()


def test_rollups_are_pruned_after_400_days(history: DjangoHistory) -> None:
    history.save(readings(1))
    closed(history, START + 2 * HOUR)
    closed(history, START + timedelta(days=399))
    assert len(ask(history, ("up",), hours=1, resolution=60).points["up"]) == 60
    closed(history, START + timedelta(days=411))
    assert not Chunk.objects.using(ALIAS).exists()


def test_upkeep_is_done_in_bounded_pieces(history: DjangoHistory) -> None:
    history.save([sample(3600 * hour, connections=hour) for hour in range(10)])
    now = START + 20 * HOUR
    left = []
    while history.maintain(now):
        left.append(Sample.objects.using(ALIAS).count())
    assert left == [6, 2]
    assert history.maintain(now) is False
    assert Chunk.objects.using(ALIAS).filter(step=0).count() == 10


def test_the_range_is_closed_at_both_ends(history: DjangoHistory) -> None:
    history.save([sample(seconds, connections=1) for seconds in (0, 30, 60, 90)])
    answer = history.query(
        "shop", ["connections"], START + timedelta(seconds=30), START + timedelta(seconds=60), 30
    )
    assert [point[0] - START.timestamp() for point in answer.points["connections"]] == [30, 60]


def test_databases_are_kept_apart_and_forgotten_alone(history: DjangoHistory) -> None:
    shop, copy = readings(2), readings(2, database="copy", seed=2)
    history.save([one for pair in zip(shop, copy, strict=True) for one in pair])
    closed(history, START + timedelta(hours=1, minutes=30))
    answer = history.query("copy", METRICS, START, START + 2 * HOUR, 60)
    for metric in METRICS:
        assert_points(answer, metric, expected(copy, metric, 60))
    history.forget("shop")
    assert ask(history, ("up",), hours=2, resolution=60).points == {"up": []}
    assert history.query("copy", METRICS, START, START + 2 * HOUR, 60) == answer
    assert set(Chunk.objects.using(ALIAS).values_list("database", flat=True)) == {"copy"}


@pytest.mark.parametrize("hours", [1, 20, 26])
def test_aggregate(history: DjangoHistory, hours: int) -> None:
    saved = readings(26)
    history.save(saved)
    for now in (START, START + 27 * HOUR):
        closed(history, now)
        found = history.aggregate(
            "shop", [*METRICS, "cpu_usage"], START, START + hours * HOUR - timedelta(seconds=1)
        )
        assert found.keys() == set(METRICS)
        for metric in METRICS:
            values = [float(getattr(one, metric)) for one in saved[: hours * 120]]
            wanted = (min(values), fmean(values), max(values))
            assert found[metric] == pytest.approx(wanted, rel=RELATIVE)


def test_an_empty_history(history: DjangoHistory) -> None:
    assert history.maintain(START) is False
    assert ask(history).points == {metric: [] for metric in METRICS}
    assert history.aggregate("shop", METRICS, START, START + HOUR) == {}
    history.save([])
    history.forget("nobody")


def test_what_cannot_be_asked(history: DjangoHistory) -> None:
    with pytest.raises(UnknownMetric, match="no_such_metric"):
        ask(history, ("no_such_metric",))
    with pytest.raises(UnknownMetric, match="server_version"):
        history.aggregate("shop", ["server_version"], START, START + HOUR)
    with pytest.raises(HistoryError, match="11000 points") as caught:
        ask(history, hours=24 * 30, resolution=60)
    assert caught.value.field == "resolution"


def test_what_cannot_be_read_is_logged_and_hides_nothing_else(
    history: DjangoHistory, caplog: pytest.LogCaptureFixture
) -> None:
    history.save(readings(2))
    closed(history, START + 3 * HOUR)
    Chunk.objects.using(ALIAS).filter(step=0, start=round(START.timestamp()) * 1000).update(data=b"\1rubbish")
    Sample.objects.using(ALIAS).create(
        database="shop", taken_at=round(START.timestamp() + 7300) * 1000, data=b""
    )
    history.save([sample(7330, connections=3)])
    with caplog.at_level(logging.ERROR):
        answer = ask(history, ("connections",), hours=3, resolution=30)
    assert len(answer.points["connections"]) == 121
    assert len(caplog.records) == 2
    closed(history, START + 4 * HOUR)
    assert len(ask(history, ("connections",), hours=3, resolution=30).points["connections"]) == 121


def _content() -> dict[tuple[Any, ...], bytes]:
    rows = Chunk.objects.using(ALIAS).values_list("database", "step", "start", "data")
    return {row[:-1]: bytes(row[-1]) for row in rows}


def _in_child(work: Callable[[], None]) -> int:
    """Runs `work` in a process and on a connection of its own; its status as `os.waitpid` tells it."""
    _disconnect()
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


class _KilledAt:
    """Kills this process right after its n-th statement."""

    def __init__(self, statement: int) -> None:
        self._left = statement

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


def test_a_kill_at_any_statement_loses_and_doubles_nothing(history: DjangoHistory) -> None:
    saved = readings(2)
    history.save(saved[:120])
    closed(history, START + 1.5 * HOUR)
    history.save(saved[120:] + saved[10:20])
    now = START + 3 * HOUR

    def killed(statement: int) -> bool:
        def work() -> None:
            with connections[ALIAS].execute_wrapper(_KilledAt(statement)):
                history.maintain(now)

        return os.WIFSIGNALED(_in_child(work))

    kills = 0
    while killed(kills + 1):
        kills += 1
        assert kills < 200
        for step in (60, 3600):
            answer = ask(history, hours=2, resolution=step)
            for metric in METRICS:
                assert_points(answer, metric, expected(saved, metric, step))
        assert len(ask(history, hours=2, resolution=30).points["up"]) == 240
    assert kills > 10
    assert not Sample.objects.using(ALIAS).exists()
    assert Chunk.objects.using(ALIAS).count() == 5


def test_many_that_keep_house_at_once_do_the_work_once(history: DjangoHistory) -> None:
    saved = readings(12, interval=60)
    history.save(saved)
    now = START + 13 * HOUR
    closed(history, now)
    wanted = _content()
    history.forget("shop")
    history.save(saved)

    failures: list[Exception] = []
    start = threading.Barrier(4)

    def keep_house() -> None:
        start.wait()
        try:
            for _ in range(40):
                try:
                    if not history.maintain(now):
                        break
                except OperationalError:  # a lock that another holds: the monitor tries again as well
                    continue
        except Exception as error:  # noqa: BLE001 - shown by the test's own thread
            failures.append(error)
        finally:
            connections[ALIAS].close()

    threads = [threading.Thread(target=keep_house) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert not Sample.objects.using(ALIAS).exists()
    assert _content() == wanted


def test_samples_saved_and_asked_for_during_upkeep_are_all_there(history: DjangoHistory) -> None:
    saved = readings(6)
    history.save(saved[:360])
    now = START + 7 * HOUR
    failures: list[Exception] = []

    def keep_house() -> None:
        try:
            closed(history, now)
        except Exception as error:  # noqa: BLE001 - shown by the test's own thread
            failures.append(error)
        finally:
            connections[ALIAS].close()

    thread = threading.Thread(target=keep_house)
    thread.start()
    for first in range(360, 720, 40):
        history.save(saved[first : first + 40])
        answer = ask(history, ("connections",), hours=6, resolution=60)
        assert_points(answer, "connections", expected(saved[: first + 40], "connections", 60))
    thread.join()
    assert failures == []
    closed(history, now)
    for metric in METRICS:
        assert_points(ask(history, hours=6, resolution=60), metric, expected(saved, metric, 60))
