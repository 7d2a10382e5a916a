"""Leaks and advice about connections as tables of cases, and what a process counts of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.utils import ConnectionHandler

from dbvigil.collectors.connections import BUFFERS, MOST_PIDS, fold
from dbvigil.connections import pools, watch
from dbvigil.connections.advice import advise
from dbvigil.connections.findings import find
from dbvigil.connections.tracking import Tracker, has_outlived
from dbvigil.errors import ConfigurationError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def process(**changes: Any) -> dict[str, Any]:
    return {
        "identity": "web:7:1",
        "host": "web",
        "pid": 7,
        "program": "gunicorn",
        "seconds": 3600.0,
        "open": 2,
        "in_use": 1,
        "opened": 2,
        "outlived": 0,
        "max_age": 60,
        "health_checks": True,
        "oldest_seconds": 10.0,
        "connect_seconds_mean": 0.004,
        "highest": 2,
        "server_connections": None,
        "past": [],
        "pools": [],
    } | changes


def past(opened: list[int], in_use: list[int] | None = None, step: int = 60) -> list[list[float]]:
    used = in_use or [1] * len(opened)
    began = NOW - timedelta(seconds=step * (len(opened) - 1))
    return [
        [(began + timedelta(seconds=step * place)).timestamp(), float(one), float(used[place])]
        for place, one in enumerate(opened)
    ]


def group(**changes: Any) -> dict[str, Any]:
    return {
        "user": "shop",
        "host": "10.0.0.1",
        "program": "celery",
        "idle_in_transaction": 1,
        "oldest_idle_in_transaction_seconds": 61,
    } | changes


RISING = list(range(1, 13))


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (process(), []),
        (process(past=past(RISING)), ["connections_grow"]),
        (process(past=past(RISING[:8])), []),
        (process(past=past(RISING, step=10)), []),
        (process(past=past(RISING, RISING)), []),
        (process(past=past([1, 1, 1, 5, 6, 7, 8, 8, 8, 8, 8, 8])), []),
        (process(past=past([1, 2, 3, 4, 9, 6, 7, 8, 5, 10, 11, 12])), []),
        (process(past=past([1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3])), []),
        (process(outlived=2), ["connections_outlived"]),
        (process(server_connections=9), ["connections_unaccounted"]),
        (process(server_connections=6), []),
        (process(server_connections=14, highest=8), []),
        (process(server_connections=0), []),
    ],
)
def test_leaks_of_a_process(one: dict[str, Any], names: list[str]) -> None:
    assert [found.name for found in find([one], [], NOW)] == names


@pytest.mark.parametrize(
    ("one", "count"),
    [
        (group(), 1),
        (group(oldest_idle_in_transaction_seconds=59), 0),
        (group(oldest_idle_in_transaction_seconds=None), 0),
    ],
)
def test_transactions_left_open(one: dict[str, Any], count: int) -> None:
    found = find([], [one], NOW)
    assert len(found) == count
    assert all("shop@10.0.0.1 (celery)" in each.text and "61 s" in each.text for each in found)


@pytest.mark.parametrize(
    ("max_age", "age", "idle", "outlived"),
    [
        (None, 9e9, 9e9, False),
        (0, 100, 61, True),
        (0, 100, 59, False),
        (60, 9000, 8970, False),
        (60, 9000, 100, True),
        (60, 9000, 1, False),
    ],
)
def test_what_a_request_would_have_closed(
    max_age: float | None, age: float, idle: float, outlived: bool
) -> None:
    assert has_outlived(max_age, age, idle) is outlived


FIGURES: dict[str, Any] = {
    "max_connections": 100,
    "Max_used_connections": 40,
    "Threads_connected": 20,
    "Threads_created": 50,
    "Connections": 100_000,
    "Uptime": 172_800,
    "thread_cache_size": 8,
    "wait_timeout": 28_800,
    **dict.fromkeys(BUFFERS, 262_144),
}


@pytest.mark.parametrize(
    ("figures", "processes", "rule", "says"),
    [
        ({}, [process()], None, ""),
        ({"Max_used_connections": 85}, [], "max_connections", "85 + 17 in reserve = 102"),
        ({"Max_used_connections": 84}, [], None, ""),
        ({"Max_used_connections": None, "Threads_connected": 99}, [], None, ""),
        (
            {"Threads_connected": 30},
            [process(open=10, highest=40), process(open=10, highest=45)],
            "max_connections",
            "2 reporting processes had 85 at their highest, beside 10 of others: 95 of max_connections 100 is 95 %",
        ),
        (
            {"max_connections": 10_000},
            [],
            "max_connections_memory",
            "max_connections 10000 × 1.5 MiB = 14.6 GiB; the peak in 2 days was 40. max_connections 80 would bound it to 0.1 GiB",
        ),
        ({"max_connections": 10_000, "Uptime": 3600}, [], None, ""),
        ({"max_connections": 10_000, "thread_stack": None}, [], None, ""),
        (
            {"Threads_created": 400_000, "Connections": 500_000},
            [],
            "thread_cache",
            "2.3 a second, and 20 % came from the cache of 8. Set thread_cache_size to 40",
        ),
        ({"Threads_created": 400_000, "Connections": 5_000_000}, [], None, ""),
        ({"Threads_created": 400_000, "Connections": 500_000, "thread_cache_size": 40}, [], None, ""),
        (
            {"wait_timeout": 30},
            [process(health_checks=False)],
            "wait_timeout",
            "wait_timeout is 30 s and CONN_MAX_AGE 60 s in 1 of 1 processes",
        ),
        ({"wait_timeout": 30}, [process()], None, ""),
        ({"wait_timeout": 30}, [process(health_checks=False, open=0, max_age=None)], None, ""),
        ({}, [process(health_checks=False, max_age=None)], "wait_timeout", "CONN_MAX_AGE no limit"),
        (
            {},
            [process(max_age=0, opened=7200)],
            "conn_max_age",
            "7200 connections were opened, 2.0 a second, 4.0 ms each",
        ),
        ({}, [process(max_age=0, opened=3599)], None, ""),
    ],
)
def test_advice(
    figures: dict[str, Any], processes: list[dict[str, Any]], rule: str | None, says: str
) -> None:
    found = advise(FIGURES | figures, processes)
    assert [one.rule for one in found] == ([] if rule is None else [rule])
    assert all(says in one.text for one in found), found


def pool(**changes: Any) -> dict[str, Any]:
    return {
        "name": "reports",
        "open": 10,
        "in_use": 2,
        "size": 5,
        "limit": 10,
        "checkouts": 1_000,
        "waits": 0,
        "refused": 0,
        "highest": 5,
        "wait_seconds_mean": None,
        "wait_seconds_longest": None,
    } | changes


SLOW = {"waits": 90, "wait_seconds_mean": 2.0, "wait_seconds_longest": 9.0, "highest": 10}


@pytest.mark.parametrize(
    ("figures", "held", "says"),
    [
        ({}, [pool()], None),
        (
            {},
            [pool(**SLOW)],
            "gives out 10 connections at most: 90 of 1,000 requests (9.0 %) found all in use and waited, 2 s on average and 9 s at the"
            " longest; 0.05 waited at a time. 10 + 2 = 12 would hold them. In 1 process that is 2 more, and the server has room for 45",
        ),
        # 90 × 2 s and 90 × 80 s in two processes of an hour each: one waited at a time.
        (
            {},
            [pool(**SLOW), pool(**SLOW | {"wait_seconds_mean": 300.0})],
            "3.8 waited at a time. 10 + 4 = 14",
        ),
        ({}, [pool(**SLOW), pool(**SLOW)], "In 2 processes that is 4 more, and the server has room for 45"),
        ({"Threads_connected": 60, "Max_used_connections": 84}, [pool(**SLOW)], "room for 1 only below 85 %"),
        ({"Threads_connected": None}, [pool(**SLOW)], "Whether the server has room for that is not known."),
        ({}, [pool(**SLOW | {"waits": 9})], None),
        ({}, [pool(**SLOW | {"checkouts": 100_000})], None),
        ({}, [pool(**SLOW | {"waits": 1, "refused": 1})], "at the longest, of which 1 got none;"),
        (
            {},
            [pool(size=20, limit=30), pool(size=20, limit=30)],
            "keeps 20 connections in 2 processes, 40 in all, and at most 5 of one were in use at a time. A size of 5 + 1 = 6 keeps 12.",
        ),
        ({}, [pool(size=20, limit=None)], None),
        ({}, [pool(size=20, checkouts=None, waits=None, refused=None, highest=None)], None),
        ({}, [pool(size=20, checkouts=0, highest=0)], None),
    ],
)
def test_sizes_of_pools(figures: dict[str, Any], held: list[dict[str, Any]], says: str | None) -> None:
    processes = [process(pools=[one]) for one in held]
    found = [one for one in advise(FIGURES | figures, processes) if one.rule == "pool_size"]
    assert len(found) == (says is not None)
    assert all(says in one.text for one in found if says), found


def test_a_young_process_says_nothing_of_a_pool_that_is_too_large() -> None:
    assert advise(FIGURES, [process(pools=[pool(size=20, limit=30)], seconds=3_599.0)]) == []


def test_a_pool_that_refused_is_found() -> None:
    (found,) = find([process(pools=[pool(refused=3, waits=4)])], [], NOW)
    assert found.name == "pool_exhausted"
    assert "pool reports of gunicorn (process 7 on web) refused 3 of 1,000" in found.text
    assert found.evidence["limit"] == 10


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_an_unknown_figure_gives_no_advice_of_its_own(name: str) -> None:
    assert advise(FIGURES | {name: None}, [process()]) == []


def test_processes_of_one_program_are_one_group() -> None:
    def row(pid: int, rest: int | None) -> dict[str, Any]:
        return {
            "user": "shop",
            "client": "web",
            "program": "gunicorn",
            "pid": str(pid),
            "connections": 2,
            "active": 0,
            "idle": 2,
            "idle_in_transaction": 0,
            "oldest_idle": rest,
            "oldest_idle_in_transaction": None,
        }

    (one,) = fold([row(1, 3), row(2, 9), *(row(pid, None) for pid in range(3, 103))])
    assert (one["connections"], one["oldest_idle_seconds"], len(one["pids"])) == (204, 9, MOST_PIDS)
    assert one["oldest_idle_in_transaction_seconds"] is None
    assert one["pids"]["1"] == 2


class Pool:
    def checkedin(self) -> int:
        return 3

    def checkedout(self) -> int:
        return 2

    def size(self) -> int:
        return 5


def test_a_pool_is_watched_while_it_lives() -> None:
    pool = Pool()
    watch(pool, name="reports", database="shop")
    assert pools.counts() == [pools.PoolCounts("reports", "shop", 5, 2, 5)]
    del pool
    assert pools.counts() == []


def test_what_is_no_pool_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"pool_or_engine.*int.*checkedin"):
        watch(7, name="wrong")


def test_failures_are_counted_by_kind_and_bounded() -> None:
    tracker = Tracker()
    secret = ConnectionError(1045, "the password 'hunter2' is wrong")
    for _ in range(3):
        tracker.failed("shop", secret)
    for number in range(100):
        tracker.failed("shop", ConnectionError(number, ""))
    errors = tracker.figures()["shop"]["connect_errors"]
    assert errors["ConnectionError 1045"] == 3
    assert len(errors) <= 21
    assert sum(errors.values()) == 103
    assert "hunter2" not in str(errors)


def test_connections_that_are_retired_are_closed_by_their_thread_at_its_next_request(
    db: None, tmp_path: Path
) -> None:
    database = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / "shop.sqlite3"),
        "CONN_MAX_AGE": None,
    }
    wrapper = ConnectionHandler({"default": {}, "shop": database})["shop"]
    tracker = Tracker()
    wrapper.connect()
    tracker.opened(wrapper, 0.0)
    wrapper.close_if_unusable_or_obsolete()
    assert tracker.count("shop") == 1
    assert tracker.retire("shop") == 1
    # Nothing is closed under a statement: its thread does it, when it begins something new.
    assert tracker.count("shop") == 1
    wrapper.close_if_unusable_or_obsolete()
    assert (tracker.count("shop"), tracker.retire("shop"), tracker.retire("other")) == (0, 0, 0)
