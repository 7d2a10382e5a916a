"""The table of rules: what each reads, what it misses, with which levels it ships, and that each has a runbook."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dbvigil.alert import Severity
from dbvigil.alerts import messages
from dbvigil.alerts.engine import step
from dbvigil.alerts.rule import Rule
from dbvigil.alerts.rules import for_database
from dbvigil.alerts.shipped import SHIPPED
from dbvigil.alerts.states import RuleState
from dbvigil.catalogue import BY_NAME
from dbvigil.conf import load
from dbvigil.types import DatabaseMetrics, Failure, Json, Threshold

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
BY_ID = {rule.id: rule for rule in SHIPPED}
WITH_LEVELS = {rule.id: rule for rule in for_database(load().thresholds.everywhere)}
SECTIONS = ["What it means", "How to see it", "First", "For good", "When to change the level"]


def sample(**figures: Any) -> DatabaseMetrics:
    return DatabaseMetrics("shop", NOW, True, **figures)


@pytest.mark.parametrize(
    ("rule", "figures", "reading"),
    [
        ("replication_running", {"replication_role": "source"}, None),
        ("replication_running", {"replication_role": "replica"}, None),
        ("replication_running", {"replication_role": "replica", "replication_io_running": False}, False),
        (
            "replication_running",
            {"replication_role": "both", "replication_io_running": True, "replication_sql_running": True},
            True,
        ),
        (
            "replication_running",
            {"replication_role": "both", "replication_io_running": True, "replication_sql_running": False},
            False,
        ),
        ("read_only", {"replication_role": "replica", "read_only": False}, False),
        ("read_only", {"replication_role": "source", "read_only": False}, None),
        ("read_only", {"replication_role": "both", "read_only": False}, None),
        ("errant_gtids", {"errant_gtids": None}, None),
        ("errant_gtids", {"errant_gtids": ""}, True),
        ("errant_gtids", {"errant_gtids": "a:1-3"}, "a:1-3"),
        ("errant_gtids", {"errant_gtids": "a" * 500}, "a" * 200),
        ("restarted", {"uptime": 12.0}, 12.0),
        ("disk_usage", {"disk_usage": 0.0}, 0.0),
    ],
)
def test_what_a_rule_reads(rule: str, figures: dict[str, Any], reading: Json) -> None:
    assert BY_ID[rule].read(sample(**figures)) == reading


@pytest.mark.parametrize(
    ("rule", "value", "breached"),
    [
        ("read_only", False, True),
        ("read_only", True, False),
        ("errant_gtids", "a:1", True),
        ("errant_gtids", True, False),
        ("restarted", 300.0, True),
        ("restarted", 300.1, False),
        ("disk_usage", 84.9, False),
        ("disk_usage", 85.0, True),
        ("memory_usage", 97.0, True),
        ("deadlocks_rate", 1 / 30, False),
        ("longest_transaction_seconds", 2 * 3600, False),
    ],
)
def test_what_breaches_a_rule_as_it_ships(rule: str, value: Json, breached: bool) -> None:
    assert WITH_LEVELS[rule].breached(value) is breached


def test_a_reading_is_missed_where_its_collector_failed_or_a_running_replica_has_no_lag() -> None:
    failed = Failure("status", "denied", "GRANT PROCESS")
    assert "denied" in BY_ID["connection_usage"].missing(sample(failures=(failed,)))
    assert BY_ID["disk_usage"].missing(sample(failures=(failed,))) == ""
    assert BY_ID["connection_usage"].missing(sample(failures=(replace(failed, lacking=True),))) == ""
    running = {
        "replication_role": "replica",
        "replication_io_running": True,
        "replication_sql_running": True,
    }
    assert "no lag" in BY_ID["replication_lag"].missing(sample(**running))
    assert BY_ID["replication_lag"].missing(sample(**{**running, "replication_sql_running": False})) == ""
    assert BY_ID["replication_lag"].missing(sample(replication_role="source")) == ""


def test_every_rule_that_ships_has_levels_and_a_metric_of_the_catalogue() -> None:
    assert list(WITH_LEVELS) == list(BY_ID)
    for rule in WITH_LEVELS.values():
        assert rule.metric in BY_NAME or rule.condition is not None, rule.id
        assert rule.warning is not None or rule.critical is not None, rule.id


def test_a_threshold_on_uptime_is_the_level_of_the_rule_on_restarts() -> None:
    rules = for_database({"uptime": Threshold("uptime", 600.0, None)})
    (restarted,) = (rule for rule in rules if rule.metric == "uptime")
    assert (restarted.id, restarted.warning, restarted.bad) == ("restarted", 600.0, "low")


def test_a_rule_that_was_switched_off_ends_its_alert_under_the_metric_that_it_carried() -> None:
    fired = step(for_database({}), sample(uptime=10.0), {}, NOW)
    assert [(one.kind, one.metric) for one in fired.transitions] == [("fired", "uptime")]
    off = for_database({}, {"restarted": {"enabled": False}})
    over = step(off, sample(uptime=40.0), fired.states, NOW)
    assert [(one.kind, one.metric) for one in over.transitions] == [("resolved", "uptime")]


def test_what_is_stored_of_a_state_is_what_is_read_back() -> None:
    rules = for_database({"connection_usage": Threshold("connection_usage", 80, 95)})
    states = step(rules, sample(connection_usage=96.0, uptime=5.0), {}, NOW).states
    assert states
    for state in states.values():
        assert RuleState.from_dict(state.to_dict()) == state


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.id) for rule in WITH_LEVELS.values()])
def test_each_rule_has_a_runbook_and_words(rule: Rule) -> None:
    text = (RUNBOOKS / f"{rule.runbook}.md").read_text()
    assert f"Rule `{rule.id}`." in text
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert 25 <= len(text.splitlines()) <= 40
    severity: Severity = "critical" if rule.critical is not None else "warning"
    value = False if rule.condition is not None else rule.level(severity)
    for line in (messages.breach(rule, value, severity), messages.resolved(rule, value, severity)):
        assert line
        assert "\n" not in line
        assert len(line) < 160


def test_each_runbook_is_of_a_rule() -> None:
    known = {rule.runbook for rule in (*SHIPPED, *for_database({"load1": Threshold("load1", 4, 8)}))}
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == known
