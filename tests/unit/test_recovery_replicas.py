"""Which replicas are started again or sped up, and which settings are put back: as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dbvigil.conf.recovery import SAFE_ERRORS
from dbvigil.driver.session import identity
from dbvigil.recovery import variables
from dbvigil.recovery.actions.restart_replication import refused
from dbvigil.recovery.actions.speed_up_replica import changed, hindered, no_start, no_workers, stays
from dbvigil.recovery.plan import Change

READ_ONLY = {"read_only": "ON", "replica_parallel_workers": "1", "replica_preserve_commit_order": "ON"}


def channel(**changes: Any) -> dict[str, Any]:
    return {
        "name": "",
        "running": {"receiver": True, "applier": True},
        "error": {"receiver": 0, "applier": 0},
        "delay": 0,
        "read_file": "binlog.000002",
        "read_position": 900,
        "applied_file": "binlog.000002",
        "applied_position": 500,
        **changes,
    }


@pytest.mark.parametrize(
    ("error", "workers", "name", "reason"),
    [
        (2003, set(), "", None),
        (1205, {1205, 1213}, "", None),
        (0, {1205}, "", None),
        (0, set(), "", "it stopped without an error: somebody stopped it"),
        (None, set(), "", "why it stopped is not known"),
        (1062, set(), "", "error 1062 is not one that passes"),
        (1205, {1062}, "", "error 1062 is not one that passes"),
        (1756, set(), "", "error 1756 is not one that passes"),
        (2003, set(), "group_replication_applier", "a channel of group replication"),
    ],
)
def test_what_is_started_again(error: int | None, workers: set[int], name: str, reason: str | None) -> None:
    row = channel(name=name, error={"receiver": 0, "applier": error})
    assert refused(row, "applier", workers, SAFE_ERRORS) == reason


@pytest.mark.parametrize(
    ("channels", "values", "reason"),
    [
        ([channel()], {}, None),
        ([], {}, "it is no replica"),
        ([channel(), channel(name="b")], {}, "it follows several sources"),
        ([channel(name="group_replication_applier")], {}, "it is a member of a group"),
        ([channel(running={"receiver": True, "applier": False})], {}, "its applier does not run"),
        ([channel(running={"receiver": True, "applier": None})], {}, "its applier does not run"),
        (
            [channel()],
            {"read_only": "OFF"},
            "it is not read-only: what is written here would be less durable too",
        ),
        ([channel()], {"read_only": "OFF", "super_read_only": "ON"}, None),
        ([channel(delay=3600)], {}, "it is meant to be behind"),
        (
            [channel(applied_position=900)],
            {},
            "it has applied all that it received: what is slow is before it",
        ),
        (
            [channel(applied_position=None)],
            {},
            "it has applied all that it received: what is slow is before it",
        ),
    ],
)
def test_which_replica_is_helped(channels: list[Any], values: Mapping[str, str], reason: str | None) -> None:
    assert hindered(channels, {**READ_ONLY, **values}) == reason


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("replica_parallel_workers", {}, None),
        ("replica_parallel_workers", {"replica_parallel_workers": "8"}, "there are 8 already"),
        ("replica_parallel_workers", {"replica_preserve_commit_order": "OFF"},
         "without replica_preserve_commit_order they would leave gaps"),
        ("slave_parallel_threads", {}, "how many there are is not known"),
        ("slave_parallel_threads", {"slave_parallel_threads": "0"}, None),
        ("slave_parallel_threads", {"slave_parallel_threads": "0", "slave_parallel_mode": "none"}, "slave_parallel_mode is none"),
    ],
)  # fmt: skip
def test_which_replica_gets_workers(name: str, values: Mapping[str, str], reason: str | None) -> None:
    assert no_workers([channel()], {**READ_ONLY, **values}, name, 4) == reason


@pytest.mark.parametrize(
    ("current", "reason"),
    [
        ("0", None),
        ("1", "as it was already"),
        ("50", "somebody has set it to 50: left"),
        (None, "it cannot be read any more"),
    ],
)
def test_which_setting_is_put_back(current: str | None, reason: str | None) -> None:
    assert stays(Change("setting", "sync_binlog", "1", "0"), current) == reason


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (None, "there is no such channel any more"),
        (channel(), None),
        (channel(running={"receiver": True, "applier": False}), None),
        (
            channel(running={"receiver": True, "applier": False}, error={"receiver": 0, "applier": 1062}),
            "it has stopped with error 1062: left",
        ),
    ],
)
def test_which_applier_is_started_again(row: Any, reason: str | None) -> None:
    assert no_start(row) == reason


def test_the_applier_stops_for_its_workers_alone_and_starts_at_once() -> None:
    relaxed = Change("setting", "sync_binlog", "1", "0")
    workers = Change("setting", "replica_parallel_workers", "1", "4")
    steps, more = changed((relaxed, workers), "", "replica_parallel_workers")
    assert [step.given for step in steps] == [
        ("set", "sync_binlog", "0"),
        ("stop", "", ""),
        ("set", "replica_parallel_workers", "4"),
        ("start", "", ""),
    ]
    assert more == (Change("applier", "", "running", "stopped"),)
    assert steps[-1].closes == {more[0]: "started again"}
    # One that does not run is not stopped, and not started.
    assert [step.given[0] for step in changed((workers,), None, "replica_parallel_workers")[0]] == ["set"]


@pytest.mark.parametrize(
    ("version", "workers", "needs"),
    [
        ("9.7.4", "replica_parallel_workers", "SYSTEM VARIABLES ADMIN"),
        ("8.0.25", "slave_parallel_workers", "SYSTEM VARIABLES ADMIN"),
        ("10.11.14-MariaDB", "slave_parallel_threads", "REPLICATION SLAVE ADMIN"),
    ],
)
def test_names_by_release(version: str, workers: str, needs: str) -> None:
    info = identity({"version": version})
    assert variables.workers_name(info) == workers
    assert variables.privilege(info, workers) == needs
    assert workers in variables.SETTABLE
