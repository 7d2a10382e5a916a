"""Whether a server restarted between two samples, and what the rule on restarts makes of a server that is merely young."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dbvigil.alerts.engine import step
from dbvigil.alerts.restarts import unrestarted
from dbvigil.alerts.rule import RESTARTED
from dbvigil.alerts.rules import for_database
from dbvigil.alerts.shipped import SHIPPED
from dbvigil.alerts.states import RuleState
from dbvigil.analysis.interval import restarted
from dbvigil.types import DatabaseMetrics, Snapshot
from tests.unit.test_rates import NOW, snapshot, without

AGAIN: dict[str, Any] = {"connection": "second"}
REBOOTED: dict[str, Any] = {"clock": "another boot", "monotonic": 3.0, **AGAIN}


def up_for(seconds: float | None, at: float, **values: Any) -> Snapshot:
    """A snapshot taken `at` seconds after NOW of a server that is up for `seconds`."""
    start = snapshot(at, **values)
    if seconds is None:
        return without(start, "status")
    status = start.readings["status"]
    changed = {**status, "global": {**status["global"], "Uptime": int(seconds)}}
    return replace(start, readings={**start.readings, "status": changed})


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (up_for(20, 30, **AGAIN), None, None),
        (up_for(None, 30, **AGAIN), up_for(1000, 0), None),
        # The same run.
        (up_for(1030, 30), up_for(1000, 0), False),
        (up_for(1030, 30, **AGAIN), up_for(1000, 0), False),
        (up_for(30, 30.9, **AGAIN), up_for(0, 0), False),
        (up_for(86_400, 86_399, **AGAIN), up_for(1, 0), False),
        (up_for(1030, 0, taken_at=NOW + timedelta(seconds=30), **REBOOTED), up_for(1000, 0), False),
        # One that was sampled in its first moments.
        (up_for(31, 30, **AGAIN), up_for(1, 0), False),
        # Another one.
        (up_for(5, 30, **AGAIN), up_for(1000, 0), True),
        (up_for(20, 30, **AGAIN), up_for(3, 0), True),
        (up_for(20, 30, **AGAIN), up_for(None, 0), True),
        (up_for(0, 1, **AGAIN), up_for(3, 0), True),
        (up_for(600, 7200, **AGAIN), up_for(30, 0), True),
        (up_for(20, 0, taken_at=NOW + timedelta(hours=1), **REBOOTED), up_for(5, 0), True),
    ],
)
def test_a_restart_is_told_from_the_same_run(
    now: Snapshot, before: Snapshot | None, expected: bool | None
) -> None:
    assert restarted(now, before) is expected


def fired(uptime: float, states: dict[str, RuleState], again: bool) -> list[str]:
    """What one sample of the loop raises about the uptime."""
    rules = for_database({})
    metrics = DatabaseMetrics("shop", NOW, up=True, uptime=uptime)
    judged = metrics if again else unrestarted(metrics, rules, states)
    found = step(rules, judged, states, NOW)
    states.clear()
    states.update(found.states)
    return [one.kind for one in found.transitions if one.metric == "uptime"]


def test_a_young_server_is_nobodys_trouble_and_a_restarted_one_is() -> None:
    assert RESTARTED in {rule.id for rule in SHIPPED}
    states: dict[str, RuleState] = {}
    assert fired(20, states, again=False) == []
    assert fired(50, states, again=False) == []
    assert states == {}
    assert fired(3, states, again=True) == ["fired"]
    assert fired(33, states, again=False) == [], "it goes on"
    assert states["restarted"].severity == "warning"
    assert fired(301, states, again=False) == ["resolved"]
